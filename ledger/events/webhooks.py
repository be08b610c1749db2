"""Webhooks: where others want to hear of what happens, one stream per endpoint. Its secrets are never recorded."""

from typing import ClassVar

from ledger.events.event import Event


def endpoint_stream(endpoint: str) -> str:
    return f"webhook/{endpoint}"


class WebhookEndpointCreated(Event, frozen=True, omit_defaults=True):
    """From the next event on, events whose topics fit are told to `url`. `ordered`: strictly one after another.

    `headers` are sent with every message; their values are sealed.
    """

    topic: ClassVar[str] = "webhooks.endpoint_created.v1"

    id: str
    url: str
    topics: tuple[str, ...]
    description: str | None = None
    ordered: bool = False
    headers: dict[str, str] = {}


class WebhookEndpointChanged(Event, frozen=True, omit_defaults=True):
    """Its address, its topics or its order are others from now on; all of them as they are now.

    Without `headers` those are the same as before.
    """

    topic: ClassVar[str] = "webhooks.endpoint_changed.v1"

    id: str
    url: str
    topics: tuple[str, ...]
    description: str | None = None
    ordered: bool = False
    headers: dict[str, str] | None = None


class WebhookEndpointDisabled(Event, frozen=True, omit_defaults=True):
    """Nothing is sent there any more; what happens meanwhile is not kept for it, but can be replayed."""

    topic: ClassVar[str] = "webhooks.endpoint_disabled.v1"

    id: str
    reason: str


class WebhookEndpointEnabled(Event, frozen=True, omit_defaults=True):
    """It is sent to again, from the next event on."""

    topic: ClassVar[str] = "webhooks.endpoint_enabled.v1"

    id: str


class WebhookSecretRotated(Event, frozen=True, omit_defaults=True):
    """Messages are signed with the secret of this generation, and for a day with that of the one before as well."""

    topic: ClassVar[str] = "webhooks.secret_rotated.v1"

    id: str
    generation: int


class WebhookReplayRequested(Event, frozen=True, omit_defaults=True):
    """Everything that fits is told to the endpoint once more: from one position to another, both included."""

    topic: ClassVar[str] = "webhooks.replay_requested.v1"

    id: str
    from_position: int
    to_position: int
