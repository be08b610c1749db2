"""The database does not answer: an honest "not now" within two seconds, and service again without anybody's help."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from psycopg import Connection

from commands.accounts import OpenAccount
from commands.envelope import Answer
from commands.transfers import PostTransfer
from ledger.errors import Unavailable
from ledger.store.append import Appender
from ledger.store.connection import Database, in_book
from ledger.store.embedded import Embedded
from tests.faults.conftest import BOOK
from tests.faults.severing_proxy import SeveringProxy
from tests.writing import Pen, body_of, check_books, fresh, pen

PATIENCE_S = 1.4  # what a request gives its command; the answer comes at most one attempt later
BOUND_S = 2
LOCK_TIMEOUT_S = 2


@pytest.fixture
def writer(victims_database: Database, victim: Embedded) -> Iterator[Pen]:
    victim.ensure_running()
    with pen(victims_database, BOOK) as writer:
        for account in ("cash", "ada"):
            writer.ask(OpenAccount(account, account, "asset", "EUR"), key=account)
        yield writer


def transfer() -> PostTransfer:
    return PostTransfer(fresh("ent_"), "cash", "ada", 1, "EUR")


def ask_in_time(writer: Pen, command: PostTransfer, key: str, bound_s: float = BOUND_S) -> Answer:
    began = time.monotonic()
    answer = writer.ask(command, key, patience_s=PATIENCE_S)
    took = time.monotonic() - began
    assert took < bound_s, f"the answer took {took:.2f} s"
    return answer


def refused_in_time(writer: Pen, command: PostTransfer, key: str, bound_s: float = BOUND_S) -> None:
    answer = ask_in_time(writer, command, key, bound_s)
    assert isinstance(answer.refusal, Unavailable), answer
    assert answer.refusal.retryable


def served_again(writer: Pen, command: PostTransfer, key: str, patience_s: float = 15) -> None:
    """The same request, sent again until it is answered; nobody restarts anything."""
    deadline = time.monotonic() + patience_s
    while (answer := writer.ask(command, key, patience_s=PATIENCE_S)).refusal is not None:
        assert isinstance(answer.refusal, Unavailable), answer
        assert time.monotonic() < deadline, "service did not return"
    assert body_of(answer)["id"] == command.id


def effects(url: str, key: str) -> int:
    with Connection.connect(url, autocommit=True) as connection:
        return sum(fact.metadata.key == key for fact in check_books(connection, BOOK))


def test_a_stopped_database_is_a_503_and_service_returns_with_it(victim: Embedded, writer: Pen) -> None:
    command, key = transfer(), fresh("key-")
    victim.stop()
    refused_in_time(writer, command, key)
    # From then on nobody waits for what is away: a probe looks for it, and not each request again.
    refused_in_time(writer, command, key, 0.3)
    refused_in_time(writer, transfer(), fresh("key-"), 0.3)
    victim.ensure_running()
    served_again(writer, command, key)
    assert effects(victim.url, key) == 1


def test_a_killed_database_is_a_503_and_service_returns_with_it(victim: Embedded, writer: Pen) -> None:
    command, key = transfer(), fresh("key-")
    postmaster = victim.postmaster_pid()
    assert postmaster is not None
    os.kill(postmaster, signal.SIGKILL)
    while victim.postmaster_pid() is not None:
        time.sleep(0.01)
    # A backend outlives its postmaster until it looks up; it may even commit one more. Both answers are honest.
    answer = ask_in_time(writer, command, key)
    assert answer.refusal is None or isinstance(answer.refusal, Unavailable)
    victim.ensure_running()
    served_again(writer, command, key)
    assert effects(victim.url, key) == 1


def test_a_writer_can_be_made_while_the_database_is_away(victim: Embedded, victims_database: Database) -> None:
    victim.stop()
    began = time.monotonic()
    Appender(victims_database, BOOK).close()
    assert time.monotonic() - began < 0.5
    with pen(victims_database, BOOK) as writer:
        refused_in_time(writer, transfer(), fresh("key-"))
        victim.ensure_running()
        served_again(writer, transfer(), fresh("key-"))


def test_an_exhausted_pool_is_a_503_and_service_returns_with_the_connection(victim: Embedded, writer: Pen) -> None:
    """The library's recorder would hang for 52 seconds here: ten tries of five seconds and the pauses between."""
    command, key = transfer(), fresh("key-")
    datastore = writer.handler.appender.recorder.datastore
    with datastore.get_connection():
        for _ in range(2):
            refused_in_time(writer, command, key)
    served_again(writer, command, key)
    assert effects(victim.url, key) == 1


def test_a_head_that_somebody_holds_is_a_503(victim: Embedded, writer: Pen) -> None:
    """An operator's forgotten transaction stops writing, and each attempt; the service waits less than the writer."""
    command, key = transfer(), fresh("key-")
    with Connection.connect(victim.url) as operator:
        operator.execute(in_book("SELECT FROM {schema}.log_head FOR UPDATE", BOOK))
        refused_in_time(writer, command, key, PATIENCE_S + LOCK_TIMEOUT_S)
    served_again(writer, command, key)
    assert effects(victim.url, key) == 1


def test_cut_connections_are_made_anew_unseen(victim: Embedded, victims_database: Database) -> None:
    """Between two commands and in the middle of one: what is safe to try again is tried again before the deadline."""
    with (
        SeveringProxy(victim.url) as proxy,
        pen(Database(proxy.conninfo, role=victims_database.role), BOOK) as writer,
    ):
        for _ in range(5):
            served_again(writer, transfer(), fresh("key-"))
            proxy.cut_all()
        proxy.refuse()
        refused_in_time(writer, transfer(), fresh("key-"))
        proxy.admit()
        served_again(writer, transfer(), fresh("key-"))


def test_terminated_backends_lose_nothing(victim: Embedded, writer: Pen) -> None:
    """Every tenth of a second: sooner, and a machine that is busy would not get a command through in between."""
    stop = threading.Event()
    terminated = 0

    def terminate() -> None:
        nonlocal terminated
        with Connection.connect(victim.url, autocommit=True) as operator:
            while not stop.wait(0.1):
                found = operator.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'ledger'"
                ).fetchone()
                terminated += found[0] if found else 0

    operator = threading.Thread(target=terminate)
    operator.start()
    keys = []
    while terminated < 15:
        keys.append(fresh("key-"))
        assert writer.ask(transfer(), keys[-1], patience_s=20).refusal is None
    stop.set()
    operator.join()
    with Connection.connect(victim.url, autocommit=True) as connection:
        log = check_books(connection, BOOK)
    assert sorted(fact.metadata.key for fact in log if fact.metadata.key in set(keys)) == sorted(keys)
