"""Serving: the API process: its world, its event loop, its server."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import uvicorn

from api.app import Service
from api.keys import load_or_create_pepper
from api.protocol import Protocol
from api.settings import Settings
from api.surroundings import channels_of, database_at, spare_the_collector
from api.wiring import World

_BACKLOG = 2_048
_GRACE_S = 5
# Longer than clients keep a connection that rests: who closes first must not be the server, in the middle of a request.
_KEEP_ALIVE_S = 75


def opening(settings: Settings, database_url: str) -> Callable[[], AbstractAsyncContextManager[World]]:
    """How the world is opened, once the loop runs."""
    pepper = load_or_create_pepper(settings.state, settings.pepper.get_secret_value() if settings.pepper else None)

    @asynccontextmanager
    async def opened() -> AsyncIterator[World]:
        database = database_at(database_url)
        connections, channels = settings.query_connections, channels_of(settings)
        async with World.opened(
            database,
            pepper,
            channels=channels,
            query_connections=connections,
            webhook_networks=settings.webhook_network_list,
        ) as world:
            spare_the_collector()
            yield world

    return opened


def server_for(service: Service, host: str, port: int) -> uvicorn.Server:
    """The HTTP server, not yet running."""
    config = uvicorn.Config(
        service,
        host=host,
        port=port,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        # Who asks and from where is never taken from a header.
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return uvicorn.Server(config)


def serve(settings: Settings, database_url: str) -> None:
    """Answer requests until SIGINT or SIGTERM."""
    server_for(Service(opening(settings, database_url)), settings.host, settings.port).run()
