"""Approvals: a second person agrees to exactly what was asked for, and it is carried out; or does not agree.

What is carried out is decided by the same decider as ever, on the books as they are by then: a refusal is an answer,
nothing is recorded, and the approval waits on until it expires.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from commands.books import Books
from commands.breaks import postings_of
from commands.envelope import Command, Decision, Envelope, Receipt, Told
from commands.guarding import BY_KIND, Guard
from commands.handler import Decider, Needs
from commands.periods import ClosePeriod, Evidence
from ledger.approval_state import CANCELED, EXECUTED, PENDING, REJECTED, Approval, digest_of, fold
from ledger.errors import (
    ApprovalExpired,
    ApprovalMismatch,
    ApprovalNotFound,
    ApprovalNotPending,
    MakerOnly,
    PersonRequired,
    ScopeMissing,
    SelfApproval,
)
from ledger.events.approvals import ApprovalCanceled, ApprovalGiven, ApprovalRejected
from ledger.ids import APPROVAL
from ledger.journal import Posting

ADMINISTRATOR = "admin"


class GiveApproval(Command, frozen=True):
    """Agree to what has this digest. `evidence` is for the closing of a period: as things stand now."""

    id: str
    digest: str
    evidence: Evidence | None = None


class RejectApproval(Command, frozen=True):
    """Do not agree."""

    id: str
    reason: str


class CancelApproval(Command, frozen=True):
    """Take back what one asked for."""

    id: str
    reason: str = ""


class PreviewApproval(Command, frozen=True):
    """Rehearse what would be carried out now. Never for good."""

    id: str
    evidence: Evidence | None = None


class ApprovalReceipt(Receipt):
    """The approval with what became of it; `result` is the answer to what was carried out."""

    id: str = ""
    status: str = ""
    kind: str = ""
    digest: str = ""
    maker: str = ""
    checker: str | None = None
    result: dict[str, Any] | None = None


class ApprovalPreview(Receipt):
    """What would be posted now, netted by account, and what would be answered."""

    postings: tuple[Posting, ...] = ()
    result: dict[str, Any] | None = None


Deciders = dict[type[Command], Decider]


def approving(deciders: Deciders) -> Deciders:
    """The deciders of approvals, over those that decide what was asked for, which have no guard before them."""
    return {
        GiveApproval: Decider(_giving(deciders), _needs),
        RejectApproval: Decider(reject, _needs),
        CancelApproval: Decider(cancel, _needs),
        PreviewApproval: Decider(_previewing(deciders), _needs),
    }


def _giving(deciders: Deciders) -> Callable[[Books, GiveApproval, Envelope], Decision]:
    def give(books: Books, command: GiveApproval, envelope: Envelope) -> Decision:
        approval = _pending(books, command.id)
        requested, guard = approval.requested, BY_KIND[approval.requested.kind]
        _check_checker(books, approval, guard, envelope)
        # The stored command is digested anew: nobody agrees to what somebody has put in its place.
        if command.digest != requested.digest or digest_of(requested.kind, requested.command) != requested.digest:
            raise ApprovalMismatch(pointer="/digest", approval=requested.id, digest=requested.digest)
        decision = _decided(deciders, books, approval, guard, command.evidence, envelope)
        checker = envelope.who
        given = ApprovalGiven(requested.id, requested.kind, requested.digest, requested.maker, checker)
        events = [(requested.id, given), *decision.events]
        result = _told(decision.receipt, books.position + len(books.draft.streams) + len(events))
        receipt = _receipt(approval, EXECUTED, checker, result)
        return Decision(events, receipt, status=200, first_causes_the_rest=True)

    return give


def _previewing(deciders: Deciders) -> Callable[[Books, PreviewApproval, Envelope], Decision]:
    def preview(books: Books, command: PreviewApproval, envelope: Envelope) -> Decision:
        if not envelope.dry_run:
            raise AssertionError("a preview is never for good")
        approval = _pending(books, command.id)
        guard = BY_KIND[approval.requested.kind]
        # Whoever looks is told what it comes to once somebody agrees who may.
        decision = _decided(deciders, books, approval, guard, command.evidence, replace(envelope, administrator=True))
        postings = postings_of(event for _, event in decision.events)
        return Decision(decision.events, ApprovalPreview(postings=postings, result=_told(decision.receipt, None)))

    return preview


def _decided(
    deciders: Deciders, books: Books, approval: Approval, guard: Guard, evidence: Evidence | None, envelope: Envelope
) -> Decision:
    requested = approval.requested
    command = guard.thawed(requested.command)
    if isinstance(command, ClosePeriod):
        command = replace(command, evidence=evidence)
    needs = deciders[guard.command].needs(command)
    # The handler could not know of them: a stream that nobody reads is taken for a new one when it is written to.
    for stream in needs.streams:
        books.recorded(stream)
    for stream in needs.latest:
        books.latest(stream)
    # What takes an administrator takes two.
    both = requested.administrator and envelope.administrator
    return deciders[guard.command].decide(books, command, replace(envelope, administrator=both, approval=requested.id))


def _check_checker(books: Books, approval: Approval, guard: Guard, envelope: Envelope) -> None:
    """Whoever agrees is somebody else, by person and by key, and may decide on such a thing."""
    if envelope.who == approval.requested.maker or envelope.actor == approval.maker_key:
        raise SelfApproval(approval=approval.requested.id)
    policy = books.standing.policy
    if policy is not None and policy.only_persons and not envelope.person:
        raise PersonRequired
    if guard.administrator and not envelope.administrator:
        raise ScopeMissing(scope=ADMINISTRATOR)


def reject(books: Books, command: RejectApproval, envelope: Envelope) -> Decision:
    approval = _pending(books, command.id)
    _check_checker(books, approval, BY_KIND[approval.requested.kind], envelope)
    maker, checker = approval.requested.maker, envelope.who
    rejected = ApprovalRejected(command.id, maker, checker, command.reason)
    return Decision([(command.id, rejected)], _receipt(approval, REJECTED, checker), status=200)


def cancel(books: Books, command: CancelApproval, envelope: Envelope) -> Decision:
    approval = _pending(books, command.id)
    maker = approval.requested.maker
    if envelope.who != maker:
        raise MakerOnly(approval=command.id)
    canceled = ApprovalCanceled(command.id, maker, command.reason)
    return Decision([(command.id, canceled)], _receipt(approval, CANCELED, None), status=200)


def _pending(books: Books, name: str) -> Approval:
    approval = fold(books.recorded(name)) if name.startswith(APPROVAL) else None
    if approval is None:
        raise ApprovalNotFound(approval=name)
    if approval.status != PENDING:
        raise ApprovalNotPending(f"The approval is {approval.status}.", approval=name, approval_status=approval.status)
    if approval.requested.expires_at <= books.now:
        raise ApprovalExpired(approval=name, expired_at=approval.requested.expires_at.isoformat())
    return approval


def _receipt(
    approval: Approval, status: str, checker: str | None, result: dict[str, Any] | None = None
) -> ApprovalReceipt:
    requested = approval.requested
    return ApprovalReceipt(
        id=requested.id,
        status=status,
        kind=requested.kind,
        digest=requested.digest,
        maker=requested.maker,
        checker=checker,
        result=result,
    )


def _told(receipt: Told, position: int | None) -> dict[str, Any]:
    if receipt.position is None:
        receipt.position = position
    told: dict[str, Any] = msgspec.to_builtins(receipt)
    return told


def _needs(command: GiveApproval | RejectApproval | CancelApproval | PreviewApproval) -> Needs:
    return Needs(streams=(command.id,))
