"""The simulator as a process on a real port, and the small receiver that its callbacks go to."""

import asyncio
import csv
import io
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx2
from msgspec import structs

from commands.channels.channel import CallbackNotice, Channel, Verdict
from commands.channels.dispatcher import Dispatcher
from commands.channels.registry import ChannelSettings, Registry, settings_of
from commands.channels.requests import ChannelRequest
from commands.channels.signatures import secret_from_file
from commands.policies.channels import terms_of
from tests.forked import Forked


class SimulatorProcess:
    """Started, killed and started again on the same port with the same books."""

    def __init__(
        self,
        folder: Path,
        callback_url: str | None = None,
        channels: Sequence[str] = ("card_simulator", "card_simulator_b"),
    ) -> None:
        """`channels`: those that it plays; the first of them is the one that is meant where none is named."""
        self.folder, self.callback_url, self.channels = folder, callback_url, channels
        self.secret_file = folder / f"{channels[0]}.secret"
        self.secret = secret_from_file(self.secret_file)
        self.url = ""
        self._settings: dict[str, ChannelSettings] = {}
        self._port = 0
        self._process: Forked | None = None

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

    def launch(self, port: int = 0) -> Forked:
        words = ["--port", str(port), "--folder", str(self.folder), "--channels", ",".join(self.channels)]
        words += ["--callback-url", self.callback_url] if self.callback_url else []
        return Forked("commands.channels.simulator", *words, stdout=subprocess.PIPE)

    def end(self, by: signal.Signals = signal.SIGKILL) -> int:
        """The exit code; seconds are bounded."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(by)
        code = process.wait(timeout=10)
        if process.stdout is not None:
            process.stdout.close()
        return code

    def settings(self, read_ms: int = 10_000, channel: str | None = None) -> ChannelSettings:
        """Patient, since machines are busy; whoever means a timeout names a short one."""
        name = channel or self.channels[0]
        if name not in self._settings:  # Reading RSA keys takes a while.
            terms = terms_of(name)
            assert terms is not None
            self._settings[name] = settings_of(terms, f"{self.url}/{name}", self.folder)
        return structs.replace(self._settings[name], connect_ms=10_000, read_ms=read_ms, total_ms=20_000)

    def translator(self, channel: str | None = None) -> Channel:
        """Our adapter of one of its channels."""
        settings = self.settings(channel=channel)
        return Registry([settings]).channel(settings.name)

    def ask(self, *requests: ChannelRequest, read_ms: int = 10_000, channel: str | None = None) -> list[Verdict]:
        """All at once, over the dispatcher."""
        return ask(self.settings(read_ms, channel), requests)

    def books(self, channel: str | None = None) -> dict[str, Any]:
        return self._operator("GET", f"/{channel or self.channels[0]}/books")

    def owed(self, channel: str | None = None) -> int:
        return int(self._operator("GET", f"/{channel or self.channels[0]}/callbacks")["owed"])

    def set_faults(self, *rules: dict[str, Any], seed: int = 1, channel: str | None = None) -> None:
        self._operator("PUT", f"/{channel or self.channels[0]}/faults", {"seed": seed, "rules": rules})

    def faults(self, channel: str | None = None) -> list[dict[str, Any]]:
        """The rules of its plan, how many requests each has matched (`seen`) and how often it has fired."""
        rules: list[dict[str, Any]] = self._operator("GET", f"/{channel or self.channels[0]}/faults")["rules"]
        return rules

    def control(self, path: str, content: object = None) -> dict[str, Any]:
        """What the payer, a bank, or time does: `control("charges/pay_…-1/approve")`."""
        return self._operator("POST", f"/control/{path}", {} if content is None else content)

    def payer_does(self, page: str, action: str) -> int:
        """Presses a button of the payer's page; the status of the answer."""
        with httpx2.Client(trust_env=False) as client:
            return client.post(page, data={"action": action}).status_code

    def settlement(self, day: date | None = None, channel: str | None = None) -> list[dict[str, str]]:
        """The rows of the settlement file of a day, today's without one."""
        asked = {"date": (day or datetime.now(UTC).date()).isoformat(), "channel": channel or self.channels[0]}
        with httpx2.Client(trust_env=False) as client:
            reply = client.get(f"{self.url}/control/settlement", params=asked)
        assert reply.status_code == 200, reply.text
        return list(csv.DictReader(io.StringIO(reply.text)))

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
    """An address that writes down what it is sent and answers with the statuses of its script, then with 200.

    `acknowledgement`: the body of that 200.
    """

    acknowledgement: bytes = b""
    script: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                status = receiver.script.pop(0) if receiver.script else 200
                said = receiver.acknowledgement if status == 200 else b""
                self.send_response(status)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

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


def told(simulator: SimulatorProcess, receiver: Receiver, count: int) -> list[CallbackNotice]:
    """The first `count` callbacks that came, verified and read."""
    translator = simulator.translator()
    return [translator.from_callback(*each, datetime.now(UTC)) for each in receiver.wait_for(count)]


def wait_until(holds: Callable[[], bool], patience_s: int = 10) -> None:
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)
