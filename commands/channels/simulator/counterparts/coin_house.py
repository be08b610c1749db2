"""Coin house: the counterpart of the coin gateway's adapter: addresses, and the coins that came to them."""

import re
from hashlib import sha256
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Meta, Struct

from commands.channels.channel import Action
from commands.channels.coin_gateway import MESSAGE_ID, SIGNATURE, minor_units, signature, whole_coins
from commands.channels.requests import ChannelRequest, Charge, QueryCharge
from commands.channels.signatures import Secret
from commands.channels.simulator.conduct import ANOTHER_CURRENCY
from commands.channels.simulator.counterparts.counterpart import Answer, Letter, Wire
from commands.channels.simulator.operations import Operation, Refused
from commands.policies.coins import COINS

_Id = Annotated[str, Meta(pattern=r"^[!-~]{1,128}\Z")]
_Text = Annotated[str, Meta(min_length=1, max_length=255)]
_INVOICE = re.compile(r"/v1/invoices/([^/]+)")
_FORGER = Secret(b"this is not the secret we share")
_STATUS = {
    "succeeded": "settled",
    "action_required": "open",
    "pending": "pending",
    "declined": "refused",
    "voided": "canceled",
    "expired": "expired",
}


class _Invoice(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    coin: str
    amount: str
    hint: _Text
    order: _Text
    shop: _Text


_Shape = TypeVar("_Shape", bound=Struct)


class CoinHouse:
    """One gateway."""

    asks: Action | None = "pay_to_address"

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def page(self, _wire: Wire) -> Answer | None:
        return None

    def read(self, wire: Wire) -> ChannelRequest:
        expected = signature(self._secret, "request", f"{wire.method} {wire.path}", wire.body)
        if not self._secret.same(expected, wire.headers.get(SIGNATURE, "")):
            raise Refused(401, "signature_invalid", "The signature does not fit the request.")
        invoice = _INVOICE.fullmatch(wire.path)
        match wire.method:
            case "POST" if wire.path == "/v1/invoices":
                new = _decoded(wire.body, _Invoice)
                sums = (new.id, _minor(new.amount, new.coin), new.coin, new.hint, new.order, new.shop)
                return Charge(*sums, method="coin", details={"coin": new.coin})
            case "GET" if invoice is not None:
                return QueryCharge(unquote(invoice[1]))
            case _:
                raise Refused(404, "no_route", "There is no such address.")

    def write(self, request: ChannelRequest, found: Operation) -> Answer:
        return Answer(200, msgspec.json.encode(_shown(found)))

    def refuse(self, refused: Refused) -> Answer:
        content = {"object": "refusal", "code": refused.code, "message": refused.message}
        return Answer(refused.status, msgspec.json.encode(content))

    def seal(self, wire: Wire, answer: Answer) -> Answer:
        asked = wire.headers.get(SIGNATURE, "")
        sign = signature(self._secret, "answer", f"{asked} {answer.status}", answer.body)
        return Answer(answer.status, answer.body, answer.content_type, {SIGNATURE: sign})

    def letter(self, event_id: str, told: Operation, at_s: int, *, forged: bool) -> Letter:
        body = msgspec.json.encode({"sent_at": at_s, "data": _shown(told)})
        sign = signature(_FORGER if forged else self._secret, "message", event_id, body)
        return Letter({MESSAGE_ID: event_id, SIGNATURE: sign, "content-type": "application/json"}, body)

    def is_heard(self, status: int, _body: bytes) -> bool:
        return 200 <= status < 300


def _shown(one: Operation) -> dict[str, Any]:
    coin = one.currency
    decided_at = None if one.decided_ms is None else one.decided_ms // 1_000
    shown = {"id": one.id, "reference": one.reference, "coin": coin, "decided_at": decided_at}
    shown["amount"] = _written(one.amount, coin)
    status = "canceled" if one.decline == "canceled_by_payer" else _STATUS[one.status]
    status = "expired" if one.decline == "expired" else status
    return shown | {
        "object": "invoice",
        "status": status,
        "address": "sim1q" + sha256(one.reference.encode()).hexdigest()[:38],
        "confirmations": COINS[coin].confirmations if coin in COINS else 0,
        "expires_at": None if one.action_expires_ms is None else one.action_expires_ms // 1_000,
        "reason": one.decline,
        "transfers": [
            {
                "txid": each.txid,
                "amount": _written(each.amount, coin),
                "confirmations": each.confirmations,
                "seen_at": int(each.at.timestamp()),
                "dropped": each.dropped,
            }
            for each in one.transfers
        ],
    }


def _written(amount: int, coin: str) -> str:
    """Of another currency, where it is to be wrong, nobody knows how it is written."""
    return str(amount) if coin == ANOTHER_CURRENCY else whole_coins(amount, coin)


def _minor(text: str, coin: str) -> int:
    amount = minor_units(text, coin) if coin in COINS else None
    if not amount:
        raise Refused(422, "invalid_request", "A sum is a decimal number of a coin that is taken.")
    return amount


def _decoded(body: bytes, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
        raise Refused(422, "invalid_request", str(unreadable)) from unreadable
