"""A campaign of kills: a house under load is harmed at random moments, and then judged."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from tests.faults.fragile_house import FragileHouse
from tests.faults.load import Client, fault_plan, furnish, raise_trouble
from tests.faults.verdict import (
    judge_acknowledgements,
    judge_books,
    judge_channels,
    judge_views,
    log_of,
    undecided,
)
from tests.journeys.caller import Caller

CLIENTS = 6
_ANSWERS_BETWEEN_FAULTS = 20
_OUTCOMES_S = 120
_ASKED_AGAIN = 1_500


@dataclass(frozen=True)
class Report:
    """What a campaign did, and that nothing was found."""

    seed: int
    faults: Counter[str]
    kills: int
    requests: int
    accepted: int
    retries: int
    asked_again: int
    events: int
    slowest_refusal_s: float


def run(seed: int, kills: int, progress: Callable[[int], None] = lambda kills: None) -> Report:
    """Harm a house until servers and PostgreSQL were killed so often; raises AssertionError for whatever is wrong."""
    with FragileHouse(seed) as house:
        book = house.service.new_book()
        key = house.service.new_key(book)
        with Caller(house.service.url, key) as caller:
            furnish(caller)
        with httpx2.Client(trust_env=False) as operator:
            operator.put(house.simulator + "/faults", json=fault_plan(seed)).raise_for_status()
        stop = threading.Event()
        clients = [Client(house.service, key, number, seed, stop) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            while house.kills < kills:
                _wait_for_answers(clients)
                house.harm()
                progress(house.kills)
                raise_trouble(clients)
        finally:
            stop.set()
        house.wait_until_quiet()
        for client in clients:
            client.join()
        raise_trouble(clients)
        return _judge(house, book, key, clients, seed)


def _wait_for_answers(clients: list[Client], patience_s: float = 5) -> None:
    """Something has to be done between two faults, or there is nothing to lose."""
    enough = sum(len(client.told) for client in clients) + _ANSWERS_BETWEEN_FAULTS
    deadline = time.monotonic() + patience_s
    while sum(len(client.told) for client in clients) < enough and time.monotonic() < deadline:
        time.sleep(0.02)


def _judge(house: FragileHouse, book: str, key: str, clients: list[Client], seed: int) -> Report:
    told = [one for client in clients for one in client.told]
    _wait_for_outcomes(house, book, key)
    log = judge_books(house.database, book)
    judge_acknowledgements(log, told)
    judge_channels(log, house.simulator)
    asker = Client(house.service, key, CLIENTS, seed, threading.Event())
    again = random.Random(seed).sample(told, min(len(told), _ASKED_AGAIN))
    for one in again:
        asker.ask_again(one)
    asker.close()
    log = judge_books(house.database, book)
    judge_acknowledgements(log, told)
    judge_views(house.database, book, len(log))
    return Report(
        seed=seed,
        faults=house.faults,
        kills=house.kills,
        requests=len(told),
        accepted=sum(one.reply.status < 300 for one in told),
        retries=sum(client.retries for client in clients),
        asked_again=len(again),
        events=len(log),
        slowest_refusal_s=max(client.slowest_refusal_s for client in clients),
    )


def _wait_for_outcomes(house: FragileHouse, book: str, key: str) -> None:
    """Every payment, refund and top-up ends in an outcome: whoever looks at it makes the channel be asked."""
    deadline = time.monotonic() + _OUTCOMES_S
    with Caller(house.service.url, key) as caller:
        while left := undecided(log_of(house.database, book)):
            assert time.monotonic() < deadline, f"still processing after {_OUTCOMES_S} s: {left[:5]}"
            for stream in left:
                kind = "payments" if stream.startswith("pay_") else "top-ups"
                caller.get(f"/{kind}/{stream}").done(200)
            time.sleep(0.5)
