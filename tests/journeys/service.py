"""The service as it runs in production: `ledger serve`, `ledger worker` and `ledger simulator`, each a process."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, LiteralString, NamedTuple, Self

import httpx2

from api.keys import ADMIN, create_key, load_or_create_pepper
from ledger.store.connection import Database, in_book
from ledger.store.migrate import create_book
from ledger.store.schema import schema_of
from tests import forked
from tests.forked import Forked
from tests.journeys.caller import Caller, fresh

CHANNEL = "card_simulator"
_PATIENCE_S = 60.0
_NUMBERS = count(1)


class KeptMessage(NamedTuple):
    """A channel's message as it was kept."""

    headers: dict[str, str]
    body: bytes
    book: str | None
    effect: str | None


class LedgerProcess:
    """One word of the command line, running."""

    def __init__(self, word: str, environment: dict[str, str]) -> None:
        self.word, self._environment = word, environment
        self._process: Forked | None = None

    def start(self) -> None:
        self._process = Forked("api.cli", self.word, environment=self._environment)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self.is_running else None

    def kill(self) -> None:
        """With SIGKILL, which it cannot prepare for."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"ledger {self.word} does not stop") from None


class Server(LedgerProcess):
    """One `ledger serve`, at an address of its own."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        super().__init__("serve", {**environment, "LEDGER_PORT": str(port)})
        self.url = f"http://127.0.0.1:{port}"


class Service:
    """All processes on one database, and the keys to its books."""

    def __init__(self, database: Database, state: Path, *, servers: int = 2) -> None:
        self.database, self.state = database, state
        self._callers: list[Caller] = []
        self._pepper = load_or_create_pepper(state)
        ports = _free_ports(servers + 1)
        self.simulator_url = f"http://127.0.0.1:{ports[0]}"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")},
            "DATABASE_URL": database.conninfo,
            "LEDGER_STATE": str(state),
            "LEDGER_SIMULATOR_URL": self.simulator_url,
            "LEDGER_PORT": str(ports[1]),
            "LEDGER_LOG_LEVEL": "ERROR",
            # Those who hear of events stand here; every other place of this machine stays forbidden to webhooks.
            "LEDGER_WEBHOOK_NETWORKS": "127.7.7.7/32",
        }
        self.servers = [Server(self._environment, port) for port in ports[1:]]
        self._worker = LedgerProcess("worker", self._environment)
        self._simulator = LedgerProcess("simulator", self._environment)
        self._processes: list[LedgerProcess] = [self._simulator, *self.servers, self._worker]

    @property
    def url(self) -> str:
        return self.servers[0].url

    def another_worker(self, **environment: str) -> LedgerProcess:
        """One worker more, not yet started, with settings of its own."""
        return LedgerProcess("worker", {**self._environment, **environment})

    @property
    def processes(self) -> list[LedgerProcess]:
        """The simulator, the servers, the worker."""
        return list(self._processes)

    def __enter__(self) -> Self:
        try:
            for process in self._processes:
                process.start()
            for server in self.servers:
                self.wait_for_answer(f"{server.url}/health/ready")
            self.wait_for_answer(f"{self.simulator_url}/health")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for caller in self._callers:
            caller.close()
        for process in reversed(self._processes):
            process.end()

    def wait_for_answer(self, url: str) -> None:
        """Return when a request to this address is answered with anything but a failure of the service."""
        deadline = time.monotonic() + _PATIENCE_S
        with httpx2.Client(trust_env=False) as client:
            while True:
                try:
                    if client.get(url).status_code < 500:
                        return
                except httpx2.TransportError:
                    pass
                ended = [process.word for process in self._processes if not process.is_running]
                assert not ended, f"{ended} ended"
                assert time.monotonic() < deadline, f"nothing answers at {url}"
                time.sleep(0.05)

    @contextmanager
    def one_more_server(self, **environment: str) -> Iterator[Server]:
        """A server that may be killed, or that lives in another environment."""
        server = Server({**self._environment, **environment}, _free_ports(1)[0])
        server.start()
        try:
            self.wait_for_answer(f"{server.url}/health/ready")
            yield server
        finally:
            server.end()

    @contextmanager
    def one_more_worker(self, **environment: str) -> Iterator[LedgerProcess]:
        """A worker beside the other, that lives in another environment."""
        worker = LedgerProcess("worker", {**self._environment, **environment})
        worker.start()
        try:
            yield worker
        finally:
            worker.end()

    @contextmanager
    def without_worker(self) -> Iterator[None]:
        self._worker.end()
        try:
            yield
        finally:
            self._worker.start()

    def run_ledger(self, *words: str, patience_s: float = 120, status: int = 0) -> str:
        """What the command line says on its standard output, when it ends with this status."""
        done = forked.run("api.cli", *words, environment=self._environment, patience_s=patience_s)
        assert done.returncode == status, done.stderr
        return done.stdout

    @staticmethod
    def wait_until(holds: Callable[[], bool], patience_s: float = 20) -> None:
        deadline = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < deadline, "it did not come about in time"
            time.sleep(0.05)

    # --- books and keys

    def new_book(self) -> str:
        """The name of a book that nobody has written to."""
        name = f"j{next(_NUMBERS)}"
        with self.database.owner() as connection:
            create_book(connection, name)
        return name

    def new_key(self, book: str, *scopes: str, expires_at: datetime | None = None) -> str:
        """The text of a key with these scopes, or with all of them."""
        return self.new_named_key(book, scopes or (ADMIN,), expires_at)[1]

    def new_named_key(
        self, book: str, scopes: Iterable[str], expires_at: datetime | None = None, person: str = ""
    ) -> tuple[str, str]:
        """The id and the text of a key, in these hands."""
        with self.database.owner() as connection:
            key = create_key(
                connection,
                self._pepper,
                book=book,
                name=fresh("key"),
                scopes=scopes,
                expires_at=expires_at,
                person=person,
            )
        return key.id, key.text

    def caller(self, book: str, *scopes: str, server: int = 0) -> Caller:
        """Somebody with a key of this book, at one of the servers; stays until the end at most."""
        caller = Caller(self.servers[server].url, self.new_key(book, *scopes))
        self._callers.append(caller)
        return caller

    def person(self, book: str, name: str, *scopes: str, server: int = 0) -> Caller:
        """A person with one more key of this book."""
        caller = Caller(self.servers[server].url, self.new_named_key(book, scopes or (ADMIN,), person=name)[1])
        self._callers.append(caller)
        return caller

    @cached_property
    def nobody(self) -> Caller:
        """Somebody without a key."""
        stranger = Caller(self.url, "")
        self._callers.append(stranger)
        return stranger

    def head(self, book: str) -> int:
        """The position of the book's last event: what a request that is refused must leave as it was."""
        return self._number(book, "SELECT position FROM {schema}.log_head")

    def settled_head(self, book: str) -> int:
        """The head once no message of the channel is on its way any more."""
        self.wait_until(lambda: self._simulated("/callbacks")["owed"] == 0)
        return self.head(book)

    def now(self) -> int:
        """Whole Unix seconds, as signatures have them."""
        return int(time.time())

    def kept_callbacks(self, event_id: str) -> list[KeptMessage]:
        """The messages with this id that were kept."""
        statement = "SELECT headers, body, book, effect FROM ledger_control.channel_callbacks WHERE event_id = %s"
        with self.database.owner() as connection:
            return [KeptMessage(*row) for row in connection.execute(statement, (event_id,)).fetchall()]

    def charges(self) -> int:
        """How many charges the channel has in its books."""
        return len(self.channel_books()["charges"])

    def channel_books(self) -> dict[str, Any]:
        """What the channel itself has written down."""
        return self._simulated("/books")

    def _simulated(self, path: str) -> dict[str, Any]:
        with httpx2.Client(trust_env=False) as client:
            found: dict[str, Any] = client.get(self.simulator_url + path).json()
        return found

    @contextmanager
    def faults(self, *rules: dict[str, Any]) -> Iterator[None]:
        """The channel misbehaves by these rules for the length of a block."""
        self._plan(list(rules))
        try:
            yield
        finally:
            self._plan([])

    def matched(self) -> int:
        """How many requests the rules of the fault plan have matched, whether they went wrong or not."""
        return sum(int(rule["seen"]) for rule in self._simulated("/faults")["rules"])

    def _plan(self, rules: list[dict[str, Any]]) -> None:
        with httpx2.Client(trust_env=False) as client:
            answer = client.put(f"{self.simulator_url}/faults", json={"seed": 1, "rules": rules})
        assert answer.status_code == 200, answer.text

    def _number(self, book: str, query: LiteralString) -> int:
        with self.database.owner() as connection:
            row = connection.execute(in_book(query, book)).fetchone()
        assert row is not None
        return int(row[0])

    def columns(self, book: str, table: str) -> set[str]:
        """The names of a table's columns."""
        query = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
        with self.database.owner() as connection:
            return {name for (name,) in connection.execute(query, (schema_of(book), table)).fetchall()}


def _free_ports(how_many: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(how_many)]
    ports = [int(listener.getsockname()[1]) for listener in taken]
    for listener in taken:
        listener.close()
    return ports
