"""Transfers, entries and reversals: the postings they were asked for, and nothing else."""

from collections.abc import Callable
from typing import Any

from ledger.events.entries import EntryPosted, ReversalPosted
from ledger.events.transfers import TransferPosted
from ledger.journal import JournalEntry, credit, debit, entry_of

# Keyed by the event's class, each rule takes just that class; Python cannot say this in a type. None: it moves nothing.
Rules = dict[type, Callable[[Any], JournalEntry | None]]


def transfer(event: TransferPosted) -> JournalEntry:
    return entry_of(
        debit(event.debit_account, event.amount, event.currency),
        credit(event.credit_account, event.amount, event.currency),
    )


def as_stated(event: EntryPosted | ReversalPosted) -> JournalEntry:
    return JournalEntry(event.postings)


ENTRY_RULES: Rules = {TransferPosted: transfer, EntryPosted: as_stated, ReversalPosted: as_stated}
