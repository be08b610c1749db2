"""`ledger witness`: cosigns a log that only grows, remembers whatever happens, and never forgets half of itself."""

import asyncio
import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.witness.__main__ import config_of
from api.witness.app import Witness
from api.witness.memory import Memory
from api.witness.protocol import PatientProtocol
from ledger.audit.checkpoint import Checkpoint
from ledger.audit.signed_note import Cosigner, read_note, verify_note
from ledger.audit.witness import MOST_BYTES
from tests import forked
from tests.audit.histories import ORIGIN, Log
from tests.cli import word
from tests.forked import ROOT
from tests.witnesses import Running, exchange, post, start

LOG, FORK = Log(), Log(forked_at=9)
VKEY = str(LOG.signer.key)
NAME = "witness.example/w1"


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a witness whose folder is the same each time."""
    with ExitStack() as closing:

        def started(*more: str, module: str = "api.witness", before: tuple[str, ...] = ()) -> Running:
            witness = start(tmp_path / "witness", "--log", VKEY, *more, module=module, before=before)
            closing.enter_context(witness.process)
            closing.callback(witness.process.kill)
            return witness

        yield started


def refused(folder: Path, *more: str, log: str = VKEY) -> str:
    done = forked.run("api.witness", "--state", folder, "--log", log, *more)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_the_word_becomes_a_witness(begin: Callable[..., Running], tmp_path: Path) -> None:
    witness = begin("--name", NAME, module="api.cli", before=("witness",))
    assert witness.key.name == NAME
    assert witness.ask(LOG.request(0, 5))[0] == 200
    # The very process: whoever ends the word ends the witness.
    witness.process.terminate()
    assert witness.process.wait(10) in (0, -signal.SIGTERM)
    done = word.run("witness", "--state", tmp_path / "witness", "--log", "nothing")
    assert (done.returncode, done.stdout) == (1, "")


def test_a_log_that_grows_is_cosigned_again_and_again(begin: Callable[..., Running]) -> None:
    witness = begin("--name", NAME)
    assert witness.key.name == NAME
    assert witness.key.is_witness
    old = 0
    for new in (0, 5, 5, 12, 24):
        status, line = witness.ask(LOG.request(old, new))
        assert status == 200
        assert abs(witness.cosigned(LOG.note(new), line) - time.time()) < 60
        old = new
    assert witness.ask(LOG.request(5, 24)) == (409, "24\n")


def test_a_rewritten_log_is_not(begin: Callable[..., Running]) -> None:
    witness = begin()
    assert witness.ask(LOG.request(0, 12))[0] == 200
    assert witness.ask(FORK.request(12, 20))[0] == 422
    assert witness.ask(FORK.request(12, 12))[0] == 422
    assert witness.ask(FORK.request(8, 20)) == (409, "12\n")
    assert witness.ask(FORK.request(0, 20)) == (409, "12\n")
    assert witness.ask(LOG.request(12, 20))[0] == 200


def test_of_two_histories_that_are_shown_at_once_one_is_cosigned(begin: Callable[..., Running]) -> None:
    witness = begin()
    with ThreadPoolExecutor(8) as threads:
        asked = [
            (log, threads.submit(witness.ask, log.request(0, size))) for log in (LOG, FORK) for size in range(10, 18)
        ]
        answered = [(log, answer.result()[0]) for log, answer in asked]
    assert {status for _, status in answered} == {200, 409}
    assert sum(status == 200 for _, status in answered) == 1


def test_monitors_see_what_was_cosigned_last(begin: Callable[..., Running]) -> None:
    witness, path = begin(), f"/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    assert exchange(witness.address, "GET", path)[0] == 404
    witness.ask(LOG.request(0, 12))
    status, _, content = exchange(witness.address, "GET", path)
    assert status == 200
    note = read_note(content)
    assert verify_note(note, [LOG.signer.key, witness.key]) == [LOG.signer.key, witness.key]
    assert Checkpoint.parse(note.text).size == 12


def test_kill_9_makes_it_forget_nothing(begin: Callable[..., Running]) -> None:
    first = begin("--name", NAME)
    assert first.ask(LOG.request(0, 12))[0] == 200
    first.process.kill()
    assert first.process.wait(10) == -signal.SIGKILL
    again = begin()
    assert again.key == first.key
    assert again.ask(FORK.request(0, 20)) == (409, "12\n")
    assert again.ask(FORK.request(12, 20))[0] == 422
    assert again.ask(LOG.request(12, 20))[0] == 200


def test_killed_between_keeping_and_answering_it_is_asked_again(begin: Callable[..., Running]) -> None:
    dying = begin(module="tests.cli.witness_process")
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        dying.ask(LOG.request(0, 12))
    assert dying.process.wait(10) == -signal.SIGKILL
    again = begin()
    # Nobody has heard that 12 was kept, and whoever asks from nothing is told so.
    assert again.ask(LOG.request(0, 12)) == (409, "12\n")
    status, line = again.ask(LOG.request(12, 12))
    assert status == 200
    assert again.cosigned(LOG.note(12), line)
    assert again.ask(FORK.request(12, 12))[0] == 422


def test_its_key_is_for_nobody_else(begin: Callable[..., Running], tmp_path: Path) -> None:
    begin()
    key = tmp_path / "witness" / "witness.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o640)
    assert "may be read by others" in refused(tmp_path / "witness")


def test_a_key_that_has_lost_its_memory_signs_no_more(begin: Callable[..., Running], tmp_path: Path) -> None:
    witness = begin()
    witness.ask(LOG.request(0, 12))
    witness.process.kill()
    witness.process.wait(10)
    for file in (tmp_path / "witness").glob("witness.sqlite*"):
        file.unlink()
    assert "has forgotten what it signed" in refused(tmp_path / "witness")


def test_nor_is_a_memory_given_to_another_key(begin: Callable[..., Running], tmp_path: Path) -> None:
    begin("--name", NAME).process.kill()
    folder = tmp_path / "witness"
    assert f"is {NAME}+" in refused(folder, "--name", "witness.example/w2")
    (folder / "witness.key").unlink()
    assert "witness.key is gone" in refused(folder)


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ("ledger.example/shop", "name+id+base64"),
        (VKEY.replace("+", "+0", 1), "the id is not that of the key"),
        (str(Cosigner(NAME, Ed25519PrivateKey.generate()).key), "the key of a witness"),
    ],
    ids=range(3),
)
def test_what_is_no_key_of_a_log_is_said(tmp_path: Path, log: str, why: str) -> None:
    assert why in refused(tmp_path / "witness", log=log)
    assert not (tmp_path / "witness").exists()


def test_a_log_may_sign_under_a_name_that_is_not_its_own(begin: Callable[..., Running]) -> None:
    key = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    witness = begin("--log", f"go.sum database tree {key}")
    # A checkpoint of Go's own log.
    content = (
        "old 0\n\ngo.sum database tree\n35225469\nvt5T6GaLCXvyHFl9VUvvItR43XZxfLgftEcTyO3eJCQ=\n\n— sum.golang.org "
        "Az3grpukl5AXaVfYkLiDGORx/DN2nlcS5kZHR5uYOBV2KA2HgXpD+gu9HHONebHLAyaKbbTM75QTtPydhKCExixSfwQ=\n"
    )
    assert witness.ask(content.encode())[0] == 200


def test_nothing_in_its_process_could_reach_a_database() -> None:
    code = "import sys, api.witness.__main__; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in done.stdout.split()}
    assert "uvicorn" in tops
    assert not tops & {"psycopg", "psycopg_pool", "eventsourcing", "commands", "projections"}
    assert "ledger.store" not in done.stdout.split()


# --- at the door, with less patience


@contextmanager
def impatient(folder: Path) -> Iterator[tuple[str, int]]:
    class Impatient(PatientProtocol):
        patience_s = 0.5

    memory = Memory(folder / "memory")
    cosigner = Cosigner(NAME, Ed25519PrivateKey.generate())
    config = config_of(Witness(cosigner, {ORIGIN: [LOG.signer.key]}, memory, patience_s=0.5))
    config.http = Impatient
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def heard(connection: socket.socket) -> bytes:
    connection.settimeout(10)
    said = b""
    while piece := connection.recv(65_536):
        said += piece
    return said


def test_the_door_is_patient_but_not_for_ever(tmp_path: Path) -> None:
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: witness\r\n"
    with impatient(tmp_path) as address:
        # Headers that never end.
        with socket.create_connection(address) as connection:
            connection.sendall(head)
            assert heard(connection) == b""
        # A body that never ends.
        with socket.create_connection(address) as connection:
            connection.sendall(head + b"Content-Length: 100\r\n\r\nold 0\n")
            assert heard(connection).startswith(b"HTTP/1.1 408 ")
        # Too much of it.
        with socket.create_connection(address) as connection:
            connection.sendall(head + b"Content-Length: 1000000\r\n\r\n" + b"a" * (MOST_BYTES + 1))
            assert heard(connection).startswith(b"HTTP/1.1 413 ")
        # No HTTP at all.
        with socket.create_connection(address) as connection:
            connection.sendall(b"\x16\x03\x01\r\n\r\n")
            assert heard(connection).startswith(b"HTTP/1.1 400 ")
        url = f"http://{address[0]}:{address[1]}"
        assert exchange(url, "GET", "/add-checkpoint")[0] == 405
        assert exchange(url, "POST", "/sign-subtree", b"")[0] == 404
        assert exchange(url, "POST", "/add-checkpoint", os.urandom(500))[0] == 400
        assert post(url, LOG.request(0, 5))[0] == 200


def test_a_connection_that_is_kept_serves_many_requests(tmp_path: Path) -> None:
    with impatient(tmp_path) as (host, port):
        connection = http.client.HTTPConnection(host, port, timeout=10)
        for old, new in ((0, 5), (5, 12), (12, 20)):
            connection.request("POST", "/add-checkpoint", LOG.request(old, new))
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)
            time.sleep(0.6)
        connection.close()
