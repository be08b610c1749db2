"""Card objects: what the card acquirer answers with and calls back with, as JSON, and what each of them means.

A charge, a change of one, a refund, a payout, a contract, a dispute, an answer to one, or an error: see `object`.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from commands.channels.channel import (
    PENDING,
    Action,
    ActionRequired,
    Authorized,
    Changed,
    ChangeDeclined,
    Charged,
    ContractDeclined,
    ContractEnded,
    ContractSigned,
    Declined,
    DisputeAnswerDeclined,
    DisputeAnswered,
    DisputeMoved,
    PaidOut,
    PayoutDeclined,
    PayoutReturned,
    RefundDeclined,
    Refunded,
    RefundReturned,
    Unknown,
    Verdict,
)
from commands.channels.declines import group_of, shown
from ledger.money import LARGEST

# Printable ASCII without a space: what the channel names goes into our log and our views as it is.
Word = Annotated[str, Meta(pattern=r"^[!-~]{1,128}\Z")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z0-9]{3,8}\Z")]
Amount = Annotated[int, Meta(ge=1, le=LARGEST)]
Fee = Annotated[int, Meta(ge=0, le=LARGEST)]
Moment = Annotated[datetime, Meta(tz=True)]
_Url = Annotated[str, Meta(pattern=r"^https?://[!-~]{1,1000}\Z")]
_Short = Annotated[str, Meta(max_length=1_000)]
_YEARS = range(1970, 9999)  # What PostgreSQL and a shift to UTC both bear.


class Decline(Struct, frozen=True):
    code: Word
    message: str = ""


class Asked(Struct, frozen=True):
    """What the payer is to do."""

    type: Action
    url: _Url | None = None
    data: dict[Word, _Short] = {}
    expires_at: Moment | None = None


class _Operation(Struct, frozen=True, tag_field="object"):
    id: Word
    status: str
    reference: Word
    amount: Amount
    currency: Currency
    fee: Fee | None = None
    decided_at: Moment | None = None
    decline: Decline | None = None


class ChargeObject(_Operation, frozen=True, tag="charge"):
    status: Literal["succeeded", "declined", "pending", "authorized", "action_required", "voided", "expired"]
    capture_before: Moment | None = None
    action: Asked | None = None

    def verdict(self) -> Verdict:
        match self:
            case ChargeObject(status="succeeded", decided_at=datetime() as at, decline=None):
                return Charged(self.reference, self.amount, self.currency, self.fee, _utc(at))
            case ChargeObject(status="authorized", decided_at=datetime() as at, decline=None):
                before = None if self.capture_before is None else _utc(self.capture_before)
                return Authorized(self.reference, self.amount, self.currency, before, _utc(at))
            case ChargeObject(status="action_required", action=Asked() as action):
                return _action(self.reference, action)
            case ChargeObject(status="declined" | "voided" | "expired", decline=Decline(code=code, message=message)):
                reason, hard = group_of(code)
                return Declined(reason, code, shown(message), hard)
            case ChargeObject(status="pending"):
                return PENDING
            case _:
                return Unknown("the charge contradicts itself")


class ChangeObject(_Operation, frozen=True, tag="change", kw_only=True):
    """A capture, a void, an increment or an extension."""

    status: Literal["succeeded", "declined", "pending"]
    kind: Literal["capture", "void", "increment", "extension"]
    capture_before: Moment | None = None

    def verdict(self) -> Verdict:
        match self:
            case ChangeObject(status="succeeded", decided_at=datetime() as at, decline=None):
                before = None if self.capture_before is None else _utc(self.capture_before)
                return Changed(self.reference, self.amount, self.currency, _utc(at), before)
            case ChangeObject(status="declined", decline=Decline(code=code, message=message)):
                return ChangeDeclined(group_of(code)[0], code, shown(message))
            case ChangeObject(status="pending"):
                return PENDING
            case _:
                return Unknown("the change contradicts itself")


class RefundObject(_Operation, frozen=True, tag="refund"):
    status: Literal["succeeded", "declined", "pending", "returned"]

    def verdict(self) -> Verdict:
        match self:
            case RefundObject(status="succeeded", decided_at=datetime() as at, decline=None):
                return Refunded(self.reference, self.amount, self.currency, self.fee, _utc(at))
            case RefundObject(status="returned", decided_at=datetime() as at, decline=Decline(code=code)):
                told = shown(self.decline.message) if self.decline else ""
                return RefundReturned(self.reference, self.amount, self.currency, code, told, _utc(at))
            case RefundObject(status="declined", decline=Decline(code=code, message=message)):
                reason, hard = group_of(code)
                return RefundDeclined(reason, code, shown(message), hard)
            case RefundObject(status="pending"):
                return PENDING
            case _:
                return Unknown("the refund contradicts itself")


class PayoutObject(_Operation, frozen=True, tag="payout"):
    status: Literal["succeeded", "declined", "pending", "returned"]

    def verdict(self) -> Verdict:
        match self:
            case PayoutObject(status="succeeded", decided_at=datetime() as at, decline=None):
                return PaidOut(self.reference, self.amount, self.currency, self.fee, _utc(at))
            case PayoutObject(status="returned", decided_at=datetime() as at, decline=Decline(code=code)):
                told = shown(self.decline.message) if self.decline else ""
                return PayoutReturned(self.reference, self.amount, self.currency, code, told, _utc(at))
            case PayoutObject(status="declined", decline=Decline(code=code, message=message)):
                return PayoutDeclined(group_of(code)[0], code, shown(message))
            case PayoutObject(status="pending"):
                return PENDING
            case _:
                return Unknown("the payout contradicts itself")


class ContractObject(Struct, frozen=True, tag_field="object", tag="contract"):
    id: Word
    status: Literal["action_required", "signed", "declined", "ended"]
    reference: Word
    decided_at: Moment | None = None
    action: Asked | None = None
    ended_by: Literal["merchant", "user", "channel"] | None = None
    decline: Decline | None = None
    replacement: Word | None = None

    def verdict(self, *, answered: bool = False) -> Verdict:
        """`answered`: to a code of the payer's; then a contract that still waits has not taken it."""
        match self:
            case ContractObject(status="signed", decided_at=datetime() as at, decline=None):
                return ContractSigned(self.reference, _utc(at), self.replacement or "")
            case ContractObject(status="ended", decided_at=datetime() as at, ended_by=str() as by):
                return ContractEnded(by, _utc(at))
            case ContractObject(status="declined", decline=Decline(code=code, message=message)):
                return ContractDeclined(group_of(code)[0], code, shown(message))
            case ContractObject(status="action_required", decline=Decline(code=code, message=message)) if answered:
                return ContractDeclined(group_of(code)[0], code, shown(message), retryable=True)
            case ContractObject(status="action_required", action=Asked() as action):
                return _action(self.reference, action)
            case _:
                return Unknown("the contract contradicts itself")


class DisputeObject(Struct, frozen=True, tag_field="object", tag="dispute"):
    id: Word
    charge_id: Word
    charge_reference: Word
    stage: Literal["pre_dispute", "dispute", "pre_arbitration", "arbitration"]
    status: Literal["opened", "challenged", "accepted", "expired", "canceled", "won", "lost"]
    amount: Amount
    currency: Currency
    fee: Fee
    reason: Word
    decided_at: Moment
    evidence_due_at: Moment | None = None

    def verdict(self) -> Verdict:
        return DisputeMoved(
            dispute_reference=self.id,
            channel_reference=self.charge_reference,
            stage=self.stage,
            status=self.status,
            amount=self.amount,
            currency=self.currency,
            fee=self.fee,
            reason=self.reason,
            evidence_due_at=None if self.evidence_due_at is None else _utc(self.evidence_due_at),
            at=_utc(self.decided_at),
        )


class DisputeAnswerObject(Struct, frozen=True, tag_field="object", tag="dispute_answer"):
    """What we said in a dispute, as it was taken or not; `dispute_id` is the channel's."""

    id: Word
    kind: Literal["accept", "challenge"]
    dispute_id: Word
    status: Literal["succeeded", "declined", "pending"]
    reference: Word
    decided_at: Moment | None = None
    decline: Decline | None = None

    def verdict(self) -> Verdict:
        match self:
            case DisputeAnswerObject(status="succeeded", decided_at=datetime() as at, decline=None):
                return DisputeAnswered(self.reference, _utc(at))
            case DisputeAnswerObject(status="declined", decline=Decline(code=code, message=message)):
                return DisputeAnswerDeclined(group_of(code)[0], code, shown(message))
            case DisputeAnswerObject(status="pending"):
                return PENDING
            case _:
                return Unknown("the answer to the dispute contradicts itself")


class ErrorObject(Struct, frozen=True, tag_field="object", tag="error"):
    code: Word
    message: str = ""


CardObject = (
    ChargeObject
    | ChangeObject
    | RefundObject
    | PayoutObject
    | ContractObject
    | DisputeObject
    | DisputeAnswerObject
    | ErrorObject
)
_objects: msgspec.json.Decoder[CardObject] = msgspec.json.Decoder(CardObject)


def read(body: bytes) -> CardObject | None:
    """The body as one of the channel's objects, or None for whatever else it is."""
    try:
        found = _objects.decode(body.decode())  # msgspec does not look at the text of what it skips.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found if all(at.year in _YEARS for at in _moments(found)) else None


def _moments(found: CardObject) -> list[datetime]:
    moments: list[datetime | None] = []
    match found:
        case ErrorObject():
            pass
        case ChargeObject():
            moments = [found.decided_at, found.capture_before, *_expiry(found.action)]
        case ContractObject():
            moments = [found.decided_at, *_expiry(found.action)]
        case DisputeObject():
            moments = [found.decided_at, found.evidence_due_at]
        case ChangeObject():
            moments = [found.decided_at, found.capture_before]
        case _:
            moments = [found.decided_at]
    return [at for at in moments if at is not None]


def _expiry(asked: Asked | None) -> list[datetime | None]:
    return [] if asked is None else [asked.expires_at]


def _action(reference: str, asked: Asked) -> ActionRequired:
    expires_at = None if asked.expires_at is None else _utc(asked.expires_at)
    return ActionRequired(reference, asked.type, asked.url, dict(asked.data), expires_at)


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
