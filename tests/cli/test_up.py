"""`ledger up`: one word starts everything, whatever dies comes back, and one signal ends it without a trace."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.cli.up import free_port
from ledger.store.embedded import Embedded

ROOT = Path(__file__).parents[2]
SALE = {"debit_account": "cash", "credit_account": "sales", "amount": 1, "currency": "EUR"}
WORDS = ("simulator", "serve", "worker")


class Up:
    """`ledger up` on a state directory of its own; what it says is in `said`."""

    def __init__(self, state: Path, **environment: str) -> None:
        self.state = state
        self.port = free_port()
        self.key = ""
        self._log = state / "said"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "api.cli", "up"],
                cwd=ROOT,
                env={
                    **{n: v for n, v in os.environ.items() if not n.startswith("LEDGER_") and n != "DATABASE_URL"},
                    "LEDGER_STATE": str(state),
                    "LEDGER_PORT": str(self.port),
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_until(self, holds: Callable[[], bool], what: str, patience_s: float = 60) -> None:
        deadline = time.monotonic() + patience_s
        while not holds():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, f"{what}: {self.said}"
            time.sleep(0.1)

    def children(self) -> dict[str, int]:
        """The process id of each child that lives."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                words = (process / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if int(parent) == self.process.pid and words[-2:-1] and words[-2] in WORDS:
                found[words[-2]] = int(process.name)
        return found

    def ask(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        """Status and body of the answer; 0 where nobody answers."""
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": key or "none"}
        try:
            with httpx2.Client(trust_env=False, timeout=10) as client:
                answer = client.request(method, f"http://127.0.0.1:{self.port}{path}", json=body, headers=headers)
        except httpx2.TransportError:
            return 0, None
        return answer.status_code, answer.json()

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(by)
        return self.process.wait(timeout=30)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    started = Up(tmp_path)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait()
        Embedded(tmp_path).stop()


def test_up_starts_everything_and_brings_back_whatever_is_killed(up: Up) -> None:
    up.wait_until(lambda: "the service answers at" in up.said, "it starts")
    (up.key,) = re.findall(r"lk_[0-9a-f]+_[A-Za-z0-9_-]+", up.said)
    assert up.ask("POST", "/v1/accounts", account("cash", "asset"), "a-1")[0] == 201
    assert up.ask("POST", "/v1/accounts", account("sales", "revenue"), "a-2")[0] == 201
    before = up.children()
    assert before.keys() == {*WORDS}
    server = Embedded(up.state)
    postmaster = server.postmaster_pid()
    assert postmaster is not None

    for number, victim in enumerate([*before.values(), postmaster]):
        os.kill(victim, signal.SIGKILL)
        sale = partial(up.ask, "POST", "/v1/transfers", SALE, f"t-{number}")
        up.wait_until(partial(is_created, sale), "it is back")
        up.wait_until(lambda: up.children().keys() == {*WORDS}, "all children are back")
    after = up.children()
    assert not {*before.values()} & {*after.values()}
    assert server.postmaster_pid() not in (None, postmaster)
    up.wait_until(lambda: up.ask("GET", "/v1/accounts/cash/statement?min_position=6")[0] == 200, "views follow")
    status, balance = up.ask("GET", "/v1/accounts/cash/balance")
    assert (status, balance["posted"]["balance"]) == (200, 4), "four sales, each of them once"

    assert up.end() == 0
    assert not any(Path(f"/proc/{process}").exists() for process in after.values())
    assert server.postmaster_pid() is None
    assert up.key not in up.said.partition(up.key)[2], "the key is said once"


def test_children_end_with_a_supervisor_that_is_killed(up: Up) -> None:
    up.wait_until(lambda: "the service answers at" in up.said, "it starts")
    children = up.children()
    assert children.keys() == {*WORDS}
    up.end(signal.SIGKILL)
    deadline = time.monotonic() + 15
    while any(is_alive(process) for process in children.values()):
        assert time.monotonic() < deadline, "a child goes on alone"
        time.sleep(0.1)


def test_a_port_that_is_taken_is_said_in_a_sentence(up: Up, tmp_path_factory: pytest.TempPathFactory) -> None:
    up.wait_until(lambda: "the service answers at" in up.said, "it starts")
    second = Up(tmp_path_factory.mktemp("second"), LEDGER_PORT=str(up.port))
    assert second.process.wait(timeout=30) == 1
    assert "set LEDGER_PORT to another port" in second.said
    assert "Traceback" not in second.said


def test_the_bootstrap_key_becomes_the_first_key_of_an_empty_database(tmp_path: Path) -> None:
    up = Up(tmp_path, LEDGER_BOOTSTRAP_KEY="a-key-that-a-script-knows")
    try:
        up.key = "a-key-that-a-script-knows"
        up.wait_until(lambda: up.ask("GET", "/v1/accounts")[0] == 200, "the key is taken")
        assert up.ask("POST", "/v1/periods/2020-01/close", {"reason": "an administrator may"}, "p-1")[0] == 200
        up.wait_until(lambda: "the service answers at" in up.said, "it starts")
        assert "lk_" not in up.said
        assert up.key not in up.said
        assert up.end(signal.SIGINT) == 0
    finally:
        if up.process.poll() is None:
            up.process.kill()
            up.process.wait()
        Embedded(tmp_path).stop()


def account(name: str, kind: str) -> dict[str, str]:
    return {"id": name, "name": name, "kind": kind, "currency": "EUR"}


def is_alive(process: int) -> bool:
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def is_created(ask: Callable[[], tuple[int, Any]]) -> bool:
    return ask()[0] == 201
