"""The simulator as a process on a real port, and the small receiver that its callbacks go to."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx2

from commands.channels.channel import Verdict
from commands.channels.dispatcher import Dispatcher
from commands.channels.registry import ChannelSettings, Registry
from commands.channels.requests import ChannelRequest
from commands.channels.signatures import secret_from_file

PROJECT = Path(__file__).parents[2]


class SimulatorProcess:
    """Started, killed and started again on the same port with the same books."""

    def __init__(self, folder: Path, callback_url: str | None = None) -> None:
        self.folder, self.callback_url = folder, callback_url
        self.secret = secret_from_file(folder / "secret")
        self.url = ""
        self._port = 0
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)

    def start(self) -> None:
        self._process = self.launch(self._port)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on "), line
        self.url = line.removeprefix("listening on ").strip()
        self._port = int(self.url.rpartition(":")[2])

    def launch(self, port: int = 0) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "commands.channels.simulator", "--port", str(port)]
        command += ["--state", str(self.folder / "books.db"), "--secret-file", str(self.folder / "secret")]
        command += ["--callback-url", self.callback_url] if self.callback_url else []
        return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)

    def end(self, by: signal.Signals = signal.SIGKILL) -> int:
        """The exit code; seconds are bounded."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        os.kill(process.pid, by)
        code = process.wait(timeout=10)
        if process.stdout is not None:
            process.stdout.close()
        return code

    def settings(self, read_ms: int = 1_000) -> ChannelSettings:
        return ChannelSettings("card_simulator", self.url, self.secret, read_ms=read_ms)

    def ask(self, *requests: ChannelRequest, read_ms: int = 1_000) -> list[Verdict]:
        """All at once, over the dispatcher."""
        return ask(self.settings(read_ms), requests)

    def books(self) -> dict[str, Any]:
        return self._operator("GET", "/books")

    def owed(self) -> int:
        return int(self._operator("GET", "/callbacks")["owed"])

    def set_faults(self, *rules: dict[str, Any], seed: int = 1) -> None:
        self._operator("PUT", "/faults", {"seed": seed, "rules": rules})

    def _operator(self, method: str, path: str, content: object = None) -> dict[str, Any]:
        with httpx2.Client(trust_env=False) as client:
            reply = client.request(method, self.url + path, json=content)
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        return answer


def ask(settings: ChannelSettings, requests: Sequence[ChannelRequest]) -> list[Verdict]:
    async def all_at_once() -> list[Verdict]:
        async with Dispatcher(Registry([settings])) as dispatcher:
            return await asyncio.gather(*(dispatcher.ask(settings.name, request) for request in requests))

    return asyncio.run(all_at_once())


@dataclass
class Receiver:
    """An address that writes down what it is sent and answers with the statuses of its script, then with 200."""

    script: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.script.pop(0) if receiver.script else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/callbacks"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, count: int, patience_s: int = 10) -> list[tuple[dict[str, str], bytes]]:
        wait_until(lambda: len(self.got) >= count, patience_s)
        return self.got


def wait_until(holds: Callable[[], bool], patience_s: int = 10) -> None:
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)
