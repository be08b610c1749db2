"""Callbacks: the simulator's messages to us, signed, repeated until they are answered with 2xx, kept over a restart."""

import asyncio
import time
from contextlib import suppress

import httpx2

from commands.channels.signatures import Secret, sign_message
from commands.channels.simulator.books import Books, Message
from commands.channels.simulator.keeper import Keeper

# How long after each failed try; the last one goes on for ever.
_PAUSES_MS = (200, 500, 1_000, 2_000, 5_000, 10_000, 30_000)
_AT_ONCE = 16
_LOOK_S = 0.2
_PATIENCE_S = 2.0
_WRONG = Secret(b"this is not the secret we share")


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


class Courier:
    """Settles what is pending and delivers what is owed; `url` is where messages go, None keeps them."""

    def __init__(self, keeper: Keeper, secret: Secret, url: str | None) -> None:
        self._keeper, self._secret, self._url = keeper, secret, url
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something may be owed that was not a moment ago."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled. A message whose answer was not yet written down is sent again after a restart."""
        async with httpx2.AsyncClient(timeout=_PATIENCE_S, follow_redirects=False, trust_env=False) as client:
            while True:
                self._news.clear()
                await self._keeper.do(Books.settle_due, now_ms())
                if self._url is not None and await self._deliver_due(client, self._url):
                    continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), _LOOK_S)

    async def _deliver_due(self, client: httpx2.AsyncClient, url: str) -> int:
        """How many were due."""
        messages = await self._keeper.do(Books.due_messages, now_ms(), _AT_ONCE)
        await asyncio.gather(*(self._deliver(client, url, message) for message in messages))
        return len(messages)

    async def _deliver(self, client: httpx2.AsyncClient, url: str, message: Message) -> None:
        secret = self._secret if message.right else _WRONG
        headers = sign_message(secret, message.id, int(time.time()), message.body)
        headers["content-type"] = "application/json"
        try:
            delivered = (await client.post(url, content=message.body, headers=headers)).is_success
        except httpx2.HTTPError:
            delivered = False
        pause_ms = 0 if delivered else _PAUSES_MS[min(message.tries, len(_PAUSES_MS) - 1)]
        await self._keeper.do(Books.message_tried, message.id, delivered, now_ms() + pause_ms)
