"""Contract state: what the facts of one contract's stream add up to, for whoever decides and for whoever shows.

    draft ─▶ pending_user ⇄ confirming ─▶ active ⇄ suspended ─▶ terminated (by user, merchant, channel or expiry)
      └──────────┴───────────────┴─▶ failed | expired | terminated
                                          active ⇄ updating ─▶ terminated      (the card is being replaced)

`fold` tells how the contract stands, `charges` what was charged under it: a contract lives long and has many charges,
and most who ask want to know only one of the two.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec
from msgspec.structs import replace

from ledger.events.contracts import (
    ContractActionRequired,
    ContractActivated,
    ContractAnswerRefused,
    ContractChargeConfirmed,
    ContractChargeReleased,
    ContractChargeReserved,
    ContractDrafted,
    ContractEndConfirmed,
    ContractEndingRequested,
    ContractEvent,
    ContractExpired,
    ContractFailed,
    ContractResumed,
    ContractSignedTooLate,
    ContractSigningRequested,
    ContractSuspended,
    ContractTerminated,
    ContractUnanswered,
    ContractUpdated,
    ContractUpdateFailed,
    ContractUpdateRequested,
)
from ledger.events.event import Event, Recorded
from ledger.events.payments import Method

DRAFT = "draft"
PENDING_USER = "pending_user"
CONFIRMING = "confirming"
ACTIVE = "active"
UPDATING = "updating"
SUSPENDED = "suspended"
TERMINATED = "terminated"
FAILED = "failed"
EXPIRED = "expired"
UNSIGNED = (DRAFT, PENDING_USER, CONFIRMING)
SIGNED = (ACTIVE, UPDATING, SUSPENDED)
Status = Literal[
    "draft", "pending_user", "confirming", "active", "updating", "suspended", "terminated", "failed", "expired"
]

# Of a charge.
RESERVED = "reserved"
CONFIRMED = "confirmed"
RELEASED = "released"

SIGNING_TIME = timedelta(days=1)
"""How long the payer has to sign where the channel says nothing about it."""

EVENTS: frozenset[type[Event]] = frozenset(get_args(ContractEvent))


class Update(msgspec.Struct, frozen=True):
    """That the card is being replaced by `method`, since when, and whether the payer has answered to that."""

    id: str
    method: Method
    since: datetime
    answering: bool = False


class Contract(msgspec.Struct, frozen=True):
    """All that its stream says but its charges; `version` and `position` are those of its last event."""

    drafted: ContractDrafted
    created_at: datetime
    version: int
    position: int
    status: str = DRAFT
    action: ContractActionRequired | None = None
    """What the payer is asked to do, while he is."""
    reference: str = ""
    """The channel's reference of the agreement, once it is signed."""
    signings: int = 0
    wrong_answers: int = 0
    refused: ContractAnswerRefused | None = None
    """Why the payer's last answer was not taken, until he gives another."""
    unanswered: tuple[str, ...] = ()
    group: str | None = None
    ended_by: str | None = None
    ended_because: str | None = None
    ending: str = ""
    """The id of the errand that ends the agreement at the channel, if one was begun."""
    end_confirmed: bool = False
    updating: Update | None = None
    update_steps: int = 0
    updates: tuple[str, ...] = ()
    """By which the card was replaced: updates of ours, and the channel's names of its own."""
    updated_at: datetime | None = None
    newer_method: Method | None = None

    @property
    def method(self) -> Method:
        """What is charged: that which was signed, or what has taken its place."""
        return self.newer_method or self.drafted.method

    @property
    def awaits_payer(self) -> bool:
        """Whether it is the payer's turn."""
        asked_anew = self.status == UPDATING and self.updating is not None and not self.updating.answering
        return self.action is not None and (self.status == PENDING_USER or asked_anew)

    @property
    def awaits_channel(self) -> bool:
        """Whether the next word is the channel's, before anybody else has to do something."""
        return self.status in (DRAFT, CONFIRMING) or (self.status == UPDATING and not self.awaits_payer)

    @property
    def due_at(self) -> datetime | None:
        """When its time runs out: to be signed, updated or charged; None: it does not, or has already."""
        drafted, asked = self.drafted, None if self.action is None else self.action.expires_at
        if self.status in UNSIGNED or self.updating is not None:
            since = self.created_at if self.updating is None else self.updating.since
            last = asked or since + SIGNING_TIME
            return last if drafted.expires_at is None else min(last, drafted.expires_at)
        return drafted.expires_at if self.status in SIGNED else None


class ContractCharge(msgspec.Struct, frozen=True):
    """One payment under a contract: reserved, confirmed or released. Its amount counts in the period of `counts_at`."""

    payment: str
    amount: int
    counts_at: datetime
    status: str = RESERVED

    @property
    def counts(self) -> bool:
        return self.status != RELEASED


def evolve(contract: Contract | None, recorded: Recorded) -> Contract:
    """The contract after one more event of its stream."""
    event = recorded.event
    if contract is None:
        if not isinstance(event, ContractDrafted):
            raise AssertionError(f"a contract begins with its draft, not with {event}")
        return Contract(event, recorded.recorded_at, recorded.version, recorded.position)
    contract = replace(contract, version=recorded.version, position=recorded.position)
    match event:
        case ContractSigningRequested():
            status = CONFIRMING if event.answer is not None else contract.status
            return replace(contract, status=status, signings=contract.signings + 1, refused=None, unanswered=())
        case ContractActionRequired():
            return replace(_asked_again(contract), action=event)
        case ContractUnanswered():
            return replace(contract, unanswered=(*contract.unanswered, event.reason))
        case ContractAnswerRefused():
            count = contract.wrong_answers + event.counted
            return replace(_asked_again(contract), wrong_answers=count, refused=event)
        case ContractActivated():
            return replace(_answered(contract), status=ACTIVE, reference=event.channel_reference)
        case ContractSignedTooLate():
            return replace(contract, reference=event.channel_reference)
        case ContractUpdateRequested() | ContractUpdated() | ContractUpdateFailed():
            return _updated(contract, event, recorded.recorded_at)
        case ContractFailed():
            return replace(_answered(contract), status=FAILED, group=event.group)
        case ContractExpired():
            return replace(_answered(contract), status=EXPIRED, group="session_expired")
        case ContractSuspended():
            return replace(contract, status=SUSPENDED)
        case ContractResumed():
            return replace(contract, status=ACTIVE)
        case ContractTerminated():
            ended = replace(_answered(contract), status=TERMINATED, updating=None, group=None)
            return replace(ended, ended_by=event.by, ended_because=event.reason)
        case ContractEndingRequested():
            return replace(contract, ending=event.ending)
        case ContractEndConfirmed():
            return replace(contract, end_confirmed=True)
        case ContractChargeReserved() | ContractChargeConfirmed() | ContractChargeReleased():
            return contract
    raise AssertionError(f"{event} does not belong into the stream of a contract")


def _answered(contract: Contract) -> Contract:
    return replace(contract, action=None, refused=None)


def _asked_again(contract: Contract) -> Contract:
    """It is the payer's turn."""
    if contract.updating is None:
        return replace(contract, status=PENDING_USER)
    return replace(contract, updating=replace(contract.updating, answering=False))


def _updated(
    contract: Contract, event: ContractUpdateRequested | ContractUpdated | ContractUpdateFailed, at: datetime
) -> Contract:
    """The contract while its card is being replaced, and once it is known whether it was."""
    update = contract.updating
    if isinstance(event, ContractUpdateRequested):
        steps = contract.update_steps + 1
        contract = replace(contract, status=UPDATING, update_steps=steps, refused=None, unanswered=())
        if event.answer is None or update is None:
            begun = Update(event.update, event.method, at)
            return replace(contract, updating=begun, action=None, group=None, wrong_answers=0)
        return replace(contract, updating=replace(update, answering=True))
    if update is not None and update.id == event.update:
        contract = replace(_answered(contract), status=ACTIVE, updating=None)
    if isinstance(event, ContractUpdateFailed):
        return replace(contract, group=event.group)
    return replace(
        contract,
        group=None,
        reference=event.channel_reference or contract.reference,
        newer_method=event.method or contract.newer_method,
        updates=(*contract.updates, event.update or event.replacement),
        updated_at=at,
    )


def fold(history: Sequence[Recorded]) -> Contract | None:
    """The contract after all of its history; None for no history."""
    contract: Contract | None = None
    for recorded in history:
        contract = evolve(contract, recorded)
    return contract


def charges(history: Sequence[Recorded]) -> dict[str, ContractCharge]:
    """payment -> what was charged for it under the contract, in the order in which the payments began."""
    found: dict[str, ContractCharge] = {}
    for recorded in history:
        match recorded.event:
            case ContractChargeReserved(payment=payment, amount=amount, counts_at=counts_at):
                found[payment] = ContractCharge(payment, amount, counts_at)
            case ContractChargeConfirmed(payment=payment):
                found[payment] = replace(found[payment], status=CONFIRMED)
            case ContractChargeReleased(payment=payment):
                found[payment] = replace(found[payment], status=RELEASED)
    return found
