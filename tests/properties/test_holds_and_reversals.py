"""Laws of holds and reversals: whatever way they go, what is given back is exactly what was taken."""

from hypothesis import given
from hypothesis import strategies as st

from commands.accounts import OpenAccount
from commands.entries import EntryReceipt, PostEntry, ReverseEntry
from commands.holds import CaptureHold, ReleaseHold, fold
from commands.transfers import PlaceHold
from ledger.accounts import Kind
from ledger.errors import AlreadyReversed, CaptureExceedsHold, HoldNotActive, ReversalExceedsEntry
from ledger.journal import Posting
from tests.commands.given import Story
from tests.commands.given import given as story
from tests.properties.events_of_all_kinds import amounts, balanced_postings

kinds = st.lists(st.sampled_from(Kind), min_size=8, max_size=8)


def with_accounts(kinds: list[Kind], currency: str) -> Story:
    return story(*(OpenAccount(f"acc:{n}", "", kind, currency) for n, kind in enumerate(kinds)))


def in_one_currency(postings: tuple[Posting, ...]) -> tuple[Posting, ...]:
    return tuple(Posting(posting.account, posting.direction, posting.amount, "EUR") for posting in postings)


def balances(told: Story) -> dict[str, tuple[int, int]]:
    return {name: (account.balance, account.available) for name, account in told.accounts.items()}


@given(kinds, balanced_postings(), st.data())
def test_a_reversal_in_any_parts_restores_every_balance_exactly(
    kinds: list[Kind], postings: tuple[Posting, ...], data: st.DataObject
) -> None:
    """The parts share each side in proportion; the last one takes what is left, and then nothing can be taken."""
    told = with_accounts(kinds, "EUR")
    before = balances(told)
    entry = in_one_currency(postings)
    told.given(PostEntry("ent_1", entry))
    left, reversals = sum(p.amount for p in entry if p.direction == "debit"), 0
    while left:
        whole = reversals == 4 or data.draw(st.booleans())
        amount = None if whole else data.draw(st.integers(1, left))
        command = ReverseEntry(f"ent_r{reversals}", "ent_1", "mistake", amount)
        taken = told.when(command).answered(201).receipt(EntryReceipt).postings
        assert sum(p.amount for p in taken if p.direction == "credit") == (left if whole else amount)
        told.when(ReverseEntry("ent_x", f"ent_r{reversals}", "")).refused(AlreadyReversed)
        left -= left if amount is None else amount
        reversals += 1
        if left:
            told.when(ReverseEntry("ent_x", "ent_1", "", left + 1)).refused(ReversalExceedsEntry, remaining=left)
    told.when(ReverseEntry("ent_x", "ent_1", "")).refused(AlreadyReversed)
    told.when(ReverseEntry("ent_x", "ent_1", "", 1)).refused(AlreadyReversed)
    assert balances(told) == before


@given(kinds, amounts, st.data())
def test_a_hold_in_any_parts_gives_back_exactly_what_it_did_not_post(
    kinds: list[Kind], amount: int, data: st.DataObject
) -> None:
    """While it lasts it counts on the side that money leaves; in the end only what was captured has moved."""
    told = with_accounts(kinds, "EUR").given(PlaceHold("hold_1", "acc:0", "acc:1", amount, "EUR"))
    held, captured = amount, 0
    for turn in range(4):
        check_hold(told, captured, held)
        match data.draw(st.sampled_from(["capture", "final", "release"] if turn < 3 else ["release", "all"])):
            case "capture":
                part = data.draw(st.integers(1, held))
                told.when(CaptureHold("hold_1", part)).answered(201, captured_now=part, remaining=held - part)
                held, captured = held - part, captured + part
            case "final":
                part = data.draw(st.integers(1, held))
                told.when(CaptureHold("hold_1", part, final=True)).answered(201, status="captured", remaining=0)
                held, captured = 0, captured + part
            case "release":
                told.when(ReleaseHold("hold_1")).answered(200, status="released", captured=captured, remaining=0)
                held = 0
            case "all":
                told.when(CaptureHold("hold_1")).answered(201, captured_now=held)
                held, captured = 0, captured + held
        if not held:
            break
        told.when(CaptureHold("hold_1", held + 1)).refused(CaptureExceedsHold, remaining=held)
    check_hold(told, captured, 0)
    told.when(CaptureHold("hold_1")).refused(HoldNotActive)
    told.when(ReleaseHold("hold_1")).refused(HoldNotActive)
    for recorded in list(told.stream("hold_1")):
        if told.accounts["acc:0"].posted_debits and recorded.event.topic == "holds.captured.v1":
            told.given(ReverseEntry(f"ent_r{recorded.version}", recorded.entry_id, ""))
    check_hold(told, 0, 0)


def check_hold(told: Story, captured: int, held: int) -> None:
    payer, payee = told.accounts["acc:0"], told.accounts["acc:1"]
    debit_normal = (Kind.ASSET, Kind.EXPENSE, Kind.MEMO)
    sign = 1 if payer.kind in debit_normal else -1
    assert payer.balance == sign * captured
    assert payer.available == sign * captured - (0 if payer.kind in debit_normal else held)
    sign = -1 if payee.kind in debit_normal else 1
    assert payee.balance == sign * captured
    assert payee.available == sign * captured - (held if payee.kind in debit_normal else 0)


@given(amounts, st.lists(st.tuples(st.integers(1, 2**40), st.booleans()), max_size=5))
def test_a_history_folds_to_the_same_every_time(amount: int, captures: list[tuple[int, bool]]) -> None:
    """A fold keeps nothing between two uses, and folding a beginning and then the rest is folding all of it."""
    told = with_accounts([Kind.LIABILITY] * 2, "EUR").given(PlaceHold("hold_1", "acc:0", "acc:1", amount, "EUR"))
    for part, final in captures:
        told.when(CaptureHold("hold_1", part, final=final))
    history = [recorded.event for recorded in told.stream("hold_1")]
    once = fold(history)
    assert fold(history) == once
    assert once is not None
    assert once.captured + once.remaining <= amount
    assert once.events == len(history)
