"""Writing to a book without HTTP: writers, envelopes, and what the book's tables say afterwards."""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count

import msgspec
from psycopg import Connection

from commands.deciders import DECIDERS
from commands.envelope import Answer, Command, Envelope, Part, Submission
from commands.handler import Handler
from commands.writer import Writer
from ledger.accounts import Account
from ledger.errors import Refusal
from ledger.events.accounts import AccountClosed, AccountFrozen, AccountLimitsChanged, AccountOpened, AccountUnfrozen
from ledger.events.event import Recorded
from ledger.posting_rules import movements_for
from ledger.store.append import Appender, recorded
from ledger.store.connection import Database, in_book

_RUN = secrets.token_hex(4)
_NUMBERS = count(1)

# account -> (posted debits, posted credits, pending debits, pending credits), minor units
Turnover = dict[str, tuple[int, int, int, int]]


def fresh(prefix: str) -> str:
    """A word that nobody has used."""
    return f"{prefix}{_RUN}-{next(_NUMBERS)}"


def envelope(
    key: str | None = None,
    *,
    command: object = None,
    administrator: bool = False,
    dry_run: bool = False,
    actor: str = "key_tests",
    person: str = "",
) -> Envelope:
    """An envelope with this key, or a fresh one; the same command gives the same fingerprint."""
    fingerprint = hashlib.sha256(repr(command).encode()).digest()
    return Envelope(
        key or fresh("key-"),
        fingerprint,
        actor,
        administrator=administrator,
        dry_run=dry_run,
        person=person,
        may_wait=True,
    )


def part(command: Command, key: str | None = None, *, administrator: bool = False) -> Part:
    return Part(envelope(key, command=command, administrator=administrator), command)


class Pen:
    """One writer of one book, as one process has it, and a way to wait for its answers."""

    def __init__(self, database: Database, book: str) -> None:
        self.handler = Handler(Appender(database, book), DECIDERS)
        self.writer = Writer(self.handler)
        self.writer.start()

    def submit(
        self,
        parts: Iterable[Part],
        *,
        patience_s: float = 10,
        atomic: bool = False,
        batch_key: Envelope | None = None,
    ) -> Callable[[], list[Answer]]:
        """Line up; the function that comes back waits for the answers."""
        arrived, answers = threading.Event(), list[Answer]()

        def done(given: list[Answer]) -> None:
            answers.extend(given)
            arrived.set()

        submission = Submission(list(parts), done, time.monotonic() + patience_s, atomic, batch_key)
        self.writer.submit(submission)

        def wait() -> list[Answer]:
            assert arrived.wait(patience_s + 30), "no answer came"
            return answers

        return wait

    def ask(self, command: Command, key: str | None = None, *, patience_s: float = 10) -> Answer:
        """Submit one command and wait; a refusal comes back in the answer, a bug is raised."""
        try:
            (answer,) = self.submit([part(command, key)], patience_s=patience_s)()
        except Refusal as refusal:  # at the door
            return Answer(refusal.status, 0, refusal=refusal)
        if answer.error is not None:
            raise answer.error
        return answer

    def do(self, command: Command, key: str | None = None) -> Answer:
        """Submit one command that has to be carried out."""
        answer = self.ask(command, key)
        assert answer.refusal is None, f"{command} was refused: {answer.refusal!r} {answer.refusal.facts}"
        return answer

    def refused(self, command: Command, key: str | None = None) -> Refusal:
        """Submit one command that has to be refused."""
        answer = self.ask(command, key)
        assert answer.refusal is not None, f"{command} was carried out: {answer}"
        return answer.refusal

    def stop(self) -> None:
        self.writer.stop()


@contextmanager
def pen(database: Database, book: str) -> Iterator[Pen]:
    """A writer for the length of a block."""
    held = Pen(database, book)
    try:
        yield held
    finally:
        held.stop()


def said(answer: Answer) -> tuple[int, int, bytes, str | None]:
    """What a caller sees of an answer: status, position, body, code of the refusal."""
    return answer.status, answer.position, answer.body, None if answer.refusal is None else answer.refusal.code()


def body_of(answer: Answer) -> dict[str, object]:
    return msgspec.json.decode(answer.body, type=dict[str, object])


def read_log(connection: Connection, book: str) -> list[Recorded]:
    """The whole log of a book, in order."""
    rows = connection.execute(
        in_book(
            "SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata"
            " FROM {schema}.events ORDER BY notification_id",
            book,
        )
    )
    return [recorded(row) for row in rows]


def stored_balances(connection: Connection, book: str) -> Turnover:
    rows = connection.execute(
        in_book(
            "SELECT account, posted_debits, posted_credits, pending_debits, pending_credits FROM {schema}.balances",
            book,
        )
    )
    return {account: (debits, credits_, held, announced) for account, debits, credits_, held, announced in rows}


def refold(log: Iterable[Recorded]) -> dict[str, Account]:
    """Every account as the log alone makes it, from zero."""
    accounts: dict[str, Account] = {}
    for fact in log:
        match event := fact.event:
            case AccountOpened():
                accounts[event.id] = Account(
                    event.id, event.kind, event.currency, event.min_balance, event.max_balance, "open", event.protected
                )
            case AccountLimitsChanged():
                accounts[event.id].min_balance = event.min_balance
                accounts[event.id].max_balance = event.max_balance
            case AccountFrozen():
                accounts[event.id].status = "frozen"
            case AccountUnfrozen():
                accounts[event.id].status = "open"
            case AccountClosed():
                accounts[event.id].status = "closed"
        for movement in movements_for(event):
            accounts[movement.account].apply(movement)
    return accounts


def turnover(accounts: dict[str, Account]) -> Turnover:
    return {
        name: (account.posted_debits, account.posted_credits, account.pending_debits, account.pending_credits)
        for name, account in accounts.items()
    }


def check_books(connection: Connection, book: str) -> list[Recorded]:
    """What holds of every book at every time; returns the log.

    Positions are dense, versions are dense in each stream, times never go back, the head is the end of the log, each
    currency's debits equal its credits, and the balances are what the log alone makes of them.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        log = read_log(connection, book)
        stored = stored_balances(connection, book)
        head = connection.execute(in_book("SELECT position FROM {schema}.log_head", book)).fetchone()
        rules = connection.execute(
            in_book("SELECT account, min_balance, max_balance, status FROM {schema}.balances", book)
        ).fetchall()
    assert [fact.position for fact in log] == list(range(1, len(log) + 1))
    assert head == (len(log),)
    versions: dict[str, int] = {}
    for earlier, fact in zip([None, *log], log, strict=False):
        versions[fact.stream] = versions.get(fact.stream, 0) + 1
        assert fact.version == versions[fact.stream], fact
        assert earlier is None or earlier.recorded_at <= fact.recorded_at, fact
    accounts = refold(log)
    assert stored == turnover(accounts)
    assert {row[0]: tuple(row[1:]) for row in rules} == {
        name: (account.min_balance, account.max_balance, str(account.status)) for name, account in accounts.items()
    }
    for currency in {account.currency for account in accounts.values()}:
        of_currency = [account for account in accounts.values() if account.currency == currency]
        assert sum(account.posted_debits - account.posted_credits for account in of_currency) == 0, currency
        assert sum(account.pending_debits - account.pending_credits for account in of_currency) == 0, currency
    return log
