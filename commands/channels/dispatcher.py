"""Dispatcher: the only socket to the channels. It carries one request there and one verdict back, and judges nothing.

before the first byte has left    refused, unreachable, no free connection    ──▶ NotSent (one more try if refused)
from the first byte on            silence, a cut connection, too many bytes   ──▶ Unknown
a whole reply                                                                 ──▶ whatever the translator reads in it
"""

import asyncio
import logging
from collections.abc import Callable
from functools import cache
from itertools import chain
from ssl import SSLContext
from types import TracebackType
from typing import Self

import httpx2

from commands.channels.channel import (
    NOT_SUPPORTED,
    Channel,
    ErrandNotSupported,
    HttpReply,
    HttpRequest,
    NotSent,
    Unknown,
    Verdict,
)
from commands.channels.registry import ChannelSettings, Registry
from commands.channels.requests import ChannelRequest

LARGEST_REPLY = 64 * 1024
_CONNECTIONS_PER_CHANNEL = 64
# The client looks at each connection of its pool for every request, and again for every answer.
_CONNECTIONS_PER_POOL = 4
_PAUSE_BEFORE_SECOND_TRY_S = 0.05
# Shorter than any server keeps an idle connection, so that ours is rarely closed under a request on its way.
_IDLE_CONNECTION_S = 2.0

_log = logging.getLogger(__name__)


def as_it_is(request: ChannelRequest) -> ChannelRequest:
    return request


class _Pool:
    """Some of the connections to a channel, and how many requests are on their way over them."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        self.busy = 0


class Dispatcher:
    """Asks channels. One for the whole process and its one event loop; closed at its end."""

    def __init__(self, registry: Registry, opened: Callable[[ChannelRequest], ChannelRequest] = as_it_is) -> None:
        """`opened` takes out of its seal what only the channel may read; raises ValueError."""
        self._registry = registry
        self._opened = opened
        # Pools for each channel: a channel that hangs takes no connection from the others.
        self._pools: dict[str, list[_Pool]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        pools, self._pools = self._pools, {}
        for pool in chain.from_iterable(pools.values()):
            await pool.client.aclose()

    async def ask(self, channel_name: str, request: ChannelRequest) -> Verdict:
        """What the channel says to this request. Trouble with the channel is a verdict and never an exception.

        Raises ChannelNotFound for a channel that is not configured.
        """
        channel = self._registry.channel(channel_name)
        settings = self._registry.settings(channel_name)
        try:
            request = self._opened(request)
            wire = channel.to_wire(request)
        except ErrandNotSupported:
            _log.warning("channel %s has no %s", channel_name, type(request).__name__)
            return NOT_SUPPORTED
        except Exception as bug:
            _log.exception("channel %s cannot say %s", channel_name, type(request).__name__)
            return NotSent(f"the adapter failed: {type(bug).__name__}")
        match await self._exchange(settings, wire):
            case HttpReply() as reply:
                return _read(channel, request, reply)
            case verdict:
                return verdict

    async def _exchange(self, settings: ChannelSettings, wire: HttpRequest) -> HttpReply | NotSent | Unknown:
        try:
            async with asyncio.timeout(settings.total_ms / 1000):
                try:
                    return await self._send(settings, wire)
                except httpx2.ConnectError:
                    # Refused before a byte had left: the only trouble after which saying it again cannot say it twice.
                    await asyncio.sleep(_PAUSE_BEFORE_SECOND_TRY_S)
                    return await self._send(settings, wire)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as trouble:
            return NotSent(type(trouble).__name__)
        except httpx2.HTTPError as trouble:
            return Unknown(type(trouble).__name__)
        except TimeoutError:
            return Unknown("no whole answer in time")

    async def _send(self, settings: ChannelSettings, wire: HttpRequest) -> HttpReply | Unknown:
        # Uncompressed, so that the bound on the bytes we read is also the bound on the bytes we hold.
        headers = {**wire.headers, "accept-encoding": "identity"}
        pool = self._pool(settings)
        exchange = pool.client.stream(wire.method, settings.base_url + wire.path, headers=headers, content=wire.body)
        pool.busy += 1
        try:
            async with exchange as response:
                if response.headers.get("content-encoding", "identity") != "identity":
                    return Unknown("the answer is compressed")
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > LARGEST_REPLY:
                        return Unknown("the answer is too large")
                return HttpReply(response.status_code, dict(response.headers.items()), bytes(body))
        finally:
            pool.busy -= 1

    def _pool(self, settings: ChannelSettings) -> _Pool:
        """The first pool with room, so that few connections are kept warm; where all are full, the last one's queue."""
        pools = self._pools.setdefault(settings.name, [])
        for pool in pools:
            if pool.busy < _CONNECTIONS_PER_POOL:
                return pool
        if len(pools) < _CONNECTIONS_PER_CHANNEL // _CONNECTIONS_PER_POOL:
            pools.append(_Pool(_client(settings)))
        return pools[-1]


@cache
def _trusted() -> SSLContext:
    """Whom we believe; read from the disk once, which takes longer than many requests."""
    return httpx2.create_ssl_context(trust_env=False)


def _client(settings: ChannelSettings) -> httpx2.AsyncClient:
    connect_s, read_s = settings.connect_ms / 1000, settings.read_ms / 1000
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(connect=connect_s, read=read_s, write=read_s, pool=connect_s),
        limits=httpx2.Limits(
            max_connections=_CONNECTIONS_PER_POOL,
            max_keepalive_connections=_CONNECTIONS_PER_POOL,
            keepalive_expiry=_IDLE_CONNECTION_S,
        ),
        verify=_trusted(),
        follow_redirects=False,
        trust_env=False,  # No proxy, no .netrc: what a channel is sent does not depend on the shell around us.
    )


def _read(channel: Channel, request: ChannelRequest, reply: HttpReply) -> Verdict:
    try:
        return channel.from_wire(request, reply)
    except Exception as bug:
        # Something may have happened over there, and an adapter's bug must not read as if nothing had.
        _log.exception("channel %s cannot read the answer to %s", channel.name, type(request).__name__)
        return Unknown(f"the adapter failed: {type(bug).__name__}")
