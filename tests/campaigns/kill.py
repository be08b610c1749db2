"""Kill: kill -9 of every process of the service at random moments under load; nothing acknowledged is lost or doubled.

Clients post transfers and payments and send each request again, with its key, until it has a definite answer. Meanwhile
the API, the worker, the channel simulator, PostgreSQL's postmaster or one of its backends are killed; the service's own
supervisor brings them back. In the end the log, the answers and the channel's own books are held against each other.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import psycopg
from rich.progress import Progress

from ledger.store.connection import Database
from ledger.store.embedded import Embedded
from tests.faults.channel_books import differences, paid_twice, read_channels
from tests.writing import read_log

ROOT = Path(__file__).parents[2]
KEY = "the-key-of-this-campaign"
TARGETS = ("serve", "worker", "simulator", "postmaster", "backend")
ACCOUNTS = 20
TOKENS = ("tok_approved", "tok_approved", "tok_do_not_honor", "tok_timeout_after", "tok_late", "tok_error_500_after")
FINAL = ("succeeded", "failed", "processing")
_PATIENCE_S = 90
_NO_ANSWER = (httpx2.TransportError, ConnectionError)


class Sent(msgspec.Struct):
    """A request with its key, and the definite answer to it: status and body."""

    key: str
    path: str
    body: dict[str, Any]
    status: int = 0
    answer: bytes = b""
    tries: int = 0


class Report(msgspec.Struct):
    """What came of it. Everything but the counts is empty if all is well."""

    faults: dict[str, int]
    requests: int
    tries: int
    acknowledged: int
    payments: dict[str, int]
    lost: list[str] = []
    doubled: list[str] = []
    other_answers: list[str] = []
    unlike_the_channel: list[str] = []
    differences: list[str] = []

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.other_answers or self.unlike_the_channel or self.differences)


class House:
    """The service as `./run` starts it, on a state directory and a port of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port, self.simulator_port = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "LEDGER_STATE": str(state),
            "LEDGER_PORT": str(self.port),
            "LEDGER_SIMULATOR_URL": f"http://127.0.0.1:{self.simulator_port}",
            "LEDGER_BOOTSTRAP_KEY": KEY,
            "LEDGER_LOG_LEVEL": "ERROR",
        }
        self.database = Embedded(state)
        self._said = (state / "said.log").open("ab")
        self._supervisor = subprocess.Popen(
            [sys.executable, "-P", "-m", "api.cli", "up"],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
        )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if self._supervisor.poll() is not None:
                raise AssertionError(f"the service ended; see {self._said.name}")
            try:
                if httpx2.get(f"{self.url}/health/ready", timeout=2, trust_env=False).status_code == 200:
                    return
            except _NO_ANSWER:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the service is not ready after {_PATIENCE_S} s; see {self._said.name}")

    def kill(self, target: str) -> bool:
        """Kill one process with SIGKILL; False if it does not run at the moment."""
        pid = self._pid_of(target)
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def _pid_of(self, target: str) -> int | None:
        postmaster = self.database.postmaster_pid()
        if target == "postmaster":
            return postmaster
        if target == "backend":
            backends = list(_children_of(postmaster)) if postmaster else []
            return random.choice(backends)[0] if backends else None
        return next(
            (pid for pid, line in _children_of(self._supervisor.pid) if line.endswith(f"api.cli {target}")), None
        )

    def stop(self) -> None:
        self._supervisor.send_signal(signal.SIGINT)
        try:
            self._supervisor.wait(30)
        finally:
            self._supervisor.kill()
            self._said.close()
            self.database.erase()


def _children_of(parent: int) -> Iterator[tuple[int, str]]:
    """The processes below this one, with their command lines."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent:
            yield int(folder.name), line


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Client(threading.Thread):
    """Sends one request after another, each until it has a definite answer; ends when it is told to."""

    def __init__(self, name: str, url: str, seed: int, enough: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.sent: list[Sent] = []
        self._random = random.Random(seed)
        self._http = httpx2.Client(base_url=f"{url}/v1", headers=_HEADERS, timeout=6, trust_env=False)
        self._enough = enough

    def run(self) -> None:
        number = 0
        with self._http:
            while not self._enough.is_set():
                number += 1
                request = self._request(f"{self.name}-{number}")
                self.sent.append(request)
                send_until_answered(self._http, request)

    def _request(self, key: str) -> Sent:
        if self._random.random() < 0.25:
            token = self._random.choice(TOKENS)
            body: dict[str, Any] = {
                "merchant": "shop",
                "amount": self._random.randint(100, 10_000),
                "currency": "EUR",
                "product": "quick_pay",
                "method": {"type": "card", "token": token},
                "capture": "automatic",
                "order_reference": key,
            }
            return Sent(key, "/payments", body)
        debit, credit = self._random.sample(range(ACCOUNTS), 2)
        amount = self._random.randint(1, 400)  # Some do not fit: a refusal is kept with its key as well.
        body = {"debit_account": f"a{debit}", "credit_account": f"a{credit}", "amount": amount, "currency": "EUR"}
        return Sent(key, "/transfers", body)


_HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


def send_until_answered(http: httpx2.Client, request: Sent) -> None:
    """Send with the same key until the answer is neither silence nor `not now`."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        request.tries += 1
        try:
            headers = {"idempotency-key": request.key}
            answer = http.post(request.path, content=json.dumps(request.body), headers=headers)
        except _NO_ANSWER:
            time.sleep(0.05)
            continue
        if answer.status_code not in (409, 503) or (answer.status_code == 409 and not answer.json()["retryable"]):
            request.status, request.answer = answer.status_code, answer.content
            return
        time.sleep(0.05)
    raise AssertionError(f"no definite answer to {request.key} in {_PATIENCE_S} s")


def _prepare(house: House) -> None:
    with httpx2.Client(base_url=f"{house.url}/v1", headers=_HEADERS, timeout=6, trust_env=False) as http:
        bank = {"id": "bank", "name": "Bank", "kind": "asset", "currency": "EUR"}
        send_until_answered(http, Sent("open-bank", "/accounts", bank))
        for number in range(ACCOUNTS):
            account = {"id": f"a{number}", "name": "A", "kind": "liability", "currency": "EUR", "min_balance": 0}
            send_until_answered(http, Sent(f"open-{number}", "/accounts", account))
            deposit = {"debit_account": "bank", "credit_account": f"a{number}", "amount": 1_000, "currency": "EUR"}
            send_until_answered(http, Sent(f"deposit-{number}", "/transfers", deposit))
        fee = {"percent_bps": 200, "fixed": 0}
        shop = {"id": "shop", "name": "Shop", "fee": fee, "settlement_currency": "EUR"}
        send_until_answered(http, Sent("shop", "/merchants", shop))


@contextmanager
def house_in(folder: Path) -> Iterator[House]:
    house = House(folder)
    try:
        house.wait_until_ready()
        yield house
    finally:
        house.stop()


def run(faults: int, seed: int, clients: int, told: Callable[[str], None] = lambda _: None) -> Report:
    """Kill so often, then compare everything; `told` hears of each kill."""
    chance = random.Random(seed)
    killed: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="ledger-kill-") as folder, house_in(Path(folder)) as house:
        _prepare(house)
        enough = threading.Event()
        senders = [Client(f"client{number}", house.url, seed + number, enough) for number in range(clients)]
        for sender in senders:
            sender.start()
        while killed.total() < faults:
            # Between two kills the service comes back and works for a while: otherwise there is nothing to lose.
            house.wait_until_ready()
            time.sleep(chance.uniform(0.1, 1.5))
            target = chance.choice(TARGETS)
            if house.kill(target):
                killed[target] += 1
                told(target)
        time.sleep(1)
        enough.set()
        for sender in senders:
            sender.join(_PATIENCE_S + 30)
        house.wait_until_ready()
        return _compare(house, [sent for sender in senders for sent in sender.sent], killed)


def _compare(house: House, requests: list[Sent], killed: Counter[str]) -> Report:
    with httpx2.Client(base_url=f"{house.url}/v1", headers=_HEADERS, timeout=20, trust_env=False) as http:
        payments = _settled_payments(http, requests)
        report = Report(
            faults=dict(killed),
            requests=len(requests),
            tries=sum(request.tries for request in requests),
            acknowledged=sum(request.status in (201, 202) for request in requests),
            payments=dict(Counter(payment["status"] for payment in payments.values())),
        )
        _look_for_losses(house, requests, report)
        for request in requests:
            first = request.status, request.answer
            send_until_answered(http, request)
            if (request.status, request.answer) != first:
                report.other_answers.append(request.key)
        _look_at_the_channels(house, payments, report)
        trial = http.get("/trial-balance").json()["currencies"]
        report.differences += [f"trial balance: {trial}"] * any(found["difference"] for found in trial.values())
    verified = subprocess.run(
        [sys.executable, "-P", "-m", "api.cli", "verify", "--json"],
        cwd=ROOT,
        env={**house.environment, "DATABASE_URL": house.database.url},
        capture_output=True,
        text=True,
        check=False,
    )
    report.differences += [f"verify: {verified.stdout[-500:]}{verified.stderr[-500:]}"] * (verified.returncode != 0)
    return report


def _settled_payments(http: httpx2.Client, requests: list[Sent]) -> dict[str, dict[str, Any]]:
    """Every payment by its id, after a while to find out what became of those that were unknown."""
    ids = [json.loads(r.answer)["id"] for r in requests if r.path == "/payments" and r.status in (201, 202)]
    deadline = time.monotonic() + 30
    while True:
        payments = {name: http.get(f"/payments/{name}").json() for name in ids}
        if time.monotonic() > deadline or all(p["status"] != "processing" for p in payments.values()):
            return payments
        time.sleep(0.5)


def _look_for_losses(house: House, requests: list[Sent], report: Report) -> None:
    """One effect in the log for each acknowledged request, none for a refused one."""
    with psycopg.connect(house.database.url) as connection:
        rows = connection.execute(
            "SELECT metadata FROM book_demo.events WHERE topic IN ('transfers.posted.v1', 'payments.created.v1')"
        ).fetchall()
    effects = Counter(msgspec.json.decode(metadata)["key"] for (metadata,) in rows)
    for request in requests:
        effect = effects[request.key]
        if effect > 1 or (effect and request.status not in (201, 202)):
            report.doubled.append(f"{request.key}: {request.status}, {effect} effects")
        if not effect and request.status in (201, 202):
            report.lost.append(f"{request.key}: {request.status}")


def _look_at_the_channels(house: House, payments: dict[str, dict[str, Any]], report: Report) -> None:
    """Every channel's own books, payment by payment; what is not known yet may stand there or not."""
    database = Database(house.database.url)
    with database.connect() as connection:
        log = read_log(connection, "demo")
    channels = read_channels(house.environment["LEDGER_SIMULATOR_URL"])
    unlike = [*differences(log, channels), *paid_twice(log, channels)]
    open_ = [name for name, payment in payments.items() if payment["status"] == "processing"]
    if open_:
        # Sums over all payments are as open as these are.
        unlike = [each for each in unlike if "pay_" in each and not any(name in each for name in open_)]
    report.unlike_the_channel += unlike
    strange = [f"{name}: {payment['status']}" for name, payment in payments.items() if payment["status"] not in FINAL]
    report.unlike_the_channel += strange


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="./run long kill", description=__doc__)
    options.add_argument("--faults", type=int, default=50, help="how many processes are killed (50)")
    options.add_argument("--seed", type=int, default=1, help="of the moments, the targets and the load (1)")
    options.add_argument("--clients", type=int, default=6, help="how many send at once (6)")
    given = options.parse_args(arguments)
    with Progress(transient=True) as progress:
        bar = progress.add_task("killed", total=given.faults)
        report = run(given.faults, given.seed, given.clients, lambda target: progress.advance(bar))
    print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    print("nothing lost, nothing doubled" if report.is_clean else "NOT CLEAN")
    return 0 if report.is_clean else 1
