"""Periods: closed after their last day, and opened again for a reason."""

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from ledger.errors import PeriodClosed, PeriodNotClosed, PeriodNotOver
from ledger.events import periods as events
from ledger.events.periods import period_stream
from ledger.periods import end_of


class ClosePeriod(Command, frozen=True):
    """Let nothing take effect in this period (`2026-03`) any more."""

    period: str
    reason: str


class ReopenPeriod(Command, frozen=True):
    """Let entries take effect in this period again."""

    period: str
    reason: str


class PeriodReceipt(Receipt):
    """The period as it is after the command."""

    period: str = ""
    status: str = ""


def close(books: Books, command: ClosePeriod, envelope: Envelope) -> Decision:
    if end_of(command.period) > books.now:
        raise PeriodNotOver(period=command.period)
    if command.period in books.closed_periods:
        raise PeriodClosed(period=command.period)
    closed = events.PeriodClosed(command.period, command.reason)
    return Decision(
        [(period_stream(command.period), closed)], PeriodReceipt(period=command.period, status="closed"), status=200
    )


def reopen(books: Books, command: ReopenPeriod, envelope: Envelope) -> Decision:
    if command.period not in books.closed_periods:
        raise PeriodNotClosed(period=command.period)
    reopened = events.PeriodReopened(command.period, command.reason)
    return Decision(
        [(period_stream(command.period), reopened)], PeriodReceipt(period=command.period, status="open"), status=200
    )


def _needs(command: ClosePeriod | ReopenPeriod) -> Needs:
    return Needs(streams=(period_stream(command.period),))


DECIDERS: dict[type[Command], Decider] = {ClosePeriod: Decider(close, _needs), ReopenPeriod: Decider(reopen, _needs)}
