"""Both books: a small day on which they agree, and each way in which they may not."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.both_books import BothBooks, differences


def a_day() -> BothBooks:
    """A top-up of 500, paid 300 from the wallet; by card 1,000 of which 400 go back, one declined, one processing."""

    def payment(name: str, status: str, amount: int, *, by_card: bool = True, **more: Any) -> dict[str, Any]:
        return {
            "id": name,
            "status": status,
            "amount": amount,
            "currency": "EUR",
            "merchant": "shop",
            "customer": "ann",
            "product": "quick_pay" if by_card else "balance_pay",
            "attempts": [{"id": f"{name}-1"}] if by_card else [],
            "amount_captured": amount if status == "succeeded" else 0,
            "amount_refunded": 0,
            "refunds": [],
        } | more

    def charge(name: str, status: str, amount: int, fee: int | None) -> dict[str, Any]:
        return {"id": f"{name}-1", "status": status, "amount": amount, "currency": "EUR", "fee": fee}

    backs = [
        {"id": "ref_1", "status": "succeeded", "amount": 400},
        {"id": "ref_2", "status": "processing", "amount": 100},
        {"id": "ref_3", "status": "failed", "amount": 500},
    ]
    return BothBooks(
        position=9,
        payments=[
            payment("pay_paid", "succeeded", 1_000, refunds=backs, amount_refunded=400),
            payment("pay_no", "failed", 700),
            payment("pay_never_sent", "failed", 700),
            payment("pay_silent", "processing", 800),
            payment("pay_wallet", "succeeded", 300, by_card=False),
        ],
        top_ups=[{"id": "top_1", "status": "succeeded", "amount": 500, "currency": "EUR", "customer": "ann"}],
        balances={
            "sys:1110:card_simulator:eur": (1_000 - 6) + (500 - 3) - 400,
            "sys:2010:ann:eur": 500 - 300,
            "sys:2110:shop:eur": (1_000 - 30) - 500 + (300 - 16) + 50,
            "sys:1210:shop:eur": 50,
            "sys:2210:shop:eur": 100,
        },
        charges=[
            charge("pay_paid", "succeeded", 1_000, 6),
            charge("pay_no", "declined", 700, None),
            charge("pay_silent", "succeeded", 800, 5),
            charge("top_1", "succeeded", 500, 3),
        ],
        refunds=[
            {"id": "ref_1", "status": "succeeded", "amount": 400, "currency": "EUR"},
            {"id": "ref_2", "status": "succeeded", "amount": 100, "currency": "EUR"},
            {"id": "ref_3", "status": "declined", "amount": 500, "currency": "EUR"},
        ],
    )


def test_a_day_on_which_they_agree() -> None:
    books = a_day()
    assert differences(books) == []
    assert books.open == ["ref_2", "pay_silent"]
    assert books.counts()["payments"] == {"failed": 2, "processing": 1, "succeeded": 2}


def _add(balance: str, amount: int = 1) -> Callable[[BothBooks], object]:
    return lambda books: books.balances.update({balance: books.balances.get(balance, 0) + amount})


SPOILT: dict[str, Callable[[BothBooks], object]] = {
    "charged and failed with us": lambda books: books.charges[1].update(status="succeeded", fee=4),
    "succeeded with us and declined": lambda books: books.charges[0].update(status="declined"),
    "succeeded with us and not charged": lambda books: books.charges.pop(0),
    "another amount": lambda books: books.charges[2].update(amount=801),
    "another currency": lambda books: books.charges[2].update(currency="USD"),
    "two charges": lambda books: books.charges.append({**books.charges[0], "id": "pay_paid-2"}),
    "two charges of an open one": lambda books: books.charges.append({**books.charges[2], "id": "pay_silent-2"}),
    "a charge that is no attempt": lambda books: books.charges[2].update(id="pay_silent-7"),
    "a charge of nobody": lambda books: books.charges.append({**books.charges[2], "id": "pay_x-1"}),
    "a state that is none": lambda books: books.payments[4].update(status="created"),
    "a top-up that was not charged": lambda books: books.charges.pop(3),
    "given back and failed with us": lambda books: books.refunds[2].update(status="succeeded"),
    "succeeded with us and not given back": lambda books: books.refunds.pop(0),
    "another amount given back": lambda books: books.refunds[1].update(amount=101),
    "a refund of nobody": lambda books: books.refunds.append({**books.refunds[1], "id": "ref_9"}),
    "a refund that stands twice": lambda books: books.refunds.append(books.refunds[1]),
    "a capture that does not add up": lambda books: books.payments[0].update(amount_captured=999),
    "captured and failed": lambda books: books.payments[1].update(amount_captured=700),
    "refunds that do not add up": lambda books: books.payments[0].update(amount_refunded=500),
    "the fee of the channel": lambda books: books.charges[0].update(fee=7),
    "channel receivable": _add("sys:1110:card_simulator:eur"),
    "channel receivable in no currency of the day": _add("sys:1110:card_simulator:usd"),
    "wallet": _add("sys:2010:ann:eur"),
    "merchant": _add("sys:2110:shop:eur"),
    "merchant's debt": _add("sys:1210:shop:eur"),
    "refunds in transit": _add("sys:2210:shop:eur"),
    "refunds in transit that are none": _add("sys:2210:other:eur"),
    "unapplied receipts": _add("sys:2310:card_simulator:eur"),
    "suspense": _add("sys:1910:card_simulator:eur"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_day_on_which_they_do_not(spoil: Callable[[BothBooks], object]) -> None:
    books = a_day()
    spoil(books)
    assert differences(books)
