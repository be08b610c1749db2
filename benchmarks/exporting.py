"""Exporting: how long a large book takes to go out, and to be verified by the one file that stands alone."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.batch_writer import BatchWriter
from benchmarks.bench import UNIFORM, Bench
from benchmarks.figures import Figure, Round
from benchmarks.processes import child
from benchmarks.service import working

_PEAK = "MB"
_MOST_MB = 200
_STEPS = 10
_ENDS_WELL = 0


class Run(msgspec.Struct, frozen=True):
    """What became of a program: its answer, its seconds from start to end, and its memory at its peak."""

    answer: dict[str, Any]
    seconds: float
    peak_mb: float


def exporting(bench: Bench) -> list[Figure]:
    """A book of many transfers to a folder, and the folder verified."""
    events, rounds = bench.scale.large, 1 if bench.scale.rounds == 1 else 3
    export = Figure("export", f"export of {events:,} events", "s", 60, at_most=True)
    verify = Figure("verify", "their verification by the standalone file", "s", 30, at_most=True)
    verify.limits[_PEAK] = _MOST_MB
    book = bench.ground.new_book()
    folder = bench.ground.folder / "export"
    with working(bench.ground), child(BatchWriter, bench.database, book, UNIFORM, bench.next_seed()) as writer:
        for step in range(_STEPS):
            bench.tell(f"export: filling a book, {step} of {_STEPS}")
            # Some of the commands are refused or come twice, and leave no event.
            writer.call("prepare", -(-events * 11 // 10 // _STEPS // 1_000), 1_000)
            writer.call("store")
        bench.tell("export: waiting for the seal")
        _export(bench, book, folder)
    for number in range(1, rounds + 1):
        bench.tell(f"export, round {number} of {rounds}")
        exported = _export(bench, book, folder)
        export.rounds.append(Round(exported.seconds, seen={_PEAK: exported.peak_mb, "events": exported.answer["size"]}))
        (vkey,) = exported.answer["vkeys"]
        checked = _run(sys.executable, "-I", str(folder / "verify_ledger.py"), str(folder), "--vkey", vkey, "--json")
        if not checked.answer["ok"]:
            raise AssertionError(f"the export of {book} is not right: {checked.answer['findings']}")
        verify.rounds.append(Round(checked.seconds, seen={_PEAK: checked.peak_mb, "events": checked.answer["size"]}))
    shutil.rmtree(folder, ignore_errors=True)
    return [export, verify]


def _export(bench: Bench, book: str, folder: Path) -> Run:
    shutil.rmtree(folder, ignore_errors=True)
    environment = {"DATABASE_URL": bench.ground.url, "LEDGER_STATE": str(bench.ground.folder)}
    words = ("export", "--book", book, "--to", str(folder), "--json")
    return _run(sys.executable, "-m", "api.cli", *words, environment=environment)


def _run(*command: str, environment: dict[str, str] | None = None) -> Run:
    begun = time.monotonic()
    with subprocess.Popen(command, env=os.environ | (environment or {}), stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise AssertionError("a pipe was asked for")
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begun
    if process.returncode != _ENDS_WELL:
        raise AssertionError(f"{command[:4]} ended with {process.returncode}: {told.decode()[:500]}")
    # Linux tells kilobytes, macOS bytes.
    return Run(json.loads(told), seconds, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024))
