"""Callbacks: a channel's messages, however often, late, wrongly signed or altered they come."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from commands.accounts import FreezeAccount, UnfreezeAccount
from commands.callbacks import part_of
from commands.channels.channel import CallbackNotice, Charged
from commands.channels.signatures import Secret
from ledger.events.payments import PaymentCaptured
from tests.commands.given import NOON
from tests.processes.house import CHANNEL, House, until
from tests.writing import part


def message(payment: str, **changes: Any) -> bytes:
    """What the simulator says about a charge that succeeded."""
    charge = {
        "object": "charge",
        "id": f"{payment}-1",
        "status": "succeeded",
        "reference": "ch_x",
        "amount": 6_000,
        "currency": "EUR",
        "fee": 36,
        "decided_at": "2026-11-21T12:00:00+00:00",
        "decline": None,
    }
    return msgspec.json.encode(charge | changes)


def captures(house: House, payment: str) -> int:
    return sum(isinstance(recorded.event, PaymentCaptured) for recorded in house.history(payment))


def only_callbacks_tell(house: House, token: str, *faults: str, **more: Any) -> str:
    """A charge that is done and whose outcome neither its answer nor any question tells."""
    house.misbehave_when_asked(token, "error_500_before")
    return house.misbehave(token, "timeout_after", *faults, **more)


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        (None, [200]),
        ("duplicate_callback", [200, 200]),
        ("late_callback", [200]),
        ("wrong_signature_callback", [401, 200]),
    ],
)
def test_a_callback_alone_brings_the_outcome(house: House, fault: str | None, statuses: list[int]) -> None:
    token = only_callbacks_tell(house, "tok_mute", *([] if fault is None else [fault]), delay_ms=700)
    house.start_worker()
    payment = house.pay(token)
    (view,) = house.settled(payment)
    until(lambda: True if len(house.door.statuses) == len(statuses) else None)
    assert (view.status, house.door.statuses, captures(house, payment)) == ("succeeded", statuses, 1)
    house.all_calls_done()
    house.agrees_with_the_channel()


def test_a_callback_before_the_answer_is_not_lost_and_not_doubled(house: House) -> None:
    # The answer is withheld; the message comes first, and the worker still waits for the answer.
    token = house.misbehave("tok_behind", "timeout_after")
    house.read_ms = 3_000
    house.start_worker()
    payment = house.pay(token)
    (view,) = house.settled(payment)
    ((claimed_until, now),) = house.sql("SELECT claimed_until, now() FROM {book}.channel_calls")
    assert (view.status, captures(house, payment), claimed_until > now) == ("succeeded", 1, True)
    house.stop_worker()
    assert (len(house.history(payment)), house.sends(token)) == (5, 1)


def test_a_callback_and_the_answer_at_the_same_time_are_one_effect(house: House) -> None:
    house.start_worker()
    payments = [house.pay() for _ in range(30)]
    house.settled(*payments)
    until(lambda: True if house.simulator.owed() == 0 else None)
    assert {captures(house, payment) for payment in payments} == {1}
    house.agrees_with_the_channel()


def test_a_thousand_times_the_same_message_is_one_effect_and_a_thousand_successes(house: House) -> None:
    payment = house.pay()
    notice = CallbackNotice("evt_1", "charge", f"{payment}-1", Charged("ch_x", 6_000, "EUR", 36, NOON))
    said = part_of(CHANNEL, notice)
    assert said is not None

    def hundred(_: int) -> list[int]:
        return [answer.status for wait in [house.pen.submit([said]) for _ in range(100)] for answer in wait()]

    with ThreadPoolExecutor(10) as threads:
        statuses = [status for found in threads.map(hundred, range(10)) for status in found]
    assert statuses == [200] * 1_000
    assert (house.payment(payment).status, captures(house, payment)) == ("succeeded", 1)


def test_a_message_that_is_not_the_channel_s_has_no_effect(house: House) -> None:
    payment = house.pay()
    body = message(payment)
    wrong = Secret(b"this is not the secret we share")
    assert house.callback("evt_1", body, secret=wrong) == 401
    assert house.callback("evt_1", body, age_s=301) == 401
    assert house.callback("evt_1", body, age_s=-400) == 401
    headers = house.signed("evt_1", body)
    assert house.door.take(headers, message(payment, amount=1)) == 401
    assert house.door.take(dict.fromkeys(headers, ""), body) == 400
    assert house.door.take({}, body) == 400
    assert (house.payment(payment).status, len(house.history(payment))) == ("processing", 4)
    assert house.callback("evt_1", body) == 200
    assert house.payment(payment).status == "succeeded"


@pytest.mark.parametrize("changes", [{"amount": 5_999}, {"amount": 6_001}, {"currency": "USD"}])
def test_a_right_signature_under_another_sum_pays_nothing(house: House, changes: dict[str, Any]) -> None:
    payment = house.pay()
    assert house.callback("evt_1", message(payment, **changes)) == 200
    view = house.payment(payment)
    assert (view.status, view.attempts[0].status, view.amount_captured) == ("processing", "unknown", 0)
    assert house.balance("sys:1110:card_simulator:eur") == 0


def test_a_replay_is_answered_and_does_nothing_for_ever(house: House) -> None:
    payment = house.pay()
    body = message(payment)
    headers = house.signed("evt_1", body)
    assert [house.door.take(headers, body) for _ in range(5)] == [200] * 5
    # Another message about the same charge: its own key, and nothing new.
    assert house.callback("evt_2", body) == 200
    assert captures(house, payment) == 1


def test_one_message_cannot_come_back_with_other_content(house: House) -> None:
    payment = house.pay()
    assert house.callback("evt_1", message(payment)) == 200
    assert house.callback("evt_1", message(payment, reference="ch_other")) == 422
    assert house.balance("sys:2310:card_simulator:eur") == 0


def test_an_unknown_id_is_answered_and_leaves_nothing(house: House) -> None:
    position = house.position()
    for name in ("pay_nobody", "top_nobody", "ord_1", ""):
        assert house.callback(f"evt_{name}", message(name)) == 200
    # A payment that is there and an attempt that is not.
    payment = house.pay()
    assert house.callback("evt_3", message(payment, id=f"{payment}-2")) == 200
    assert house.position() == position + 4


def test_a_late_success_is_kept_apart_and_a_second_one_too(house: House) -> None:
    payment = house.pay()
    decline = {"status": "declined", "decline": {"code": "do_not_honor", "message": "No."}}
    assert house.callback("evt_1", message(payment, **decline)) == 200
    assert house.payment(payment).status == "failed"
    assert house.callback("evt_2", message(payment)) == 200
    assert house.callback("evt_3", message(payment, reference="ch_y")) == 200
    assert house.callback("evt_4", message(payment)) == 200
    assert (house.payment(payment).status, house.payment(payment).attempts[0].status) == ("failed", "unapplied")
    # Both are on their way back by themselves.
    assert house.balance("sys:2310:card_simulator:eur") == 0
    assert house.balance("sys:2210:acme:eur") == -12_000
    assert house.balance("sys:2110:acme:eur") == 0


def test_what_cannot_be_taken_now_is_taken_when_the_channel_comes_again(house: House) -> None:
    first, payment = house.pay(), house.pay()
    assert house.callback("evt_1", message(first)) == 200
    merchant = "sys:2110:acme:eur"
    house.pen.submit([part(FreezeAccount(merchant, "suspicion"), administrator=True)])()
    assert house.callback("evt_2", message(payment, reference="ch_y")) == 409
    house.pen.submit([part(UnfreezeAccount(merchant, "cleared"), administrator=True)])()
    assert house.callback("evt_2", message(payment, reference="ch_y")) == 200
    assert house.payment(payment).status == "succeeded"
