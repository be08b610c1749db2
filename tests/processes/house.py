"""A whole house without HTTP of our own: a database, the simulator as a process, a worker, and a door for callbacks."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx2
from msgspec import structs
from psycopg import Connection

from commands.callbacks import find_books, part_of
from commands.channels.registry import ChannelSettings, Registry
from commands.channels.signatures import Secret, sign_message
from commands.channels.simulator.conduct import ANSWER_FAULTS
from commands.customers import CreateCustomer, OpenWallet
from commands.envelope import Answer
from commands.merchants import CreateMerchant
from commands.payments import CreatePayment
from commands.processes import channel_calls
from commands.processes.channel_calls import OpenCall
from commands.processes.timers import DueHolds
from commands.processes.worker import run_worker
from commands.refunds import RequestRefund
from commands.top_ups import RequestTopUp
from ledger.chart import unapplied_receipts
from ledger.errors import Refusal
from ledger.events.event import Recorded
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Method
from ledger.ids import new_id
from ledger.payment_views import PaymentView, TopUpView, payment_view, top_up_view
from ledger.store.append import recorded
from ledger.store.connection import Database, in_book
from tests.channels.simulator_process import SimulatorProcess
from tests.faults.channel_books import UNAPPLIED, differences, paid_twice, read_channels
from tests.forked import Forked
from tests.processes.worker_process import no_holds
from tests.writing import Pen, body_of, check_books

CHANNEL, OTHER_CHANNEL = "card_simulator", "card_simulator_b"
PATIENCE_S = 30.0

_Found = TypeVar("_Found")


class CallbackDoor:
    """What the API's route does with a channel's message: verify, find the book, submit, answer."""

    def __init__(self, database: Database, pen: Callable[[str], Pen]) -> None:
        self.database, self.pen = database, pen
        self.channels: Registry | None = None
        self.statuses: list[int] = []
        self.held = threading.Event()
        self.held.set()
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = door.take(headers, body, self.path.rpartition("/")[2])
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/callbacks/{{channel}}"

    def take(self, headers: dict[str, str], body: bytes, channel: str = CHANNEL) -> int:
        assert self.held.wait(PATIENCE_S)
        assert self.channels is not None
        try:
            notice = self.channels.channel(channel).from_callback(headers, body, datetime.now(UTC))
            book = asyncio.run(self._book_of(notice))
            part = part_of(channel, notice)
            if book is None or part is None:
                status = 200
            else:
                (answer,) = self.pen(book).submit([part])()
                status = 200 if answer.refusal is None or answer.refusal.status == 404 else answer.refusal.status
        except Refusal as refusal:
            status = refusal.status
        self.statuses.append(status)
        return status

    async def _book_of(self, notice: Any) -> str | None:
        async with await self.database.connect_async() as connection:
            return (await find_books(connection, [notice]))[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class House:
    """One book with a merchant and a customer, and everything that a payment by card needs."""

    def __init__(self, database: Database, book: str, folder: Path) -> None:
        self.database, self.book = database, book
        self.pen = Pen(database, book)
        self.door = CallbackDoor(database, lambda _: self.pen)
        self.simulator = SimulatorProcess(folder, self.door.url)
        self._stop_worker: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self._process: Forked | None = None
        self._rules: list[dict[str, Any]] = []
        self.read_ms = 400

    def __enter__(self) -> Self:
        self.simulator.start()
        self.door.channels = self.channels
        self.pen.do(CreateMerchant("acme", "Acme", FeeTerms(200, 10), "EUR"))
        self.pen.do(CreateCustomer("ann"))
        self.pen.do(OpenWallet("ann", "EUR"))
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_worker()
        self.kill_worker()
        self.simulator.__exit__()
        self.door.close()
        self.pen.stop()

    @property
    def channels(self) -> Registry:
        settings = ChannelSettings(
            CHANNEL, self.simulator.url, self.simulator.secret, read_ms=self.read_ms, total_ms=600 + self.read_ms
        )
        other = structs.replace(self.simulator.settings(self.read_ms, OTHER_CHANNEL), total_ms=600 + self.read_ms)
        return Registry([settings, other])

    # --- the worker, in this process or in one of its own

    def start_worker(self, due_holds: DueHolds = no_holds) -> None:
        started = threading.Event()
        held: dict[str, Any] = {}

        async def work() -> None:
            held["loop"], held["stop"] = asyncio.get_running_loop(), asyncio.Event()
            started.set()
            await run_worker(self.database, self.channels, due_holds, held["stop"])

        def run() -> None:
            try:
                asyncio.run(work())
            except BaseException as error:
                held["error"] = error

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert started.wait(PATIENCE_S)

        def stop() -> None:
            if thread.is_alive():
                held["loop"].call_soon_threadsafe(held["stop"].set)
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "the worker does not stop"
            if "error" in held:
                raise held["error"]

        self._stop_worker, self._thread = stop, thread

    def wait_for_the_worker_s_end(self) -> None:
        assert self._thread is not None
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def stop_worker(self) -> None:
        stop, self._stop_worker = self._stop_worker, None
        if stop is not None:
            stop()

    @contextmanager
    def working(self) -> Iterator[None]:
        """With a worker for the length of a block."""
        self.start_worker()
        yield
        self.stop_worker()

    def start_worker_process(self) -> None:
        self._process = self._worker_process()

    def worker_that_dies_at(self, point: str) -> int:
        """Run a worker until it kills itself at this point between the steps of a call; how it ended."""
        return self._worker_process(point).wait(PATIENCE_S)

    def _worker_process(self, *point: str) -> Forked:
        words = (self.database.conninfo, self.database.role or "", self.simulator.url, self.simulator.secret_file)
        return Forked("tests.processes.worker_process", *words, *point)

    def kill_worker(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(timeout=10)

    # --- what the channel does

    def misbehave(self, token: str, *faults: str, **more: Any) -> str:
        """From now on charges with this token go wrong in these ways; `times` and `delay_ms` as in the fault plan."""
        self._rules += [{"match": {"operation": "charge", "token": token}, "fault": fault, **more} for fault in faults]
        self.simulator.set_faults(*self._rules)
        return token

    def misbehave_when_asked(self, token: str, fault: str, **more: Any) -> str:
        """Questions about charges with this token go wrong in this way."""
        self._rules.append({"match": {"operation": "query_charge", "token": token}, "fault": fault, **more})
        self.simulator.set_faults(*self._rules)
        return token

    def misbehave_by_chance(self, permille: dict[str, int], seed: int) -> None:
        """From now on charges, refunds and questions go wrong in these ways, so many of a thousand."""
        operations = ("charge", "refund", "query_charge", "query_refund")
        self._rules = [
            {"match": {"operation": operation}, "fault": fault, "probability_permille": probability}
            for fault, probability in permille.items()
            for operation in operations
            if not (operation.startswith("query") and fault not in ANSWER_FAULTS)
        ]
        self.simulator.set_faults(*self._rules, seed=seed)

    def callback(self, event_id: str, body: bytes, *, age_s: int = 0, secret: Secret | None = None) -> int:
        """A message to our door, signed by the channel unless another secret is given; the status of the answer."""
        return self.door.take(self.signed(event_id, body, age_s=age_s, secret=secret), body)

    def signed(self, event_id: str, body: bytes, *, age_s: int = 0, secret: Secret | None = None) -> dict[str, str]:
        return sign_message(secret or self.simulator.secret, event_id, int(time.time()) - age_s, body)

    # --- what callers do

    def pay(self, token: str | None = None, amount: int = 6_000) -> str:
        """A payment by card; returns its id as soon as it is recorded."""
        order = (new_id("pay_"), "acme", amount, "EUR", "quick_pay", Method("card", token), "order-1")
        return str(body_of(self.pen.do(CreatePayment(*order, customer="ann")))["id"])

    def pay_from_wallet(self, amount: int) -> Answer:
        order = (new_id("pay_"), "acme", amount, "EUR", "balance_pay", Method("wallet"), "order-1")
        return self.pen.ask(CreatePayment(*order, customer="ann"))

    def top_up(self, token: str | None = None, amount: int = 10_000) -> str:
        command = RequestTopUp(new_id("top_"), "ann", amount, "EUR", Method("card", token))
        return str(body_of(self.pen.do(command))["id"])

    def refund(self, payment: str, amount: int | None = None) -> str:
        return str(body_of(self.pen.do(RequestRefund(payment, amount, "returned")))["id"])

    def ask_refund(self, payment: str, amount: int | None) -> Answer:
        return self.pen.ask(RequestRefund(payment, amount, "returned"))

    def nudge(self, *payments: str) -> bool:
        """What readers do who find payments processing; whether any of them had the channel asked."""

        async def nudge() -> bool:
            async with await self.database.connect_async() as connection:
                return any([await channel_calls.nudge(connection, self.book, payment) for payment in payments])

        return asyncio.run(nudge())

    def unresolved(self) -> list[OpenCall]:
        """What nobody knows, as people are shown it."""

        async def look() -> list[OpenCall]:
            async with await self.database.connect_async() as connection:
                return await channel_calls.unresolved(connection, self.book, after="", limit=100)

        return asyncio.run(look())

    def set_right(self) -> None:
        """From now on nothing goes wrong any more."""
        self._rules.clear()
        self.simulator.set_faults()

    # --- what the log says

    def history(self, stream: str) -> list[Recorded]:
        with self.database.connect() as connection:
            return stream_in(connection, self.book, stream)

    def topics(self, stream: str) -> list[str]:
        return [fact.event.topic for fact in self.history(stream)]

    def payment(self, payment: str) -> PaymentView:
        return payment_view(self.history(payment))

    def top_up_of(self, top_up: str) -> TopUpView:
        return top_up_view(self.history(top_up))

    def settled(self, *payments: str, patience_s: float = PATIENCE_S, asking: bool = False) -> list[PaymentView]:
        """The payments once none of them, and none of their refunds, is processing any more.

        `asking`: as readers do who want to know now, so that nothing waits for its turn.
        """

        def views() -> list[PaymentView] | None:
            found = [self.payment(payment) for payment in payments]
            open_ = [v.id for v in found if "processing" in (v.status, *(refund.status for refund in v.refunds))]
            if asking and open_:
                self.nudge(*open_)
            return None if open_ else found

        try:
            return until(views, patience_s)
        except AssertionError as late:
            calls = self.sql("SELECT c.*, now() FROM {book}.channel_calls AS c WHERE state <> 'done'")
            raise AssertionError(f"still open: {calls}") from late

    def topped_up(self, top_up: str) -> TopUpView:
        return until(lambda: view if (view := self.top_up_of(top_up)).status != "processing" else None)

    def balance(self, account: str) -> int:
        """On the side of its debits, in minor units; 0 for an account that is not there."""
        with self.database.connect() as connection:
            statement = "SELECT posted_debits - posted_credits FROM {schema}.balances WHERE account = %s"
            row = connection.execute(in_book(statement, self.book), (account,)).fetchone()
        return 0 if row is None else int(row[0])

    def sends(self, token: str) -> int:
        """How often a charge with this token, which misbehaves, was asked for."""
        with httpx2.Client(trust_env=False) as client:
            rules = client.get(self.simulator.url + "/faults").json()["rules"]
        matches = [(rule["rule"]["match"], rule["seen"]) for rule in rules]
        seen = [seen for match, seen in matches if (match["operation"], match["token"]) == ("charge", token)]
        return int(seen[0])

    def charges(self, order: str) -> list[dict[str, Any]]:
        """What the simulator charged for this payment or top-up."""
        return [charge for charge in self.simulator.books()["charges"] if charge["id"].startswith(f"{order}-")]

    def position(self) -> int:
        ((position,),) = self.sql("SELECT position FROM {book}.log_head")
        return int(position)

    def all_calls_done(self) -> None:
        until(lambda: None if self.sql("SELECT id FROM {book}.channel_calls WHERE state <> 'done'") else True)

    def wait_for_tries(self, payment: str, tries: int) -> None:
        def enough() -> bool | None:
            rows = self.sql("SELECT tries FROM {book}.channel_calls WHERE subject = %s", payment)
            return True if rows and rows[0][0] >= tries else None

        until(enough)

    def agrees_with_the_channel(self, *, given_back: bool = False) -> None:
        """Our books are sound, and they and every channel's say the same, payment by payment and in the sum.

        `given_back`: money came that nobody waited for, and all of it has gone back.
        """
        with self.database.connect() as connection:
            log = check_books(connection, self.book)
        channels = read_channels(self.simulator.url)
        unlike = [*differences(log, channels), *paid_twice(log, channels)]
        assert not unlike, unlike
        # Once each: nothing had to be kept apart, and nothing is on its way.
        assert given_back or not [fact.event for fact in log if isinstance(fact.event, UNAPPLIED)]
        for channel in channels:
            assert self.balance(unapplied_receipts(channel.name, "EUR")) == 0
        assert self.balance("sys:2210:acme:eur") == 0
        self.all_calls_done()

    @staticmethod
    def id_of(answer: Answer) -> str:
        return str(body_of(answer)["id"])

    def sql(self, statement: str, *values: object) -> Sequence[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(statement.replace("{book}", f"book_{self.book}"), values).fetchall()


def stream_in(connection: Connection, book: str, stream: str) -> list[Recorded]:
    statement = (
        "SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata"
        " FROM {schema}.events WHERE originator_id = %s ORDER BY originator_version"
    )
    return [recorded(row) for row in connection.execute(in_book(statement, book), (stream,)).fetchall()]


def until(found: Callable[[], _Found | None], patience_s: float = PATIENCE_S) -> _Found:
    """The first answer that is not None, or an AssertionError when patience ends."""
    deadline = time.monotonic() + patience_s
    while (answer := found()) is None:
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
    return answer
