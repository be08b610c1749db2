"""Settlement batches: rows of a report that are about none of its lines: fees, reserves, fractions, and the unknown."""

from typing import Literal

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.policies.settlements import tolerance_of
from commands.settlement_state import batch_not_paid
from commands.system_accounts import StreamEvents, with_accounts
from ledger.chart import channel_fees_payable, settlement_pending
from ledger.currencies import asset_of
from ledger.errors import BatchRowNotFound, FieldInvalid, FieldMissing, ItemSettledAlready, SettlementAmountDiffers
from ledger.events.event import Event, entry_id_of
from ledger.events.settlements import (
    FEE,
    BatchRowSettled,
    BatchRowUndone,
    FractionRounded,
    FractionUndone,
    LineSettled,
    LineUnsettled,
    RowPlace,
    batch_stream,
)


class SettleBatchRow(Command, frozen=True):
    """By `amount` the channel will pay us more for this batch, below 0 less: a fee, a reserve, or nobody knows what."""

    channel: str
    currency: str
    batch: str
    purpose: Literal["fee", "reserve", "suspense"]
    amount: int
    row: RowPlace
    reason: str = ""


class RoundBatch(Command, frozen=True):
    """What the channel deducts for a batch is `amount` more than the rounded fees of its lines; `exact` is the sum."""

    channel: str
    currency: str
    batch: str
    amount: int
    row: RowPlace
    exact: str = ""


class UndoBatchRow(Command, frozen=True):
    """The row was about something else."""

    channel: str
    currency: str
    batch: str
    row: RowPlace
    reason: str = ""


class BatchReceipt(Receipt):
    """The batch, what was settled of it now, and what it stands at after it, in minor units."""

    channel: str = ""
    currency: str = ""
    batch: str = ""
    amount: int = 0
    balance: int = 0


BatchCommand = SettleBatchRow | RoundBatch | UndoBatchRow


def settle_row(books: Books, command: SettleBatchRow, envelope: Envelope) -> Decision:
    stream = _open_batch(books, command)
    _check_new(books, stream, command.row)
    if not command.amount:
        raise FieldInvalid("A row of 0 moves nothing.", pointer="/amount")
    payable = 0
    if command.purpose == FEE and command.amount < 0:
        owed = books.find_account(channel_fees_payable(command.channel, command.currency))
        # What it invoices was an expense when it was accrued.
        payable = min(-command.amount, max(0, 0 if owed is None else owed.balance))
    row = BatchRowSettled(
        purpose=command.purpose,
        channel=command.channel,
        currency=command.currency,
        batch=command.batch,
        amount=command.amount,
        row=command.row,
        from_payable=payable,
        reason=command.reason,
    )
    return _decided(books, command, [row], command.amount)


def round_batch(books: Books, command: RoundBatch, envelope: Envelope) -> Decision:
    stream = _open_batch(books, command)
    _check_new(books, stream, command.row)
    most = tolerance_of(command.channel).amount_per_day
    if not command.amount or abs(command.amount) > most:
        words = f"Fractions come to something, and to no more than {most}."
        raise SettlementAmountDiffers(
            words, pointer="/amount", batch=command.batch, difference=command.amount, most=most
        )
    batch = (command.channel, command.currency, command.batch)
    rounded = FractionRounded(*batch, command.amount, command.exact)
    line = LineSettled(
        item=entry_id_of(stream, len(books.recorded(stream)) + 1),
        kind=FEE,
        channel=command.channel,
        currency=command.currency,
        batch=command.batch,
        gross=0,
        fee=command.amount,
        reported_gross=0,
        reported_fee=command.amount,
        row=command.row,
    )
    return _decided(books, command, [rounded, line], -command.amount)


def undo_row(books: Books, command: UndoBatchRow, envelope: Envelope) -> Decision:
    stream = _open_batch(books, command)
    match _settled_by(books, stream, command.row):
        case BatchRowSettled() as row:
            return _decided(books, command, [BatchRowUndone(row, command.reason)], -row.amount)
        case LineSettled() as line:
            history = books.recorded(stream)
            rounded = next(one.event for one in history if one.entry_id == line.item)
            if not isinstance(rounded, FractionRounded):
                raise AssertionError(f"{line.item} is no fraction")
            undone = [LineUnsettled(line, reason=command.reason), FractionUndone(line.item, rounded, command.reason)]
            return _decided(books, command, undone, line.fee)
    raise BatchRowNotFound(batch=command.batch, file=command.row.file, row=command.row.number)


def _open_batch(books: Books, command: BatchCommand) -> str:
    asset_of(command.currency)
    if not command.batch:
        raise FieldMissing("Say which batch it belongs to.", pointer="/batch")
    batch_not_paid(books, command.channel, command.currency, command.batch)
    return batch_stream(command.channel, command.currency, command.batch)


def _check_new(books: Books, stream: str, row: RowPlace) -> None:
    if _settled_by(books, stream, row) is not None:
        raise ItemSettledAlready("This row is settled already.", file=row.file, row=row.number)


def _settled_by(books: Books, stream: str, row: RowPlace) -> Event | None:
    """What the row did to the batch, if that was not undone."""
    found: Event | None = None
    for event in books.history(stream):
        match event:
            case BatchRowSettled(row=place) | LineSettled(row=place) if _same(place, row):
                found = event
            case BatchRowUndone(settled=done) | LineUnsettled(settled=done) if _same(done.row, row):
                found = None
    return found


def _same(one: RowPlace, other: RowPlace) -> bool:
    return (one.file, one.number) == (other.file, other.number)


def _decided(books: Books, command: BatchCommand, events: list[Event], amount: int) -> Decision:
    pending = books.find_account(settlement_pending(command.channel, command.currency, command.batch))
    stream = batch_stream(command.channel, command.currency, command.batch)
    recorded: StreamEvents = [(stream, event) for event in events]
    receipt = BatchReceipt(
        channel=command.channel,
        currency=command.currency,
        batch=command.batch,
        amount=amount,
        balance=(0 if pending is None else pending.balance) + amount,
    )
    return Decision(with_accounts(books, recorded), receipt, status=200 if isinstance(command, UndoBatchRow) else 201)


def _needs(command: BatchCommand) -> Needs:
    batch = (command.channel, command.currency, command.batch)
    return Needs(accounts=(settlement_pending(*batch),), streams=(batch_stream(*batch),))


DECIDERS: dict[type[Command], Decider] = {
    SettleBatchRow: Decider(settle_row, _needs),
    RoundBatch: Decider(round_batch, _needs),
    UndoBatchRow: Decider(undo_row, _needs),
}
