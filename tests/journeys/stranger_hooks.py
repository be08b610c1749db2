"""Stranger's hooks: what every request of a stranger is changed in before it is sent, so that it gets further."""

import re
import secrets
from collections import deque
from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode, HookContext
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response

_KEY = "Idempotency-Key"
_GOOD_KEY = re.compile(r"[!-~]{1,200}")
# What an address or a body calls a thing, and how the ids of such things begin.
_NAMED = {
    "contract": "con",
    "delivery": "whe",
    "dispute": "dis",
    "endpoint": "whe",
    "entry": "ent",
    "freeze": "frz",
    "hold": "hold",
    "payment": "pay",
    "payment_method": "pm",
    "payout": "po",
    "quote": "fxq",
    "refund": "ref",
    "repayment": "rep",
    "review": "rev",
    "share": "shr",
    "subject": "pay",
    "top_up": "top",
    "transfer": "ent",
}
# Those that stay: who is there from the beginning, see `furnish`.
_RESIDENT = {
    "currency": ("EUR", "EUR", "EUR", "EUR"),
    "customer": ("ann", "bob"),
    "merchant": ("shop", "kiosk"),
    "principal": ("payroll",),
    "to_customer": ("bob", "ann"),
}
# How somebody pays who means it.
_ORDERS: tuple[dict[str, Any], ...] = (
    {"product": "quick_pay", "method": {"type": "card", "token": "tok_approved"}},
    {"product": "quick_pay", "method": {"type": "card", "token": "tok_sms"}},
    {"product": "quick_pay", "method": {"type": "card", "token": "tok_approved"}, "capture": "manual"},
    {"product": "balance_pay", "method": {"type": "wallet"}, "customer": "ann"},
    {"product": "balance_pay", "method": {"type": "wallet"}, "customer": "bob", "capture": "manual"},
    {"product": "credit_pay", "method": {"type": "credit"}, "customer": "ann"},
    {"product": "quick_pay", "method": {"type": "mixed", "token": "tok_approved", "wallet_amount": 1}, "amount": 700},
    {"product": "foreign_card", "method": {"type": "card", "token": "tok_frictionless"}, "currency": "USD"},
    {"product": "mobile_bill", "method": {"type": "carrier_billing", "phone": "+491701234567"}},
    {"product": "online_banking", "method": {"type": "bank_redirect", "bank": "northern"}},
    {"product": "platform_pay", "method": {"type": "alipay"}, "currency": "CNY", "merchant": "yuan"},
    {"product": "virtual_currency", "method": {"type": "coin", "coin": "USDC", "network": "ethereum"}},
    {"product": "protocol_pay", "method": {"type": "contract"}, "customer": "ann"},
    {"product": "quick_pay", "method": {"type": "card", "token": "tok_partial_75"}, "capture": "manual"},
    {"product": "quick_pay", "method": {"type": "card", "token": "tok_refund_do_not_honor"}},
    {"product": "quick_pay", "method": {"type": "card", "token": "tok_stolen_card"}},
)
_OF_EVERY_ORDER = {"quote": None, "scheduled_at": None, "discount": None, "capture": "automatic", "confirm": True}
_MEANT = ("/v1/payments", "/v1/contracts")
_LARGEST = 9_000
_LATEST = 5
_seen: dict[str, deque[str]] = {}
_turns: dict[str, int] = {}


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Fresh keys where there are good ones, no wait for a position that is far away, and no standstill of payments."""
    if _KEY in case.headers:
        case.headers[_KEY] = _freshened(case.headers[_KEY])
    if isinstance(case.body, dict) and isinstance(transfers := case.body.get("transfers"), list):
        for transfer in transfers:
            if isinstance(transfer, dict) and "idempotency_key" in transfer:
                transfer["idempotency_key"] = _freshened(transfer["idempotency_key"])
    _name_what_is_there(case)
    position = (case.query or {}).get("min_position")
    if str(position).isdecimal():
        case.query["min_position"] = int(str(position)) % 3
    # Nobody cosigns here, and whoever asks for it is told to come back.
    if str((case.query or {}).get("witnesses")).isdecimal():
        case.query["witnesses"] = 0
    # Whoever freezes an account of the system stops what is booked on it, until somebody else thaws it.
    if case.method == "POST" and str(case.path_parameters.get("account", "")).startswith("sys:"):
        case.path_parameters["account"] = "cash"


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember what was made lately, so that later requests can go on with it."""
    if response.status_code >= 300 or not response.headers.get("content-type", [""])[0].startswith("application/json"):
        return
    made = response.json()
    name = made.get("id") if isinstance(made, dict) else None
    kind = name.partition("_")[0] if isinstance(name, str) else ""
    if kind in _NAMED.values():
        _seen.setdefault(kind, deque(maxlen=_LATEST)).append(str(name))


def _name_what_is_there(case: Case[Any]) -> None:
    """In most requests that are right in their form, an id that somebody was told in the place of any text."""
    if _is_right(case, ParameterLocation.PATH) and not case.path.endswith("/delete"):
        for name in case.path_parameters:
            case.path_parameters[name] = _one_of(name) or case.path_parameters[name]
    body = case.body
    if not isinstance(body, dict) or not _is_right(case, ParameterLocation.BODY):
        return
    _mean_it(case, body)
    method = body.get("method")
    for place in (body, method) if isinstance(method, dict) else (body,):
        for name in sorted(place.keys() & {*_NAMED, *_RESIDENT}):
            if isinstance(place[name], str) and case.path not in _MEANT:
                place[name] = _one_of(name) or place[name]


def _mean_it(case: Case[Any], body: dict[str, Any]) -> None:
    """In most bodies about money, an amount that is there; in most orders, a method that goes with the product."""
    turn = _turns["/"] = _turns.get("/", 0) + 1
    if not turn % 5:
        return
    if isinstance(body.get("amount"), int):
        body["amount"] = body["amount"] % _LARGEST + 1
    if "answer" in body:
        body["answer"] = "123456"
    if case.path == "/v1/payments":
        order = _ORDERS[turn % len(_ORDERS)]
        method = order["method"]
        if method["type"] == "contract":
            method = {**method, "contract": _one_of("contract") or "con_none"}
        known = {name: value for name, value in _OF_EVERY_ORDER.items() if name in body}
        body |= {"merchant": _one_of("merchant") or "shop", "currency": "EUR", **known, **order, "method": method}
    if case.path == "/v1/contracts":
        body |= {"product": "protocol_pay", "customer": "ann", "expires_at": None}
        body |= {"limits": {"currency": "EUR"}, "method": {"type": "card", "token": "tok_at_once"}}


def _is_right(case: Case[Any], where: ParameterLocation) -> bool:
    component = None if case.meta is None else case.meta.components.get(where)
    return component is not None and component.mode is GenerationMode.POSITIVE


def _one_of(name: str) -> str | None:
    """The next in turn of those that were made last; each fifth time none, so that what is not there is asked for."""
    turn = _turns[name] = _turns.get(name, 0) + 1
    known = _RESIDENT.get(name) or _seen.get(_NAMED.get(name, ""))
    return None if not known or not turn % 5 else known[turn % len(known)]


def _freshened(key: Any) -> Any:
    """A key that nobody has used, in the place of one that can be one; all others stay as bad as they are."""
    good = isinstance(key, str) and _GOOD_KEY.fullmatch(key)
    return f"{key}{secrets.token_hex(8)}" if good else key
