"""Reconciliation steps: from what was found to agree, or not to, to the commands that say so; pure.

a row and an item            the item is settled in the row's batch (SettleLine)
several rows and an item     the same, their sums
a row and several items      each of them, with what we expect of it; what differs falls to the first
a row that stands for itself a fee or a reserve of its batch (SettleBatchRow)
an item nobody was sure of   first the channel's word is taken, as from a callback; the next pass settles it
a payout row of a channel    it is acknowledged: the bank's line moves its money
a line of a bank             it clears batches, payouts, what came back, or an entry (ClearBankLine)
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time

import msgspec
from msgspec.structs import replace

from commands.bank_line_clearings import (
    BatchName,
    ByBatches,
    ByEntry,
    ByPayoutReturn,
    ByPayouts,
    ByRefund,
    Clearing,
)
from commands.bank_lines import ClearBankLine, SuspendBankLine
from commands.break_resolutions import UNSURE, bank_line_of
from commands.breaks import OpenBreak, SettleBreak
from commands.channel_results import command_for
from commands.channels.channel import Charged, Refunded
from commands.envelope import Command
from commands.policies.reconciliation import is_bank
from commands.reconciliation import AcknowledgeRows, EndReconciliation
from commands.settlement_batches import RoundBatch, SettleBatchRow
from commands.settlements import SettleLine
from ledger.events.bank_lines import BankLine
from ledger.events.breaks import BreakOpened, BreakRow, SuggestedResolution
from ledger.events.reconciliation import AcknowledgedRow, ReconciliationRequested
from ledger.events.settlements import RowPlace
from ledger.ids import BREAK
from ledger.matching.outcome import Break, Match, Outcome, Rounding
from ledger.matching.sides import Item, Row, row_of
from ledger.report_row import ReportRow

# What an item that is none of a channel's receivable is about; the rest of its id says which.
BATCH = "batch:"
PAYOUT = "payout:"
PAYOUT_RETURN = "payout_return:"
REFUND = "refund:"
ENTRY = "entry:"
_RESERVES = ("reserve_held", "reserve_released")


class ReportedRow(msgspec.Struct, frozen=True):
    """A row of a report that nothing was found for yet. `order`: files in the order in which they came in."""

    file: str
    number: int
    fingerprint: str
    state: str
    order: int
    row: ReportRow

    @property
    def id(self) -> str:
        return f"{self.file}-{self.number}"

    @property
    def place(self) -> RowPlace:
        return RowPlace(self.file, self.number, self.row.line, self.row.external_id)


class Sides(msgspec.Struct, frozen=True):
    """Both sides of a run, as the books were at `position`."""

    reported: Mapping[str, ReportedRow]
    items: Sequence[Item]
    position: int

    @property
    def rows(self) -> list[Row]:
        return [_row_of(one) for one in self.reported.values()]


def _row_of(one: ReportedRow) -> Row:
    """Fractions of fees are rounded batch by batch, also where the report does not number batches."""
    row = row_of(one.id, one.row, one.order)
    return row if row.exact_fee is None else replace(row, batch=batch_of(one.row))


class Step(msgspec.Struct, frozen=True):
    """A command, how many matches it settles, by which pass they were found, and the rows of the match it is for."""

    command: Command
    settles: int
    found_by: str = ""
    rows: tuple[str, ...] = ()


def batch_of(row: ReportRow) -> str:
    """The batch in which a channel pays a row: the one that it names, else that of the day it counts from."""
    if row.batch:
        return row.batch
    day = _day_of(row)
    return "undated" if day is None else day.isoformat()


def _day_of(row: ReportRow) -> date | None:
    return row.value_date or (None if row.at is None else row.at.date())


def told_of(command: Command) -> str:
    """What a command of a run is about: no two of one step are about the same."""
    match command:
        case SettleLine(row=row) | SettleBatchRow(row=row) | RoundBatch(row=row):
            return f"{row.file}-{row.number}/{getattr(command, 'item', '')}"
        case ClearBankLine(line=line) | SuspendBankLine(line=line):
            return line.stream
        case OpenBreak(opened=opened):
            return opened.id
        case SettleBreak(id=name):
            return name
        case AcknowledgeRows(rows=rows):
            return f"{rows[0].file}-{rows[0].number}"
        case EndReconciliation():
            return ""
    return str(getattr(command, "attempt", "") or getattr(command, "subject", "") or getattr(command, "refund", ""))


def steps_of(run: ReconciliationRequested, sides: Sides, outcome: Outcome, *, first_pass: bool) -> list[Step]:
    """What brings home what agrees, in the order of the outcome."""
    items = {item.id: item for item in sides.items}
    steps: list[Step] = []
    acknowledged: list[AcknowledgedRow] = []
    for found in outcome.matches:
        rows = [sides.reported[name] for name in found.rows]
        known = [items[name] for name in found.items]
        if is_bank(run.source):
            steps += _parts_of(found, _at_bank(run, found, rows, known))
        elif rows[0].row.kind in ("payout", "payout_returned"):
            told_by = known[0].id if known else batch_of(rows[0].row)
            acknowledged += [AcknowledgedRow(one.file, one.number, told_by) for one in rows]
        else:
            steps += _parts_of(found, _at_channel(run, found, rows, known))
    if acknowledged:
        steps.append(Step(AcknowledgeRows(run.id, tuple(acknowledged)), len(acknowledged), "acknowledged"))
    if first_pass:
        steps += [_rounded(run, sides, one) for one in outcome.roundings if one.is_complete and one.difference]
    return steps


def _parts_of(found: Match, steps: Iterable[Step]) -> list[Step]:
    return [msgspec.structs.replace(step, rows=found.rows) for step in steps]


def _at_channel(
    run: ReconciliationRequested, found: Match, rows: Sequence[ReportedRow], items: Sequence[Item]
) -> list[Step]:
    first = rows[0]
    if found.found_by == "standing":
        return [Step(_standing(run, one), 1, found.found_by) for one in rows]
    unsure = [item for item in items if item.id.startswith(UNSURE)]
    if unsure:
        words = (_word_of(run, item, first.row) for item in unsure)
        return [Step(word, 0) for word in words if word is not None]
    if len(items) == 1:
        gross, fee = sum(one.row.gross for one in rows), sum(one.row.fee for one in rows)
        return [Step(_settled(run, rows, items[0], gross, fee), 1, found.found_by)]
    # What one row says of several: each is settled as we expect it, and the first bears what differs.
    over = sum(one.row.gross for one in rows) - sum(item.gross for item in items)
    over_fee = sum(one.row.fee for one in rows) - sum(item.fee or 0 for item in items)
    steps: list[Step] = []
    for item in items:
        steps.append(
            Step(
                _settled(run, rows, item, item.gross + over, (item.fee or 0) + over_fee),
                0 if steps else 1,
                found.found_by,
            )
        )
        over = over_fee = 0
    return steps


def _settled(run: ReconciliationRequested, rows: Sequence[ReportedRow], item: Item, gross: int, fee: int) -> SettleLine:
    first, *more = rows
    # A fee in another currency is none of this line: it stands in the row's net.
    abroad = first.row.net_currency != first.row.currency
    return SettleLine(
        item=item.id,
        row=first.place,
        kind=first.row.kind,
        channel=run.account,
        currency=first.row.net_currency if abroad else first.row.currency,
        gross=first.row.net + first.row.fee if abroad and first.row.fee_currency == first.row.net_currency else gross,
        fee=fee,
        batch=batch_of(first.row),
        more_rows=tuple(one.place for one in more),
        reason=run.id,
    )


def _standing(run: ReconciliationRequested, one: ReportedRow) -> SettleBatchRow:
    row = one.row
    purpose = "reserve" if row.kind in _RESERVES else "fee"
    return SettleBatchRow(
        channel=run.account,
        currency=row.net_currency,
        batch=batch_of(row),
        purpose="reserve" if purpose == "reserve" else "fee",
        amount=row.net,
        row=one.place,
        reason=run.id,
    )


def _word_of(run: ReconciliationRequested, item: Item, row: ReportRow) -> Command | None:
    """The channel's word, as the row tells it: the money moved."""
    subject, at = item.id.removeprefix(UNSURE), row.at or datetime.combine(run.until, time(), UTC)
    if item.kind == "refund":
        return command_for(subject, run.account, Refunded(row.external_id, -row.gross, row.currency, -row.fee, at))
    fee = row.fee if row.fee_currency == row.currency else None
    return command_for(subject, run.account, Charged(row.external_id, row.gross, row.currency, fee, at))


def _rounded(run: ReconciliationRequested, sides: Sides, one: Rounding) -> Step:
    """K5. Its place is the file itself, which has no row 0."""
    rows = (row for row in sides.reported.values() if row.row.exact_fee is not None)
    place = RowPlace(min(row.file for row in rows if batch_of(row.row) == one.batch), 0)
    command = RoundBatch(run.account, one.currency, one.batch, one.difference, place, format(one.exact, "f"))
    return Step(command, 0)


# --- banks ------------------------------------------------------------------------------------------------------------


def bank_line(run: ReconciliationRequested, one: ReportedRow) -> BankLine:
    """The line as the books know it: what moved the account, less what the bank kept of it."""
    row = one.row
    return BankLine(run.account, one.fingerprint, row.net, row.net_currency, one.place, False, row.bank_reference)


def _at_bank(
    run: ReconciliationRequested, found: Match, rows: Sequence[ReportedRow], items: Sequence[Item]
) -> list[Step]:
    clearing = _clearing(rows[0], items)
    if len(rows) != 1 or clearing is None:
        return []
    return [Step(ClearBankLine(bank_line(run, rows[0]), clearing, run.id), 1, found.found_by)]


def _clearing(one: ReportedRow, items: Sequence[Item]) -> Clearing | None:
    kept = one.row.fee
    names = [item.id for item in items]
    first = names[0] if names else ""
    if names and all(name.startswith(BATCH) for name in names):
        pairs = (name.removeprefix(BATCH).split(":", 1) for name in names)
        return ByBatches(tuple(BatchName(channel, batch) for channel, batch in pairs), kept)
    if names and all(name.startswith(PAYOUT) for name in names):
        return ByPayouts(tuple(name.removeprefix(PAYOUT) for name in names), kept)
    if len(names) != 1:
        return None
    if first.startswith(PAYOUT_RETURN):
        return ByPayoutReturn(first.removeprefix(PAYOUT_RETURN), kept, message=one.row.text[:200])
    if first.startswith(REFUND):
        return ByRefund(first.removeprefix(REFUND), kept)
    return ByEntry(first.removeprefix(ENTRY)) if first.startswith(ENTRY) else None


# --- what does not agree ----------------------------------------------------------------------------------------------


def break_of(run: ReconciliationRequested, sides: Sides, found: Break) -> BreakOpened:
    """The break as it is put on record; found again, it has the same id."""
    suggested = found.proposal
    return BreakOpened(
        id=f"{BREAK}{found.key}",
        run=run.id,
        source=run.source,
        account=run.account,
        type=found.type,
        side=found.side,
        kind=found.kind,
        currency=found.currency,
        ours=found.ours,
        theirs=found.theirs,
        at_risk=found.at_risk,
        rows=tuple(_break_row(run, sides.reported[name]) for name in found.rows),
        items=found.items,
        related=found.related,
        their_currency=found.their_currency,
        since=found.since,
        suggested=None
        if suggested is None
        else SuggestedResolution(suggested.row, suggested.amounts, suggested.currency, suggested.then),
    )


def refused_match(sides: Sides, found: Match) -> Break:
    """What agrees, and cannot be brought home: too much was tolerated already, or its batch was paid without it."""
    rows = [sides.reported[name].row for name in found.rows]
    items = [item for item in sides.items if item.id in found.items]
    ours, theirs = sum(item.gross for item in items), sum(row.gross for row in rows)
    differs = ours != theirs and len(rows) == len(items) == 1
    return Break(
        type="split" if not differs else "amount_ours_more" if ours > theirs else "amount_ours_less",
        side="both" if items else "theirs",
        rows=found.rows,
        items=found.items,
        kind=rows[0].kind,
        currency=items[0].currency if items else rows[0].currency,
        ours=ours,
        theirs=theirs,
        at_risk=abs(ours - theirs) if differs else max(abs(ours), abs(theirs)),
        since=min(filter(None, (_day_of(row) for row in rows)), default=None),
    )


def _break_row(run: ReconciliationRequested, one: ReportedRow) -> BreakRow:
    row = one.row
    return BreakRow(
        file=one.file,
        number=one.number,
        fingerprint=one.fingerprint,
        kind=row.kind,
        # Of a bank's line only what moved the account counts.
        gross=row.net if is_bank(run.source) else row.gross,
        fee=0 if is_bank(run.source) else row.fee,
        currency=row.currency,
        line=row.line,
        external_id=row.external_id,
        our_reference=row.our_reference,
        batch=batch_of(row),
        bank_reference=row.bank_reference,
        at=row.at,
        fee_currency="" if row.fee_currency == row.currency else row.fee_currency,
        net=None if is_bank(run.source) or row.net == row.gross - row.fee else row.net,
        net_currency="" if row.net_currency == row.currency else row.net_currency,
    )


def suspended(run: ReconciliationRequested, breaks: Iterable[BreakOpened]) -> list[Command]:
    """J5 and J6: the money is at the bank, or has left it, whoever it belongs to."""
    if not is_bank(run.source):
        return []
    unknown = (one for one in breaks if one.type in ("bank_credit_unknown", "bank_debit_unknown"))
    return [SuspendBankLine(bank_line_of(one, row), one.id) for one in unknown for row in one.rows]
