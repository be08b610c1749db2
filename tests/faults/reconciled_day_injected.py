"""A day with injected differences: each of them is found, by its type and row, and nothing else is called a break.

The files are the channels' own, changed before they come in: rows lost, invented, doubled, with another amount, fee or
currency; of the bank's statement a payout is lost, and a payment of somebody unknown stands in it. What is only missing
waits first; that it is a break is judged as of a week later, by the same matcher over the same books.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg_pool import AsyncConnectionPool

from api.reconciliation_evidence import ViewedEvidence
from commands.policies.reconciliation import end_of_day, policy_of
from ledger.events.reconciliation import ReconciliationRequested
from ledger.matching.matcher import match
from tests.faults.reconciled_day import ACCOUNT, Day, Report
from tests.faults.reconciled_day_files import (
    ChannelFile,
    Line,
    bill_without,
    mt940,
    paid_by,
    table_of,
    written,
)
from tests.faults.two_channels import Sizes, Told
from tests.journeys.service import Service

CHANGED = "card_simulator"
_LONG_AGO = timedelta(days=10)
Named = tuple[str, str]
"""The type of a break, and what names its row, or its item where it has no row."""


@dataclass
class InjectedReport(Report):
    """`injected` is what had to be found, `found` what was, both as of a week later."""

    injected: list[Named] = field(default_factory=list)
    found: list[Named] = field(default_factory=list)


def run(service: Service, sizes: Sizes, told: Told = lambda part, done, total: None) -> InjectedReport:
    """All of it in a book of its own, on a service whose channels nobody else uses."""
    day = InjectedDay(service, sizes, told)
    day.reconciled()
    return day.report


class InjectedDay(Day):
    """A day whose files are not what the channels wrote."""

    report: InjectedReport

    def __init__(self, service: Service, sizes: Sizes, told: Told) -> None:
        super().__init__(service, sizes, told)
        self.report = InjectedReport()
        # By run: the breaks that are told at once, and how many wait.
        self._at_once: dict[str, set[Named]] = {}
        self._waiting: dict[str, int] = {}
        self._kept_back: dict[str, ChannelFile] = {}

    # --- what is changed

    def take_in(self, files: Iterable[ChannelFile]) -> None:
        super().take_in([self._changed(file) for file in files])

    def _changed(self, file: ChannelFile) -> ChannelFile:
        names = [row["微信订单号"] for row in table_of(file) if row.get("交易状态") == "SUCCESS"]
        if names:
            self._expect(file, "missing_there", names[-1], waits=True)
            rows = [row["微信订单号"] for row in table_of(file)]
            changed = bill_without(file, rows.index(names[-1]))
            self._kept_back[file.channel] = changed
            return changed
        return self._changed_table(file) if file.channel == CHANGED else file

    def _changed_table(self, file: ChannelFile) -> ChannelFile:
        table = table_of(file)
        sales = [row for row in table if row["type"] == "charge"]
        assert len(sales) > 7, "a longer day is needed"
        lost, more, less, dearer, abroad, doubled, model = sales[:7]
        self._expect(file, "missing_there", lost["reference"], waits=True)
        self._expect(file, "amount_ours_less", more["reference"])
        self._expect(file, "amount_ours_more", less["reference"])
        self._expect(file, "fee", dearer["reference"])
        self._expect(file, "currency", abroad["reference"])
        at = datetime.fromisoformat(model["occurred_at"]) - _LONG_AGO
        self._expect(file, "duplicate", doubled["reference"], waits=True)
        invented = model | {"id": "pay_nobody-1", "charge_id": "pay_nobody-1", "reference": "ch_nobody"}
        invented["occurred_at"] = at.isoformat()
        self._expect(file, "missing_here", "ch_nobody")
        broken = {row["reference"] for row in (lost, more, less, dearer, abroad)}
        # What is not agreed upon is not paid.
        self._kept_back[CHANGED] = written(file, [row for row in table if row["reference"] not in broken])
        _moved(more, gross=100)
        _moved(less, gross=-100)
        _moved(dearer, fee=50)
        abroad["currency"] = "USD" if abroad["currency"] == "EUR" else "EUR"
        return written(file, [row for row in table if row is not lost] + [invented, doubled])

    def _expect(self, file: ChannelFile, what: str, name: str, *, waits: bool = False) -> None:
        key = f"{file.channel} {file.day}"
        self.report.injected.append((what, name))
        if waits:
            self._waiting[key] = self._waiting.get(key, 0) + 1
        else:
            self._at_once.setdefault(key, set()).add((what, name))

    # --- the bank

    def lines_of(self, files: Iterable[ChannelFile]) -> list[Line]:
        lines = super().lines_of(files)
        for file in files:
            if (paid := self._kept_back.get(file.channel)) is not None:
                was, now = paid_by(file), paid_by(paid)
                for batch, currency in was:
                    old = Line(was[batch, currency], currency, f"{file.channel} {batch}")
                    lines.remove(old)
                    if now[batch, currency]:
                        lines.append(Line(now[batch, currency], currency, old.text))
        returned = {line.reference for line in lines if line.text == "PAYOUT" and line.amount > 0}
        lost = next(line for line in lines if line.text == "PAYOUT" and line.reference not in returned)
        lines.remove(lost)
        today = datetime.now(UTC).date()
        key = f"bank {today}"
        self.report.injected += [("payout_not_at_bank", lost.reference), ("bank_credit_unknown", "FROM SOMEBODY")]
        self._waiting[key] = 1
        self._at_once[key] = {("bank_credit_unknown", "FROM SOMEBODY")}
        unknown = mt940("DE02120300000000202051", [Line(12_345, "EUR", "FROM SOMEBODY")], today - _LONG_AGO, 99)
        self._import(unknown, "mt940", ACCOUNT)
        return lines

    def come_back(self) -> None:
        """Nothing does."""

    # --- what is found

    def _judge_run(self, key: str, done: dict[str, Any]) -> None:
        listed = self._caller.get("/reconciliation/breaks", status="open", limit=500).done(200)["data"]
        of_this = [one for one in listed if (one["source"], one["account"]) == (done["source"], done["account"])]
        found = {(one["type"], _name_of(one)) for one in of_this}
        expected = self._at_once.get(key, set())
        if found != expected or len(of_this) != len(expected) or done["breaks"] != len(expected):
            self.report.wrong.append(f"the run of {key} found {sorted(found)}, and {sorted(expected)} were injected")
        if done["waiting"] != self._waiting.get(key, 0) or done["refused"]:
            self.report.wrong.append(f"the run of {key} lets wait {done['waiting']}, and refuses {done['refused']}")

    def judge_books_at_the_end(self, files: Iterable[ChannelFile]) -> None:
        """As of a week later exactly what was injected is a break."""
        found = [named for one in self._runs for named in asyncio.run(self._in_a_week(*one[1:3]))]
        self.report.found = sorted(found)
        if sorted(found) != sorted(self.report.injected):
            self.report.wrong.append(f"a week later {sorted(found)} are breaks, not {sorted(self.report.injected)}")
        trial = self._caller.get("/trial-balance").done(200)
        self.report.wrong += [f"{c}: {one}" for c, one in trial["currencies"].items() if one["difference"]]
        told = asyncio.run(self._control())
        self.report.wrong += [f"the items of {line} are not its account" for line in told.lines if not line.holds]

    async def _in_a_week(self, source: str, account: str) -> list[Named]:
        later = datetime.now(UTC).date() + timedelta(days=7)
        asked = ReconciliationRequested("run_later", source, account, later)
        async with AsyncConnectionPool(self._service.database.conninfo, min_size=1, max_size=2) as pool:
            evidence = ViewedEvidence(pool)
            sides = await evidence.sides(self._book, asked, 0)
            await evidence.close()
        outcome = match(sides.rows, sides.items, policy_of(source), end_of_day(source, later))
        items = {item.id: item for item in sides.items}
        found: list[Named] = []
        for one in outcome.breaks:
            if one.rows:
                row = sides.reported[one.rows[0]].row
                found.append((one.type, row.external_id if row.kind not in ("credit", "debit") else row.text))
            else:
                item = items[one.items[0]]
                names = item.channel_references if source in ("channel_csv", "wechatpay") else item.our_references
                found.append((one.type, names[0]))
        return found


def _moved(row: dict[str, str], *, gross: int = 0, fee: int = 0) -> None:
    row["gross"], row["fee"] = str(int(row["gross"]) + gross), str(int(row["fee"]) + fee)
    row["net"] = str(int(row["gross"]) - int(row["fee"]))


def _name_of(one: dict[str, Any]) -> str:
    row = one["rows"][0] if one["rows"] else {}
    return str(row.get("external_id") if one["source"] != "mt940" else "FROM SOMEBODY")
