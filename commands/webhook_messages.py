"""Webhook messages: what an endpoint is told about an event, and the signatures under it (Standard Webhooks 1.0.0).

The body is thin: ids, amounts and states, no texts and nothing personal; whoever wants more asks the API. The same
event always makes the same body under the same id, so that a receiver can tell a repetition.

Secrets are stored nowhere: each is derived from the service's pepper, the book, the endpoint and its generation.
"""

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.events.event import Recorded
from ledger.ids import PAYMENT
from ledger.payment_state import fold
from ledger.payment_views import payment_view_of

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
OVERLAP = timedelta(days=1)
"""How long the secret before the last rotation goes on signing."""

_TOLD = (
    "id",
    "payment",
    "attempt",
    "merchant",
    "customer",
    "principal",
    "contract",
    "channel",
    "channel_reference",
    "product",
    "amount",
    "currency",
    "fee",
    "channel_fee",
    "order_reference",
    "reference",
    "group",
    "decision",
    "action",
    "stage",
    "status",
    "final",
    "account",
    "debit_account",
    "credit_account",
    "effective_at",
    "expires_at",
    "reverses",
    "by",
    "kind",
    "state",
)


class Keys(msgspec.Struct, frozen=True):
    """The secrets of one generation: the shared one, and the private half of the pair."""

    shared: bytes
    private: bytes

    @property
    def secret(self) -> str:
        """The shared secret as a receiver needs it."""
        return "whsec_" + base64.b64encode(self.shared).decode()

    @property
    def public_key(self) -> str:
        """What a receiver checks `v1a` signatures with; no secret."""
        public = Ed25519PrivateKey.from_private_bytes(self.private).public_key()
        return "whpk_" + base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def signatures(self, message: bytes) -> str:
        shared = base64.b64encode(hmac.digest(self.shared, message, sha256)).decode()
        own = base64.b64encode(Ed25519PrivateKey.from_private_bytes(self.private).sign(message)).decode()
        return f"v1,{shared} v1a,{own}"


def keys_of(pepper: bytes, book: str, endpoint: str, generation: int) -> Keys:
    """The secrets of an endpoint's generation, the same each time."""

    def derived(what: str) -> bytes:
        return hmac.digest(pepper, f"webhook {what} v1\0{book}\0{endpoint}\0{generation}".encode(), sha256)

    return Keys(derived("shared secret"), derived("private key"))


def message_id(book: str, position: int) -> str:
    """The id of the message about an event: the same to every endpoint and at every try."""
    return f"msg_{book}_{position}"


def body_of(recorded: Recorded, history: Sequence[Recorded]) -> bytes:
    """The body of the message about an event; `history` is its stream up to it."""
    fields: dict[str, Any] = msgspec.to_builtins(recorded.event)
    told = {name: fields[name] for name in _TOLD if isinstance(fields.get(name), str | int)}
    data: dict[str, Any] = {"position": recorded.position, "stream": recorded.stream, **told}
    if recorded.stream.startswith(PAYMENT):
        data["payment"] = _payment(history)
    message = {"type": type(recorded.event).topic, "timestamp": recorded.recorded_at, "data": data}
    return msgspec.json.encode(message)


def _payment(history: Sequence[Recorded]) -> dict[str, Any]:
    payment = fold(history)
    if payment is None:
        raise AssertionError("a payment's event without a payment")
    view = payment_view_of(payment)
    return {
        "id": view.id,
        "status": view.status,
        "merchant": view.merchant,
        "order_reference": view.order_reference,
        "amount": view.amount,
        "currency": view.currency,
        "amount_captured": view.amount_captured,
        "amount_refunded": view.amount_refunded,
    }


def headers_of(
    keys: Sequence[Keys], name: str, at: datetime, body: bytes, more: dict[str, str] | None = None
) -> dict[str, str]:
    """The headers of a message sent now, signed by each of the keys, the newest first. `more`: the endpoint's own."""
    timestamp = str(int(at.timestamp()))
    message = f"{name}.{timestamp}.".encode() + body
    return (more or {}) | {
        "content-type": "application/json",
        "user-agent": "ledger-webhooks/1",
        ID_HEADER: name,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: " ".join(one.signatures(message) for one in keys),
    }


def signing_keys(
    pepper: bytes, book: str, endpoint: str, generation: int, rotated_at: datetime | None, now: datetime
) -> list[Keys]:
    """The keys that sign now: the newest, and while a rotation is fresh the one before."""
    generations = [generation]
    if rotated_at is not None and generation > 1 and now - rotated_at < OVERLAP:
        generations.append(generation - 1)
    return [keys_of(pepper, book, endpoint, one) for one in generations]
