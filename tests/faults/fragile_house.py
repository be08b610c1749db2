"""A whole house that is killed piece by piece: PostgreSQL, two servers, the worker, the simulator; and its keeper.

The keeper does what `./run` does: it starts again whatever has died. Nobody else helps.
"""

import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx2
from psycopg import Connection, OperationalError

from ledger.store.connection import Database
from ledger.store.embedded import DatabaseUnavailable, Embedded
from ledger.store.migrate import application_role, migrate_control
from tests.journeys.service import Service

KILLS = ("server 1", "server 2", "worker", "simulator", "postmaster", "backend")
FREEZES = ("freeze server 1", "freeze backend")
_LONGEST_ABSENCE_S = 0.5
_FREEZE_S = 2.0


class FragileHouse:
    """Everything that a book needs, in a folder of its own."""

    def __init__(self, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-fragile-"))
        self.faults: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._server = Embedded.start(self.folder / "state")
        with Connection.connect(self._server.url, autocommit=True) as connection:
            migrate_control(connection)
            role = application_role(connection)
        self.database = Database(self._server.url, role=role)
        self.service = Service(self.database, self.folder / "state", servers=2)
        self._quiet = threading.Event()
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._trouble: list[BaseException] = []

    def __enter__(self) -> Self:
        try:
            self.service.__enter__()
        except BaseException:
            self._server.erase()
            raise
        simulator, first, second, worker = self.service.processes
        self._processes = {"server 1": first, "server 2": second, "worker": worker, "simulator": simulator}
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._keeper.join()
        self.service.__exit__()
        self._server.erase()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- faults

    def harm(self, pause_s: float = 1.5) -> None:
        """Wait a moment of random length and let one thing go wrong, if it is there."""
        time.sleep(self._chance.uniform(0.05, pause_s))
        fault = self._chance.choices(KILLS + FREEZES, weights=[6, 6, 3, 2, 6, 3, 1, 1])[0]
        if self._do(fault):
            self.faults[fault] += 1
        if self._trouble:
            raise self._trouble[0]

    @property
    def kills(self) -> int:
        """How often a server or PostgreSQL was killed."""
        return sum(self.faults[fault] for fault in ("server 1", "server 2", "postmaster", "backend"))

    def _do(self, fault: str) -> bool:
        """Whether there was something to harm at this moment."""
        match fault:
            case "postmaster":
                return _signal(self._server.postmaster_pid(), signal.SIGKILL)
            case "backend":
                return _signal(self._some_backend(), signal.SIGKILL)
            case "freeze backend":
                return self._freeze(self._some_backend())
            case "freeze server 1":
                return self._freeze(self._processes["server 1"].pid)
        return _signal(self._processes[fault].pid, signal.SIGKILL)

    def _freeze(self, pid: int | None) -> bool:
        if not _signal(pid, signal.SIGSTOP):
            return False
        threading.Timer(_FREEZE_S, _signal, (pid, signal.SIGCONT)).start()
        return True

    def _some_backend(self) -> int | None:
        """One that works for the ledger at the moment, rather than one that waits."""
        try:
            with Connection.connect(self._server.url, autocommit=True, connect_timeout=2) as connection:
                rows = connection.execute(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = 'ledger' AND pid <> pg_backend_pid()"
                    " ORDER BY state = 'idle', random() LIMIT 1"
                ).fetchall()
        except OperationalError:
            return None
        return rows[0][0] if rows else None

    # --- keeping

    def wait_until_quiet(self) -> None:
        """Return when everything runs again and has run for a moment."""
        time.sleep(_FREEZE_S)  # until the last that was frozen goes on
        self.service.wait_until(self._all_answer, 60)

    def _all_answer(self) -> bool:
        if self._server.postmaster_pid() is None or not all(p.is_running for p in self._processes.values()):
            return False
        addresses = [f"{server.url}/health/ready" for server in self.service.servers]
        try:
            with httpx2.Client(trust_env=False) as client:
                return all(client.get(url).status_code == 200 for url in (*addresses, self.simulator + "/health"))
        except httpx2.TransportError:
            return False

    @property
    def simulator(self) -> str:
        return self.service.simulator_url

    def _keep(self) -> None:
        chance = random.Random(0)
        try:
            while not self._stop.wait(0.02):
                gone = [process for process in self._processes.values() if not process.is_running]
                if gone or self._server.postmaster_pid() is None:
                    self._stop.wait(chance.uniform(0, _LONGEST_ABSENCE_S))
                if not self._stop.is_set():
                    for process in gone:
                        process.start()
                    with suppress(DatabaseUnavailable):  # killed again while it started: it is tried again
                        self._server.ensure_running()
        except BaseException as error:
            self._trouble.append(error)


def _signal(pid: int | None, number: signal.Signals) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
