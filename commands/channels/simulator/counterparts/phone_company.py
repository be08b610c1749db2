"""Phone company: the counterpart of the carrier's adapter: flat JSON, its parameters signed with a shared secret."""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from commands.channels.carrier import opened, signature, signed
from commands.channels.channel import Action
from commands.channels.requests import (
    ChannelRequest,
    Charge,
    ConfirmCharge,
    QueryChange,
    QueryCharge,
    QueryRefund,
    RefundCharge,
    VoidCharge,
)
from commands.channels.signatures import Secret
from commands.channels.simulator.counterparts.counterpart import Answer, Letter, Wire
from commands.channels.simulator.operations import Operation, Refused
from ledger.money import LARGEST

_Id = Annotated[str, Meta(pattern=r"^[!-~]{1,128}\Z")]
_Amount = Annotated[int, Meta(ge=1, le=LARGEST)]
_Currency = Annotated[str, Meta(pattern=r"^[A-Z0-9]{3,8}\Z")]
_Text = Annotated[str, Meta(min_length=1, max_length=255)]
_Phone = Annotated[str, Meta(pattern=r"^(\+[1-9][0-9]{5,14})?\Z")]
_FORGER = Secret(b"this is not the secret we share")

_STATE = {
    "succeeded": "BILLED",
    "action_required": "CODE_SENT",
    "pending": "PROCESSING",
    "declined": "FAILED",
    "voided": "CANCELED",
    "expired": "CANCELED",
}
_STATE_OF_CHANGES = {"succeeded": "DONE", "pending": "PROCESSING", "declined": "FAILED", "returned": "RETURNED"}
# What the books call it, in the carrier's words.
_FAILURES = {
    "insufficient_funds": "CREDIT_TOO_LOW",
    "card_velocity_exceeded": "MONTHLY_CAP",
    "fraudulent": "NUMBER_BARRED",
    "stolen_card": "NUMBER_BARRED",
    "lost_card": "NUMBER_BARRED",
    "invalid_account": "NUMBER_NOT_IN_SERVICE",
    "authentication_failed": "CODE_WRONG",
    "canceled_by_payer": "CANCELED",
    "voided": "CANCELED",
    "expired": "CODE_TOO_LATE",
    "issuer_not_available": "NETWORK_BUSY",
    "try_again_later": "NETWORK_BUSY",
    "processing_error": "NETWORK_BUSY",
}
_REFUSALS = {
    "signature_invalid": "BAD_SIGN",
    "invalid_request": "BAD_PARAMETERS",
    "amount_not_taken": "AMOUNT_CAP",
    "charge_not_found": "NO_SUCH_PAYMENT",
    "charge_not_voidable": "NOT_CANCELABLE",
    "charge_not_refundable": "NOT_REFUNDABLE",
    "refund_exceeds_charge": "REFUND_TOO_LARGE",
    "not_found": "UNKNOWN_ID",
    "id_reused": "ID_REUSED",
}


class _Payment(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    amount: _Amount
    currency: _Currency
    phone: _Phone
    hint: _Text
    order: _Text
    shop: _Text


class _Code(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    confirm_id: _Id
    reference: _Id
    code: _Text


class _OfPayment(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    payment: _Id
    reference: _Id
    amount: _Amount
    currency: _Currency


class _Question(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id


_Shape = TypeVar("_Shape", bound=Struct)


class PhoneCompany:
    """One carrier."""

    asks: Action | None = "sms_code"

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def page(self, _wire: Wire) -> Answer | None:
        return None

    def read(self, wire: Wire) -> ChannelRequest:
        told = opened(self._secret, "request", wire.body)
        if told is None or wire.method != "POST":
            raise Refused(401, "signature_invalid", "The signature does not fit the request.")
        match wire.path:
            case "/v1/charge":
                new = _converted(told, _Payment)
                sums = (new.id, new.amount, new.currency, new.hint, new.order, new.shop)
                return Charge(*sums, method="carrier_billing", details={"phone": new.phone})
            case "/v1/confirm":
                said = _converted(told, _Code)
                # What it is over stands in the payment.
                return ConfirmCharge(said.confirm_id, said.id, said.reference, said.code, 1, "XXX")
            case "/v1/status":
                return QueryCharge(_converted(told, _Question).id)
            case "/v1/cancel":
                over = _converted(told, _OfPayment)
                return VoidCharge(over.id, over.payment, over.reference, over.amount, over.currency)
            case "/v1/cancel_status":
                return QueryChange(_converted(told, _Question).id, "")
            case "/v1/refund":
                back = _converted(told, _OfPayment)
                return RefundCharge(back.id, back.payment, back.reference, back.amount, back.currency)
            case "/v1/refund_status":
                return QueryRefund(_converted(told, _Question).id)
            case _:
                raise Refused(404, "no_route", "There is no such address.")

    def write(self, request: ChannelRequest, found: Operation) -> Answer:
        return Answer(200, msgspec.json.encode(_shown(found)))

    def refuse(self, refused: Refused) -> Answer:
        code = _REFUSALS.get(refused.code, refused.code.upper())
        return Answer(200, msgspec.json.encode({"object": "refusal", "code": code, "message": refused.message}))

    def seal(self, wire: Wire, answer: Answer) -> Answer:
        """What was broken off stays so."""
        try:
            parameters = msgspec.json.decode(answer.body, type=dict[str, str | int])
            asked = msgspec.json.decode(wire.body, type=dict[str, str | int])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return answer
        parameters["answers"] = signature(self._secret, "request", asked)
        return Answer(answer.status, signed(self._secret, "answer", parameters))

    def letter(self, event_id: str, told: Operation, at_s: int, *, forged: bool) -> Letter:
        parameters = {**_shown(told), "message_id": event_id, "sent_at": at_s}
        body = signed(_FORGER if forged else self._secret, "message", parameters)
        return Letter({"content-type": "application/json"}, body)

    def is_heard(self, status: int, _body: bytes) -> bool:
        return 200 <= status < 300


def _shown(one: Operation) -> dict[str, str | int]:
    objects = {"charge": "payment", "void": "cancellation", "refund": "refund"}
    states = _STATE if one.kind == "charge" else _STATE_OF_CHANGES
    shown: dict[str, str | int | None] = {
        "object": objects[one.kind],
        "id": one.id,
        "state": states[one.status],
        "reference": one.reference,
        "amount": one.amount,
        "currency": one.currency,
        "at": None if one.decided_ms is None else one.decided_ms // 1_000,
    }
    if one.kind == "charge":
        shown["share"] = one.fee
    if one.is_asked_of_the_payer:
        shown["tries_left"] = one.tries_left
        shown["until"] = None if one.action_expires_ms is None else one.action_expires_ms // 1_000
    if one.status == "returned":
        shown["failure"] = "NUMBER_NOT_IN_SERVICE"
    elif one.decline is not None and shown["state"] in ("FAILED", "CANCELED"):
        shown["failure"] = _FAILURES.get(one.decline, "REFUSED")
    return {name: value for name, value in shown.items() if value is not None}


def _converted(told: dict[str, str | int], shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.convert(told, shape)
    except msgspec.MsgspecError as unreadable:
        raise Refused(422, "invalid_request", str(unreadable)) from unreadable
