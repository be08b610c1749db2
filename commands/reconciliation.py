"""Reconciliation: a run is asked for, and its end is put on record; what happens in between are other commands."""

from datetime import date

from commands.books import Books
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.policies.reconciliation import policy_of
from ledger.errors import FieldInvalid
from ledger.events.event import Event, Metadata, Recorded
from ledger.events.reconciliation import (
    AcknowledgedRow,
    ReconciliationCompleted,
    ReconciliationFailed,
    ReconciliationRequested,
    RowsAcknowledged,
)
from ledger.reconciliation_state import RUNNING, evolve, fold, view_of


class RequestReconciliation(Command, frozen=True):
    """Hold the reports of a source about one account against the books, as of the end of a day; `id` is fresh."""

    id: str
    source: str
    account: str
    until: date


class AcknowledgeRows(Command, frozen=True):
    """Rows that the run found to agree, and that post nothing."""

    id: str
    rows: tuple[AcknowledgedRow, ...]


class EndReconciliation(Command, frozen=True):
    """The run was carried out, or could not be."""

    ended: ReconciliationCompleted | ReconciliationFailed


def request(books: Books, command: RequestReconciliation, envelope: Envelope) -> Decision:
    # Where it is a source of the east, its day has begun before ours.
    if command.until > books.now.astimezone(policy_of(command.source).zone).date():
        raise FieldInvalid("The day is still to come.", pointer="/date")
    return _told(books, ReconciliationRequested(command.id, command.source, command.account, command.until))


def acknowledge(books: Books, command: AcknowledgeRows, envelope: Envelope) -> Decision:
    run = fold(books.recorded(command.id))
    if run is None or run.status != RUNNING:
        raise AssertionError(f"{command.id} is not running")
    view = view_of(run)
    view.position = None
    return Decision([(command.id, RowsAcknowledged(command.id, command.rows))], view)


def end(books: Books, command: EndReconciliation, envelope: Envelope) -> Decision:
    run = fold(books.recorded(command.ended.id))
    if run is None or run.status != RUNNING:
        raise AssertionError(f"{command.ended.id} is not running")
    return _told(books, command.ended)


def _told(books: Books, event: ReconciliationRequested | ReconciliationCompleted | ReconciliationFailed) -> Decision:
    run = fold(books.recorded(event.id))
    run = evolve(run, Recorded(event.id, 0, 0, books.now, event, Metadata("")))
    if run is None:
        raise AssertionError(f"{event.id} was never asked for")
    view = view_of(run)
    view.position = None
    events: list[tuple[str, Event]] = [(event.id, event)]
    return Decision(events, view, status=202 if view.status == RUNNING else 200)


DECIDERS: dict[type[Command], Decider] = {
    RequestReconciliation: Decider(request, lambda command: Needs(streams=(command.id,))),
    AcknowledgeRows: Decider(acknowledge, lambda command: Needs(streams=(command.id,))),
    EndReconciliation: Decider(end, lambda command: Needs(streams=(command.ended.id,))),
}
