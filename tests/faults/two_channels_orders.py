"""Shoppers: what is bought over two channels, what becomes of it next, and what payers do, or do not do.

Each order takes one way, drawn by chance, as far as it gets: what is not known in time stays as it is.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import httpx2

from commands.channels.simulator.conduct import CODE
from tests.faults.two_channels_plan import LATE_SUCCESS
from tests.journeys.caller import Caller, Reply, at_once, fresh

Json = dict[str, Any]
_PATIENCE_S = 6.0
_PATIENCE_WITH_THE_SERVICE_S = 60.0
# A request that came too early, too late, or twice: what a merchant is told then, whatever state the payment is in.
_NOT_NOW = {
    "payment_state_invalid",
    "change_under_way",
    "capture_exceeds_authorization",
    "refund_exceeds_payment",
    "increment_not_supported",
}


def patiently(send: Callable[[], Reply]) -> Reply:
    """Send it again, with its key, while the service says that it cannot answer right now."""
    deadline = time.monotonic() + _PATIENCE_WITH_THE_SERVICE_S
    while _says_not_now(reply := send()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return reply


def _says_not_now(reply: Reply) -> bool:
    return reply.status == 503 or (reply.status == 409 and reply.body["code"] == "idempotency_in_progress")


class Shopper:
    """Orders at every server of the service, for one merchant of each currency."""

    currencies: Mapping[str, str] = {"by bank": "EUR", "on a phone's bill": "EUR"}
    """Of ways that are open to one currency only."""

    def __init__(self, operator: httpx2.Client, callers: Sequence[Caller], shops: Mapping[str, str]) -> None:
        """`operator` speaks to the simulator, for payers and for time."""
        self.shops = shops
        self._callers, self._operator = callers, operator
        # The way of an order, and how often of a hundred it is taken.
        self._ways: dict[str, tuple[int, Callable[[Order], None]]] = {
            "taken": (22, lambda order: None),
            "taken and given back": (16, give_back),
            "held and captured": (9, _capture),
            "held and captured in parts": (7, _capture_in_parts),
            "held and let go": (4, _cancel),
            "held, captured and revoked": (4, _capture_and_revoke),
            "revoked": (4, _revoke),
            "sent to a page": (9, _at_the_page),
            "told a code": (5, _tell_the_code),
            "a late success": (6, _late_success),
            "by bank": (9, _at_the_page),
            "on a phone's bill": (5, _tell_the_code),
        }

    def shop(self, number: int, chance: random.Random, currency: str) -> str:
        """One order, as far as it gets; the way it took."""
        names = list(self._ways)
        (way,) = chance.choices(names, [self._ways[name][0] for name in names])
        currency = self.currencies.get(way, currency)
        body = self._body(number, chance, currency, way)
        by = [chance.choice(self._callers)]
        if chance.random() < 0.1:
            by = [self._callers[0], self._callers[-1]]  # One key, at two servers at the same moment.
        key = fresh("key")
        reply, *others = at_once(*(partial(patiently, partial(one.post, "/payments", body, key=key)) for one in by))
        assert reply.status in (201, 202), (way, reply.status, reply.raw[:1_000])
        assert all((other.status, other.raw) == (reply.status, reply.raw) for other in others), (reply, others)
        self._ways[way][1](Order(reply.body["id"], body, by[0], chance, self._operator))
        return way

    def _body(self, number: int, chance: random.Random, currency: str, way: str) -> Json:
        tokens = {"sent to a page": "tok_redirect", "told a code": "tok_sms", "a late success": LATE_SUCCESS}
        body: Json = {
            "merchant": self.shops[currency],
            "amount": chance.randrange(300, 20_000),
            "currency": currency,
            "product": "quick_pay",
            "method": {"type": "card", "token": tokens.get(way, "tok_approved")},
            "capture": "manual"
            if way.startswith("held") or (way == "sent to a page" and number % 3 == 0)
            else "automatic",
            "order_reference": fresh("order"),
        }
        if way == "by bank":
            body |= {"product": "online_banking", "method": {"type": "bank_redirect", "bank": "harbour"}}
        if way == "on a phone's bill":
            phone = f"+49151{number:08d}"
            body |= {"product": "mobile_bill", "method": {"type": "carrier_billing", "phone": phone}}
            body["amount"] = chance.randrange(300, 5_000)
        return body


class Order:
    """One payment, and what can be done with it."""

    def __init__(self, name: str, body: Json, caller: Caller, chance: random.Random, operator: httpx2.Client) -> None:
        self.name, self.body, self.chance = name, body, chance
        self.caller, self.operator = caller, operator

    @property
    def amount(self) -> int:
        return int(self.body["amount"])

    def known(self) -> Json:
        """What is shown once nothing of it is processing, or when patience ends."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            shown: Json = patiently(partial(self.caller.get, f"/payments/{self.name}")).done(200)
            parts = (shown, *shown["captures"])
            if all(part["status"] != "processing" for part in parts) or time.monotonic() > deadline:
                return shown
            time.sleep(0.1)

    def ask(self, what: str, **asked: Any) -> Reply:
        """A request about it, which may come too late or too early."""
        reply = patiently(partial(self.caller.post, f"/payments/{self.name}/{what}", asked, key=fresh("key")))
        assert reply.status in (200, 201, 202) or reply.body["code"] in _NOT_NOW, (
            what,
            reply.status,
            reply.raw[:1_000],
        )
        return reply

    def at_the_channel(self, does: str, attempt: str) -> None:
        """What the payer, or time, does there; the channel may not know of it, or not be waiting for it any more."""
        answer = self.operator.post(f"/control/charges/{attempt}/{does}")
        assert answer.status_code in (200, 404, 409, 422), answer.text


def give_back(order: Order) -> None:
    if order.chance.random() < 0.5:
        order.known()  # Else as soon as possible: perhaps before it is known.
    if order.chance.random() < 0.3:
        at_once(*[partial(order.ask, "refunds", reason="twice")] * 2)
        return
    for _ in range(order.chance.randrange(1, 4)):
        amount = order.chance.randrange(1, order.amount // 2)
        order.ask("refunds", amount=amount, reason="came broken")


def _capture(order: Order) -> None:
    order.known()
    at_once(*[partial(order.ask, "capture")] * order.chance.choice([1, 1, 2]))


def _capture_in_parts(order: Order) -> None:
    order.known()
    if order.chance.random() < 0.3:
        order.ask("increment", amount=order.amount // 4)
        order.known()
    for _ in range(2):
        order.ask("capture", amount=order.amount // 4, final=False)
        order.known()
    match order.chance.randrange(4):
        case 0:
            order.ask("capture", amount=order.amount // 4, final=True)
        case 1:
            order.ask("cancel")
        case 2:
            order.ask("refunds", amount=order.amount // 5, reason="came broken")
        case _:
            pass  # Half of it stays held.


def _cancel(order: Order) -> None:
    if order.chance.random() < 0.7:
        order.known()
    order.ask("cancel")


def _capture_and_revoke(order: Order) -> None:
    order.known()
    order.ask("capture")
    order.known()
    _revoke(order)


def _revoke(order: Order) -> None:
    order.known()
    order.ask("revoke", reason="changed")


def _at_the_page(order: Order) -> None:
    """Approves, refuses, is too late, comes while the order is given up, or goes away."""
    shown = order.known()
    if shown["status"] != "requires_action":
        return
    attempt = shown["attempts"][-1]["id"]
    match order.chance.randrange(10):
        case 0 | 1 | 2 | 3:
            order.at_the_channel("approve", attempt)
            if shown["capture"] == "manual":
                _capture(order)
        case 4:
            order.at_the_channel("refuse", attempt)
        case 5:
            order.at_the_channel("expire", attempt)
        case 6:
            order.ask("cancel", reason="gone away")
        case 7 | 8:
            at_once(partial(order.ask, "cancel"), partial(order.at_the_channel, "approve", attempt))
        case _:
            pass  # Gone, and nobody has given it up yet.


def _tell_the_code(order: Order) -> None:
    if order.known()["status"] != "requires_action":
        return
    if order.chance.random() < 0.15:
        return
    if order.chance.random() < 0.3:
        order.ask("confirm", answer="000000")
        order.known()
    order.ask("confirm", answer=CODE)


def _late_success(order: Order) -> None:
    """Declined by both channels, or by one: and then one of them, or each, has taken the money after all."""
    shown = order.known()
    attempts = [attempt["id"] for attempt in shown["attempts"]]
    for attempt in attempts[: order.chance.randrange(0, 3)]:
        order.at_the_channel("succeed", attempt)
