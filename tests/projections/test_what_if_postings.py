"""What-if of posting rules: the same history by other rules, what differs to the last minor unit; what is refused."""

from collections.abc import Callable
from typing import cast

import msgspec
import pytest

from commands.accounts import CloseAccount, OpenAccount
from commands.entries import ReverseEntry
from commands.envelope import Command
from commands.holds import CaptureHold
from commands.transfers import PlaceHold, PostTransfer
from ledger.events.entries import ReversalPosted
from ledger.events.event import Event
from ledger.events.holds import HoldCaptured
from ledger.events.payments import PaymentCaptured, PaymentPaidFromWallet
from ledger.events.transfers import TransferPosted
from ledger.journal import Direction, JournalEntry, Posting, credit, debit, entry_of
from ledger.posting_rules import holds, payments, transfers
from ledger.posting_rules.transfers import Rules
from ledger.posting_rules.versions import PostingRules, RuleRefused
from ledger.store.connection import Database
from projections.replay import replay
from projections.what_if_postings import AccountDiffers, PostingsReport, Standing, replay_postings
from tests.commands.stories import ANN, MERCHANT, PAID_BY_CARD, attempt_of, by_card, charged, from_wallet, topped_up
from tests.projections.reading import catch_up
from tests.writing import pen

FEES = "sys:4010:quick_pay:eur"
DISPUTE_FEES = "sys:4020:acme:eur"
WORK: tuple[Command, ...] = (
    *PAID_BY_CARD,
    by_card("pay_2", 1_000),
    attempt_of("pay_2", charged(1_000, "ch_2")),
    *topped_up(3_000),
    from_wallet("pay_3", 2_000),
    OpenAccount("till", "Till", "asset", "EUR"),
    OpenAccount("box", "Box", "asset", "EUR"),
    PostTransfer("ent_1", "till", "box", 50, "EUR"),
    ReverseEntry("ent_2", "ent_1", "by mistake"),
    CloseAccount("box", "empty"),
    OpenAccount("shelf", "Shelf", "asset", "EUR"),
    PlaceHold("hold_1", "till", "shelf", 40, "EUR"),
    CaptureHold("hold_1", 30, False),
)


@pytest.fixture
def past(database: Database, book: str) -> str:
    with pen(database, book) as held:
        for command in WORK:
            held.do(command)
    catch_up(database, book)
    return book


@pytest.fixture
def by(database: Database, past: str) -> Callable[[Rules], PostingsReport]:
    return lambda rules: replay_postings(database, past, PostingRules(rules))


def flat(event: PaymentCaptured) -> JournalEntry:
    """Without the 0.10 that each capture costs."""
    return payments.captured(msgspec.structs.replace(event, fee=event.fee - 10))


def test_another_fee_differs_by_exactly_what_it_is_less(by: Callable[[Rules], PostingsReport]) -> None:
    report = by({PaymentCaptured: flat})
    assert report.accounts == [
        # Two captures of 6,000 and 1,000 with fees of 130 and 30, and 2,000 from a wallet with a fee of 50.
        AccountDiffers(MERCHANT, "liability", "EUR", Standing(210, 9_000, 8_790), Standing(190, 9_000, 8_810), 20),
        AccountDiffers(FEES, "revenue", "EUR", Standing(0, 160, 160), Standing(0, 140, 140), -20),
    ]
    assert report.topics == ["payments.captured.v1"]
    assert (report.entries_then, report.entries_now, report.entries_differ) == (7, 7, 2)
    first, second = report.examples
    assert (first.stream, second.stream) == ("pay_1", "pay_2")
    assert [p for p in first.then if p not in first.now] == [debit(MERCHANT, 130, "EUR"), credit(FEES, 130, "EUR")]
    assert [p for p in first.now if p not in first.then] == [debit(MERCHANT, 120, "EUR"), credit(FEES, 120, "EUR")]
    totals = report.trial_balance["EUR"]
    assert totals.then.difference == totals.now.difference == 0
    assert totals.then.debits - totals.now.debits == 20
    assert report.beyond_limits == []


def test_the_rules_of_then_differ_in_nothing(by: Callable[[Rules], PostingsReport]) -> None:
    report = by({PaymentCaptured: payments.captured, TransferPosted: transfers.transfer, HoldCaptured: holds.captured})
    assert (report.accounts, report.entries_differ, report.examples) == ([], 0, [])


def test_only_the_history_until_the_position_is_posted(database: Database, past: str) -> None:
    rules = PostingRules({PaymentCaptured: flat})
    whole = replay_postings(database, past, rules)
    first = replay_postings(database, past, rules, to=whole.examples[0].position)
    assert first.entries_differ == 1
    assert [one.difference for one in first.accounts] == [10, -10]
    assert replay_postings(database, past, rules, to=whole.examples[0].position - 1).accounts == []


def test_an_account_of_the_chart_that_nobody_opened_is_as_it_would_have_been(
    by: Callable[[Rules], PostingsReport],
) -> None:
    def elsewhere(event: PaymentCaptured) -> JournalEntry:
        return JournalEntry(
            tuple(
                msgspec.structs.replace(posting, account=DISPUTE_FEES) if posting.account == FEES else posting
                for posting in payments.captured(event).postings
            )
        )

    found = {one.account: one for one in by({PaymentCaptured: elsewhere}).accounts}
    assert found.keys() == {FEES, DISPUTE_FEES}
    nothing = Standing(0, 0, 0)
    assert found[DISPUTE_FEES] == AccountDiffers(DISPUTE_FEES, "revenue", "EUR", nothing, Standing(0, 160, 160), 160)


def test_an_account_that_is_opened_later_keeps_what_other_rules_posted_to_it_before(
    by: Callable[[Rules], PostingsReport],
) -> None:
    """The fees of payments from wallets have an account since the first of those, which comes after both captures."""
    bank, later = "sys:1010:main:eur", "sys:4010:balance_pay:eur"

    def more(event: PaymentCaptured) -> JournalEntry:
        return JournalEntry((*payments.captured(event).postings, debit(bank, 5, "EUR"), credit(later, 5, "EUR")))

    found = {one.account: one for one in by({PaymentCaptured: more}).accounts}
    assert {account: one.difference for account, one in found.items()} == {bank: 10, later: 10}
    assert found[later].then == Standing(0, 50, 50)


def test_what_moves_nothing_leaves_closed_accounts_with_something_on_them(
    by: Callable[[Rules], PostingsReport],
) -> None:
    report = by({ReversalPosted: lambda event: None})
    assert {one.account: one.difference for one in report.accounts} == {"box": -50, "till": 50}
    assert report.entries_now == report.entries_then - 1
    assert report.examples[0].now == ()


def test_accounts_that_would_stand_beyond_their_limits_are_named(by: Callable[[Rules], PostingsReport]) -> None:
    def twice(event: PaymentPaidFromWallet) -> JournalEntry:
        return payments.paid_from_wallet(msgspec.structs.replace(event, amount=2 * event.amount))

    report = by({PaymentPaidFromWallet: twice})
    assert report.beyond_limits == [ANN]
    assert {one.account: one.now.balance for one in report.accounts}[ANN] == -1_000


def test_what_is_set_aside_is_what_it_was(database: Database, past: str) -> None:
    def dearer(event: HoldCaptured) -> JournalEntry:
        return holds.captured(msgspec.structs.replace(event, amount=event.amount + 1))

    with database.owner() as connection:
        try:
            report = replay_postings(database, past, PostingRules({HoldCaptured: dearer}), keep="what_if_kept")
            rows = connection.execute(
                "SELECT account, posted_debits, posted_credits, pending_debits, pending_credits"
                " FROM what_if_kept.balances WHERE account IN ('till', 'shelf') ORDER BY 1"
            ).fetchall()
            (legs,) = connection.execute("SELECT count(*) FROM what_if_kept.postings WHERE amount = 31").fetchall()
        finally:
            connection.execute("DROP SCHEMA IF EXISTS what_if_kept CASCADE")
    assert rows == [("shelf", 0, 31, 0, 10), ("till", 50 + 31, 50, 10, 0)]
    assert legs == (2,)
    assert report.schema == "what_if_kept"


def _unbalanced(event: PaymentCaptured) -> JournalEntry:
    return entry_of(debit(MERCHANT, event.amount, "EUR"), credit(FEES, event.amount - 1, "EUR"))


def _by_the_back_door(event: PaymentCaptured) -> JournalEntry:
    """An entry that was put together without being looked at."""
    entry = payments.captured(event)
    msgspec.structs.force_setattr(entry, "postings", entry.postings[1:])
    return entry


def _to_nobody(event: PaymentCaptured) -> JournalEntry:
    return entry_of(debit("nobody", 1, "EUR"), credit(FEES, 1, "EUR"))


def _to_no_code(event: PaymentCaptured) -> JournalEntry:
    return entry_of(debit("sys:9999:eur", 1, "EUR"), credit(FEES, 1, "EUR"))


def _in_dollars(event: PaymentCaptured) -> JournalEntry:
    return entry_of(debit(MERCHANT, 1, "USD"), credit(FEES, 1, "USD"))


def _a_bug(event: PaymentCaptured) -> JournalEntry:
    raise LookupError("what fee?")


def _no_entry(event: PaymentCaptured) -> JournalEntry:
    return cast(JournalEntry, (Posting(MERCHANT, Direction.DEBIT, 1, "EUR"),))


REFUSED: list[tuple[Callable[[PaymentCaptured], JournalEntry], str]] = [
    (_unbalanced, "debits of 6000 against credits of 5999"),
    (_by_the_back_door, "debits of"),
    (_to_nobody, "posts to nobody, and there was no such account"),
    (_to_no_code, "posts to sys:9999:eur, and there was no such account"),
    (_in_dollars, f"posts USD to {MERCHANT}, which is in EUR"),
    (_a_bug, "what fee"),
    (_no_entry, "AttributeError"),
]


@pytest.mark.parametrize(("rule", "complaint"), REFUSED)
def test_rules_that_do_not_post_what_an_entry_is_are_refused_at_their_first_event(
    database: Database, past: str, rule: Callable[[Event], JournalEntry], complaint: str
) -> None:
    position = replay_postings(database, past, PostingRules({PaymentCaptured: flat})).examples[0].position
    with pytest.raises(RuleRefused, match=complaint) as refused:
        replay_postings(database, past, PostingRules({PaymentCaptured: rule}))
    assert f"position {position}: the rule for payments.captured.v1" in str(refused.value)


def test_the_live_book_is_left_alone(database: Database, past: str, by: Callable[[Rules], PostingsReport]) -> None:
    by({PaymentCaptured: flat})
    assert replay(database, past).is_equal
