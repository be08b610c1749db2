"""Webhook state: what the facts of one endpoint's stream add up to, and which topics its filters fit."""

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from ledger.events.event import Recorded
from ledger.events.webhooks import (
    WebhookEndpointChanged,
    WebhookEndpointCreated,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookReplayRequested,
    WebhookSecretRotated,
)

ENABLED = "enabled"
DISABLED = "disabled"

# `payments.captured.v1`, every topic of a noun as `payments.*`, or `*`.
FILTER = re.compile(r"\*|[a-z_]+\.\*|[a-z_]+\.[a-z_]+\.v[1-9][0-9]?")


class Endpoint(msgspec.Struct, frozen=True):
    """All that its stream says; `position` is that of its last event."""

    id: str
    url: str
    topics: tuple[str, ...]
    description: str | None
    ordered: bool
    created_at: datetime
    position: int
    status: str = ENABLED
    disabled_because: str | None = None
    generation: int = 1
    rotated_at: datetime | None = None
    replays: int = 0
    headers: dict[str, str] = {}
    """Their values are sealed."""


def fits(filters: Sequence[str], topic: str) -> bool:
    """Whether one of the filters lets this topic through."""
    noun = topic.partition(".")[0]
    return any(one in ("*", topic) or one == f"{noun}.*" for one in filters)


def evolve(endpoint: Endpoint | None, recorded: Recorded) -> Endpoint:
    """The endpoint after one more event of its stream."""
    event = recorded.event
    if endpoint is None:
        if not isinstance(event, WebhookEndpointCreated):
            raise AssertionError(f"an endpoint begins with its creation, not with {event}")
        return Endpoint(
            event.id,
            event.url,
            event.topics,
            event.description,
            event.ordered,
            recorded.recorded_at,
            recorded.position,
            headers=event.headers,
        )
    endpoint = replace(endpoint, position=recorded.position)
    match event:
        case WebhookEndpointChanged():
            return replace(
                endpoint,
                url=event.url,
                topics=event.topics,
                description=event.description,
                ordered=event.ordered,
                headers=endpoint.headers if event.headers is None else event.headers,
            )
        case WebhookEndpointDisabled():
            return replace(endpoint, status=DISABLED, disabled_because=event.reason)
        case WebhookEndpointEnabled():
            return replace(endpoint, status=ENABLED, disabled_because=None)
        case WebhookSecretRotated():
            return replace(endpoint, generation=event.generation, rotated_at=recorded.recorded_at)
        case WebhookReplayRequested():
            return replace(endpoint, replays=endpoint.replays + 1)
    raise AssertionError(f"{event} does not belong into the stream of a webhook endpoint")


def fold(history: Sequence[Recorded]) -> Endpoint | None:
    """The endpoint after all of its history; None for no history."""
    endpoint: Endpoint | None = None
    for recorded in history:
        endpoint = evolve(endpoint, recorded)
    return endpoint
