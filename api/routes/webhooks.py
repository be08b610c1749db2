"""/webhook-endpoints: where others want to hear of what happens, and what became of the messages to them."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer, told
from api.dependencies import Caller, Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Request, Text500
from api.routing import Router
from commands.envelope import Answer
from commands.processes.webhook_deliveries import Delivery, deliveries, position_of
from commands.webhook_messages import keys_of
from commands.webhooks import (
    ChangeWebhookEndpoint,
    CreateWebhookEndpoint,
    DisableWebhookEndpoint,
    EnableWebhookEndpoint,
    ReplayWebhooks,
    RotateWebhookSecret,
    WebhookEndpointReceipt,
    receipt_of,
)
from ledger.errors import (
    CursorInvalid,
    LimitRange,
    PositionNotReached,
    UrlNotAllowed,
    WebhookDeliveryNotFound,
    WebhookEndpointNotFound,
    WebhookEndpointStateInvalid,
)
from ledger.events.webhooks import endpoint_stream
from ledger.ids import WEBHOOK_ENDPOINT, new_id
from ledger.money import LARGEST
from ledger.store import read
from ledger.webhook_state import Endpoint, fold

router = Router("/v1/webhook-endpoints", "webhooks")

_ID = "whe_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
_TIME = "2026-11-21T10:20:30.123456Z"
_EXAMPLE: dict[str, Any] = {"url": "https://shop.example/hooks", "topics": ["payments.*", "refunds.succeeded.v1"]}
_SHOWN = {
    "position": 12,
    "id": _ID,
    **_EXAMPLE,
    "description": None,
    "ordered": False,
    "status": "enabled",
    "disabled_because": None,
    "secret_generation": 1,
    "created_at": _TIME,
    "headers": ["x-gate-key"],
}
_WITH_SECRET = {**_SHOWN, "secret": "whsec_…", "public_key": "whpk_…"}
_DELIVERY = {
    "id": f"{_ID}-17",
    "endpoint": _ID,
    "position": 17,
    "topic": "payments.captured.v1",
    "status": "delivered",
    "tries": 1,
    "next_try_at": None,
    "created_at": _TIME,
    "delivered_at": _TIME,
    "attempts": [{"at": _TIME, "status": 200, "error": None, "took_ms": 34}],
}
_SCOPE_READ, _SCOPE_WRITE = "payments:read", "payments:write"


class WebhookEndpointSecret(msgspec.Struct):
    """The endpoint, the secret that its `v1` signatures are made with, and the key that checks its `v1a` ones."""

    position: int | None
    id: str
    url: str
    topics: tuple[str, ...]
    description: str | None
    ordered: bool
    status: str
    disabled_because: str | None
    secret_generation: int
    created_at: datetime | None
    headers: tuple[str, ...]
    secret: str
    public_key: str


class WebhookEndpointRequest(Request):
    """Where to tell, and of what: topics as `payments.captured.v1`, `payments.*` or `*`.

    `headers` are sent with every message, beside ours; their values are kept in a seal and shown nowhere. In a change,
    without `headers` they stay as they are.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "headers": {"X-Gate-Key": "open sesame"}}]})

    url: Annotated[str, Field(min_length=1, max_length=500)]
    topics: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(min_length=1, max_length=50)]
    description: Text500 | None = None
    ordered: bool = False
    headers: dict[str, str] | None = None


class WebhookReasonRequest(Request):
    """Why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The shop moves to another server."}]})

    reason: Text500


class WebhookEmptyRequest(Request):
    """Nothing to say."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class WebhookReplayRequest(Request):
    """From one position of the log to another; without `to_position` to its end."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from_position": 1}]})

    from_position: Annotated[int, Field(ge=1, le=LARGEST)]
    to_position: Annotated[int, Field(ge=1, le=LARGEST)] | None = None


@router.writes("", WebhookEndpointSecret, _WITH_SECRET, scope=_SCOPE_WRITE, refuses=(UrlNotAllowed,))
async def create_webhook_endpoint(asked: WebhookEndpointRequest, caller: Calling) -> Response:
    """Register an address that is told of events from now on; the answer holds the secret of its signatures.

    The address is on the public internet, over https; where else messages may go is a setting of the service.
    """
    await caller.world.webhook_addresses.check(asked.url)
    command = CreateWebhookEndpoint(
        new_id(WEBHOOK_ENDPOINT),
        asked.url,
        tuple(asked.topics),
        asked.description,
        asked.ordered,
        caller.world.header_seal.closed(asked.headers or {}),
    )
    return await _with_secret(caller, command, asked)


@router.reads(
    "",
    WebhookEndpointReceipt,
    _SHOWN,
    scope=_SCOPE_READ,
    page=True,
    refuses=(CursorInvalid, LimitRange),
    sensitive=Sensitive.NOTED,
)
async def list_webhook_endpoints(
    caller: Calling, limit: Limit = DEFAULT_PAGE, cursor: Cursor = None, min_position: MinPosition = None
) -> Response:
    """List endpoints in the order in which they were registered, without their secrets; straight from the log."""
    await caller.see(min_position)
    after = "" if cursor is None else str(caller.continue_after(cursor, "webhook-endpoints")[0])
    async with caller.world.reading() as connection:
        names = await read.names(connection, caller.book, endpoint_stream(""), after=after, limit=limit + 1)
        histories = await read.beyond(connection, caller.book, dict.fromkeys(names, 0))
    found = [endpoint for name in names if (endpoint := fold(histories[name])) is not None]
    shown = [receipt_of(endpoint, endpoint.position) for endpoint in found]
    return caller.page("webhook-endpoints", shown, limit, lambda one: [endpoint_stream(one.id)])


@router.reads(
    "/{endpoint}",
    WebhookEndpointReceipt,
    _SHOWN,
    scope=_SCOPE_READ,
    refuses=(WebhookEndpointNotFound,),
    sensitive=Sensitive.NOTED,
)
async def show_webhook_endpoint(endpoint: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show an endpoint, without its secret."""
    await caller.see(min_position)
    found = await _endpoint(caller, endpoint)
    return answer(receipt_of(found, found.position))


@router.reads(
    "/{endpoint}/secret",
    WebhookEndpointSecret,
    _WITH_SECRET,
    scope=_SCOPE_WRITE,
    refuses=(WebhookEndpointNotFound,),
    sensitive=Sensitive.FIRST,
)
async def show_webhook_secret(endpoint: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show an endpoint with the secret of its signatures."""
    await caller.see(min_position)
    found = await _endpoint(caller, endpoint)
    return answer(_secret_of(caller, receipt_of(found, found.position)))


@router.writes(
    "/{endpoint}/change",
    WebhookEndpointReceipt,
    _SHOWN,
    scope=_SCOPE_WRITE,
    refuses=(WebhookEndpointNotFound, UrlNotAllowed),
)
async def change_webhook_endpoint(endpoint: str, asked: WebhookEndpointRequest, caller: Calling) -> Response:
    """Give an endpoint another address, other topics, another description or order; all of them as they shall be.

    Without `headers` those stay: nobody can read them here to send them back.
    """
    await caller.world.webhook_addresses.check(asked.url)
    headers = None if asked.headers is None else caller.world.header_seal.closed(asked.headers)
    command = ChangeWebhookEndpoint(endpoint, asked.url, tuple(asked.topics), asked.description, asked.ordered, headers)
    return await caller.carry_out(command, asked)


@router.writes(
    "/{endpoint}/rotate-secret",
    WebhookEndpointSecret,
    _WITH_SECRET,
    scope=_SCOPE_WRITE,
    refuses=(WebhookEndpointNotFound,),
)
async def rotate_webhook_secret(endpoint: str, asked: WebhookEmptyRequest, caller: Calling) -> Response:
    """Sign with a new secret from now on; for a day the old one signs as well, so that no message fails meanwhile."""
    return await _with_secret(caller, RotateWebhookSecret(endpoint), asked)


@router.writes(
    "/{endpoint}/disable",
    WebhookEndpointReceipt,
    _SHOWN,
    scope=_SCOPE_WRITE,
    refuses=(WebhookEndpointNotFound, WebhookEndpointStateInvalid),
)
async def disable_webhook_endpoint(endpoint: str, asked: WebhookReasonRequest, caller: Calling) -> Response:
    """Send nothing there any more; what was due is given up."""
    return await caller.carry_out(DisableWebhookEndpoint(endpoint, asked.reason), asked)


@router.writes(
    "/{endpoint}/enable",
    WebhookEndpointReceipt,
    _SHOWN,
    scope=_SCOPE_WRITE,
    refuses=(WebhookEndpointNotFound, WebhookEndpointStateInvalid),
)
async def enable_webhook_endpoint(endpoint: str, asked: WebhookEmptyRequest, caller: Calling) -> Response:
    """Send there again, from the next event on; what happened meanwhile can be replayed."""
    return await caller.carry_out(EnableWebhookEndpoint(endpoint), asked)


@router.writes(
    "/{endpoint}/replay",
    WebhookEndpointReceipt,
    _SHOWN,
    scope=_SCOPE_WRITE,
    refuses=(WebhookEndpointNotFound, WebhookEndpointStateInvalid, PositionNotReached),
)
async def replay_webhooks(endpoint: str, asked: WebhookReplayRequest, caller: Calling) -> Response:
    """Tell an endpoint once more what the log says, under the same message ids: nothing is ever lost to it."""
    return await caller.carry_out(ReplayWebhooks(endpoint, asked.from_position, asked.to_position), asked)


@router.reads(
    "/{endpoint}/deliveries",
    Delivery,
    _DELIVERY,
    scope=_SCOPE_READ,
    page=True,
    refuses=(WebhookEndpointNotFound, CursorInvalid, LimitRange),
    sensitive=Sensitive.NOTED,
)
async def list_webhook_deliveries(
    endpoint: str,
    caller: Calling,
    status: Annotated[Literal["due", "delivered", "dead"] | None, Query(description="In this state.")] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List the messages to an endpoint with every try, the newest first."""
    await caller.see(min_position)
    await _endpoint(caller, endpoint)
    filters = {"endpoint": endpoint, "status": status}
    before = LARGEST if cursor is None else int(caller.continue_after(cursor, "deliveries", filters)[0])
    async with caller.world.reading() as connection:
        found = await deliveries(connection, caller.book, endpoint, before=before, state=status, limit=limit + 1)
    return caller.page("deliveries", found, limit, lambda one: [one.position], filters)


@router.writes(
    "/{endpoint}/deliveries/{delivery}/resend",
    WebhookEndpointReceipt,
    _SHOWN,
    scope=_SCOPE_WRITE,
    refuses=(WebhookEndpointNotFound, WebhookDeliveryNotFound, WebhookEndpointStateInvalid),
)
async def resend_webhook(endpoint: str, delivery: str, asked: WebhookEmptyRequest, caller: Calling) -> Response:
    """Send one message again now, whatever became of it."""
    await _endpoint(caller, endpoint)
    position = position_of(endpoint, delivery)
    found: list[Delivery] = []
    if position is not None and position < LARGEST:
        async with caller.world.reading() as connection:
            found = await deliveries(connection, caller.book, endpoint, before=position + 1, state=None, limit=1)
    if position is None or not found or found[0].position != position:
        raise WebhookDeliveryNotFound
    return await caller.carry_out(ReplayWebhooks(endpoint, position, position), asked)


async def _endpoint(caller: Caller, name: str) -> Endpoint:
    async with caller.world.reading() as connection:
        found = fold(await read.stream(connection, caller.book, endpoint_stream(name)))
    if found is None:
        raise WebhookEndpointNotFound
    return found


_receipt_in = msgspec.json.Decoder(WebhookEndpointReceipt).decode


async def _with_secret(
    caller: Caller, command: CreateWebhookEndpoint | RotateWebhookSecret, asked: BaseModel
) -> Response:
    """The receipt with the secret, which is made again each time: what is kept with the key holds none."""
    given: Answer = await caller.ask(command, caller.envelope_of(asked))
    response = told(given)
    whole = answer(_secret_of(caller, _receipt_in(given.body)), given.status)
    for name, value in response.headers.items():
        if name not in ("content-length", "content-type"):
            whole.headers[name] = value
    return whole


def _secret_of(caller: Caller, receipt: WebhookEndpointReceipt) -> WebhookEndpointSecret:
    keys = keys_of(caller.world.pepper, caller.book, receipt.id, receipt.secret_generation)
    return WebhookEndpointSecret(**msgspec.structs.asdict(receipt), secret=keys.secret, public_key=keys.public_key)
