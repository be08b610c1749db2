"""Processes: what is measured runs in a process of its own, as in production, and is told what to do through a pipe."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

_context = get_context("spawn")
_PATIENCE_S = 900


class ChildFailed(RuntimeError):
    """A process that measures has ended, or said what went wrong."""


class Child:
    """A process that holds an object; its methods are called from here, one after the other."""

    def __init__(self, make: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._pipe, far_end = _context.Pipe()
        self._process = _context.Process(target=_serve, args=(far_end, make, arguments), daemon=True)
        self._process.start()
        far_end.close()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def call(self, method: str, *arguments: Any) -> Any:
        """What the method returns; raises ChildFailed."""
        self.send(method, *arguments)
        return self.receive()

    def send(self, method: str, *arguments: Any) -> None:
        """Let it begin; `receive` fetches what comes of it."""
        self._pipe.send((method, arguments))

    def receive(self) -> Any:
        if not self._pipe.poll(_PATIENCE_S):
            raise ChildFailed(f"no answer within {_PATIENCE_S} s")
        try:
            went_well, result = self._pipe.recv()
        except EOFError:
            raise ChildFailed("a process that measures has died") from None
        if not went_well:
            raise ChildFailed(result)
        return result

    def end(self) -> None:
        self._pipe.close()
        self._process.join(timeout=20)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


@contextmanager
def child(make: Callable[..., object], *arguments: Any) -> Iterator[Child]:
    """A process that makes an object with these arguments and keeps it for the length of the block."""
    one = Child(make, arguments)
    try:
        yield one
    finally:
        one.end()


def _serve(pipe: Connection, make: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started us.
    held: object = None
    while True:
        try:
            method, given = pipe.recv()
        except EOFError:
            break
        try:
            if held is None:
                held = make(*arguments)
            pipe.send((True, getattr(held, method)(*given)))
        except Exception as error:
            pipe.send((False, f"{method}: {error!r}"))
    close = getattr(held, "close", None)
    if close is not None:
        close()
