"""Entries: journal entries of any shape, and what takes them back."""

from datetime import datetime
from typing import ClassVar

import msgspec

from ledger.events.event import Event
from ledger.journal import Posting


class Adjusting(msgspec.Struct, frozen=True, gc=False):
    """Why an entry takes effect in a period that is closed, and the approval by which it may."""

    period: str
    reason: str
    approval: str = ""


class EntryPosted(Event, frozen=True, omit_defaults=True):
    """A journal entry that was asked for posting by posting. No `effective_at`: it took effect when recorded.

    `carries`: the period whose revenue and expense it carries to retained earnings.
    """

    topic: ClassVar[str] = "entries.posted.v1"

    postings: tuple[Posting, ...]
    effective_at: datetime | None = None
    reference: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    adjusting: Adjusting | None = None
    carries: str = ""


class ReversalPosted(Event, frozen=True, omit_defaults=True):
    """A new entry that takes back `reverses`, whole or in part: `postings` are the opposite of what is taken back."""

    topic: ClassVar[str] = "entries.reversal_posted.v1"

    reverses: str
    postings: tuple[Posting, ...]
    reason: str
    effective_at: datetime | None = None
    adjusting: Adjusting | None = None


class EntryReversed(Event, frozen=True, omit_defaults=True):
    """Beside the reversed entry: `amounts` minor units were taken back of each of its postings, in their order."""

    topic: ClassVar[str] = "entries.reversed.v1"

    entry: str
    by: str
    amounts: tuple[int, ...]
    whole: bool


EntryEvent = EntryPosted | ReversalPosted | EntryReversed
