"""The witness feed: witnesses cosign what was sealed, catch up when they were away, and contradict a rewritten log."""

import asyncio
import logging
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, LiteralString

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commands.accounts import OpenAccount
from commands.log_keys import LogKeys
from commands.processes import witness_feed
from commands.processes.sealer import run_sealer
from commands.processes.witness_feed import WitnessFeeds
from commands.transfers import PostTransfer
from commands.witnesses import Witness
from ledger.audit.signed_note import Cosigner, VerifierKey, read_note, verify_note
from ledger.store import sealed
from ledger.store.connection import Database, in_book
from ledger.store.sealed import SignedCheckpoint
from tests.postmen import wait_until
from tests.witnesses import Running, start
from tests.writing import Pen, fresh, part, pen

LOG_NAME = "ledger.example"


class Sealed:
    """A book whose log is sealed and shown to witnesses."""

    def __init__(self, database: Database, book: str, writer: Pen, keys: LogKeys) -> None:
        self.database, self.book, self.keys, self._pen = database, book, keys, writer
        writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))
        writer.do(OpenAccount("ada", "Ada", "liability", "EUR"))

    @property
    def vkey(self) -> VerifierKey:
        """By which its checkpoints are believed."""
        (key,) = self.keys.sign(f"{LOG_NAME}/{self.book}", "a text\n")[1]
        return key

    def pay(self, count: int = 1) -> None:
        parts = [part(PostTransfer(fresh("ent_"), "cash", "ada", 1 + at, "EUR")) for at in range(count)]
        assert all(answer.status == 201 for answer in self._pen.submit(parts)())

    def sql(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        with self.database.owner() as connection:
            cursor = connection.execute(in_book(statement, self.book))
            return cursor.fetchall() if cursor.description else []

    def newest(self) -> SignedCheckpoint | None:
        with self.database.connect() as connection:
            return sealed.newest_checkpoint(connection, self.book)

    def is_cosigned(self, *keys: VerifierKey) -> bool:
        """Whether the newest checkpoint holds all of the log, and all of these witnesses signed it."""
        newest = self.newest()
        (head,) = self.sql("SELECT position FROM {schema}.log_head")
        if newest is None or newest.size != head[0] or len(newest.cosignatures) != len(keys):
            return False
        wanted = [self.vkey, *keys]
        return set(map(str, verify_note(read_note(bytes(newest)), wanted))) == set(map(str, wanted))

    def cosigned(self) -> list[tuple[int, str]]:
        return [(size, name) for size, name in self.sql("SELECT size, name FROM {schema}.cosignatures ORDER BY 1, 2")]

    @contextmanager
    def fed(self, *witnesses: Witness, sealing: bool = True) -> Iterator[None]:
        """Sealer and feed run for the length of the block, and do not break."""
        started, held = threading.Event(), dict[str, Any]()

        async def work() -> None:
            held["loop"], held["stop"] = asyncio.get_running_loop(), asyncio.Event()
            started.set()
            feeds = WitnessFeeds(self.database, witnesses)
            async with asyncio.TaskGroup() as tasks:
                if sealing:
                    tasks.create_task(run_sealer(self.database, LOG_NAME, self.keys, held["stop"], feeds.sealed))
                tasks.create_task(feeds.run(held["stop"]))

        def run() -> None:
            try:
                asyncio.run(work())
            except BaseException as error:
                held["error"] = error

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert started.wait(10)
        try:
            yield
        finally:
            if thread.is_alive():
                held["loop"].call_soon_threadsafe(held["stop"].set)
            thread.join(10)
        assert not thread.is_alive(), "the feed does not stop"
        if "error" in held:
            raise held["error"]

    def rewrite(self, size: int) -> None:
        """As its owner: another first event, no event behind so many, and nothing left of what was signed."""
        self.sql("DELETE FROM {schema}.cosignatures")
        self.sql("DELETE FROM {schema}.checkpoints")
        self.sql("DELETE FROM {schema}.tiles")
        self.sql("UPDATE {schema}.sealer SET size = 0")
        with self.database.owner() as connection:
            connection.execute(in_book("DELETE FROM {schema}.events WHERE notification_id > %s", self.book), (size,))
            connection.execute(
                in_book("UPDATE {schema}.log_head SET position = %s, frontier = NULL", self.book), (size,)
            )
        self.sql("UPDATE {schema}.events SET recorded_at = recorded_at - interval '1 day' WHERE notification_id = 1")


@pytest.fixture
def log(own_database: Database, own_book: str, tmp_path: Path) -> Iterator[Sealed]:
    with pen(own_database, own_book) as writer:
        yield Sealed(own_database, own_book, writer, LogKeys(tmp_path / "keys"))


@pytest.fixture
def begin(log: Sealed, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a witness of this log, which lives in the folder of its name."""
    with ExitStack() as closing:

        def started(name: str = "one", port: int = 0, module: str = "api.witness") -> Running:
            words = ("--name", f"witness.example/{name}", "--port", str(port), "--log", str(log.vkey))
            running = start(tmp_path / name, *words, module=module)
            closing.enter_context(running.process)
            closing.callback(running.process.kill)
            return running

        yield started


def fed_by(*running: Running) -> list[Witness]:
    return [Witness(one.address, one.key) for one in running]


def gone(running: Running) -> int:
    """Kill it; the port at which it was."""
    running.process.kill()
    running.process.wait(10)
    return int(running.address.rpartition(":")[2])


def test_each_checkpoint_is_cosigned_by_every_witness(log: Sealed, begin: Callable[..., Running]) -> None:
    one, two = begin("one"), begin("two")
    with log.fed(*fed_by(one, two)):
        for count in (1, 300, 1):
            log.pay(count)
            wait_until(lambda: log.is_cosigned(one.key, two.key))
    sizes = {size for size, _ in log.cosigned()}
    assert len(sizes) >= 3
    assert log.cosigned() == [(size, key.name) for size in sorted(sizes) for key in (one.key, two.key)]


def test_a_witness_that_was_away_catches_up_and_keeps_no_other_waiting(
    log: Sealed, begin: Callable[..., Running], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness_feed, "_LONGEST_BACK_OFF_S", 2.0)
    one, two = begin("one"), begin("two")
    with log.fed(*fed_by(one, two)):
        log.pay()
        wait_until(lambda: log.is_cosigned(one.key, two.key))
        port = gone(one)
        for _ in range(2):
            log.pay(200)
            wait_until(lambda: log.is_cosigned(two.key))
        wait_until(lambda: "does not cosign" in caplog.text)
        again = begin("one", port)
        assert again.key == one.key
        wait_until(lambda: log.is_cosigned(one.key, two.key))
    assert "CRITICAL" not in {record.levelname for record in caplog.records}


def test_a_feed_that_begins_anew_goes_on_where_the_witness_is(log: Sealed, begin: Callable[..., Running]) -> None:
    witness = begin()
    for _ in range(2):
        log.pay(3)
        with log.fed(*fed_by(witness)):
            wait_until(lambda: log.is_cosigned(witness.key))


def test_what_a_witness_kept_and_died_before_it_said_so_is_asked_for_again(
    log: Sealed, begin: Callable[..., Running]
) -> None:
    dying = begin(module="tests.cli.witness_process")
    with log.fed(*fed_by(dying)):
        dying.process.wait(20)
        assert log.cosigned() == []
        again = begin(port=gone(dying))
        wait_until(lambda: log.is_cosigned(again.key))


def test_a_log_that_rests_is_not_asked_about_again(log: Sealed, begin: Callable[..., Running]) -> None:
    witness = begin()
    with log.fed(*fed_by(witness)):
        wait_until(lambda: log.is_cosigned(witness.key))
        (received,) = log.sql("SELECT max(received_at) FROM {schema}.cosignatures")
        time.sleep(2.5)
    assert log.sql("SELECT max(received_at) FROM {schema}.cosignatures") == [received]


@pytest.mark.parametrize(
    ("left", "why"), [(6, "it answers 422"), (4, "it has seen 6 events, and the newest checkpoint has 4")]
)
def test_a_rewritten_log_is_sealed_and_signed_but_not_cosigned(
    log: Sealed, begin: Callable[..., Running], caplog: pytest.LogCaptureFixture, left: int, why: str
) -> None:
    witness = begin()
    log.pay(4)
    with log.fed(*fed_by(witness)):
        wait_until(lambda: log.is_cosigned(witness.key))
    log.rewrite(left)
    with log.fed(*fed_by(witness)):
        wait_until(lambda: any(r.levelno == logging.CRITICAL for r in caplog.records))
        assert log.newest() is not None
    assert why in caplog.text
    assert log.cosigned() == []


# --- witnesses that are none


class Liar:
    """Answers whatever it is told to, as often as it is `asked`."""

    def __init__(self, status: int, body: bytes | Callable[[bytes], bytes], after_s: float = 0) -> None:
        """`body`: of the answer, or what makes it out of the request."""
        self.asked = 0
        liar, answer = self, body

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers["content-length"]))
                liar.asked += 1
                time.sleep(after_s)
                body = answer if isinstance(answer, bytes) else answer(asked)
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


COSIGNER = Cosigner("witness.example/liar", Ed25519PrivateKey.generate())
KEY = COSIGNER.key
LINE = f"— {KEY.name} {b64encode(KEY.id + bytes(8) + bytes(64)).decode()}\n".encode()


@pytest.mark.parametrize(
    ("status", "body", "after_s", "why"),
    [
        (200, LINE, 0, f"its cosignature is not valid: the signature of {KEY.name} is wrong"),
        (200, LINE.replace(b"liar", b"loyal"), 0, "nobody who is known has signed it"),
        (200, b"", 0, "its cosignature is not valid"),
        (200, b"\n\nmore\n\n" + LINE, 0, "its cosignature is not valid"),
        (200, b"\xff\n", 0, "its cosignature is not valid"),
        (200, b"a" * 20_000, 0, "its answer is too long"),
        (200, LINE, 1.0, "no answer in time"),
        (302, b"", 0, "it answers 302"),
        (404, b"this log is not known here\x1b[2J\nmore", 0, "it answers 404: this log is not known here[2J"),
        (409, b"many\n", 0, "it answers 409 without a size"),
        (409, b"0\n", 0, "it has seen another log of 0 events"),
        (409, b"9999999999999999999\n", 0, "it has seen 9999999999999999999 events"),
    ],
)  # fmt: skip
def test_what_is_no_cosignature_is_not_kept(
    log: Sealed,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: bytes,
    after_s: float,
    why: str,
) -> None:
    monkeypatch.setattr(witness_feed, "_TOTAL_S", 0.5)
    liar = Liar(status, body, after_s)
    try:
        with log.fed(Witness(liar.url, KEY)):
            wait_until(lambda: f"{KEY.name} does not cosign {log.book}: " in caplog.text)
    finally:
        liar.close()
    assert why in caplog.text
    assert log.cosigned() == []


def test_a_witness_that_does_not_know_a_book_is_left_alone(log: Sealed, caplog: pytest.LogCaptureFixture) -> None:
    liar = Liar(404, b"this log is not known here")
    try:
        with log.fed(Witness(liar.url, KEY)):
            wait_until(lambda: "does not cosign" in caplog.text)
            log.pay()
            time.sleep(2.5)
    finally:
        liar.close()
    assert liar.asked == 1


def test_a_checkpoint_that_vanishes_while_it_is_cosigned_is_said(log: Sealed, caplog: pytest.LogCaptureFixture) -> None:
    def cosigned(request: bytes) -> bytes:
        log.sql("DELETE FROM {schema}.checkpoints")
        note = COSIGNER.sign(read_note(request.partition(b"\n\n")[2]), 1)
        return f"{note.signatures[-1]}\n".encode()

    liar = Liar(200, cosigned)
    try:
        with log.fed(Witness(liar.url, KEY)):
            wait_until(lambda: "is gone" in caplog.text)
    finally:
        liar.close()
    assert {r.levelname for r in caplog.records if "is gone" in r.message} == {"CRITICAL"}


def test_nobody_at_the_address_is_said_and_asked_for_later(log: Sealed, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with log.fed(Witness(f"http://127.0.0.1:{port}", KEY)):
        wait_until(lambda: "does not cosign" in caplog.text)
    assert "ConnectError" in caplog.text


def test_without_witnesses_nothing_is_read(log: Sealed) -> None:
    ours: LiteralString = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ledger'"
    )
    before = log.sql(ours)
    with log.fed(sealing=False):
        time.sleep(0.2)
        assert log.sql(ours) == before
