"""Card: the counterpart of the card simulator's adapter: JSON, signed with a shared secret."""

from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Meta, Struct, structs

from commands.channels.card_simulator import answer_message, request_message
from commands.channels.channel import Action
from commands.channels.requests import (
    AcceptDispute,
    CaptureCharge,
    ChallengeDispute,
    ChannelRequest,
    Charge,
    ConfirmCharge,
    ExtendCharge,
    IncrementCharge,
    QueryChange,
    QueryCharge,
    QueryContract,
    QueryDisputeAnswer,
    QueryPayout,
    QueryRefund,
    RefundCharge,
    SendPayout,
    SignContract,
    TerminateContract,
    VoidCharge,
)
from commands.channels.signatures import SIGNATURE_HEADER, Secret, sign_message
from commands.channels.simulator.agreements import PAYOUT_DECLINES
from commands.channels.simulator.conduct import DECLINES
from commands.channels.simulator.counterparts.counterpart import Answer, Letter, Wire
from commands.channels.simulator.operations import CHANGES, Operation, Refused, iso
from ledger.money import LARGEST

_Id = Annotated[str, Meta(pattern=r"^[!-~]{1,128}\Z")]
_Amount = Annotated[int, Meta(ge=1, le=LARGEST)]
_Currency = Annotated[str, Meta(pattern=r"^[A-Z0-9]{3,8}\Z")]
_Text = Annotated[str, Meta(min_length=1, max_length=255)]
_Words = dict[_Text, Annotated[str, Meta(max_length=1_000)]]
_FORGER = Secret(b"this is not the secret we share")


class _Charge(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    amount: _Amount
    currency: _Currency
    token: _Text
    order_reference: _Text
    merchant: _Text
    capture: bool = True
    authenticate: bool = False
    details: _Words = {}
    contract: _Id | None = None
    return_url: str | None = None


class _Change(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    charge_id: _Id
    charge_reference: _Id
    amount: _Amount
    currency: _Currency


class _Capture(_Change, frozen=True, forbid_unknown_fields=True):
    final: bool = False


class _Void(_Change, frozen=True, forbid_unknown_fields=True):
    takes_back: Annotated[str, Meta(pattern=r"^[!-~]{0,128}\Z")] = ""


class _Payout(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    amount: _Amount
    currency: _Currency
    destination: _Words


class _Contract(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    signing: _Id
    customer: _Text
    method: _Text
    details: _Words = {}
    return_url: str | None = None
    replaces: _Id | None = None


class _Answered(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    answer: _Text
    reference: str = ""


class _Ended(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    reference: _Id


class _Accepted(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    charge_id: _Id
    stage: _Text


class _Challenged(_Accepted, frozen=True, forbid_unknown_fields=True):
    evidence: Annotated[_Words, Meta(min_length=1, max_length=20)]


_Shape = TypeVar("_Shape", bound=Struct)


class Card:
    """One acquirer; `pages` is the address of the simulator, where payers find their pages."""

    asks: Action | None = None

    def __init__(self, secret: Secret, pages: str) -> None:
        self._secret, self._pages = secret, pages

    def page(self, _wire: Wire) -> Answer | None:
        return None

    def read(self, wire: Wire) -> ChannelRequest:
        message = request_message(wire.method, wire.path, wire.body)
        if not self._secret.signed(message, wire.headers.get(SIGNATURE_HEADER, "")):
            raise Refused(401, "signature_invalid", "The signature does not fit the request.")
        match wire.method, *(unquote(part) for part in wire.path.split("/")[1:]):
            case "POST", "charges":
                return _charge(_decoded(wire.body, _Charge))
            case "POST", "charges", charge_id, "confirm":
                said = _decoded(wire.body, _Answered)
                # What it is over stands in the charge.
                return ConfirmCharge(said.id, charge_id, said.reference, said.answer, 1, "XXX")
            case "POST", "captures":
                taken = _decoded(wire.body, _Capture)
                return CaptureCharge(*_fields(taken), taken.final)
            case "POST", "voids":
                over = _decoded(wire.body, _Void)
                return VoidCharge(*_fields(over), over.takes_back)
            case "POST", "increments":
                return IncrementCharge(*_fields(_decoded(wire.body, _Change)))
            case "POST", "extensions":
                return ExtendCharge(*_fields(_decoded(wire.body, _Change)))
            case "POST", "refunds":
                return RefundCharge(*_fields(_decoded(wire.body, _Change)))
            case "POST", "payouts":
                paid = _decoded(wire.body, _Payout)
                return SendPayout(paid.id, paid.amount, paid.currency, dict(paid.destination))
            case "POST", "contracts":
                new = _decoded(wire.body, _Contract)
                who, how = (new.signing, new.id, new.customer, new.method), dict(new.details)
                return SignContract(*who, how, None, new.return_url, new.replaces)
            case "POST", "contracts", contract_id, "confirm":
                said = _decoded(wire.body, _Answered)
                return SignContract(said.id, contract_id, "", "", {}, said.answer)
            case "POST", "contracts", contract_id, "end":
                ended = _decoded(wire.body, _Ended)
                return TerminateContract(ended.id, contract_id, ended.reference)
            case "POST", "disputes", reference, "accept":
                given_up = _decoded(wire.body, _Accepted)
                return AcceptDispute(given_up.id, given_up.charge_id, reference, given_up.stage)
            case "POST", "disputes", reference, "challenge":
                held = _decoded(wire.body, _Challenged)
                return ChallengeDispute(held.id, held.charge_id, reference, held.stage, dict(held.evidence))
            case "GET", "dispute_answers", answer_id:
                return QueryDisputeAnswer(answer_id, "", "")
            case "GET", "charges", charge_id:
                return QueryCharge(charge_id)
            case "GET", "changes", change_id:
                return QueryChange(change_id, "")
            case "GET", "refunds", refund_id:
                return QueryRefund(refund_id)
            case "GET", "payouts", payout_id:
                return QueryPayout(payout_id)
            case "GET", "contracts", contract_id:
                return QueryContract(contract_id)
            case _:
                raise Refused(404, "no_route", "There is no such address.")

    def write(self, request: ChannelRequest, found: Operation) -> Answer:
        waits = found.status in ("pending", "action_required")
        return Answer(202 if waits else 200, msgspec.json.encode(self._shown(found)))

    def refuse(self, refused: Refused) -> Answer:
        content = {"object": "error", "code": refused.code, "message": refused.message}
        return Answer(refused.status, msgspec.json.encode(content))

    def seal(self, wire: Wire, answer: Answer) -> Answer:
        asked = wire.headers.get(SIGNATURE_HEADER, "")
        signature = self._secret.signature(answer_message(asked, answer.status, answer.body))
        return structs.replace(answer, headers={SIGNATURE_HEADER: signature})

    def letter(self, event_id: str, told: Operation, at_s: int, *, forged: bool) -> Letter:
        body = msgspec.json.encode(self._shown(told))
        headers = sign_message(_FORGER if forged else self._secret, event_id, at_s, body)
        return Letter(headers | {"content-type": "application/json"}, body)

    def is_heard(self, status: int, _body: bytes) -> bool:
        return 200 <= status < 300

    def _shown(self, one: Operation) -> dict[str, Any]:
        """As answers and messages carry it."""
        decided_at = None if one.decided_ms is None else iso(one.decided_ms)
        if one.dispute is not None:
            words: dict[str, Any] = msgspec.to_builtins(one.dispute)
            del words["taken"]
            shown = {"object": "dispute", "id": one.id, "charge_id": one.parent, "amount": one.amount}
            shown |= {"charge_reference": one.parent_reference, "currency": one.currency, "fee": one.fee}
            return shown | {"decided_at": decided_at} | words
        if one.kind == "answer":
            says = "accept" if isinstance(one.request, AcceptDispute) else "challenge"
            shown = {"object": "dispute_answer", "id": one.id, "kind": says, "dispute_id": one.parent_reference}
            shown |= {"status": one.status, "reference": one.reference}
            return shown | {"decided_at": decided_at, "decline": _decline(one)}
        shown = {
            "object": "change" if one.kind in CHANGES else one.kind,
            **{name: getattr(one, name) for name in ("id", "status", "reference", "amount", "currency", "fee")},
            "decided_at": decided_at,
            "decline": _decline(one),
        }
        if one.kind in CHANGES:
            shown["kind"] = one.kind
        if one.capture_before_ms is not None:
            shown["capture_before"] = iso(one.capture_before_ms)
        if one.is_asked_of_the_payer:
            shown["action"] = self._action(one)
        if one.ended_by is not None:
            shown["ended_by"] = one.ended_by
        if one.replacement:
            shown["replacement"] = one.replacement
        if one.status == "signed" and isinstance(one.request, SignContract) and one.request.replaces:
            shown["reference"] = one.request.replaces  # The agreement goes on, with another card.
        return shown

    def _action(self, one: Operation) -> dict[str, Any]:
        page = f"{self._pages}/payer/{one.reference}"
        expires_at = None if one.action_expires_ms is None else iso(one.action_expires_ms)
        match one.action:
            case "sms_code":
                data = {"tries_left": str(one.tries_left)}
                return {"type": "sms_code", "data": data, "expires_at": expires_at}
            case "qr_code":
                return {"type": "qr_code", "data": {"qr": page}, "expires_at": expires_at}
            case action:
                return {"type": action, "url": page, "expires_at": expires_at}


def _decline(one: Operation) -> dict[str, str] | None:
    if one.status == "returned":
        return {"code": "account_closed", "message": "The account is closed."}
    if one.kind == "contract" and one.is_asked_of_the_payer and one.wrong_code:
        return {"code": "incorrect_code", "message": "The code is wrong."}
    if one.status not in ("declined", "voided", "expired") or one.decline is None:
        return None
    return {"code": one.decline, "message": DECLINES.get(one.decline) or PAYOUT_DECLINES[one.decline]}


def _decoded(body: bytes, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
        raise Refused(422, "invalid_request", str(unreadable)) from unreadable


def _charge(order: _Charge) -> Charge:
    return Charge(
        attempt_id=order.id,
        amount=order.amount,
        currency=order.currency,
        token=order.token,
        order_reference=order.order_reference,
        merchant=order.merchant,
        capture=order.capture,
        details=dict(order.details),
        contract=order.contract,
        return_url=order.return_url,
        authenticate=order.authenticate,
    )


def _fields(change: _Change) -> tuple[str, str, str, int, str]:
    return change.id, change.charge_id, change.charge_reference, change.amount, change.currency
