"""The service while its database is away: 503 within two seconds on every address, and back by itself."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from psycopg import Connection

from ledger.store.connection import Database, in_book
from ledger.store.embedded import Embedded
from tests.faults.conftest import BOOK
from tests.journeys.caller import Caller, Reply, at_once, fresh, transfer
from tests.journeys.service import Service
from tests.writing import check_books

BOUND_S = 2.0
LONGEST_READ_S = 8.0
KEYS_ARE_FRESH_S = 4.0
# What a machine that others share may take on top before it is the service that is slow.
_BUSY_S = 1.0


@pytest.fixture(scope="module")
def service(
    victim: Embedded, victims_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with Service(victims_database, Path(tmp_path_factory.mktemp("service")), servers=1) as service:
        yield service


@pytest.fixture
def caller(victim: Embedded, service: Service) -> Iterator[Caller]:
    victim.ensure_running()
    key = service.new_key(BOOK)
    with Caller(service.url, key) as caller:
        for account in ("cash", "ada"):
            body = {"id": account, "name": account, "kind": "asset", "currency": "EUR"}
            assert caller.post("/accounts", body).status in (201, 409)
        caller.post("/transfers", transfer("cash", "ada", 1)).done()
        yield caller


def in_time(ask: Callable[[], Reply], bound_s: float = BOUND_S) -> Reply:
    began = time.monotonic()
    reply = ask()
    took = time.monotonic() - began
    assert took < bound_s + _BUSY_S, f"the answer took {took:.2f} s"
    return reply


def requests(caller: Caller, key: str) -> list[Callable[[], Reply]]:
    """A write, and reads from every kind of table."""
    read = partial(caller.send, "GET")
    paths = ["/accounts/ada", "/accounts/ada/balance", "/trial-balance", "/events", "/accounts/ada/statement"]
    return [lambda: caller.post("/transfers", transfer("cash", "ada", 5), key=key), *(partial(read, p) for p in paths)]


def back_by_itself(caller: Caller, ask: Callable[[], Reply], patience_s: float = 20) -> Reply:
    deadline = time.monotonic() + patience_s
    while (reply := ask()).status == 503:
        assert time.monotonic() < deadline, "service did not return"
        time.sleep(0.05)
    return reply


def effects(victim: Embedded, key: str) -> int:
    with Connection.connect(victim.url, autocommit=True) as connection:
        return sum(fact.metadata.key == key for fact in check_books(connection, BOOK))


def is_alive(service: Service) -> bool:
    with Caller(service.url, "") as nobody:
        return nobody._client.get(service.url + "/health/live").status_code == 200


def test_a_stopped_database_is_a_503_on_every_address(victim: Embedded, service: Service, caller: Caller) -> None:
    key = fresh("key")
    victim.stop()
    for _ in range(2):
        for ask in requests(caller, key):
            problem = in_time(ask).body
            assert (problem["status"], problem["retryable"]) == (503, True), problem
            assert problem["code"] in ("unavailable", "overloaded")
    assert is_alive(service)
    victim.ensure_running()
    for ask in requests(caller, key):
        assert back_by_itself(caller, ask).status in (200, 201)
    assert effects(victim, key) == 1


def test_many_at_once_are_all_told_in_time(victim: Embedded, caller: Caller) -> None:
    """Not one after another: a queue before a database that is away would make the last one wait for all."""
    victim.stop()
    asks = [ask for number in range(15) for ask in requests(caller, f"many-{number}-{fresh('key')}")[:3]]
    replies = at_once(*(partial(in_time, ask) for ask in asks))
    assert {reply.status for reply in replies} == {503}
    victim.ensure_running()
    assert back_by_itself(caller, asks[0]).status == 201


def test_a_database_that_does_not_answer_and_does_not_refuse_is_a_503(victim: Embedded, caller: Caller) -> None:
    """As on a disk that hangs: nobody hangs up, and nobody says a word. A read waits as long as one may take."""
    key = fresh("key")
    pids = backends(victim)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        write, *reads = requests(caller, key)
        assert in_time(write).status == 503
        assert in_time(reads[0], LONGEST_READ_S).status == 503
        assert in_time(write).status == 503
        time.sleep(KEYS_ARE_FRESH_S)
        assert in_time(reads[1]).status == 503, "nobody can tell who asks, so nothing is read"
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    for ask in requests(caller, key):
        assert back_by_itself(caller, ask).status in (200, 201)
    assert effects(victim, key) == 1


def test_a_head_that_an_operator_holds_is_a_503_for_writers_alone(victim: Embedded, caller: Caller) -> None:
    key = fresh("key")
    write, *reads = requests(caller, key)
    with Connection.connect(victim.url) as operator:
        operator.execute(in_book("SELECT 1 FROM {schema}.log_head FOR UPDATE", BOOK))
        assert in_time(write).status == 503
        assert in_time(reads[0]).status == 200
        assert in_time(write).status == 503
    assert back_by_itself(caller, write).status == 201
    assert effects(victim, key) == 1


def test_more_readers_than_connections_are_served_or_told_in_time(victim: Embedded, caller: Caller) -> None:
    """All that read wait for a table that somebody has locked; those that find no connection are told so."""
    with Connection.connect(victim.url) as operator:
        operator.execute(in_book("LOCK TABLE {schema}.balances IN ACCESS EXCLUSIVE MODE", BOOK))
        replies = at_once(*[partial(caller.send, "GET", "/accounts/ada") for _ in range(40)])
        assert {reply.status for reply in replies} == {503}
    assert back_by_itself(caller, partial(caller.send, "GET", "/accounts/ada")).status == 200


def backends(victim: Embedded) -> list[int]:
    postmaster = victim.postmaster_pid()
    assert postmaster is not None
    with Connection.connect(victim.url, autocommit=True) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'ledger'").fetchall()
    return [postmaster, *(pid for (pid,) in rows)]
