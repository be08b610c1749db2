"""Crashes: workers that are killed, stopped or cut off under way leave one charge and the right state.

What is between any two steps of any errand is enumerated in test_crash_points.py.
"""

import random
import time

from tests.processes.house import House, until


def test_kill_9_between_sent_and_the_answer_asks_and_never_charges_again(house: House) -> None:
    # The channel does it and keeps silent: the worker waits for an answer that is not coming when it is killed.
    house.misbehave("tok_quiet", "timeout_after", "no_callback")
    house.start_worker_process()
    payment = house.pay("tok_quiet")
    until(lambda: house.charges(payment) or None)
    house.kill_worker()
    view = house.payment(payment)
    assert (view.status, house.sends("tok_quiet")) == ("processing", 1)
    house.start_worker()
    (view,) = house.settled(payment)
    assert (view.status, len(house.charges(payment)), house.sends("tok_quiet")) == ("succeeded", 1, 1)
    house.agrees_with_the_channel()


def test_kill_9_again_and_again_loses_nothing_and_doubles_nothing(house: House) -> None:
    chance = random.Random(9)
    house.misbehave_by_chance({"timeout_after": 200, "timeout_before": 100, "no_callback": 700}, seed=3)
    payments = []
    for _ in range(6):
        house.start_worker_process()
        payments += [house.pay() for _ in range(8)]
        time.sleep(chance.uniform(0.6, 1.6))
        house.kill_worker()
    house.start_worker()
    views = house.settled(*payments, patience_s=120, asking=True)
    assert {view.status for view in views} == {"succeeded"}
    assert all(len(house.charges(payment)) == 1 for payment in payments)
    house.agrees_with_the_channel()


def test_a_worker_that_is_stopped_lets_the_calls_under_way_end(house: House) -> None:
    house.start_worker()
    payments = [house.pay() for _ in range(20)]
    until(lambda: True if house.simulator.books()["charges"] else None)
    house.stop_worker()
    claimed = house.sql("SELECT id FROM {book}.channel_calls WHERE state = 'sent' AND claimed_until > now()")
    assert claimed == []
    house.start_worker()
    assert {view.status for view in house.settled(*payments)} == {"succeeded"}
    house.agrees_with_the_channel()


def test_a_database_that_cuts_every_connection_again_and_again_doubles_nothing(house: House) -> None:
    house.start_worker()
    payments = []
    for _ in range(8):
        payments += [house.pay() for _ in range(3)]
        with house.database.owner() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        time.sleep(0.3)
    assert {view.status for view in house.settled(*payments, patience_s=60)} == {"succeeded"}
    house.agrees_with_the_channel()
