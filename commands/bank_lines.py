"""Bank lines: a line of a bank's statement is cleared by what it pays, or stands in suspense until somebody knows.

    new ──ClearBankLine──▶ cleared ──UndoBankLine──▶ new
      └──SuspendBankLine──▶ suspended ──ClearBankLine──▶ cleared

A line that does not come to exactly what it is said to pay is refused: whoever matches looks for something else.
"""

from commands.bank_line_clearings import Clearing, cleared_by, undone_by
from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.system_accounts import StreamEvents, with_accounts
from ledger.currencies import asset_of
from ledger.errors import BankLineClearedAlready, BankLineMismatch, BankLineNotFound, FieldInvalid
from ledger.events.bank_lines import (
    BankLine,
    BankLineCleared,
    BankLineRecognized,
    BankLineReopened,
    BankLineSuspended,
    bank_line_stream,
)

NEW, CLEARED, SUSPENDED = "new", "cleared", "suspended"


class ClearBankLine(Command, frozen=True):
    """It is known what the line is about; if it stands in suspense, it leaves that."""

    line: BankLine
    by: Clearing
    reason: str = ""


class SuspendBankLine(Command, frozen=True):
    """Nobody knows what the line is about."""

    line: BankLine
    reason: str = ""


class UndoBankLine(Command, frozen=True):
    """The line was about something else."""

    bank_account: str
    key: str
    reason: str = ""


class BankLineReceipt(Receipt):
    """The line by the stream in which it is recorded, how it stands, and by what; minor units."""

    line: str = ""
    status: str = NEW
    by: str = ""
    subjects: tuple[str, ...] = ()
    amount: int = 0
    currency: str = ""
    bank_fee: int = 0


def clear(books: Books, command: ClearBankLine, envelope: Envelope) -> Decision:
    line, known = command.line, _known(books, command.line.stream)
    _check(line, known)
    events: StreamEvents = []
    if isinstance(known, BankLineSuspended):
        events.append((line.stream, BankLineRecognized(known.line, command.reason)))
    cleared, more = cleared_by(books, line, command.by, command.reason)
    events += [(line.stream, cleared), *more]
    return Decision(with_accounts(books, events), _receipt(line, CLEARED, cleared))


def suspend(books: Books, command: SuspendBankLine, envelope: Envelope) -> Decision:
    line, known = command.line, _known(books, command.line.stream)
    _check(line, known)
    if known is not None:
        return Decision([], _receipt(line, SUSPENDED), status=200)
    event = BankLineSuspended(line, command.reason)
    return Decision(with_accounts(books, [(line.stream, event)]), _receipt(line, SUSPENDED))


def undo(books: Books, command: UndoBankLine, envelope: Envelope) -> Decision:
    stream = bank_line_stream(command.bank_account, command.key)
    match _known(books, stream):
        case BankLineSuspended(line=line):
            events: StreamEvents = [(stream, BankLineRecognized(line, command.reason))]
        case BankLineCleared(line=line) as cleared:
            more = undone_by(books, cleared, command.reason)
            events = [(stream, BankLineReopened(cleared, command.reason)), *more]
        case _:
            raise BankLineNotFound(bank_account=command.bank_account)
    return Decision(with_accounts(books, events), _receipt(line, NEW), status=200)


def _known(books: Books, stream: str) -> BankLineCleared | BankLineSuspended | None:
    """What was said of the line last, if it was not taken back."""
    found: BankLineCleared | BankLineSuspended | None = None
    for event in books.history(stream):
        match event:
            case BankLineCleared() | BankLineSuspended():
                found = event
            case BankLineReopened() | BankLineRecognized():
                found = None
    return found


def _check(line: BankLine, known: BankLineCleared | BankLineSuspended | None) -> None:
    asset_of(line.currency)
    if not line.amount:
        raise FieldInvalid("A line of 0 moves nothing.", pointer="/line/amount")
    if isinstance(known, BankLineCleared):
        raise BankLineClearedAlready(line=line.stream, by=known.by, subjects=list(known.subjects))
    if known is not None and (known.line.amount, known.line.currency, known.line.own) != (
        line.amount,
        line.currency,
        line.own,
    ):
        raise BankLineMismatch("It stands in suspense with another amount.", line=line.stream, amount=known.line.amount)


def _receipt(line: BankLine, status: str, cleared: BankLineCleared | None = None) -> BankLineReceipt:
    return BankLineReceipt(
        line=line.stream,
        status=status,
        by="" if cleared is None else cleared.by,
        subjects=() if cleared is None else cleared.subjects,
        amount=line.amount,
        currency=line.currency,
        bank_fee=0 if cleared is None else cleared.bank_fee,
    )


def _line_needs(command: ClearBankLine | SuspendBankLine) -> Needs:
    return Needs(streams=(command.line.stream,))


def _undo_needs(command: UndoBankLine) -> Needs:
    return Needs(streams=(bank_line_stream(command.bank_account, command.key),))


DECIDERS: dict[type[Command], Decider] = {
    ClearBankLine: Decider(clear, _line_needs),
    SuspendBankLine: Decider(suspend, _line_needs),
    UndoBankLine: Decider(undo, _undo_needs),
}
