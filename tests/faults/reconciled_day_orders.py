"""Shoppers of a reconciled day: as over two channels, and wallets are scanned, sales disputed, refunds come back."""

import random
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import httpx2

from tests.faults.two_channels_orders import Json, Order, Shopper, give_back, patiently
from tests.journeys.caller import Caller

COMES_BACK = "tok_closed_account"
WALLETS = {"by alipay": "alipay", "by wechat_pay": "wechat_pay"}


class DayShopper(Shopper):
    """Orders at every server, over every channel that has a report of its day."""

    currencies = {**Shopper.currencies, **dict.fromkeys(WALLETS, "CNY")}

    def __init__(self, operator: httpx2.Client, callers: Sequence[Caller], shops: Mapping[str, str]) -> None:
        super().__init__(operator, callers, shops)
        self._ways |= {
            "by alipay": (14, _scan),
            "by wechat_pay": (14, _scan),
            "disputed": (12, _dispute),
            "given back, and it came back": (7, _refund_that_comes_back),
        }

    def _body(self, number: int, chance: random.Random, currency: str, way: str) -> Json:
        body = super()._body(number, chance, currency, way)
        if way == "given back, and it came back":
            body["method"] = {"type": "card", "token": COMES_BACK}
        if way in WALLETS:
            method = {"type": WALLETS[way], "scene": "qr", "token": "tok_x"}
            body |= {"product": "platform_pay", "method": method}
        return body


def _scan(order: Order) -> None:
    """Approves, or goes away; of what was paid a part may be wanted back, or all of it, or nothing."""
    shown = order.known()
    if shown["status"] != "requires_action":
        return
    if order.chance.random() < 0.1:
        return
    order.at_the_channel("approve", shown["attempts"][-1]["id"])
    match order.chance.randrange(6):
        case 0 | 1:
            order.known()
            give_back(order)
        case 2:
            order.known()
            order.ask("revoke", reason="changed")
        case _:
            pass


def _dispute(order: Order) -> None:
    """The payer's bank takes it back; then it is won, or lost, or nobody has decided yet."""
    shown = order.known()
    if shown["status"] != "succeeded":
        return
    charge = next((one["id"] for one in shown["attempts"] if one["status"] == "succeeded"), None)
    if charge is None:
        return
    moves: list[dict[str, Any]] = [{"status": "opened"}]
    moves += order.chance.choice([[], [{"status": "won"}], [{"status": "lost"}], [{"status": "accepted"}]])
    if order.chance.random() < 0.2:
        # Asked for first, which costs its fee and takes nothing.
        moves.insert(0, {"stage": "pre_dispute", "status": "opened", "fee": 500})
    # One that changes its amount on the way is for people to look at.
    part = {"amount": order.amount // 3} if order.chance.random() < 0.3 else {}
    for move in moves:
        answer = order.operator.post("/control/disputes", json={"charge": charge, **part, **move})
        # Nothing was taken there, as far as the channel knows.
        assert answer.status_code in (200, 404, 422), answer.text


def _refund_that_comes_back(order: Order) -> None:
    """Given back to an account that is closed: the channel has the money again, and somebody says what is next."""
    if order.known()["status"] != "succeeded":
        return
    refund = order.ask("refunds", amount=order.amount // 2, reason="came broken").body.get("id")
    if refund is None:
        return
    read = partial(patiently, partial(order.caller.get, f"/refunds/{refund}"))
    order.known()
    if read().done(200)["status"] != "succeeded":
        return
    answer = order.operator.post(f"/control/refunds/{refund}/return", json={})
    assert answer.status_code in (200, 404, 422), answer.text
