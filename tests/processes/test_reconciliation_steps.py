"""What a run compares: days of its source's own zone, and fractions of fees batch by batch."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from commands.policies.reconciliation import end_of_day, policy_of
from commands.processes.reconciliation_steps import ReportedRow, Sides
from ledger.matching.matcher import match
from ledger.matching.sides import Item
from ledger.report_row import ReportRow

CHINA = timezone(timedelta(hours=8))


def sale(number: int, day: int, exact: str) -> ReportedRow:
    """One of 1.00 yuan a little after midnight in China, which is a day before in UTC."""
    row = ReportRow(
        line=number,
        kind="sale",
        external_id=f"wx{number}",
        our_reference=f"pay_{number}-1",
        gross=100,
        currency="CNY",
        fee=1,
        fee_currency="CNY",
        net=99,
        net_currency="CNY",
        at=datetime(2026, 11, day, 0, 30, tzinfo=CHINA),
        exact_fee=Decimal(exact),
    )
    return ReportedRow("file_1", number, f"fp{number}", "open", 1, row)


def test_fractions_of_two_days_in_one_run_are_rounded_each_in_its_own_batch() -> None:
    reported = [sale(1, 20, "0.6"), sale(2, 20, "0.6"), sale(3, 20, "0.6"), sale(4, 21, "1.4")]
    sides = Sides({one.id: one for one in reported}, (), 1)
    items = [Item(f"it{n}", f"pay_{n}", "sale", 100, "CNY", (f"pay_{n}-1",), (f"wx{n}",), 1) for n in range(1, 5)]
    outcome = match(sides.rows, items, policy_of("wechatpay"), end_of_day("wechatpay", date(2026, 11, 21)))
    assert len(outcome.matches) == 4
    told = [(one.batch, one.rows, one.difference, one.is_complete) for one in outcome.roundings]
    assert told == [("2026-11-20", 3, -1, True), ("2026-11-21", 1, 0, True)]


def test_a_day_ends_where_its_source_counts_days() -> None:
    assert end_of_day("wechatpay", date(2026, 11, 21)) == datetime(2026, 11, 21, 16, tzinfo=UTC)
    assert end_of_day("channel_csv", date(2026, 11, 21)) == datetime(2026, 11, 22, tzinfo=UTC)
