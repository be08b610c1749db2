"""Card simulator: the adapter of a card acquirer that speaks JSON and signs with a shared secret.

POST /charges, /captures, /voids, /increments, /extensions, /refunds, /payouts, /contracts
POST /charges/{id}/confirm, /contracts/{id}/confirm, /contracts/{id}/end
POST /disputes/{its reference}/accept, /disputes/{its reference}/challenge
GET  /charges/{id}, /changes/{id}, /refunds/{id}, /payouts/{id}, /contracts/{id}, /dispute_answers/{id}

Our id is the `id` of the body: a thing is done once for it, and answered as often as it is asked for.

A request is signed over `request.<method>.<path>.<body>`, its answer over `answer.<signature>.<status>.<body>`, where
<signature> is the request's. So an answer proves who gave it and to what: a proxy's 404 page cannot pass for the
channel's "I know no such charge".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

import msgspec

from commands.channels.card_objects import (
    ChangeObject,
    ChargeObject,
    ContractObject,
    DisputeAnswerObject,
    DisputeObject,
    ErrorObject,
    PayoutObject,
    RefundObject,
    read,
)
from commands.channels.channel import (
    AMOUNT_MISMATCH,
    CallbackNotice,
    ChangeDeclined,
    ContractDeclined,
    Declined,
    DeclineReason,
    DisputeAnswerDeclined,
    ErrandNotSupported,
    HttpReply,
    HttpRequest,
    NotFound,
    PayoutDeclined,
    RefundDeclined,
    Unknown,
    Verdict,
    as_asked,
)
from commands.channels.declines import shown
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
    Question,
    RefundCharge,
    SendPayout,
    SignContract,
    TerminateContract,
    VoidCharge,
)
from commands.channels.signatures import SIGNATURE_HEADER, Secret, verify_message
from ledger.errors import CallbackUnreadable

# Requests that the channel refuses as a whole, after it has looked whether it knows the id: nothing happened under it.
REFUSALS: dict[str, DeclineReason] = {
    "invalid_request": "integration",
    "not_supported": "not_supported",
    "merchant_inactive": "configuration",
    "currency_not_enabled": "configuration",
    "payouts_not_enabled": "configuration",
    "amount_not_taken": "amount_limits",
    "charge_not_found": "integration",
    "charge_not_authorized": "integration",
    "charge_not_voidable": "integration",
    "charge_not_refundable": "integration",
    "contract_not_found": "integration",
    "authorization_expired": "session_expired",
    "capture_exceeds_authorization": "amount_limits",
    "increment_not_supported": "not_supported",
    "extension_not_supported": "not_supported",
    "capture_not_found": "integration",
    "refund_exceeds_charge": "amount_limits",
    "dispute_not_found": "integration",
    "dispute_decided": "session_expired",
    "evidence_too_late": "session_expired",
}
_Change = CaptureCharge | VoidCharge | IncrementCharge | ExtendCharge
_CHANGES: dict[type[ChannelRequest], tuple[str, str]] = {
    CaptureCharge: ("/captures", "capture"),
    VoidCharge: ("/voids", "void"),
    IncrementCharge: ("/increments", "increment"),
    ExtendCharge: ("/extensions", "extension"),
}


def request_message(method: str, path: str, body: bytes) -> bytes:
    """What the signature of a request covers. No time and no nonce: a repeated request is only answered again."""
    return f"request.{method}.{path}.".encode() + body


def answer_message(request_signature: str, status: int, body: bytes) -> bytes:
    """What the signature of an answer covers."""
    return f"answer.{request_signature}.{status}.".encode("utf-8", "replace") + body


@dataclass(frozen=True, slots=True)
class CardSimulator:
    """The translator for one account at the simulator."""

    name: str
    secret: Secret

    def to_wire(self, request: ChannelRequest) -> HttpRequest:
        match request:
            case Charge():
                return self._post("/charges", _charge_body(request))
            case ConfirmCharge():
                said = {"id": request.confirm_id, "reference": request.channel_reference, "answer": request.answer}
                return self._post(f"/charges/{_id(request.attempt_id)}/confirm", said)
            case CaptureCharge() | VoidCharge() | IncrementCharge() | ExtendCharge():
                return self._post(_CHANGES[type(request)][0], _change_body(request))
            case RefundCharge():
                return self._post("/refunds", _change_body(request))
            case SendPayout():
                payout = {"id": request.payout_id, "amount": request.amount, "currency": request.currency}
                return self._post("/payouts", payout | {"destination": request.destination})
            case SignContract(answer=None):
                asked = {"id": request.contract_id, "signing": request.sign_id, "customer": request.customer}
                asked |= {"method": request.method}
                how = {"details": request.details, "return_url": request.return_url, "replaces": request.replaces}
                return self._post("/contracts", asked | {name: value for name, value in how.items() if value})
            case SignContract():
                answer = {"id": request.sign_id, "answer": request.answer}
                return self._post(f"/contracts/{_id(request.contract_id)}/confirm", answer)
            case TerminateContract():
                over = {"id": request.end_id, "reference": request.channel_reference}
                return self._post(f"/contracts/{_id(request.contract_id)}/end", over)
            case AcceptDispute():
                said = {"id": request.answer_id, "charge_id": request.attempt_id, "stage": request.stage}
                return self._post(f"/disputes/{_id(request.dispute_reference)}/accept", said)
            case ChallengeDispute():
                against = {"id": request.answer_id, "charge_id": request.attempt_id, "stage": request.stage}
                path = f"/disputes/{_id(request.dispute_reference)}/challenge"
                return self._post(path, {**against, "evidence": request.evidence})
            case QueryDisputeAnswer():
                return self._signed("GET", f"/dispute_answers/{_id(request.answer_id)}", b"")
            case QueryCharge():
                return self._signed("GET", f"/charges/{_id(request.attempt_id)}", b"")
            case QueryChange():
                return self._signed("GET", f"/changes/{_id(request.change_id)}", b"")
            case QueryRefund():
                return self._signed("GET", f"/refunds/{_id(request.refund_id)}", b"")
            case QueryPayout():
                return self._signed("GET", f"/payouts/{_id(request.payout_id)}", b"")
            case QueryContract():
                return self._signed("GET", f"/contracts/{_id(request.contract_id)}", b"")
        raise ErrandNotSupported(type(request).__name__)

    def from_wire(self, request: ChannelRequest, reply: HttpReply) -> Verdict:
        if reply.status >= 500:
            return Unknown(f"http {reply.status}")
        if not self._is_answer_to(request, reply):
            return Unknown("the answer is not signed by the channel")
        answer = read(reply.body)
        if answer is None:
            return Unknown("the answer cannot be read")
        match request, reply.status, answer:
            case (Charge(), 200 | 202, ChargeObject()) if answer.id == request.attempt_id:
                return _whole(answer, request)
            case (ConfirmCharge(), 200 | 202, ChargeObject()) if answer.id == request.attempt_id:
                return as_asked(answer.verdict(), request.amount, request.currency)
            case (QueryCharge(), 200 | 202, ChargeObject()) if answer.id == request.attempt_id:
                return answer.verdict()
            case (
                CaptureCharge() | VoidCharge() | IncrementCharge() | ExtendCharge(),
                200 | 202,
                ChangeObject(),
            ) if (answer.id, answer.kind) == (request.id, _CHANGES[type(request)][1]):
                return as_asked(answer.verdict(), request.amount, request.currency)
            case (QueryChange(), 200 | 202, ChangeObject()) if answer.id == request.change_id:
                return answer.verdict()
            case (RefundCharge(), 200 | 202, RefundObject()) if answer.id == request.refund_id:
                return as_asked(answer.verdict(), request.amount, request.currency)
            case (QueryRefund(), 200 | 202, RefundObject()) if answer.id == request.refund_id:
                return answer.verdict()
            case (SendPayout(), 200 | 202, PayoutObject()) if answer.id == request.payout_id:
                return as_asked(answer.verdict(), request.amount, request.currency)
            case (QueryPayout(), 200 | 202, PayoutObject()) if answer.id == request.payout_id:
                return answer.verdict()
            case (SignContract(), 200 | 202, ContractObject()) if answer.id == request.contract_id:
                return answer.verdict(answered=request.answer is not None)
            case (TerminateContract() | QueryContract(), 200 | 202, ContractObject()) if (
                answer.id == request.contract_id
            ):
                return answer.verdict()
            case (AcceptDispute() | ChallengeDispute() | QueryDisputeAnswer(), 200 | 202, DisputeAnswerObject()) if (
                _says(answer, request)
            ):
                return answer.verdict()
            case _, 404, ErrorObject(code="not_found") if _is_question(request):
                return NotFound()
            case _, 422, ErrorObject(code=code, message=message) if code in REFUSALS:
                return _refused(request, code, shown(message))
            case _:
                return Unknown(f"http {reply.status} is no answer to this request")

    def from_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> CallbackNotice:
        event_id = verify_message(self.secret, headers, body, now)
        match read(body):
            case ChargeObject() as charge:
                return CallbackNotice(event_id, "charge", charge.id, charge.verdict())
            case ChangeObject() as change:
                return CallbackNotice(event_id, "change", change.id, change.verdict())
            case RefundObject() as refund:
                return CallbackNotice(event_id, "refund", refund.id, refund.verdict())
            case PayoutObject() as payout:
                return CallbackNotice(event_id, "payout", payout.id, payout.verdict())
            case ContractObject() as contract:
                return CallbackNotice(event_id, "contract", contract.id, contract.verdict())
            case DisputeObject() as dispute:
                return CallbackNotice(event_id, "dispute", dispute.charge_id, dispute.verdict())
            case _:
                raise CallbackUnreadable(event_id=event_id)

    def _post(self, path: str, content: Mapping[str, object]) -> HttpRequest:
        return self._signed("POST", path, msgspec.json.encode(content))

    def _signed(self, method: str, path: str, body: bytes) -> HttpRequest:
        headers = {SIGNATURE_HEADER: self.secret.signature(request_message(method, path, body))}
        if body:
            headers["content-type"] = "application/json"
        return HttpRequest(method, path, headers, body)

    def _is_answer_to(self, request: ChannelRequest, reply: HttpReply) -> bool:
        asked = self.to_wire(request).headers[SIGNATURE_HEADER]
        message = answer_message(asked, reply.status, reply.body)
        return self.secret.signed(message, reply.headers.get(SIGNATURE_HEADER, ""))


def _id(text: str) -> str:
    return quote(text, safe="")


def _charge_body(request: Charge) -> dict[str, object]:
    body: dict[str, object] = {
        "id": request.attempt_id,
        "amount": request.amount,
        "currency": request.currency,
        "token": request.token,
        "order_reference": request.order_reference,
        "merchant": request.merchant,
    }
    if not request.capture:
        body["capture"] = False
    if request.authenticate:
        body["authenticate"] = True
    more = {"details": request.details, "contract": request.contract, "return_url": request.return_url}
    return body | {name: value for name, value in more.items() if value}


def _change_body(request: _Change | RefundCharge) -> dict[str, object]:
    body: dict[str, object] = {
        "id": request.id,
        "charge_id": request.attempt_id,
        "charge_reference": request.channel_reference,
        "amount": request.amount,
        "currency": request.currency,
    }
    if isinstance(request, VoidCharge) and request.takes_back:
        body["takes_back"] = request.takes_back
    return body | {"final": request.final} if isinstance(request, CaptureCharge) else body


def _whole(answer: ChargeObject, request: Charge) -> Verdict:
    """Only what is held may be over less than was asked for; whatever else it says, it speaks of another sum."""
    exact = (answer.amount, answer.currency) == (request.amount, request.currency)
    return answer.verdict() if exact else _held_in_part(answer, request)


def _held_in_part(answer: ChargeObject, request: Charge) -> Verdict:
    in_part = answer.status == "authorized" and not request.capture
    return as_asked(answer.verdict(), request.amount, request.currency) if in_part else AMOUNT_MISMATCH


def _is_question(request: ChannelRequest) -> bool:
    return isinstance(request, Question)


def _says(answer: DisputeAnswerObject, request: AcceptDispute | ChallengeDispute | QueryDisputeAnswer) -> bool:
    """Whether it is about what we said in this dispute."""
    about = (answer.id, answer.dispute_id) == (request.answer_id, request.dispute_reference)
    match request:
        case AcceptDispute():
            return about and answer.kind == "accept"
        case ChallengeDispute():
            return about and answer.kind == "challenge"
        case _:
            return about


def _refused(request: ChannelRequest, code: str, message: str) -> Verdict:
    reason = REFUSALS[code]
    match request:
        case Charge() | ConfirmCharge():
            return Declined(reason, code, message, hard=False)
        case CaptureCharge() | VoidCharge() | IncrementCharge() | ExtendCharge():
            return ChangeDeclined(reason, code, message)
        case RefundCharge():
            return RefundDeclined(reason, code, message, hard=False)
        case SendPayout():
            return PayoutDeclined(reason, code, message)
        case SignContract() | TerminateContract():
            return ContractDeclined(reason, code, message)
        case AcceptDispute() | ChallengeDispute():
            return DisputeAnswerDeclined(reason, code, message)
        case _:
            return Unknown("http 422 is no answer to this request")
