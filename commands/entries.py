"""Entries: journal entries of any shape, and reversals, whole or in part."""

from datetime import datetime
from typing import Literal

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.transfers import check_postable, check_reference
from ledger.errors import (
    AccountProtected,
    AlreadyReversed,
    EntryNotFound,
    PartialReversalAmbiguous,
    ReversalExceedsEntry,
)
from ledger.events.entries import Adjusting, EntryPosted, EntryReversed, ReversalPosted
from ledger.events.event import Event, event_of_entry
from ledger.journal import Direction, JournalEntry, Posting, opposite
from ledger.money import allocate
from ledger.periods import check_adjusting, check_effective
from ledger.posting_rules import effective_at, entry_for


class PostEntry(Command, frozen=True):
    """Post a journal entry of 2 to 100 postings; `id` is fresh. `adjusting`: in a closed period, by two people."""

    id: str
    postings: tuple[Posting, ...]
    effective_at: datetime | None = None
    reference: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    adjusting: Adjusting | None = None


class ReverseEntry(Command, frozen=True):
    """Take an entry back: all that is left of it, or `amount` minor units of its debits; `id` is fresh."""

    id: str
    entry: str
    reason: str
    amount: int | None = None
    effective_at: datetime | Literal["original"] | None = None
    adjusting: Adjusting | None = None


class EntryReceipt(Receipt):
    """An entry as it was recorded; `reverses` names the entry that it takes back."""

    id: str = ""
    postings: tuple[Posting, ...] = ()
    effective_at: datetime | None = None
    recorded_at: datetime | None = None
    reference: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    reverses: str | None = None
    reason: str | None = None
    adjusting: Adjusting | None = None


def post_entry(books: Books, command: PostEntry, envelope: Envelope) -> Decision:
    JournalEntry(command.postings)
    for index, posting in enumerate(command.postings):
        account = books.account(posting.account, f"/postings/{index}/account")
        check_postable(books, account, posting.currency, envelope, f"/postings/{index}/account")
    check_reference(books, command.reference)
    effective, adjusting = _effective(books, command.effective_at, command.adjusting, envelope)
    posted = EntryPosted(
        command.postings,
        effective,
        command.reference,
        command.description,
        command.metadata,
        adjusting,
    )
    receipt = EntryReceipt(
        id=command.id,
        postings=command.postings,
        effective_at=effective or books.now,
        recorded_at=books.now,
        reference=command.reference,
        description=command.description,
        metadata=command.metadata,
        adjusting=adjusting,
    )
    return Decision([(command.id, posted)], receipt)


def _effective(
    books: Books, stated: datetime | None, adjusting: Adjusting | None, envelope: Envelope
) -> tuple[datetime | None, Adjusting | None]:
    """When an entry takes effect, None: now; and, where it adjusts a closed period, by which approval."""
    if adjusting is not None:
        effective = check_adjusting(stated, adjusting.period, books.now, books.closed_periods)
        return effective, Adjusting(adjusting.period, adjusting.reason, envelope.approval)
    if stated is not None:
        check_effective(stated, books.now, books.closed_periods)
    return stated, None


def reverse_entry(books: Books, command: ReverseEntry, envelope: Envelope) -> Decision:
    stream, version = event_of_entry(command.entry)
    recorded = next((r for r in books.recorded(stream) if r.version == version and r.entry_id == command.entry), None)
    entry = None if recorded is None else entry_for(recorded.event)
    if recorded is None or entry is None:
        raise EntryNotFound(entry=command.entry)
    if isinstance(recorded.event, ReversalPosted):
        raise AlreadyReversed("A reversal cannot be reversed.", entry=command.entry)
    for posting in entry.postings:
        if books.account(posting.account).protected and not envelope.administrator:
            raise AccountProtected(account=posting.account)
    remaining = _remaining(entry.postings, books.history(command.entry))
    taken = _taken(remaining, command.amount)
    stated = (
        effective_at(recorded.event, recorded.recorded_at)
        if command.effective_at == "original"
        else command.effective_at
    )
    effective, adjusting = _effective(books, stated, command.adjusting, envelope)
    amounts = tuple(posting.amount for posting in taken)
    postings = opposite(posting for posting in taken if posting.amount)
    posted = ReversalPosted(command.entry, postings, command.reason, effective, adjusting)
    whole = amounts == tuple(posting.amount for posting in remaining)
    reversed_ = EntryReversed(command.entry, command.id, amounts, whole)
    receipt = EntryReceipt(
        id=command.id,
        postings=postings,
        effective_at=effective or books.now,
        recorded_at=books.now,
        reverses=command.entry,
        reason=command.reason,
        adjusting=adjusting,
    )
    return Decision([(command.id, posted), (command.entry, reversed_)], receipt)


def _remaining(postings: tuple[Posting, ...], history: list[Event]) -> tuple[Posting, ...]:
    """What is not reversed yet of each posting, in the entry's order; raises AlreadyReversed when nothing is."""
    left = [posting.amount for posting in postings]
    for event in history:
        if isinstance(event, EntryReversed):
            left = [amount - taken for amount, taken in zip(left, event.amounts, strict=True)]
    if not any(left):
        raise AlreadyReversed()
    return tuple(Posting(p.account, p.direction, amount, p.currency) for p, amount in zip(postings, left, strict=True))


def _taken(remaining: tuple[Posting, ...], amount: int | None) -> tuple[Posting, ...]:
    """The part of what remains that a reversal of `amount` takes: each side shares it in proportion, exactly."""
    if amount is None:
        return remaining
    left = sum(posting.amount for posting in remaining if posting.direction == Direction.DEBIT)
    if len({posting.currency for posting in remaining}) > 1:
        raise PartialReversalAmbiguous(pointer="/amount")
    if amount > left:
        raise ReversalExceedsEntry(pointer="/amount", amount=amount, remaining=left)
    shares: dict[Direction, list[int]] = {
        side: allocate(amount, [posting.amount for posting in remaining if posting.direction == side])
        for side in Direction
    }
    return tuple(Posting(p.account, p.direction, shares[p.direction].pop(0), p.currency) for p in remaining)


def _post_needs(command: PostEntry) -> Needs:
    return Needs(
        accounts=tuple(posting.account for posting in command.postings),
        references=() if command.reference is None else (command.reference,),
    )


def _reverse_needs(command: ReverseEntry) -> Needs:
    return Needs(streams=(command.entry, event_of_entry(command.entry)[0]))


DECIDERS: dict[type[Command], Decider] = {
    PostEntry: Decider(post_entry, _post_needs),
    ReverseEntry: Decider(reverse_entry, _reverse_needs),
}
