"""Service: the processes that `./run` starts, over the ground of a benchmark: API, worker, channel simulator."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from psycopg import Connection

from api.keys import create_key, load_or_create_pepper
from benchmarks.ground import Ground
from benchmarks.load import Target

_START_PATIENCE_S = 60
_STOP_PATIENCE_S = 20
_POLL_S = 0.05
_SCOPES = ("ledger:read", "ledger:write", "payments:read", "payments:write")


class Api:
    """A running API process."""

    def __init__(self, process: subprocess.Popen[bytes], ground: Ground, port: int) -> None:
        self.pid = process.pid
        self._process = process
        self._ground = ground
        self._port = port

    def target(self, book: str) -> Target:
        """Where to send requests for a book, with a key of its own."""
        pepper = load_or_create_pepper(self._ground.folder)
        with Connection.connect(self._ground.url, autocommit=True) as connection:
            key = create_key(connection, pepper, book=book, name="bench", scopes=_SCOPES)
        return Target(self._port, key.text)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_PATIENCE_S
        address = f"http://127.0.0.1:{self._port}/health/ready"
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(f"the API ended with {self._process.returncode}")
            try:
                with urllib.request.urlopen(address, timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(_POLL_S)
        raise AssertionError(f"the API was not ready within {_START_PATIENCE_S} s")


@contextmanager
def serving(ground: Ground) -> Iterator[Api]:
    """An API process for the length of a block."""
    port = _free_port()
    with _running(ground, "serve", "--port", str(port)) as process:
        api = Api(process, ground, port)
        api.wait_until_ready()
        yield api


@contextmanager
def working(ground: Ground) -> Iterator[int]:
    """A worker process, which keeps the views of all books, for the length of a block; gives its process id."""
    with _running(ground, "worker") as process:
        yield process.pid


class House(msgspec.Struct, frozen=True):
    """All of them together, as `./run` starts them: the API, and the process ids of the others."""

    api: Api
    worker: int
    simulator: int
    simulator_url: str

    @property
    def pids(self) -> dict[str, int]:
        return {"API": self.api.pid, "worker": self.worker, "simulator": self.simulator}


@contextmanager
def whole_house(ground: Ground) -> Iterator[House]:
    """API, worker and channel simulator, which know of each other, for the length of a block."""
    port, simulator_url = _free_port(), f"http://127.0.0.1:{_free_port()}"
    addresses = {"LEDGER_HOST": "127.0.0.1", "LEDGER_PORT": str(port), "LEDGER_SIMULATOR_URL": simulator_url}
    with (
        _running(ground, "simulator", **addresses) as simulator,
        _running(ground, "worker", **addresses) as worker,
        _running(ground, "serve", **addresses) as process,
    ):
        api = Api(process, ground, port)
        api.wait_until_ready()
        yield House(api, worker.pid, simulator.pid, simulator_url)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _running(ground: Ground, *words: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    environment |= {"DATABASE_URL": ground.url, "LEDGER_STATE": str(ground.folder), "LEDGER_LOG_LEVEL": "WARNING"}
    environment |= more
    with subprocess.Popen([sys.executable, "-P", "-m", "api.cli", *words], env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def resident_mb(pid: int) -> float:
    """The memory that a process holds at this moment, in MB; a page that several share counts once among them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1_024
    raise AssertionError(f"process {pid} has no Pss")


def processor_s(pid: int) -> float:
    """The seconds of processor time that a process has taken until now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")
