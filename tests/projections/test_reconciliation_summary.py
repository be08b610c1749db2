"""The summary of reconciliation: rows of reports by what became of them, what nobody reported, and breaks by age."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, LiteralString

from commands.breaks import OpenBreak
from commands.envelope import Command
from commands.report_imports import FinishReportFile, ReadReportRows, ReceiveReportFile
from ledger.events.breaks import BreakOpened, BreakRow
from ledger.events.settlements import RowPlace
from ledger.report_row import RejectedRow, ReportRow
from projections.receivable_items import open_items
from projections.reconciliation_summary import SummaryWanted, reconciliation_summary
from tests.commands.settlement_stories import line
from tests.commands.stories import (
    CHANNEL,
    PAID_BY_CARD,
    attempt_of,
    by_card,
    charged,
)
from tests.projections.reading import Reader

SALES: tuple[Command, ...] = (*PAID_BY_CARD, by_card("pay_2"), attempt_of("pay_2", charged(reference="ch_2")))


def today() -> date:
    """Asked anew each time: tests may run past midnight."""
    return datetime.now(UTC).date()


REPORTED = date(2026, 3, 15)
_NUMBERS = count(1)
Tell = Callable[..., None]


def row(
    number: int, amount: int = 6_000, *, kind: str = "sale", posted: bool = True, currency: str = "EUR"
) -> ReportRow:
    return ReportRow(
        line=number + 1,
        kind="sale" if kind == "sale" else "credit",
        external_id=f"txn_{number}",
        our_reference="",
        gross=amount,
        currency=currency,
        fee=36,
        fee_currency=currency,
        net=amount - 36,
        net_currency=currency,
        value_date=REPORTED,
        posted=posted,
    )


def file(
    *rows: ReportRow, source: str = "channel_csv", account: str = CHANNEL, rejected: int = 0, name: str = ""
) -> list[Command]:
    """A file of these rows, as it is imported."""
    name = name or f"file_{next(_NUMBERS)}"
    wrong = tuple(RejectedRow(number, "no amount", "?") for number in range(rejected))
    prints = tuple(f"{source}{one.external_id}{one.gross}" for one in rows)
    return [
        ReceiveReportFile(name, source, account, name, 100),
        ReadReportRows(name, source, account, 1, 1, rows, prints, wrong),
        FinishReportFile(name, len(rows), rejected, (), wrong),
    ]


def found_break(name: str, age_days: int, *rows: BreakRow, at_risk: int = 500) -> OpenBreak:
    since = today() - timedelta(days=age_days)
    told = (name, "run_1", "channel_csv", CHANNEL, "amount_ours_more", "both", "sale", "EUR", 600, 100, at_risk)
    return OpenBreak(BreakOpened(*told, rows=rows, since=since))


def wanted(**more: Any) -> SummaryWanted:
    return SummaryWanted(**{"from_": REPORTED, "to": REPORTED, "today": today(), "banks": ("mt940",), **more})


def test_rows_are_summed_up_by_what_became_of_them(tell: Tell, reader: Reader) -> None:
    tell(*SALES)
    first, _ = reader.ask(open_items, CHANNEL)
    day = file(
        row(1), row(2, 5_800), row(3, 70), row(4, 9, posted=False), row(5, 44, kind="credit"), rejected=2, name="file_a"
    )
    again = file(row(1), row(6, 50, currency="USD"))
    tell(*day, *again, *file(row(7, 300, kind="credit"), source="mt940", account="main"))
    name = "file_a"
    tell(
        line(first, row=RowPlace(name, 1)),
        found_break("brk_1", 0, BreakRow(name, 2, "print", "sale", 5_800, 36, "EUR")),
    )
    found = reader.ask(reconciliation_summary, wanted())
    shown = {(one.source, one.currency): one for one in found.days}
    euros = shown["channel_csv", "EUR"]
    assert (euros.account, euros.day) == (CHANNEL, REPORTED)
    sums = {name: getattr(euros, name) for name in ("matched", "waiting", "broken", "duplicate", "announced", "flows")}
    assert {name: (one.rows, one.amount) for name, one in sums.items()} == {
        "matched": (1, 6_000),
        "waiting": (1, 70),
        "broken": (1, 5_800),
        "duplicate": (1, 6_000),
        "announced": (1, 9),
        "flows": (1, 44),
    }
    assert shown["channel_csv", "USD"].waiting.amount == 50
    # What a bank credits is no account of anybody's own flows.
    assert (shown["mt940", "EUR"].waiting.amount, shown["mt940", "EUR"].flows.rows) == (300, 0)
    assert (
        reader.ask(reconciliation_summary, wanted(to=REPORTED - timedelta(days=1), from_=date(2026, 1, 1))).days == []
    )
    only = reader.ask(reconciliation_summary, wanted(source="mt940", channel_side=False))
    assert [one.source for one in only.days] == ["mt940"]
    assert {one.side for one in only.open_items} <= {"bank"}


def test_files_are_summed_up_by_the_day_they_came(tell: Tell, reader: Reader) -> None:
    tell(*file(row(1), rejected=3), *file(row(2)))
    (only,) = reader.ask(reconciliation_summary, wanted(from_=today(), to=today())).files
    assert (only.source, only.account, only.day) == ("channel_csv", CHANNEL, today())
    assert (only.imported, only.flagged, only.rejected) == (2, 0, 3)


def test_what_nobody_reported_is_summed_up_by_its_day(tell: Tell, reader: Reader) -> None:
    tell(*SALES)
    found = reader.ask(reconciliation_summary, wanted(from_=today(), to=today())).open_items
    assert [(one.side, one.account, one.day, one.items, one.amount) for one in found] == [
        ("channel", CHANNEL, today(), 2, 2 * 5_964)
    ]
    first, _ = reader.ask(open_items, CHANNEL)
    tell(line(first))
    found = reader.ask(reconciliation_summary, wanted(from_=today(), to=today())).open_items
    assert [(one.side, one.account, one.items, one.amount) for one in found] == [
        ("channel", CHANNEL, 1, 5_964),
        ("bank", "", 1, 5_964),
    ]
    assert reader.ask(reconciliation_summary, wanted(account="alipay", bank_side=False)).open_items == []


def test_breaks_are_summed_up_by_their_age(tell: Tell, reader: Reader) -> None:
    tell(
        *SALES, *file(row(1)), *(found_break(f"brk_{age}", age, at_risk=100 + age) for age in (0, 1, 2, 3, 4, 7, 8, 40))
    )
    found = reader.ask(reconciliation_summary, wanted(to=today()))
    (only,) = found.breaks
    assert (only.source, only.account, only.type, only.currency) == ("channel_csv", CHANNEL, "amount_ours_more", "EUR")
    ages = (only.days_0_1, only.days_2_3, only.days_4_7, only.days_8_up, only.total)
    assert [(one.breaks, one.at_risk) for one in ages] == [(2, 201), (2, 205), (2, 211), (2, 248), (8, 865)]
    assert found.at_risk == {"EUR": 865}
    young = reader.ask(reconciliation_summary, wanted(to=today(), since=today() - timedelta(days=3)))
    assert young.breaks[0].total.breaks == 4


def test_a_hundred_thousand_rows_are_summed_up_in_less_than_a_second(
    tell: Tell, reader: Reader, falsify: Callable[[LiteralString], None]
) -> None:
    tell(*file(*(row(number) for number in range(10))))
    falsify(
        "INSERT INTO {schema}.report_rows SELECT r.file, r.number + 100 * g, r.account, r.source, r.fingerprint || g,"
        " r.day, r.state, r.told_by, r.row, r.currency, r.amount, r.kind"
        " FROM {schema}.report_rows AS r, generate_series(1, 10000) AS g"
    )
    falsify("ANALYZE {schema}.report_rows")
    begun = time.monotonic()
    found = reader.ask(reconciliation_summary, wanted())
    assert time.monotonic() - begun < 1
    assert found.days[0].waiting.rows == 100_010
