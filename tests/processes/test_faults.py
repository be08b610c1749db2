"""Faults of the channel: whatever goes wrong between us, it ends as the channel's books say, with one charge."""

import random
import time

from tests.processes.house import House

# token: the faults of its first charge, and where the payment ends
FAULTS: dict[str, tuple[tuple[str, ...], str]] = {
    "tok_fine": ((), "succeeded"),
    "tok_no": (("decline:insufficient_funds",), "failed"),
    "tok_stolen": (("decline:stolen_card",), "failed"),
    "tok_done_and_silent": (("timeout_after", "no_callback"), "succeeded"),
    "tok_lost_on_the_way": (("timeout_before", "no_callback"), "succeeded"),
    "tok_done_and_500": (("error_500_after", "no_callback"), "succeeded"),
    "tok_500": (("error_500_before", "no_callback"), "succeeded"),
    "tok_broken_answer": (("malformed_body", "no_callback"), "succeeded"),
    "tok_wrong_amount": (("wrong_amount", "no_callback"), "succeeded"),
    "tok_slow": (("hang", "no_callback"), "succeeded"),
    "tok_later": (("late_success", "no_callback"), "succeeded"),
    "tok_no_and_silent": (("decline:insufficient_funds", "timeout_after", "no_callback"), "failed"),
    "tok_twice": (("timeout_after", "duplicate_callback"), "succeeded"),
    "tok_callback_later": (("timeout_after", "late_callback"), "succeeded"),
    "tok_wrong_signature": (("timeout_after", "wrong_signature_callback"), "succeeded"),
}


def test_every_fault_ends_as_the_channel_s_books_say_with_one_charge(house: House) -> None:
    for token, (faults, _) in FAULTS.items():
        delay = {"delay_ms": 1_000} if {"hang", "late_success", "late_callback"} & set(faults) else {}
        house.misbehave(token, *faults, times=1, **delay)
    house.start_worker()
    payments = {token: house.pay(token) for token in FAULTS}
    house.settled(*payments.values())
    assert {token: house.payment(payment).status for token, payment in payments.items()} == {
        token: status for token, (_, status) in FAULTS.items()
    }
    for token, payment in payments.items():
        (charge,) = house.charges(payment)
        assert (charge["status"] == "succeeded") == (FAULTS[token][1] == "succeeded"), token
    house.agrees_with_the_channel()


def test_a_decline_is_told_in_our_own_groups(house: House) -> None:
    house.start_worker()
    payment = house.pay("tok_lost_card")
    (view,) = house.settled(payment)
    assert view.error is not None
    assert (view.error.code, view.error.next_action) == ("blocked", "other_method")
    assert "lost" not in view.error.message


def test_a_channel_that_is_not_there_fails_the_payment_at_once_and_keeps_the_refund(house: House) -> None:
    house.start_worker()
    paid = house.pay()
    house.settled(paid)
    house.simulator.end()
    lost, refund = house.pay(), house.refund(paid, 1_000)
    (view,) = house.settled(lost)
    assert view.error is not None
    assert (view.status, view.error.code, view.error.next_action) == ("failed", "try_again", "retry")
    assert house.payment(paid).refunds[0].status == "processing"
    house.simulator.start()
    (back,) = house.settled(paid)
    assert [(part.id, part.status) for part in back.refunds] == [(refund, "succeeded")]
    house.agrees_with_the_channel()


def test_a_refund_ends_as_the_channel_s_books_say(house: House) -> None:
    house.start_worker()
    tokens = {
        "tok_fine": "succeeded",
        "tok_refund_invalid_account": "failed",
        "tok_refund_timeout_after": "succeeded",
        "tok_refund_error_500_after": "succeeded",
        "tok_refund_malformed_body": "succeeded",
        "tok_refund_late": "succeeded",
        "tok_refund_late_decline": "failed",
        "tok_refund_no_callback": "succeeded",
    }
    payments = {token: house.pay(token) for token in tokens}
    house.settled(*payments.values())
    for payment in payments.values():
        house.refund(payment, 1_000)
    house.settled(*payments.values())
    ends = {token: house.payment(payment).refunds[0].status for token, payment in payments.items()}
    assert ends == tokens
    house.agrees_with_the_channel()


def test_a_top_up_ends_as_the_channel_s_books_say(house: House) -> None:
    house.misbehave("tok_silent", "timeout_after", "no_callback")
    house.start_worker()
    tokens = {"tok_fine": "succeeded", "tok_insufficient_funds": "failed", "tok_silent": "succeeded"}
    top_ups = {token: house.top_up(token) for token in tokens}
    assert {token: house.topped_up(top_up).status for token, top_up in top_ups.items()} == tokens
    assert house.balance("sys:2010:ann:eur") == -20_000
    house.agrees_with_the_channel()


def test_an_outcome_that_the_channel_never_tells_stays_unknown(house: House) -> None:
    house.misbehave("tok_mute", "timeout_after", "no_callback")
    house.misbehave_when_asked("tok_mute", "error_500_before")
    house.start_worker()
    payment = house.pay("tok_mute")
    house.wait_for_tries(payment, 4)
    view = house.payment(payment)
    assert (view.status, view.attempts[0].status, view.error) == ("processing", "unknown", None)
    assert house.sends("tok_mute") == 1
    # It was asked again and again, and the log tells of it once.
    assert len(house.history(payment)) == 5


def test_a_reader_who_asks_has_the_channel_asked(house: House) -> None:
    house.misbehave("tok_slow_to_tell", "timeout_after", "no_callback")
    house.misbehave_when_asked("tok_slow_to_tell", "error_500_before", times=3)
    house.start_worker()
    payment = house.pay("tok_slow_to_tell")
    house.wait_for_tries(payment, 4)  # the next question would be 5 seconds away
    time.sleep(0.6)
    asked_at = time.monotonic()
    assert house.nudge(payment)
    house.settled(payment)
    assert time.monotonic() - asked_at < 3


def test_a_mixed_day_with_faults_on_ends_with_both_books_in_agreement(house: House) -> None:
    chance = random.Random(20_261_121)
    probabilities = {
        "timeout_before": 40,
        "timeout_after": 40,
        "error_500_before": 30,
        "error_500_after": 30,
        "malformed_body": 30,
        "wrong_amount": 30,
        "late_success": 50,
        "decline:insufficient_funds": 80,
        "decline:do_not_honor": 40,
        "duplicate_callback": 80,
        "late_callback": 60,
        "wrong_signature_callback": 60,
        "no_callback": 80,
    }
    house.misbehave_by_chance(probabilities, seed=7)
    house.start_worker()
    house.start_worker_process()  # a second worker, which is killed in the middle of it
    house.topped_up(house.top_up(amount=100_000))
    by_card, from_wallet = [], []
    for number in range(200):
        amount = chance.randrange(100, 20_000)
        if number % 4 == 0:
            answer = house.pay_from_wallet(amount)
            if answer.refusal is None:
                from_wallet.append(house.id_of(answer))
        else:
            by_card.append(house.pay(amount=amount))
        if number == 120:
            house.kill_worker()
    views = house.settled(*by_card, patience_s=120, asking=True)
    paid = [view.id for view in views if view.status == "succeeded"]
    for payment in paid[::3] + from_wallet[::2]:
        for part in (None, 50)[: chance.randrange(1, 3)]:
            house.ask_refund(payment, part)
    views = house.settled(*by_card, *from_wallet, patience_s=120, asking=True)
    assert {view.status for view in views} == {"succeeded", "failed"}
    assert {refund.status for view in views for refund in view.refunds} <= {"succeeded", "failed"}
    assert 100 < len(paid) < 150
    house.agrees_with_the_channel()
