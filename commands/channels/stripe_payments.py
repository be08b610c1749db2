"""Stripe: the adapter of Stripe's PaymentIntents, over its own SDK, which writes the requests and reads the answers.

The SDK's HTTP client is exchanged for one that owns no socket: asked to send, it hands over what was to be sent; asked
to read, it hands in what came. So the dispatcher stays the only one who speaks to channels. Our id is the idempotency
key of what is sent, and stands in `metadata` of what it brings about: a question looks for it among the newest. What is
not found there is sent again under the same key, for which Stripe answers as it did the first time.

Answers are not signed: the connection (TLS) alone proves whose they are. Messages are, and the SDK verifies them.
Sums are minor units; a capture takes what it takes, and Stripe lets go of the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

import stripe

from commands.channels.channel import (
    AMOUNT_MISMATCH,
    PENDING,
    ActionRequired,
    Authorized,
    CallbackNotice,
    Changed,
    ChangeDeclined,
    Charged,
    Declined,
    ErrandNotSupported,
    HttpReply,
    HttpRequest,
    NotFound,
    RefundDeclined,
    Refunded,
    Unknown,
    Verdict,
    as_asked,
)
from commands.channels.declines import group_of, shown
from commands.channels.requests import (
    CaptureCharge,
    ChannelRequest,
    Charge,
    QueryChange,
    QueryCharge,
    QueryRefund,
    RefundCharge,
    VoidCharge,
)
from commands.channels.signatures import WINDOW_S
from ledger.errors import CallbackUnreadable, SignatureInvalid, SignatureMalformed, TimestampOutOfWindow
from ledger.money import LARGEST

SIGNATURE = "stripe-signature"
ATTEMPT, REFUND = "attempt_id", "refund_id"
_ADDRESS = "https://stripe.invalid"
# So many are answered in one page that is not too large for the dispatcher.
_NEWEST = 15
_CONTRADICTS = Unknown("the answer contradicts itself")


class _Written(Exception):
    """What the SDK would have sent."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.path)
        self.request = request


class _Writing(stripe.HTTPClient):
    """Hands over the request in place of sending it."""

    name = "dispatcher"

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> NoReturn:
        named = {name.lower(): str(value) for name, value in (headers or {}).items()}
        body = post_data if isinstance(post_data, bytes) else str(post_data or "").encode()
        raise _Written(HttpRequest(method.upper(), url.removeprefix(_ADDRESS), named, body))


class _Reading(stripe.HTTPClient):
    """Hands in the reply that has come already."""

    name = "dispatcher"

    def __init__(self, reply: HttpReply) -> None:
        super().__init__()
        self._reply = reply

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        return self._reply.body.decode(), self._reply.status, self._reply.headers


@dataclass(frozen=True, slots=True)
class StripePayments:
    """The translator for one account."""

    name: str
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)

    def to_wire(self, request: ChannelRequest) -> HttpRequest:
        try:
            self._ask(_Writing(), request)
        except _Written as written:
            return written.request
        raise AssertionError(f"the SDK sends nothing for {type(request).__name__}")

    def from_wire(self, request: ChannelRequest, reply: HttpReply) -> Verdict:
        if reply.status >= 500:
            return Unknown(f"http {reply.status}")
        try:
            return _verdict(request, _plain(self._ask(_Reading(reply), request)))
        except stripe.StripeError as trouble:
            return _trouble(request, trouble)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            # Whatever the SDK stumbles over is no answer that can be read.
            return Unknown("the answer cannot be read")

    def from_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> CallbackNotice:
        sign = next((value for name, value in headers.items() if name.lower() == SIGNATURE), "")
        signed_at = next((part[2:] for part in sign.split(",") if part.startswith("t=")), "")
        if not (signed_at.isascii() and signed_at.isdigit() and len(signed_at) <= 12):
            raise SignatureMalformed(f"the header {SIGNATURE} names the time and a signature")
        try:
            # Without its own clock: ours is given.
            stripe.WebhookSignature.verify_header(body.decode(), sign, self.webhook_secret, None)
        except (stripe.SignatureVerificationError, UnicodeDecodeError):
            raise SignatureInvalid() from None
        if abs(int(now.timestamp()) - int(signed_at)) > WINDOW_S:
            raise TimestampOutOfWindow()
        try:
            event = stripe.Webhook.construct_event_without_verification(body)
            return _notice(str(event.id), _plain(event.data.object))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise CallbackUnreadable(event_id="") from None

    def _ask(self, http: stripe.HTTPClient, request: ChannelRequest) -> object:
        """What the SDK is called with; it ends in `http`, one way or the other."""
        client = stripe.StripeClient(
            self.api_key, http_client=http, base_addresses={"api": _ADDRESS}, max_network_retries=0
        ).v1
        match request:
            case Charge(contract=None):
                return client.payment_intents.create(_order(request), {"idempotency_key": request.attempt_id})
            case QueryCharge() | QueryChange():
                return client.payment_intents.list({"limit": _NEWEST})
            case CaptureCharge(channel_reference=reference):
                options: stripe.RequestOptions = {"idempotency_key": request.capture_id}
                return client.payment_intents.capture(reference, {"amount_to_capture": request.amount}, options)
            case VoidCharge(channel_reference=reference, takes_back=""):
                return client.payment_intents.cancel(reference, {}, {"idempotency_key": request.void_id})
            case RefundCharge(channel_reference=reference, amount=amount):
                about = {REFUND: request.refund_id, ATTEMPT: request.attempt_id}
                return client.refunds.create(
                    {"payment_intent": reference, "amount": amount, "metadata": about},
                    {"idempotency_key": request.refund_id},
                )
            case QueryRefund():
                return client.refunds.list({"limit": _NEWEST})
            case _:
                raise ErrandNotSupported(type(request).__name__)


def _order(request: Charge) -> stripe.params.PaymentIntentCreateParams:
    about = {ATTEMPT: request.attempt_id, "order": request.order_reference, "merchant": request.merchant}
    order: stripe.params.PaymentIntentCreateParams = {
        "amount": request.amount,
        "currency": request.currency.lower(),
        "payment_method": request.token,
        "capture_method": "automatic" if request.capture else "manual",
        "confirm": True,
        "metadata": about,
    }
    if request.return_url is not None:
        order["return_url"] = request.return_url
    return order


# --- what answers mean -----------------------------------------------------------------------------------------------


def _plain(answer: object) -> dict[str, Any]:
    """The SDK's object as what it was made from."""
    if not isinstance(answer, stripe.StripeObject):
        raise TypeError("no object of Stripe's")
    return answer.to_dict(recursive=True)


def _verdict(request: ChannelRequest, told: dict[str, Any]) -> Verdict:
    match request:
        case Charge():
            return _of(told, ATTEMPT, request.attempt_id, as_asked(_intent(told), request.amount, request.currency))
        case QueryCharge():
            found = _found(told, ATTEMPT, request.attempt_id)
            return NotFound() if found is None else _intent(found)
        case CaptureCharge() | VoidCharge():
            changed = _changed(told, captured=isinstance(request, CaptureCharge))
            return _of(told, ATTEMPT, request.attempt_id, as_asked(changed, request.amount, request.currency))
        case QueryChange():
            found = _found(told, ATTEMPT, request.attempt_id)
            if found is None or found["status"] in ("requires_capture", "requires_action", "requires_confirmation"):
                return NotFound()
            return _changed(found, captured=found["status"] == "succeeded")
        case RefundCharge():
            same = _sum(told, "amount") == (request.amount, request.currency)
            return _of(told, REFUND, request.refund_id, _refund(told) if same else AMOUNT_MISMATCH)
        case QueryRefund():
            found = _found(told, REFUND, request.refund_id)
            return NotFound() if found is None else _refund(found)
        case _:
            raise ErrandNotSupported(type(request).__name__)


def _of(told: dict[str, Any], name: str, our_id: str, verdict: Verdict) -> Verdict:
    return verdict if (told.get("metadata") or {}).get(name) == our_id else Unknown("this is no answer to this request")


def _found(told: dict[str, Any], name: str, our_id: str) -> dict[str, Any] | None:
    if told["object"] != "list":
        raise ValueError("no list")
    listed: Iterable[dict[str, Any]] = told["data"]
    return next((one for one in listed if (one.get("metadata") or {}).get(name) == our_id), None)


def _intent(told: dict[str, Any]) -> Verdict:
    """How a PaymentIntent stands."""
    reference, created = str(told["id"]), datetime.fromtimestamp(told["created"], UTC)
    match told["status"]:
        case "succeeded":
            amount, currency = _sum(told, "amount_received", "amount")
            return Charged(reference, amount, currency, None, created)
        case "requires_capture":
            amount, currency = _sum(told, "amount_capturable", "amount")
            return Authorized(reference, amount, currency, None, created)
        case "requires_action":
            action = told.get("next_action") or {}
            url = (action.get("redirect_to_url") or {}).get("url")
            data = {"client_secret": str(told["client_secret"])} if told.get("client_secret") else {}
            return ActionRequired(reference, "three_ds", url, data)
        case "requires_payment_method":
            error = told.get("last_payment_error") or {}
            code = str(error.get("decline_code") or error.get("code") or "generic_decline")
            return _declined(code, str(error.get("message") or ""))
        case "canceled":
            return Declined("cancelled_by_user", "canceled", "", hard=False)
        case "processing":
            return PENDING
        case _:
            return _CONTRADICTS


def _changed(told: dict[str, Any], *, captured: bool) -> Verdict:
    at = datetime.fromtimestamp(told["created"], UTC)
    if captured and told["status"] == "succeeded":
        amount, currency = _sum(told, "amount_received", "amount")
        return Changed(str(told["id"]), amount, currency, at)
    if not captured and told["status"] == "canceled":
        amount, currency = _sum(told, "amount")
        return Changed(str(told["id"]), amount, currency, at)
    return _CONTRADICTS


def _refund(told: dict[str, Any]) -> Verdict:
    reference, created = str(told["id"]), datetime.fromtimestamp(told["created"], UTC)
    match told["status"]:
        case "succeeded":
            amount, currency = _sum(told, "amount")
            return Refunded(reference, amount, currency, None, created)
        case "failed" | "canceled" as status:
            code = str(told.get("failure_reason") or status)
            return RefundDeclined(group_of(code)[0], code, "", hard=group_of(code)[1])
        case "pending" | "requires_action":
            return PENDING
        case _:
            return _CONTRADICTS


def _sum(told: dict[str, Any], *names: str) -> tuple[int, str]:
    """The first of these sums that is told, and its currency; raises ValueError for what is no sum."""
    amount = next((told[name] for name in names if told.get(name)), None)
    if type(amount) is not int or not 1 <= amount <= LARGEST:
        raise ValueError("no sum")
    return amount, str(told["currency"]).upper()


def _declined(code: str, message: str) -> Declined:
    reason, hard = group_of(code)
    return Declined(reason, code, shown(message), hard)


def _trouble(request: ChannelRequest, trouble: stripe.StripeError) -> Verdict:
    """What an error of the SDK means: only what Stripe surely did not do is a no."""
    error = (trouble.json_body or {}).get("error") if isinstance(trouble.json_body, dict) else None
    if not isinstance(error, dict) or isinstance(trouble, stripe.IdempotencyError | stripe.RateLimitError):
        return Unknown(f"the channel says {type(trouble).__name__}")
    code, message = (
        str(error.get("decline_code") or error.get("code") or type(trouble).__name__),
        str(trouble.user_message),
    )
    match request, trouble:
        case Charge(), stripe.CardError():
            return _declined(code, message)
        case Charge(), _ if trouble.http_status == 402:
            return _declined(code, message)
        case Charge(), stripe.InvalidRequestError() if trouble.http_status in (400, 404):
            return Declined("integration", code, shown(message), hard=False)
        case Charge(), stripe.AuthenticationError() | stripe.PermissionError():
            return Declined("configuration", code, shown(message), hard=False)
        case ((CaptureCharge() | VoidCharge()), stripe.InvalidRequestError()) if trouble.http_status in (400, 404):
            return ChangeDeclined("integration", code, shown(message))
        case RefundCharge(), stripe.InvalidRequestError() if trouble.http_status in (400, 404):
            return RefundDeclined("integration", code, shown(message), hard=False)
        case _:
            return Unknown(f"the channel says {type(trouble).__name__}")


def _notice(event_id: str, told: dict[str, Any]) -> CallbackNotice:
    """What an event is about; of what we do not know, an empty id of ours, so that it is answered and kept out."""
    about = told.get("metadata") or {}
    match told.get("object"):
        case "payment_intent" if isinstance(about.get(ATTEMPT), str):
            return CallbackNotice(event_id, "charge", about[ATTEMPT], _intent(told))
        case "refund" if isinstance(about.get(REFUND), str):
            return CallbackNotice(event_id, "refund", about[REFUND], _refund(told))
        case _:
            return CallbackNotice(event_id, "charge", "", Unknown("it is about nothing of ours"))
