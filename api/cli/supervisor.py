"""Supervisor: keeps the processes of the service running until it is told to stop.

database ─▶ each child: started ─▶ died ─▶ started again, at once the first time and then after a growing pause

A child holds the reading end of a pipe as its standard input, so that it ends by itself when we are killed.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import FrameType

logger = logging.getLogger(__name__)

SUPERVISED = "LEDGER_SUPERVISED"
_LOOK_EVERY_S = 0.1
_STEADY_AFTER_S = 10
_LONGEST_PAUSE_S = 5.0
_FIRST_PAUSE_S = 0.1
_PAUSE_AFTER_TROUBLE_S = 1.0
_PATIENCE_AT_THE_END_S = 10


class Child:
    """One process that is to run: a word of our command line."""

    def __init__(self, words: Sequence[str], environment: dict[str, str], *, output: Path | None = None) -> None:
        """`output`: the file that takes what it says; without, it says it where we do."""
        self.name = words[0]
        self._words = words
        self._environment = environment
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._pause_s = 0.0

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    def look_after(self, now: float) -> None:
        """Start it if it does not run and its pause is over."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            steady = now - self._started_at > _STEADY_AFTER_S
            self._pause_s = 0.0 if steady else min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            logger.warning("%s ended with %s; it starts again in %.1f s", self.name, code, self._pause_s)
            self._start_at = now + self._pause_s
            self._process = None
        if now >= self._start_at:
            self._start(now)

    def _start(self, now: float) -> None:
        with nullcontext() if self._output is None else self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "api.cli", *self._words],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, **self._environment, SUPERVISED: "1"},
                # Ctrl-C is for the supervisor, which then stops everybody in order.
                start_new_session=True,
            )
        self._started_at = now

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, deadline: float) -> None:
        """Wait for its end, and make it end at the deadline."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("%s does not stop and is killed", self.name)
            self._process.kill()
            self._process.wait()


class Supervisor:
    """Runs the children, and whatever has to be there before them, until SIGINT or SIGTERM."""

    def __init__(self, children: Sequence[Child], keep_database: Callable[[], None]) -> None:
        self._children = children
        self._keep_database = keep_database
        self._stopping = threading.Event()
        self._keep_database_again_at = 0.0

    @property
    def is_stopping(self) -> bool:
        """Whether somebody has asked it to stop."""
        return self._stopping.is_set()

    def stop(self, *_: int | FrameType | None) -> None:
        """Make `run` return; may be called from a signal handler."""
        self._stopping.set()

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Start everything, call `started`, look after everything, and stop the children in the end."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)
        try:
            self._look_after_all()
            threading.Thread(target=started, daemon=True).start()
            while not self._stopping.wait(_LOOK_EVERY_S):
                self._look_after_all()
        finally:
            for child in self._children:
                child.ask_to_stop()
            deadline = time.monotonic() + _PATIENCE_AT_THE_END_S
            for child in self._children:
                child.wait(deadline)

    def _look_after_all(self) -> None:
        if time.monotonic() >= self._keep_database_again_at:
            try:
                self._keep_database()
            except Exception:
                # The children answer 503 meanwhile; giving up would turn an outage into the end.
                logger.exception("the database does not come back")
                self._keep_database_again_at = time.monotonic() + _PAUSE_AFTER_TROUBLE_S
        for child in self._children:
            child.look_after(time.monotonic())


def end_with_supervisor() -> None:
    """In a child: end like on SIGTERM when the supervisor is gone, however it went."""
    if os.environ.get(SUPERVISED) != "1":
        return

    def wait_for_the_end() -> None:
        while os.read(sys.stdin.fileno(), 1_024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_the_end, name="supervisor's end", daemon=True).start()
