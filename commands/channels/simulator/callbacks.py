"""Callbacks: a channel's messages to us, signed, repeated until they are answered, kept over a restart."""

import asyncio
import time
from contextlib import suppress

import httpx2

from commands.channels.simulator.books import Books
from commands.channels.simulator.counterparts.counterpart import Counterpart
from commands.channels.simulator.keeper import Keeper
from commands.channels.simulator.store import Message, Tried

# How long after each failed try; the last one goes on for ever.
_PAUSES_MS = (200, 500, 1_000, 2_000, 5_000, 10_000, 30_000)
_AT_ONCE = 16
_LOOK_S = 0.2
_PATIENCE_S = 2.0


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


class Courier:
    """Lets happen what happens by itself and delivers what is owed; `url` is where messages go, None keeps them."""

    def __init__(self, keeper: Keeper, counterpart: Counterpart, url: str | None) -> None:
        self._keeper, self._counterpart, self._url = keeper, counterpart, url
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
        tried = await asyncio.gather(*(self._deliver(client, url, message) for message in messages))
        if tried:
            await self._keeper.do(Books.messages_tried, tried)
        return len(messages)

    async def _deliver(self, client: httpx2.AsyncClient, url: str, message: Message) -> Tried:
        forged = message.fault == "wrong_signature_callback"
        letter = self._counterpart.letter(message.id, message.state, int(time.time()), forged=forged)
        body = letter.body
        if message.fault == "altered_callback":
            body = body[:-2] + bytes([body[-2] ^ 1]) + body[-1:]
        try:
            reply = await client.post(url, content=body, headers=letter.headers)
            delivered = self._counterpart.is_heard(reply.status_code, reply.content)
        except httpx2.HTTPError:
            delivered = False
        pause_ms = 0 if delivered else _PAUSES_MS[min(message.tries, len(_PAUSES_MS) - 1)]
        return Tried(message.id, delivered, now_ms() + pause_ms)
