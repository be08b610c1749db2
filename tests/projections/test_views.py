"""What each view answers: accounts, entries, holds and payments."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from commands.accounts import FreezeAccount
from commands.entries import PostEntry, ReverseEntry
from commands.envelope import Command
from commands.holds import CaptureHold, ReleaseHold
from commands.transfers import PlaceHold, PostTransfer
from ledger.journal import credit, debit
from ledger.store.connection import Database
from projections.accounts import account, accounts
from projections.entries import entries, entry
from projections.holds import due, hold
from projections.moments import BEGINNING
from projections.order_status import payment, payments, refund, top_up
from projections.statements import statement
from tests.commands.stories import (
    DECLINED,
    MERCHANT,
    PARTIES,
    attempt_of,
    by_card,
    charged,
    from_wallet,
    refund_result,
    refunded,
    topped_up,
)
from tests.commands.stories import (
    refund as ask_refund,
)
from tests.projections.days_work import ACCOUNTS
from tests.projections.reading import Reader
from tests.projections.rows import check_views
from tests.writing import Pen

# --- accounts


def test_an_account_is_seen_at_once_with_its_rules_of_now(held: Pen, reader: Reader) -> None:
    held.do(FreezeAccount("ann", "a question"))
    found = reader.ask(account, "ann")
    assert found is not None
    assert (found.name, found.kind, found.currency, found.status) == ("The ann", "liability", "EUR", "frozen")
    assert reader.ask(account, "nobody") is None


def test_accounts_are_listed_by_their_ids(held: Pen, reader: Reader) -> None:
    assert [found.id for found in reader.ask(accounts)] == sorted(ACCOUNTS)
    assert [found.id for found in reader.ask(accounts, after="bob", limit=2)] == ["carl", "cash"]


# --- entries


def test_an_entry_knows_what_took_it_back(held: Pen, reader: Reader) -> None:
    held.do(PostTransfer("ent_1", "cash", "ann", 50, "EUR", reference="invoice-1", description="the first"))
    found = reader.ask(entry, "ent_1")
    assert found is not None
    assert (found.reference, found.description, found.reversed_by) == ("invoice-1", "the first", ())
    assert found.reversed_amounts == (0, 0)
    held.do(ReverseEntry("ent_2", "ent_1", "too much", 20))
    held.do(ReverseEntry("ent_3", "ent_1", "all of it"))
    found = reader.ask(entry, "ent_1")
    assert found is not None
    assert (found.reversed_by, found.reversed_amounts, found.is_reversed) == (("ent_2", "ent_3"), (50, 50), True)
    reversal = reader.ask(entry, "ent_2")
    assert reversal is not None
    assert (reversal.reverses, reversal.reason, reversal.description) == ("ent_1", "too much", "too much")
    assert reversal.postings == (credit("cash", 20, "EUR"), debit("ann", 20, "EUR"))


def test_what_is_no_entry_is_not_found(held: Pen, reader: Reader) -> None:
    held.do(PlaceHold("hold_1", "cash", "ann", 50, "EUR"))
    for name in ("ent_9", "hold_1", "hold_1.1", "account/cash", "account/cash.1", "ent_1.1", "", "."):
        assert reader.ask(entry, name) is None, name


def test_a_capture_is_an_entry_with_the_reference_of_its_hold(
    held: Pen, reader: Reader, keep_up: Callable[[], object]
) -> None:
    held.do(PlaceHold("hold_1", "cash", "ann", 50, "EUR", reference="room-7", description="a room"))
    held.do(CaptureHold("hold_1", 20))
    held.do(CaptureHold("hold_1", 10))
    held.do(ReverseEntry("ent_1", "hold_1.2", "a mistake"))
    keep_up()
    found = reader.ask(entry, "hold_1.2")
    assert found is not None
    assert (found.reference, found.description, found.is_reversed) == ("room-7", "a room", True)
    assert [one.id for one in reader.ask(entries, reference="room-7").entries] == ["hold_1.2", "hold_1.3"]
    shown = reader.ask(statement, "cash")
    assert shown is not None
    assert [(line.entry_id, line.reference, line.description, line.balance_after) for line in shown.lines] == [
        ("hold_1.2", "room-7", "a room", 20),
        ("hold_1.3", "room-7", "a room", 30),
        ("ent_1", None, "a mistake", 10),
    ]


def test_entries_are_found_by_reference_and_filtered_all_the_same(held: Pen, reader: Reader) -> None:
    held.do(PostTransfer("ent_1", "cash", "ann", 50, "EUR", reference="invoice-1"))

    def found(account: str | None = None, min_amount: int = 1, since: datetime = BEGINNING) -> list[str]:
        page = reader.ask(entries, reference="invoice-1", account=account, min_amount=min_amount, since=since)
        return [one.id for one in page.entries]

    assert found() == found("ann", 50) == ["ent_1"]
    assert found("bob") == found(min_amount=51) == found(since=datetime.now(UTC)) == []
    assert reader.ask(entries, reference="invoice-2").entries == []


def test_an_account_in_many_legs_of_an_entry_has_a_line_for_each(
    held: Pen, reader: Reader, keep_up: Callable[[], object]
) -> None:
    held.do(PostEntry("ent_1", (debit("cash", 5, "EUR"), debit("cash", 7, "EUR"), credit("ann", 12, "EUR"))))
    keep_up()
    shown = reader.ask(statement, "cash")
    assert shown is not None
    assert [(line.amount, line.balance_after) for line in shown.lines] == [(5, 5), (7, 12)]
    assert [one.id for one in reader.ask(entries, account="cash").entries] == ["ent_1"]
    back = datetime.now(UTC) - timedelta(days=1)
    for name in ("ent_2", "ent_3"):
        legs = (debit("cash", 5, "EUR"), debit("cash", 7, "EUR"), credit("ann", 12, "EUR"))
        held.do(PostEntry(name, legs, back))
    keep_up()
    first = reader.ask(entries, account="cash", until=back + timedelta(seconds=1), limit=1)
    assert [one.id for one in first.entries] == ["ent_2"]
    assert first.next == first.entries[0].position


# --- holds


def test_a_hold_is_told_from_its_stream(held: Pen, reader: Reader) -> None:
    placed = held.do(PlaceHold("hold_1", "cash", "ann", 50, "EUR", reference="room-7"))
    found = reader.ask(hold, "hold_1")
    assert found is not None
    assert (found.status, found.amount, found.captured, found.remaining) == ("active", 50, 0, 50)
    assert found.position == placed.position
    held.do(CaptureHold("hold_1", 20))
    found = reader.ask(hold, "hold_1")
    assert found is not None
    assert (found.status, found.captured, found.remaining, found.entries) == ("active", 20, 30, ("hold_1.2",))
    held.do(CaptureHold("hold_1", 10, final=True))
    found = reader.ask(hold, "hold_1")
    assert found is not None
    assert (found.status, found.captured, found.remaining, len(found.entries)) == ("captured", 30, 0, 2)
    held.do(PlaceHold("hold_2", "cash", "ann", 50, "EUR"))
    held.do(ReleaseHold("hold_2", "changed plans"))
    found = reader.ask(hold, "hold_2")
    assert found is not None
    assert (found.status, found.remaining, found.reason, found.entries) == ("released", 0, "changed plans", ())
    for name in ("hold_3", "ent_1", "account/cash"):
        assert reader.ask(hold, name) is None


def test_due_holds_are_those_that_are_active_and_whose_time_has_run_out(
    held: Pen, reader: Reader, keep_up: Callable[[], object]
) -> None:
    now = datetime.now(UTC)
    for number in range(1, 7):
        held.do(PlaceHold(f"hold_{number}", "cash", "ann", 10, "EUR", now + timedelta(minutes=10 - number)))
    held.do(PlaceHold("hold_without", "cash", "ann", 10, "EUR"))
    held.do(CaptureHold("hold_1", 4))
    held.do(CaptureHold("hold_2", 4, final=True))
    keep_up()
    held.do(CaptureHold("hold_3"))
    held.do(ReleaseHold("hold_4"))
    held.do(ReleaseHold("hold_without"))
    keep_up()
    assert reader.ask(due, now, 10) == []
    later = reader.ask(due, now + timedelta(minutes=9), 10)
    assert [(one.id, one.expires_at) for one in later] == [
        (f"hold_{number}", now + timedelta(minutes=10 - number)) for number in (6, 5, 1)
    ]
    assert [one.id for one in reader.ask(due, now + timedelta(minutes=9), 1)] == ["hold_6"]


# --- payments


def carried_out(held: Pen, *commands: Command) -> list[int]:
    return [held.do(command).position for command in commands]


def test_a_payment_is_shown_as_it_stands_and_as_it_stood(held: Pen, reader: Reader) -> None:
    carried_out(held, *PARTIES)
    answer = held.do(by_card())
    asked_at = datetime.now(UTC)
    (paid,) = carried_out(held, attempt_of("pay_1", charged()))
    (given_back,) = carried_out(held, ask_refund(2_000))
    now = reader.ask(payment, "pay_1")
    assert now is not None
    assert (now.status, now.amount_captured, now.position) == ("succeeded", 6_000, given_back)
    for as_of in (asked_at, answer.position):
        then = reader.ask(payment, "pay_1", as_of=as_of)
        assert then is not None
        assert then.status == "processing"
        assert then.amount_captured == 0
    then = reader.ask(payment, "pay_1", as_of=paid)
    assert then is not None
    assert then.refunds == ()
    assert reader.ask(payment, "pay_1", as_of=1) is None
    assert reader.ask(payment, "pay_2") is None
    assert reader.ask(payment, "merchant/acme") is None


def test_refunds_and_top_ups_are_shown_from_the_log(held: Pen, reader: Reader) -> None:
    carried_out(held, *PARTIES, *topped_up(10_000), by_card(), attempt_of("pay_1", charged()), ask_refund(2_000))
    found = reader.ask(refund, "ref_1-1")
    assert found is not None
    assert (found.payment, found.status, found.amount) == ("pay_1", "processing", 2_000)
    carried_out(held, refund_result(1, refunded(2_000)))
    found = reader.ask(refund, "ref_1-1")
    assert found is not None
    assert found.status == "succeeded"
    assert reader.ask(refund, "ref_1-2") is None
    assert reader.ask(refund, "ref_9-1") is None
    assert reader.ask(refund, "nonsense") is None
    topped = reader.ask(top_up, "top_0")
    assert topped is not None
    assert (topped.status, topped.amount) == ("succeeded", 10_000)
    assert reader.ask(top_up, "top_9") is None


def test_payments_are_listed_by_order_merchant_and_status(
    database: Database, held: Pen, reader: Reader, keep_up: Callable[[], object]
) -> None:
    carried_out(held, *PARTIES, *topped_up(10_000))
    for number in range(1, 6):
        carried_out(held, by_card(f"pay_{number}"))
    keep_up()
    carried_out(held, attempt_of("pay_2", charged()), attempt_of("pay_3", DECLINED), from_wallet("pay_6", 1_000))
    keep_up()

    def listed(status: str | None = None, merchant: str | None = None, order_reference: str | None = None) -> list[str]:
        found = reader.ask(payments, status=status, merchant=merchant, order_reference=order_reference)
        return [one.payment.id for one in found]

    assert listed() == [f"pay_{number}" for number in range(1, 7)]
    assert listed(status="processing") == ["pay_1", "pay_4", "pay_5"]
    assert listed(status="failed", merchant="acme") == ["pay_3"]
    assert listed(order_reference="order-1", status="succeeded") == ["pay_2", "pay_6"]
    assert listed(merchant="nobody") == []
    first = reader.ask(payments, limit=4)
    assert [one.payment.id for one in reader.ask(payments, after=first[-1].place)] == ["pay_5", "pay_6"]
    assert [one.payment for one in reader.ask(payments, status="succeeded")] == [
        reader.ask(payment, name) for name in ("pay_2", "pay_6")
    ]
    check_views(database, reader.book)


def test_a_payment_is_posted_leg_by_leg(held: Pen, reader: Reader, keep_up: Callable[[], object]) -> None:
    carried_out(held, *PARTIES, by_card(), attempt_of("pay_1", charged()))
    keep_up()
    shown = reader.ask(statement, MERCHANT)
    assert shown is not None
    assert [(line.amount, str(line.direction), line.balance_after, line.description) for line in shown.lines] == [
        (6_000, "credit", 6_000, "payments: captured"),
        (130, "debit", 5_870, "payments: captured"),
    ]
