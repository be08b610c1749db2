"""Which payments are due: those that wait for somebody, or hold the payer's money, and whose time has run out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from commands.cancellations import CancelPayment
from commands.channels.channel import ActionRequired, Authorized
from commands.payments import CreatePayment
from ledger.ids import PAYMENT, new_id
from projections.order_status import due_payments, payments
from tests.commands.stories import PARTIES, attempt_of, by_card, charged
from tests.projections.reading import Reader
from tests.writing import Pen

REDIRECT = ActionRequired("ch_1", "redirect", "https://bank.example/pay")
NOW = datetime.now(UTC)


def order(expires_in_s: int | None = 60, *, confirm: bool = True, capture: str = "automatic") -> CreatePayment:
    changed: CreatePayment = msgspec.structs.replace(
        by_card(new_id(PAYMENT)), confirm=confirm, expires_in_s=expires_in_s, capture=capture
    )
    return changed


@pytest.fixture
def keep(held: Pen, keep_up: Callable[[], object]) -> Callable[..., list[str]]:
    """Carry these out, and have the views know of it; the ids of the payments."""

    def carry_out(*orders: CreatePayment) -> list[str]:
        for one in orders:
            held.do(one)
        keep_up()
        return [one.id for one in orders]

    held.do(PARTIES[0])
    return carry_out


def test_what_waits_is_due_after_its_time_the_longest_overdue_first(
    held: Pen, reader: Reader, keep: Callable[..., list[str]]
) -> None:
    later, asked, soon = orders = (order(120, confirm=False), order(90), order(60, confirm=False))
    keep(*orders)
    held.do(attempt_of(asked.id, REDIRECT))
    keep()
    assert reader.ask(due_payments, NOW, 10) == []
    in_an_hour = NOW + timedelta(hours=1)
    assert reader.ask(due_payments, in_an_hour, 10) == [soon.id, asked.id, later.id]
    assert reader.ask(due_payments, in_an_hour, 1) == [soon.id]


def test_what_a_channel_was_asked_for_and_what_is_over_is_not_due(
    held: Pen, reader: Reader, keep: Callable[..., list[str]]
) -> None:
    unknown, paid, canceled = orders = (order(), order(), order(confirm=False))
    keep(*orders)
    held.do(attempt_of(paid.id, charged()))
    held.do(CancelPayment(canceled.id))
    keep()
    assert reader.ask(due_payments, NOW + timedelta(days=99), 10) == []
    found = {one.payment.id: one.payment.status for one in reader.ask(payments)}
    assert found == {unknown.id: "processing", paid.id: "succeeded", canceled.id: "canceled"}


def test_what_is_held_is_due_when_its_channel_holds_it_no_longer(
    held: Pen, reader: Reader, keep: Callable[..., list[str]]
) -> None:
    (name,) = keep(order(None, capture="manual"))
    until = NOW + timedelta(days=7)
    held.do(attempt_of(name, Authorized("ch_1", 6_000, "EUR", until, NOW)))
    keep()
    assert reader.ask(due_payments, until - timedelta(seconds=1), 10) == []
    assert reader.ask(due_payments, until, 10) == [name]
