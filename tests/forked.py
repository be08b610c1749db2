"""Our own programs as processes of their own, forked from a server that has imported them already.

A fresh Python spends about a second of CPU on our imports before its first line runs, and the tests start hundreds.
`multiprocessing` keeps the server: it starts with the first process, ends with the test run even when that is killed,
and has one thread. Each child has its own process id, session, environment and exit code, and signals act on it as on
any other process.

The true command line stays tested by those who start it themselves: tests/cli/test_up.py, tests/test_run.py, the
recipes of tests/journeys, the story that lies in tests/cli/test_demo.py, the campaigns of what `./run` starts.
"""

import atexit
import io
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "pytest",  # what our own process runs, which `multiprocessing` imports in each child
        "api.cli.words",
        "api.cli.working",
        "api.app",
        "api.serving",
        "commands.channels.simulator.__main__",
        "projections.following",
        "tests.forked",
    ]
)
_ONE_AT_A_TIME = threading.Lock()


class Forked:
    """`python -m MODULE WORDS…`, running; to be handled like a `subprocess.Popen` that takes text."""

    def __init__(
        self,
        module: str,
        *words: str | Path,
        environment: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> None:
        """`environment`: all of it, else ours. The outputs: `subprocess.PIPE`, else where ours go."""
        self.args = [module, *map(str, words)]
        self.returncode: int | None = None
        self.stdout, out = _output(1, stdout)
        self.stderr, errors = _output(2, stderr)
        all_of_it = dict(os.environ if environment is None else environment)
        self._process = _SERVER.Process(target=_become, args=(self.args, all_of_it, cwd, out, errors), daemon=True)
        with _ONE_AT_A_TIME, out, errors:
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        with _ONE_AT_A_TIME:
            if self.returncode is None:
                self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        wait([self._process.sentinel], timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All that it says until its end, on both outputs."""
        deadline = None if timeout is None else time.monotonic() + timeout
        said = {}

        def listen(name: str, stream: io.TextIOWrapper) -> None:
            said[name] = stream.read()

        streams = {"stdout": self.stdout, "stderr": self.stderr}
        listeners = [
            threading.Thread(target=listen, args=(name, stream), daemon=True)
            for name, stream in streams.items()
            if stream is not None
        ]
        for listener in listeners:
            listener.start()
        for listener in listeners:
            listener.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if listener.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        self._close()
        return said.get("stdout", ""), said.get("stderr", "")

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # It has ended since.
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._close()
        self.wait()

    def _close(self) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()


def run(
    module: str, *words: str | Path, environment: Mapping[str, str] | None = None, patience_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Let it run to its end; what it said and how it ended."""
    process = Forked(module, *words, environment=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        said, complained = process.communicate(patience_s)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.wait(), said, complained)


def _output(ours: int, wanted: int | None) -> tuple[io.TextIOWrapper | None, Connection]:
    """Our end of an output, if there is one, and the end that the child takes."""
    if wanted is None:
        return None, Connection(os.dup(ours), readable=False)
    assert wanted == subprocess.PIPE
    reading, writing = os.pipe()
    return os.fdopen(reading, encoding="utf-8"), Connection(writing, readable=False)


def _become(args: list[str], environment: dict[str, str], cwd: Path, out: Connection, errors: Connection) -> None:
    """In the child: be what a fresh `python -m` would be."""
    os.setsid()
    # Whoever runs the tests in the background has it ignored, and all its children too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(out.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    out.close()
    errors.close()
    sys.stdin = sys.__stdin__ = os.fdopen(0, closefd=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False)  # type: ignore[misc]
    errors_out = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.stderr = sys.__stderr__ = errors_out  # type: ignore[misc]
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    module, *words = args
    sys.argv = [module, *words]
    sys.modules.pop(f"{module}.__main__", None)  # The server has it for what it imports; now it runs.
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
