"""/channels: what channels tell us unasked, under their own signatures."""

import logging
from datetime import UTC, datetime
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.answers import answer
from api.dependencies import CALLER, Caller, Rules
from api.routing import Router
from api.transport import BODY, BodyRule
from api.wiring import World
from commands.callbacks import part_of
from commands.channels.channel import Acknowledging, CallbackNotice
from commands.kept_callbacks import Arrived
from ledger.errors import (
    CallbackUnreadable,
    ChannelNotFound,
    SignatureInvalid,
    SignatureMalformed,
    TimestampOutOfWindow,
)

BODY_RULE = BodyRule(max_bytes=64 * 1024, is_json=False)
router = Router("/v1/channels", "channels")
logger = logging.getLogger(__name__)


class CallbackAnswer(msgspec.Struct):
    """What became of the message: `taken`, `known` from before, or `ignored` because it is about nothing of ours."""

    status: Literal["taken", "known", "ignored"]


@router.writes(
    "/{channel}/callbacks",
    CallbackAnswer,
    {"status": "taken"},
    scope=None,
    status=200,
    rules=Rules(None, thin=True),
    refuses=(ChannelNotFound, SignatureMalformed, SignatureInvalid, TimestampOutOfWindow, CallbackUnreadable),
    openapi_extra={
        "parameters": [
            {
                "name": "channel",
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
                "example": "card_simulator",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {}, "example": {"type": "charge.succeeded"}}},
        },
    },
)
async def take_callback(request: Request) -> Response:
    """Take a message of a channel: verified over its raw bytes, with one effect however often it comes."""
    caller: Caller = request.scope[CALLER]
    world, name = caller.world, str(request.path_params["channel"])
    body: bytes = request.scope[BODY]
    notice = world.channels.channel(name).from_callback(request.headers, body, datetime.now(UTC))
    book = await world.callbacks.keep(Arrived(name, notice, request.headers, body))
    part = part_of(name, notice)
    if book is None or part is None:
        return await _ignored(world, name, notice)
    (given,) = await world.carry_out(book, [part])
    if given.error is not None:
        raise given.error
    if given.refusal is not None:
        if given.refusal.status == 404:
            return await _ignored(world, name, notice)
        raise given.refusal
    await world.callbacks.mark(name, notice.event_id, "taken")
    return _answered(world, name, CallbackAnswer("known" if given.replayed else "taken"))


async def _ignored(world: World, channel: str, notice: CallbackNotice) -> Response:
    """The channel has done its part; whether something of ours is missing is for people to see."""
    logger.warning("a callback is about nothing that is known here", extra={"channel": channel})
    world.metrics.ignored(channel)
    await world.callbacks.mark(channel, notice.event_id, "ignored")
    return _answered(world, channel, CallbackAnswer("ignored"))


def _answered(world: World, channel: str, taken: CallbackAnswer) -> Response:
    """In our words, or in those that the channel wants to hear."""
    match world.channels.channel(channel):
        case Acknowledging(acknowledgement=expected):
            return Response(expected.body, 200, media_type=expected.media_type)
        case _:
            return answer(taken)
