"""Bank: the counterpart of the bank redirect's adapter: forms, signed with RSA key pairs."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from commands.channels.bank_redirect import BANKS, FORM, VERSION, fingerprint, form, read, signed, verified
from commands.channels.channel import Action
from commands.channels.keys import Keyring, SigningKey
from commands.channels.requests import (
    ChannelRequest,
    Charge,
    QueryChange,
    QueryCharge,
    QueryRefund,
    RefundCharge,
    VoidCharge,
)
from commands.channels.simulator.counterparts.counterpart import Answer, Letter, Wire
from commands.channels.simulator.operations import Operation, Refused, moment
from ledger.money import LARGEST

_ID = re.compile(r"[!-~]{1,128}")
_TEXT = re.compile(r".{1,255}", re.DOTALL)
_CURRENCY = re.compile(r"[A-Z0-9]{3,8}")
_AMOUNT = re.compile(r"[1-9][0-9]{0,18}")
_STATUS = {
    "succeeded": "PAID",
    "action_required": "WAITING",
    "pending": "PROCESSING",
    "declined": "FAILED",
    "voided": "CLOSED",
    "expired": "CLOSED",
}
_STATUS_OF_CHANGES = {"succeeded": "DONE", "pending": "PROCESSING", "declined": "FAILED", "returned": "RETURNED"}
# What the books call it, in the gateway's words.
_REASONS = {
    "insufficient_funds": "INSUFFICIENT_BALANCE",
    "card_velocity_exceeded": "LIMIT_EXCEEDED",
    "invalid_account": "ACCOUNT_CLOSED",
    "authentication_failed": "AUTHENTICATION_FAILED",
    "fraudulent": "RISK_REJECTED",
    "stolen_card": "RISK_REJECTED",
    "lost_card": "RISK_REJECTED",
    "issuer_not_available": "BANK_BUSY",
    "try_again_later": "BANK_BUSY",
    "processing_error": "BANK_BUSY",
    "canceled_by_payer": "CANCELED_BY_PAYER",
    "expired": "NOT_PAID_IN_TIME",
    "voided": "CLOSED",
}
_REFUSALS = {
    "signature_invalid": "SIGNATURE_INVALID",
    "invalid_request": "BAD_REQUEST",
    "bank_unknown": "BANK_UNKNOWN",
    "amount_not_taken": "AMOUNT_NOT_TAKEN",
    "charge_not_found": "ORDER_UNKNOWN",
    "charge_not_refundable": "ORDER_NOT_PAID",
    "charge_not_voidable": "ORDER_NOT_OPEN",
    "refund_exceeds_charge": "REFUND_TOO_LARGE",
    "not_found": "NOT_FOUND",
    "id_reused": "ID_REUSED",
}


class Bank:
    """One gateway; `pages` is the address of the simulator, where payers find their pages."""

    asks: Action | None = "redirect"

    def __init__(self, keys: Keyring, pages: str) -> None:
        self._keys, self._pages = keys, pages
        self._forger: SigningKey | None = None

    def page(self, wire: Wire) -> Answer | None:
        if (wire.method, wire.path) != ("GET", "/gateway/banks"):
            return None
        return Answer(200, urlencode(BANKS).encode(), FORM)

    def read(self, wire: Wire) -> ChannelRequest:
        told = verified(self._keys.other, wire.body)
        if told is None:
            raise Refused(401, "signature_invalid", "The signature does not fit the request.")
        fields = read(told)
        if fields is None or wire.method != "POST":
            raise Refused(422, "invalid_request", "The form is not whole.")
        match wire.path:
            case "/gateway/order":
                return _order(fields)
            case "/gateway/query":
                return QueryCharge(_id(fields, "order_id"))
            case "/gateway/close":
                return VoidCharge(_id(fields, "close_id"), *_of_order(fields))
            case "/gateway/close_query":
                return QueryChange(_id(fields, "close_id"), "")
            case "/gateway/refund":
                return RefundCharge(_id(fields, "refund_id"), *_of_order(fields))
            case "/gateway/refund_query":
                return QueryRefund(_id(fields, "refund_id"))
            case _:
                raise Refused(404, "no_route", "There is no such address.")

    def write(self, request: ChannelRequest, found: Operation) -> Answer:
        return Answer(200, form({"code": "OK", "version": VERSION, **self._shown(found)}), FORM)

    def refuse(self, refused: Refused) -> Answer:
        code = _REFUSALS.get(refused.code, refused.code.upper())
        return Answer(200, form({"code": code, "message": refused.message, "version": VERSION}), FORM)

    def seal(self, wire: Wire, answer: Answer) -> Answer:
        """With what it is an answer to, unless it was broken off before."""
        whole = answer.body.endswith(f"version={VERSION}".encode())
        body = b"answers=" + fingerprint(wire.body).encode() + b"&" + answer.body
        ordered = b"&".join(sorted(body.split(b"&"))) if whole else body
        return Answer(answer.status, signed(self._keys.own, ordered), answer.content_type)

    def letter(self, event_id: str, told: Operation, at_s: int, *, forged: bool) -> Letter:
        fields = {"message_id": event_id, "sent_at": _written(at_s * 1_000), "version": VERSION, **self._shown(told)}
        if forged and self._forger is None:
            self._forger = SigningKey.new()
        key = self._forger if forged and self._forger is not None else self._keys.own
        return Letter({"content-type": FORM}, signed(key, form(fields)))

    def is_heard(self, status: int, _body: bytes) -> bool:
        return 200 <= status < 300

    def _shown(self, one: Operation) -> dict[str, str | int | None]:
        ids = {"charge": "order_id", "void": "close_id", "refund": "refund_id"}
        statuses = _STATUS if one.kind == "charge" else _STATUS_OF_CHANGES
        shown: dict[str, str | int | None] = {
            ids[one.kind]: one.id,
            "status": statuses[one.status],
            "bank_reference": one.reference,
            "amount": one.amount,
            "currency": one.currency,
            "fee": one.fee,
            "decided_at": None if one.decided_ms is None else _written(one.decided_ms),
        }
        if one.is_asked_of_the_payer:
            shown["pay_url"] = f"{self._pages}/payer/{one.reference}"
            shown["pay_until"] = None if one.action_expires_ms is None else _written(one.action_expires_ms)
        if one.status == "returned":
            shown["reason"] = "ACCOUNT_CLOSED"
        elif one.decline is not None and shown["status"] in ("FAILED", "CLOSED"):
            shown["reason"] = _REASONS.get(one.decline, "REJECTED")
        return shown


def _order(fields: Mapping[str, str]) -> Charge:
    bank = fields.get("bank", "")
    if bank and bank not in BANKS:
        raise Refused(422, "bank_unknown", "There is no such bank.")
    return Charge(
        attempt_id=_id(fields, "order_id"),
        amount=_amount(fields),
        currency=_matching(fields, "currency", _CURRENCY),
        token=_matching(fields, "account", _TEXT),
        order_reference=_matching(fields, "order_reference", _TEXT),
        merchant=_matching(fields, "merchant", _TEXT),
        method="bank_redirect",
        details={"bank": bank} if bank else {},
        return_url=fields.get("return_url"),
    )


def _of_order(fields: Mapping[str, str]) -> tuple[str, str, int, str]:
    currency = _matching(fields, "currency", _CURRENCY)
    return _id(fields, "order_id"), _id(fields, "bank_reference"), _amount(fields), currency


def _id(fields: Mapping[str, str], name: str) -> str:
    return _matching(fields, name, _ID)


def _amount(fields: Mapping[str, str]) -> int:
    amount = int(_matching(fields, "amount", _AMOUNT))
    if amount > LARGEST:
        raise Refused(422, "invalid_request", "The amount is too large.")
    return amount


def _matching(fields: Mapping[str, str], name: str, shape: re.Pattern[str]) -> str:
    value = fields.get(name, "")
    if shape.fullmatch(value) is None:
        raise Refused(422, "invalid_request", f"The field {name} makes no sense.")
    return value


def _written(at_ms: int) -> str:
    return moment(at_ms).strftime("%Y%m%d%H%M%S")
