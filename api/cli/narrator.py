"""Narrator: speaks HTTP with the service and tells on the terminal what was asked and what came back.

What does not come as it is told ends the story: `expect` raises NotAsTold.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ledger.currencies import asset_of

_PATIENCE_S = 15.0
_PAUSE_S = 0.1
_WIDEST = 110

Json = dict[str, Any]


class NotAsTold(Exception):
    """Something came otherwise than the story has it."""


def expect(holds: bool, otherwise: str) -> None:
    """Go on if it holds."""
    if not holds:
        raise NotAsTold(otherwise)


def card(word: str) -> Json:
    """A card that the channel simulator treats as this word says."""
    return {"type": "card", "token": f"tok_{word}"}


def money(amount: int, currency: str) -> str:
    """Minor units as people write them: 1250 EUR is `12.50 EUR`."""
    exponent = asset_of(currency).exponent
    sign, digits = "-" if amount < 0 else "", str(abs(amount)).rjust(exponent + 1, "0")
    whole, fraction = (digits[:-exponent], "." + digits[-exponent:]) if exponent else (digits, "")
    return f"{sign}{int(whole):,}{fraction} {currency}"


class Reply:
    """What came back: status, headers, and the JSON object."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status: int = response.status_code
        self.body: Json = response.json()
        self.replayed: bool = response.headers.get("Idempotent-Replayed") == "true"
        self.position = int(response.headers.get("Ledger-Position", 0))

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


class Narrator:
    """One caller with one key, who talks while working. Whatever is read is read as of the last write."""

    def __init__(self, console: Console, address: str, key: str) -> None:
        self._console = console
        self._client = httpx2.Client(
            base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=10, trust_env=False
        )
        self._requests = 0
        self.position = 0
        self.chapters: list[str] = []

    def close(self) -> None:
        self._client.close()

    # --- talking

    def chapter(self, title: str) -> None:
        self.chapters.append(title)
        self._console.print(f"\n[bold]{len(self.chapters)}. {escape(title)}[/]")

    def say(self, words: str) -> None:
        self._console.print(escape(words))

    def table(self, title: str, columns: Mapping[str, bool], rows: Sequence[tuple[str, ...]]) -> None:
        """`columns`: the names, and whether what stands below is a figure."""
        table = Table(title=title or None, title_justify="left", title_style="dim", box=SIMPLE_HEAD)
        for name, is_figure in columns.items():
            table.add_column(name, justify="right" if is_figure else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(escape, row))
        self._console.print(table)

    def _line(self, style: str, mark: str, words: str) -> None:
        shown = words if len(words) <= _WIDEST else words[: _WIDEST - 1] + "…"
        self._console.print(f"  [{style}]{mark}[/] {escape(shown)}", soft_wrap=True)

    # --- asking

    def post(self, path: str, body: Json, *, status: int | tuple[int, ...] = 201, key: str | None = None) -> Reply:
        """Send a command; it has to be answered with this status, or one of these. Without a key it gets its own."""
        self._requests += 1
        headers = {"Idempotency-Key": key or f"demo-{self._requests}"}
        self._line("cyan", "→", f"POST {path} {json.dumps(body, ensure_ascii=False)}")
        reply = Reply(self._client.post(path, json=body, headers=headers))
        self._line("green" if reply.status < 400 else "yellow", "←", _in_short(reply))
        expected = (status,) if isinstance(status, int) else status
        expect(reply.status in expected, f"POST {path} was answered with {reply.status}: {reply.body}")
        self.position = max(self.position, reply.position)
        return reply

    def send_file(self, path: str, content: bytes) -> Reply:
        """Send a file as it is; it has to be taken in."""
        self._requests += 1
        headers = {"Idempotency-Key": f"demo-{self._requests}", "Content-Type": "application/octet-stream"}
        self._line("cyan", "→", f"POST {path} ({len(content):,} bytes)")
        reply = Reply(self._client.post(path, content=content, headers=headers))
        self._line("green" if reply.status < 400 else "yellow", "←", _in_short(reply))
        expect(reply.status == 201, f"POST {path} was answered with {reply.status}: {reply.body}")
        self.position = max(self.position, reply.position)
        return reply

    def get(self, path: str, *, aloud: bool = True, **parameters: str | int) -> Reply:
        """Ask for a view that has seen our last write."""
        if aloud:
            query = "&".join(f"{name}={value}" for name, value in parameters.items())
            self._line("cyan", "→", f"GET {path}{'?' * bool(query)}{query}")
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            reply = Reply(self._client.get(path, params={**parameters, "min_position": self.position}))
            if reply.status != 503 or time.monotonic() > deadline:
                break
            time.sleep(_PAUSE_S)  # The views are still on their way.
        expect(reply.status == 200, f"GET {path} was answered with {reply.status}: {reply.body}")
        return reply

    def settled(self, path: str, seen: Callable[[Json], None] = lambda _: None) -> Json:
        """Ask until it is no longer processing; `seen` is shown every state on the way."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            view = self.get(path, aloud=False).body
            seen(view)
            if view["status"] != "processing":
                self.position = max(self.position, view["position"] or 0)
                return view
            expect(time.monotonic() < deadline, f"{path} is still processing after {_PATIENCE_S:.0f} s")
            time.sleep(_PAUSE_S)

    def becomes(self, path: str, *statuses: str) -> Json:
        """Ask until it has one of these statuses; it has to within the time for one answer of a channel."""
        return self.until(path, lambda view: view["status"] in statuses, " or ".join(statuses))

    def until(self, path: str, holds: Callable[[Json], bool], words: str) -> Json:
        """Ask until this holds of what is shown; `words` say what it is."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            view = self.get(path, aloud=False).body
            if holds(view):
                self.position = max(self.position, view["position"] or 0)
                return view
            late = f"{path} is {view['status']} after {_PATIENCE_S:.0f} s and not {words}"
            expect(time.monotonic() < deadline, late)
            time.sleep(_PAUSE_S)

    def balances(self, *accounts: str) -> dict[str, int]:
        """Show what accounts hold; minor units by account."""
        found = [self.get(f"/v1/accounts/{account}/balance", aloud=False).body for account in accounts]
        rows = [
            (
                view["account"],
                *(money(amount, view["currency"]) for amount in (view["posted"]["balance"], view["available"])),
            )
            for view in found
        ]
        self.table("balances", {"account": False, "balance": True, "available": True}, rows)
        return {view["account"]: view["posted"]["balance"] for view in found}


def _in_short(reply: Reply) -> str:
    body = reply.body
    if reply.status >= 400:
        words = [str(reply.status), f"{body['code']}: {body['detail']}"]
    else:
        at = f"at position {reply.position}" if reply.position else ""
        words = [str(reply.status), body.get("id", ""), body.get("status", ""), at]
    return " ".join(word for word in (*words, "(replayed)" * reply.replayed) if word)
