"""Payout laws: whatever is asked for and whatever channels and banks say, in any order and any number of times."""

from random import Random

from hypothesis import given as sampled
from hypothesis import strategies as st

from commands.channels.channel import PENDING, NotFound, NotSent, Unknown, Verdict
from commands.envelope import Command
from commands.funds import ReleaseFunds
from commands.payouts import RecordPayoutResult
from commands.wallets import FreezeWallet, ReleaseFreeze, TransferToWallet
from ledger.events.wallets import WalletFrozen, WalletReleased
from ledger.payout_state import OPEN, PAID, REJECTED, RETURNED, fold
from tests.commands.given import Story, given
from tests.commands.payout_stories import (
    AGENCY_IN_TRANSIT,
    DECLINED,
    FUNDED,
    PAYOUT_IN_TRANSIT,
    WITHDRAWAL_IN_TRANSIT,
    agency,
    at_the_bank,
    paid_out,
    payout,
    said,
    said_by_float,
    sent_back,
    withdrawal,
)
from tests.commands.stories import from_wallet, refund

AMOUNT = 2_000
PAYOUTS = {"po_merchant": payout, "po_agency": agency, "po_wallet": withdrawal, "po_second": payout}

silences: list[Verdict] = [Unknown("ReadTimeout"), PENDING, NotFound(), NotSent("ConnectError")]
words = st.one_of(
    st.sampled_from([DECLINED, *silences]),
    st.builds(paid_out, st.sampled_from([AMOUNT, AMOUNT, 1]), st.sampled_from(["out_1", "out_1", "out_2"])),
    st.builds(sent_back, st.sampled_from([AMOUNT, AMOUNT, 1]), st.sampled_from(["back_1", "back_2"])),
)


def told(name: str, verdict: Verdict) -> RecordPayoutResult:
    return (said_by_float if name == "po_agency" else said)(verdict, name)


asked = st.sampled_from([make(name, AMOUNT) for name, make in PAYOUTS.items()])
facts = st.builds(told, st.sampled_from(list(PAYOUTS)), words)
happenings: st.SearchStrategy[Command] = st.one_of(
    asked,
    facts,
    facts,
    st.builds(at_the_bank, st.sampled_from(list(PAYOUTS))),
    st.builds(
        lambda number, amount: FreezeWallet(f"frz_{number}", "ann", amount, "EUR", "x"), st.integers(1, 3), st.just(900)
    ),
    st.builds(lambda number: ReleaseFreeze(f"frz_{number}", "ann", "EUR"), st.integers(1, 3)),
    st.builds(
        lambda amount: TransferToWallet(f"wtr_{amount}", "ann", "bob", amount, "EUR"), st.sampled_from([1, 4_000])
    ),
    st.builds(lambda amount: refund(amount, "pay_0"), st.sampled_from([1, 2_000, 9_000])),
    st.builds(lambda due: ReleaseFunds("acme", "EUR", due, 0, 1_000_000), st.sampled_from([1, 5_000])),
    st.just(from_wallet("pay_9", 700)),
)


def tell(story: Story, commands: list[Command]) -> None:
    """Let it all happen, each payout asked for once; after each step the books keep their laws."""
    for command in commands:
        if story.stream(getattr(command, "id", "")) and not isinstance(command, ReleaseFreeze):
            continue
        before = story.turnover()
        outcome = story.when(command)
        if outcome.refusal is not None:
            assert story.turnover() == before
        check(story)


def check(story: Story) -> None:
    accounts = story.accounts.values()
    assert sum(account.posted_debits - account.posted_credits for account in accounts) == 0
    assert all(account.balance >= 0 for account in accounts if account.min_balance == 0)
    in_transit = {PAYOUT_IN_TRANSIT: 0, AGENCY_IN_TRANSIT: 0, WITHDRAWAL_IN_TRANSIT: 0}
    places = {"merchant": PAYOUT_IN_TRANSIT, "principal": AGENCY_IN_TRANSIT, "customer": WITHDRAWAL_IN_TRANSIT}
    for name in PAYOUTS:
        found = fold(story.stream(name))
        if found is not None:
            in_transit[places[found.created.source]] += found.in_transit
            assert (found.status in (*OPEN, PAID)) or found.in_transit == 0
    assert {place: story.balance(place) for place in in_transit} == in_transit
    events = [recorded.event for recorded in story.log]
    frozen = sum(event.amount for event in events if isinstance(event, WalletFrozen))
    released = sum(event.amount for event in events if isinstance(event, WalletReleased))
    assert story.balance("sys:2020:ann:eur") == frozen - released


@sampled(st.lists(happenings, max_size=25))
def test_in_any_order_what_is_in_transit_is_the_sum_of_the_payouts_in_flight(commands: list[Command]) -> None:
    tell(given(*FUNDED), commands)


@sampled(st.lists(facts, max_size=12), st.randoms(use_true_random=False))
def test_saying_it_all_a_second_time_in_any_order_has_no_effect(said_first: list[Command], chance: Random) -> None:
    story = given(*FUNDED, *[make(name, AMOUNT) for name, make in PAYOUTS.items()])
    tell(story, said_first)
    before, states = story.turnover(), {name: fold(story.stream(name)) for name in PAYOUTS}
    again = list(said_first)
    chance.shuffle(again)
    for command in again:
        found = states[command.payout] if isinstance(command, RecordPayoutResult) else None
        # What is still open may take a word that it was spared before; what is over takes none.
        if found is not None and found.status in (PAID, RETURNED, REJECTED):
            story.when(command).then().answered(200)
    assert story.turnover() == before
    assert {name: fold(story.stream(name)) for name in PAYOUTS} == states
