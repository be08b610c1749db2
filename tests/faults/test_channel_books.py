"""Channels' books against our log: whatever one of them has and the other has not is named."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ledger.events.event import Event, Metadata, Recorded
from ledger.events.payments import Method, PaymentCaptured, PaymentCreated
from ledger.events.refunds import RefundSucceeded
from tests.faults.channel_books import ChannelBooks, differences, paid_twice

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
A, B = "card_simulator", "card_simulator_b"
CREATED = PaymentCreated("pay_1", "acme", None, 6_000, "EUR", "quick_pay", Method("card"), "order-1", 120)
REFUND = RefundSucceeded("ref_1-1", "acme", A, "re_1", 2_000, "EUR")


def captured(channel: str = A, attempt: str = "pay_1-1") -> PaymentCaptured:
    return PaymentCaptured(attempt, channel, "ch_1", "acme", "quick_pay", 6_000, "EUR", 120, 36)


def log(*events: Event) -> list[Recorded]:
    return [
        Recorded("pay_1", number, number, NOON, event, Metadata(actor="a", key=f"k{number}", correlation="c"))
        for number, event in enumerate(events, 1)
    ]


def charge(attempt: str = "pay_1-1", amount: int = 6_000, **more: Any) -> dict[str, Any]:
    done = {"id": attempt, "status": "succeeded", "amount": amount, "currency": "EUR", "open": 0}
    return {**done, **more}


def refund(name: str = "ref_1-1", amount: int = 2_000) -> dict[str, Any]:
    return {"id": name, "charge_id": "pay_1-1", "status": "succeeded", "amount": amount, "currency": "EUR"}


def row(type_: str, gross: int, fee: int = 0) -> dict[str, str]:
    net = gross - fee
    return {
        "type": type_,
        "charge_id": "pay_1-1",
        "gross": str(gross),
        "fee": str(fee),
        "net": str(net),
        "currency": "EUR",
    }


def books(
    name: str = A, charges: Any = (), refunds: Any = (), rows: Any = (), changes: Any = (), payouts: Any = ()
) -> ChannelBooks:
    kept = {"charges": charges, "refunds": refunds, "changes": changes, "payouts": payouts}
    return ChannelBooks(name, kept, rows)


PAID = books(charges=[charge()], rows=[row("charge", 6_000, 36)])
BACK = books(charges=[charge()], refunds=[refund()], rows=[row("charge", 6_000, 36), row("refund", -2_000)])


def test_books_that_say_the_same_have_no_differences() -> None:
    assert differences(log(CREATED, captured()), [PAID, books(B)]) == []
    assert differences(log(CREATED, captured(), REFUND), [BACK, books(B)]) == []
    assert paid_twice(log(CREATED, captured()), [PAID, books(B)]) == []


@pytest.mark.parametrize(
    ("events", "channels", "named"),
    [
        ([CREATED], [PAID], "in 6000 EUR"),
        ([CREATED, captured()], [books()], "in 6000 EUR"),
        ([CREATED, captured(B)], [PAID, books(B)], "in 6000 EUR"),
        ([CREATED, captured(), captured()], [PAID], "in 6000 EUR"),
        ([CREATED, captured()], [PAID, books(B, [charge("pay_1-2")], rows=[row("charge", 6_000, 54)])], f"{B} pay_1"),
        ([CREATED, captured()], [BACK], "out 2000 EUR"),
        ([CREATED, captured(), REFUND], [PAID], "out 2000 EUR"),
        (
            [CREATED, captured()],
            [books(charges=[charge()], rows=[row("charge", 6_000, 37)])],
            "comes to: 5964 with us, 5963 with them",
        ),
        ([CREATED, captured()], [books(charges=[charge(open=5)], rows=[row("charge", 6_000, 36)])], "is held"),
    ],
    ids=[
        "charged and not known here",
        "known here and not charged",
        "charged by another channel",
        "recorded twice",
        "charged by both channels",
        "given back and not known here",
        "known here and not given back",
        "another fee",
        "still held",
    ],
)
def test_what_one_has_and_the_other_has_not_is_named(
    events: list[Event], channels: list[ChannelBooks], named: str
) -> None:
    found = differences(log(*events), channels)
    assert any(named in each for each in found), found


def test_who_pays_at_two_channels_pays_twice() -> None:
    twice = [PAID, books(B, [charge("pay_1-2")])]
    assert paid_twice(log(CREATED, captured()), twice) == [
        "pay_1 was asked for 6000, 12000 was taken and 0 of it stands apart"
    ]


def test_payouts_do_not_come_out_of_what_a_channel_owes_for_charges() -> None:
    with_payout = books(charges=[charge()], rows=[*PAID.rows, row("payout", -500, 25)])
    assert differences(log(CREATED, captured()), [with_payout]) == []
