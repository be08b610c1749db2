"""Views of money going out: lists of payouts, and what merchants may have by which day."""

from datetime import UTC, datetime, timedelta

import msgspec

from commands.envelope import Command
from commands.funds import ReleaseFunds
from commands.merchants import CreateMerchant
from commands.payouts import ApprovePayout
from ledger.errors import ReleaseOvertaken, SelfApproval
from ledger.events.merchants import FeeTerms, SettlementTerms
from ledger.store.connection import Database
from projections.funds import due_funds
from projections.payouts import payout as find_payout
from projections.payouts import payouts
from tests.commands.payout_stories import (
    BANK_PAYER,
    DECLINED,
    FUNDED,
    PARTIES,
    agency,
    paid_out,
    payout,
    said,
    said_by_float,
    sent_back,
    withdrawal,
)
from tests.commands.stories import from_wallet, refund, topped_up
from tests.projections.reading import catch_up, reading
from tests.projections.rows import check_views
from tests.writing import Pen, pen

DAY = timedelta(days=1)


def told(held: Pen, *commands: Command) -> None:
    for command in commands:
        held.do(command)


def due(database: Database, book: str, days: int) -> list[tuple[str, int, int]]:
    """Merchant, what is due of its sales and of its reserve, so many days from now."""
    with reading(database, book) as reader:
        found = reader.ask(due_funds, datetime.now(UTC) + days * DAY)
    return [(one.merchant, one.pending_due, one.reserve_due) for one in found]


def release_of(database: Database, book: str, days: int) -> ReleaseFunds:
    with reading(database, book) as reader:
        (one,) = reader.ask(due_funds, datetime.now(UTC) + days * DAY, merchant="shop")
    return ReleaseFunds(one.merchant, one.currency, one.pending_due, one.reserve_due, one.known_at)


def test_payouts_are_listed_by_whose_they_are_and_how_they_stand(database: Database, book: str) -> None:
    with pen(database, book) as held:
        told(held, *FUNDED, payout("po_1", 1_000), agency("po_2", 2_000), withdrawal("po_3", 500), payout("po_4", 700))
        told(held, said(paid_out(1_000)), said_by_float(paid_out(2_000), "po_2"), said(DECLINED, "po_3"))
        told(held, said(sent_back(1_000)), payout("po_5", 2_000_000))
        catch_up(database, book)
        assert isinstance(held.refused(ApprovePayout("po_5")), SelfApproval)

    def listed(**filters: str | None) -> list[tuple[str, str]]:
        with reading(database, book) as reader:
            return [(one.payout.id, one.payout.status) for one in reader.ask(payouts, filters)]

    every = [("po_1", "returned"), ("po_2", "paid"), ("po_3", "rejected"), ("po_4", "in_transit"), ("po_5", "created")]
    assert listed() == every
    assert listed(merchant="acme") == [every[0], every[3], every[4]]
    assert (listed(principal="payroll"), listed(customer="ann")) == ([every[1]], [every[2]])
    assert listed(merchant="acme", status="in_transit") == [every[3]]
    assert listed(merchant="ann") == []

    with reading(database, book) as reader:
        found = reader.ask(find_payout, "po_4")
    assert found is not None
    assert (found.channel, found.destination.account_number) == (BANK_PAYER, "******************3000")
    check_views(database, book)


def test_sales_are_due_when_they_have_waited_and_what_went_out_is_taken_from_the_oldest(
    database: Database, book: str
) -> None:
    terms = SettlementTerms(days=3, reserve_bps=1_000, reserve_days=5)
    with pen(database, book) as held:
        told(held, *PARTIES, CreateMerchant("shop", "Shop", FeeTerms(100, 0), "EUR", settlement=terms))
        told(held, *topped_up(20_000))
        for name in ("pay_a", "pay_b"):
            told(held, msgspec.structs.replace(from_wallet(name, 5_000), merchant="shop"))
        catch_up(database, book)
        assert due(database, book, 0) == due(database, book, 2) == []
        assert due(database, book, 3) == [("shop", 9_900, 0)]
        told(held, refund(900, "pay_b"))
        catch_up(database, book)
        assert due(database, book, 3) == [("shop", 9_000, 0)]
        release = release_of(database, book, 3)
        told(held, release)
        # The view had not seen it: nothing is released twice.
        assert isinstance(held.refused(release), ReleaseOvertaken)
        catch_up(database, book)
        assert due(database, book, 4) == []
        # A tenth was kept, and is due five days after that.
        assert due(database, book, 5) == [("shop", 0, 900)]
        told(held, release_of(database, book, 5))
        catch_up(database, book)
        assert due(database, book, 50) == []
    check_views(database, book)
