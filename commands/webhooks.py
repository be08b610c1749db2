"""Webhooks: endpoints that others register to hear of what happens."""

from datetime import datetime

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.webhook_addresses import parts_of
from ledger.errors import (
    FieldInvalid,
    PositionNotReached,
    UrlNotAllowed,
    WebhookEndpointNotFound,
    WebhookEndpointStateInvalid,
)
from ledger.events.event import Event
from ledger.events.webhooks import (
    WebhookEndpointChanged,
    WebhookEndpointCreated,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookReplayRequested,
    WebhookSecretRotated,
    endpoint_stream,
)
from ledger.webhook_state import DISABLED, ENABLED, FILTER, Endpoint, fold

_MOST_TOPICS = 50
_LONGEST_URL = 500
MOST_REPLAYED = 1_000_000
"""Positions of the log that one replay may go over."""


class _EndpointCommand(Command, frozen=True):
    id: str


class CreateWebhookEndpoint(_EndpointCommand, frozen=True):
    """Tell events whose topics fit to `url`; `id` is fresh, the values of the headers are sealed."""

    url: str
    topics: tuple[str, ...]
    description: str | None = None
    ordered: bool = False
    headers: dict[str, str] = {}


class ChangeWebhookEndpoint(_EndpointCommand, frozen=True):
    """Give the endpoint another address, other topics, another description or order; other headers if any are given."""

    url: str
    topics: tuple[str, ...]
    description: str | None = None
    ordered: bool = False
    headers: dict[str, str] | None = None


class DisableWebhookEndpoint(_EndpointCommand, frozen=True):
    """Send nothing there any more."""

    reason: str


class EnableWebhookEndpoint(_EndpointCommand, frozen=True):
    """Send there again."""


class RotateWebhookSecret(_EndpointCommand, frozen=True):
    """Sign with a new secret; the old one signs beside it for a day."""


class ReplayWebhooks(_EndpointCommand, frozen=True):
    """Tell everything that fits once more; without `to_position` up to the end of the log."""

    from_position: int
    to_position: int | None = None


class WebhookEndpointReceipt(Receipt):
    """The endpoint as it stands. `headers`: the names of those that it is sent with every message."""

    id: str = ""
    url: str = ""
    topics: tuple[str, ...] = ()
    description: str | None = None
    ordered: bool = False
    status: str = ENABLED
    disabled_because: str | None = None
    secret_generation: int = 1
    created_at: datetime | None = None
    headers: tuple[str, ...] = ()


def receipt_of(endpoint: Endpoint, position: int | None) -> WebhookEndpointReceipt:
    return WebhookEndpointReceipt(
        position,
        endpoint.id,
        endpoint.url,
        endpoint.topics,
        endpoint.description,
        endpoint.ordered,
        endpoint.status,
        endpoint.disabled_because,
        endpoint.generation,
        endpoint.created_at,
        tuple(endpoint.headers),
    )


def create(books: Books, command: CreateWebhookEndpoint, envelope: Envelope) -> Decision:
    _check(command.url, command.topics)
    asked = (command.id, command.url, command.topics, command.description, command.ordered)
    created = WebhookEndpointCreated(*asked, command.headers)
    endpoint = Endpoint(*asked, books.now, position=0, headers=command.headers)
    return Decision([(endpoint_stream(command.id), created)], receipt_of(endpoint, None))


def change(books: Books, command: ChangeWebhookEndpoint, envelope: Envelope) -> Decision:
    _check(command.url, command.topics)
    endpoint = _endpoint(books, command.id)
    changed = WebhookEndpointChanged(
        command.id, command.url, command.topics, command.description, command.ordered, command.headers
    )
    receipt = receipt_of(endpoint, None)
    receipt.url, receipt.topics = command.url, command.topics
    receipt.description, receipt.ordered = command.description, command.ordered
    if command.headers is not None:
        receipt.headers = tuple(command.headers)
    return _decided(endpoint, changed, receipt)


def disable(books: Books, command: DisableWebhookEndpoint, envelope: Envelope) -> Decision:
    endpoint = _endpoint(books, command.id)
    _check_status(endpoint, ENABLED)
    receipt = receipt_of(endpoint, None)
    receipt.status, receipt.disabled_because = DISABLED, command.reason
    return _decided(endpoint, WebhookEndpointDisabled(command.id, command.reason), receipt)


def enable(books: Books, command: EnableWebhookEndpoint, envelope: Envelope) -> Decision:
    endpoint = _endpoint(books, command.id)
    _check_status(endpoint, DISABLED)
    receipt = receipt_of(endpoint, None)
    receipt.status, receipt.disabled_because = ENABLED, None
    return _decided(endpoint, WebhookEndpointEnabled(command.id), receipt)


def rotate(books: Books, command: RotateWebhookSecret, envelope: Envelope) -> Decision:
    endpoint = _endpoint(books, command.id)
    receipt = receipt_of(endpoint, None)
    receipt.secret_generation = endpoint.generation + 1
    return _decided(endpoint, WebhookSecretRotated(command.id, endpoint.generation + 1), receipt)


def replay(books: Books, command: ReplayWebhooks, envelope: Envelope) -> Decision:
    endpoint = _endpoint(books, command.id)
    _check_status(endpoint, ENABLED)
    end = books.position
    until = end if command.to_position is None else command.to_position
    if until > end:
        raise PositionNotReached(pointer="/to_position", position=end)
    if not 1 <= command.from_position <= until:
        raise FieldInvalid("A replay goes forward, from position 1 at the earliest.", pointer="/from_position")
    if until - command.from_position >= MOST_REPLAYED:
        raise FieldInvalid(f"One replay goes over at most {MOST_REPLAYED} positions.", pointer="/to_position")
    event = WebhookReplayRequested(command.id, command.from_position, until)
    return _decided(endpoint, event, receipt_of(endpoint, None))


def _decided(endpoint: Endpoint, event: Event, receipt: WebhookEndpointReceipt) -> Decision:
    return Decision([(endpoint_stream(endpoint.id), event)], receipt)


def _endpoint(books: Books, name: str) -> Endpoint:
    endpoint = fold(books.recorded(endpoint_stream(name)))
    if endpoint is None:
        raise WebhookEndpointNotFound(endpoint=name)
    return endpoint


def _check_status(endpoint: Endpoint, expected: str) -> None:
    if endpoint.status != expected:
        raise WebhookEndpointStateInvalid(
            f"The endpoint is {endpoint.status} already.",
            endpoint=endpoint.id,
            endpoint_status=endpoint.status,
            expected_status=expected,
        )


def _check(url: str, topics: tuple[str, ...]) -> None:
    """Whether an address and topics make sense by themselves; where the address leads is for its rule to say."""
    if len(url) > _LONGEST_URL:
        raise UrlNotAllowed(pointer="/url")
    parts_of(url)
    if not 1 <= len(topics) <= _MOST_TOPICS:
        raise FieldInvalid(f"An endpoint hears of 1 to {_MOST_TOPICS} kinds of events.", pointer="/topics")
    for index, one in enumerate(topics):
        if not FILTER.fullmatch(one):
            detail = "A topic is `noun.what_happened.v1`, `noun.*` or `*`."
            raise FieldInvalid(detail, pointer=f"/topics/{index}")


def _needs(command: _EndpointCommand) -> Needs:
    return Needs(streams=(endpoint_stream(command.id),))


DECIDERS: dict[type[Command], Decider] = {
    CreateWebhookEndpoint: Decider(create, _needs),
    ChangeWebhookEndpoint: Decider(change, _needs),
    DisableWebhookEndpoint: Decider(disable, _needs),
    EnableWebhookEndpoint: Decider(enable, _needs),
    RotateWebhookSecret: Decider(rotate, _needs),
    ReplayWebhooks: Decider(replay, _needs),
}
