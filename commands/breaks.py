"""Breaks: what does not agree is opened, looked into, proposed upon with its postings shown, and approved.

A proposal is another command, tried on the books when it is made and carried out when it is approved; where its
postings are no longer those that were shown, it has to be made anew. Above a limit the approver is another person, also
when what was done is undone. An undo takes back exactly what was carried out last, or is refused.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from commands.books import Books
from commands.break_resolutions import FOLLOWED_BY, IGNORE, SUSPEND, TAKE_EVIDENCE, Resolution, resolution_of
from commands.break_undoing import check_opposite, undoing
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.policies.reconciliation import is_bank, needs_four_eyes
from ledger.break_state import OVER, PROPOSED, UNDO, Break, BreakView, evolve, fold, view_of
from ledger.errors import (
    BreakNotFound,
    BreakNotUndoable,
    BreakStateInvalid,
    FieldError,
    FieldInvalid,
    ProposalOutdated,
    Refusal,
    SecondPersonRequired,
    UnknownField,
)
from ledger.events.breaks import (
    BreakAssigned,
    BreakOpened,
    BreakProposed,
    BreakRejected,
    BreakReopened,
    BreakResolved,
    BreakSettled,
)
from ledger.events.event import Event, Metadata, Recorded
from ledger.journal import Direction, Posting
from ledger.posting_rules import entry_for


class OpenBreak(Command, frozen=True):
    """A run found a break in the books as they were at `known_at`; one that is taken for resolved is open again."""

    opened: BreakOpened
    known_at: int = 0


class AssignBreak(Command, frozen=True):
    """Say who looks into it."""

    id: str
    assignee: str
    note: str = ""


class ProposeResolution(Command, frozen=True):
    """Propose how to resolve it: a resolution by its name, with its parameters; `undo` takes back what was done."""

    id: str
    resolution: str
    parameters: dict[str, str]
    reason: str


class ApproveResolution(Command, frozen=True):
    """Have the proposal carried out."""

    id: str


class RejectResolution(Command, frozen=True):
    """Have the proposal dropped."""

    id: str
    reason: str


class ReopenBreak(Command, frozen=True):
    """Say that what was taken for resolved by evidence is not."""

    id: str
    reason: str
    run: str = ""


class SettleBreak(Command, frozen=True):
    """A run found that it agrees after all."""

    id: str
    run: str


def open_break(books: Books, command: OpenBreak, envelope: Envelope) -> Decision:
    opened = command.opened
    known = fold(books.recorded(opened.id))
    if known is None:
        return _told(books, opened.id, None, [opened], status=201)
    done = known.carried_out
    if done is None:
        stands = not known.is_over
    else:
        # Whoever decided knew of just this; and what was done since the run looked is none of its findings.
        stands = known.resolved_at > command.known_at or done.resolution == IGNORE
        # A line of a bank is looked at while it stands in suspense; a row of a channel is not.
        stands = stands or (done.resolution == SUSPEND and is_bank(opened.source))
    found_again = [] if stands else [BreakReopened(opened.id, "found again", opened.run)]
    return _told(books, opened.id, known, [*found_again])


def assign(books: Books, command: AssignBreak, envelope: Envelope) -> Decision:
    found = _known(books, command.id)
    if found.is_over:
        raise _wrong_state(found)
    return _told(books, command.id, found, [BreakAssigned(command.id, command.assignee, command.note)])


def propose(books: Books, command: ProposeResolution, envelope: Envelope) -> Decision:
    found = _known(books, command.id)
    name, done, number = command.resolution, found.carried_out, found.proposals + 1
    follows = done is not None and name in FOLLOWED_BY.get(done.resolution, ())
    if found.status == PROPOSED or (name == UNDO and done is None) or (name != UNDO and found.is_over and not follows):
        raise _wrong_state(found)
    try:
        resolution = _resolution(books, found, number, name, command.parameters)
        decided, whole = resolution.decide(books, envelope)
    except Refusal as refusal:
        if name == UNDO and not isinstance(refusal, FieldInvalid | BreakNotUndoable):
            raise BreakNotUndoable(refusal.detail, id=command.id, because=type(refusal).code()) from refusal
        raise _pointing(refusal, command.parameters) from None
    postings = postings_of(event for _, event in whole)
    if done is not None and name == UNDO:
        check_opposite(found, done, (event for _, event in decided), postings)
    elif name == TAKE_EVIDENCE and not postings:
        raise FieldInvalid("The channel's word would move nothing of ours.", pointer="/resolution")
    elif name != IGNORE and not decided:
        raise _pointing(FieldInvalid("It is so already: nothing would change."), command.parameters)
    policy = books.standing.policy
    reversals_need_two = policy is not None and policy.reversals
    proposed = BreakProposed(
        id=command.id,
        number=number,
        resolution=name,
        parameters=command.parameters,
        postings=postings,
        maker=envelope.who,
        four_eyes=needs_four_eyes(found.opened, postings, policy) or (name == UNDO and reversals_need_two),
        reason=command.reason,
    )
    return _told(books, command.id, found, [proposed])


def approve(books: Books, command: ApproveResolution, envelope: Envelope) -> Decision:
    found, proposed = _proposed(books, command.id)
    if proposed.four_eyes and envelope.who == proposed.maker:
        raise SecondPersonRequired(maker=proposed.maker)
    try:
        resolution = _resolution(books, found, proposed.number, proposed.resolution, proposed.parameters)
        decided, whole = resolution.decide(books, envelope)
        postings = postings_of(event for _, event in whole)
        undone = found.carried_out if proposed.resolution == UNDO else None
        if undone is not None:
            check_opposite(found, undone, (event for _, event in decided), postings)
    except Refusal as refusal:
        words = f"The books have moved: {refusal.detail} Reject it, and propose it again."
        raise ProposalOutdated(words, proposal=proposed.number, because=type(refusal).code()) from refusal
    if postings != proposed.postings:
        raise ProposalOutdated(proposal=proposed.number)
    resolved = BreakResolved(
        command.id,
        proposed.number,
        proposed.resolution,
        proposed.maker,
        envelope.who,
        0 if undone is None else undone.number,
    )
    # What is posted stands in the log as caused by the agreement.
    return replace(_told(books, command.id, found, [resolved], decided), first_causes_the_rest=True)


def reject(books: Books, command: RejectResolution, envelope: Envelope) -> Decision:
    found, proposed = _proposed(books, command.id)
    return _told(books, command.id, found, [BreakRejected(command.id, proposed.number, envelope.who, command.reason)])


def reopen(books: Books, command: ReopenBreak, envelope: Envelope) -> Decision:
    found = _known(books, command.id)
    # What was posted for it is undone by a proposal, so that it is two people where it has to be.
    if found.status not in OVER or found.carried_out is not None:
        raise _wrong_state(found)
    return _told(books, command.id, found, [BreakReopened(command.id, command.reason, command.run)])


def settle(books: Books, command: SettleBreak, envelope: Envelope) -> Decision:
    found = _known(books, command.id)
    # What somebody has done about it is why it agrees, also while the undoing of that is proposed.
    if found.is_over or found.standing:
        return _told(books, command.id, found, [])
    return _told(books, command.id, found, [BreakSettled(command.id, command.run)])


def postings_of(events: Iterable[Event]) -> tuple[Posting, ...]:
    """What these events post, netted by account, in the order of accounts."""
    net: dict[tuple[str, str], int] = {}
    for event in events:
        entry = entry_for(event)
        for posting in () if entry is None else entry.postings:
            place = (posting.account, posting.currency)
            net[place] = net.get(place, 0) + (
                posting.amount if posting.direction == Direction.DEBIT else -posting.amount
            )
    return tuple(
        Posting(account, Direction.DEBIT if amount > 0 else Direction.CREDIT, abs(amount), currency)
        for (account, currency), amount in sorted(net.items())
        if amount
    )


def _resolution(books: Books, found: Break, number: int, name: str, parameters: dict[str, str]) -> Resolution:
    if name != UNDO:
        return resolution_of(books, found, number, name, parameters)
    for given in parameters:
        raise UnknownField("An undo has no parameters.", pointer=f"/parameters/{given}")
    if found.carried_out is None:
        raise _wrong_state(found)
    return undoing(books, found, found.carried_out)


def _pointing(refusal: Refusal, parameters: dict[str, str]) -> Refusal:
    """The refusal of a resolution, with the place of what was wrong with it in the proposal."""
    known = [error for error in refusal.errors if error.pointer.startswith(("/parameters", "/resolution"))]
    if not known:
        blamed = "/resolution" if len(parameters) != 1 else f"/parameters/{next(iter(parameters))}"
        refusal.errors = (FieldError(blamed, refusal.code(), refusal.detail),)
    return refusal


def _proposed(books: Books, name: str) -> tuple[Break, BreakProposed]:
    found = _known(books, name)
    if found.proposed is None:
        raise _wrong_state(found)
    return found, found.proposed


def _known(books: Books, name: str) -> Break:
    found = fold(books.recorded(name))
    if found is None:
        raise BreakNotFound(id=name)
    return found


def _wrong_state(found: Break) -> BreakStateInvalid:
    return BreakStateInvalid(f"The break is {found.status}.", id=found.opened.id, break_status=found.status)


def _told(
    books: Books,
    name: str,
    found: Break | None,
    events: list[Event],
    consequences: list[tuple[str, Event]] | None = None,
    *,
    status: int = 200,
) -> Decision:
    """The break with these events, and what else follows from them."""
    for event in events:
        found = evolve(found, Recorded(name, 0, 0, books.now, event, Metadata("")))
    if found is None:
        raise AssertionError(f"nothing is told of {name}")
    view: BreakView = view_of(found)
    if events:
        view.position = None
    return Decision([*((name, event) for event in events), *(consequences or [])], view, status=status)


def _needs(command: AssignBreak | ProposeResolution | ApproveResolution | RejectResolution | ReopenBreak) -> Needs:
    return Needs(streams=(command.id,))


DECIDERS: dict[type[Command], Decider] = {
    OpenBreak: Decider(open_break, lambda command: Needs(streams=(command.opened.id,))),
    AssignBreak: Decider(assign, _needs),
    ProposeResolution: Decider(propose, _needs),
    ApproveResolution: Decider(approve, _needs),
    RejectResolution: Decider(reject, _needs),
    ReopenBreak: Decider(reopen, _needs),
    SettleBreak: Decider(settle, lambda command: Needs(streams=(command.id,))),
}
