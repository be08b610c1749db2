"""Reference: R, the commits per second of 8 connections that each insert one row at a time into a table of two columns.

pgbench drives them where it is there, because it is written in C and so gives the highest R of all clients; else 8
processes with psycopg. All that is measured here is stated as a multiple of R, measured next to it.
"""

import re
import subprocess
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from psycopg import Connection

from ledger.store.embedded import find_binaries

CONNECTIONS = 8
_TABLE = """
DROP TABLE IF EXISTS public.bench_reference;
CREATE TABLE public.bench_reference (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, content text NOT NULL);
"""
_INSERT = "INSERT INTO public.bench_reference (content) VALUES ('one row')"


class Reference:
    """Measures R on one server."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._script = folder / "reference.sql"
        self._script.write_text(_INSERT + ";\n")
        self._pgbench = find_binaries() / "pgbench"
        self.client = "pgbench" if self._pgbench.exists() else "psycopg"

    def commits_per_s(self, seconds: int) -> float:
        """R of now."""
        with Connection.connect(self._url, autocommit=True) as connection:
            connection.execute(_TABLE)
        return self._by_pgbench(seconds) if self.client == "pgbench" else self._by_psycopg(seconds)

    def _by_pgbench(self, seconds: int) -> float:
        words: list[str | Path] = [self._pgbench, "--no-vacuum", "--protocol=prepared", f"--file={self._script}"]
        words += [f"--client={CONNECTIONS}", "--jobs=2", f"--time={seconds}", self._url]
        said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        found = re.search(r"^tps = ([0-9.]+)", said, re.MULTILINE)
        if found is None:
            raise AssertionError(f"pgbench gave no figure: {said}")
        return float(found[1])

    def _by_psycopg(self, seconds: int) -> float:
        context = get_context("spawn")
        counts: Any = context.Queue()
        ready = context.Barrier(CONNECTIONS)
        clients = [
            context.Process(target=_insert_for, args=(self._url, seconds, ready, counts)) for _ in range(CONNECTIONS)
        ]
        for client in clients:
            client.start()
        rates = [counts.get(timeout=seconds + 60) for _ in clients]
        for client in clients:
            client.join()
        return float(sum(rates))


def _insert_for(url: str, seconds: int, ready: Any, counts: Any) -> None:
    with Connection.connect(url, autocommit=True) as connection:
        connection.execute(_INSERT, prepare=True)
        ready.wait()
        begun, done = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            connection.execute(_INSERT, prepare=True)
            done += 1
        counts.put(done / (time.perf_counter() - begun))
