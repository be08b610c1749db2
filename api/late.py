"""Late: answers that wait a moment for what a channel will say, and are the same for ever once they are sent."""

from collections.abc import Callable

import msgspec
from pydantic import BaseModel
from starlette.responses import Response

from api.answers import JSON, POSITION, REPLAYED, told
from api.dependencies import Caller
from commands.envelope import Command
from commands.late_answers import ACCEPTED, CREATED
from commands.outcomes import View
from ledger.events.event import Recorded


class Begun(msgspec.Struct):
    """What every such answer begins with: the id of a payment, refund or top-up, and its last position."""

    id: str
    position: int | None = None


_begun_in = msgspec.json.Decoder(Begun).decode


async def carry_out(
    caller: Caller,
    command: Command,
    asked: BaseModel,
    stream_of: Callable[[str], str],
    show: Callable[[list[Recorded], str], View],
    *,
    settled: int = CREATED,
) -> Response:
    """Have the command decided and stored; where the outcome is still to come, wait for it a moment.

    Raises IdempotencyInProgress while an equal request is still waiting.

    `stream_of` gives the stream that an id is told in, `show` makes the view of it from that stream.
    `settled` is the status of an answer that tells the outcome.
    """
    envelope = caller.envelope_of(asked)
    answer = await caller.ask(command, envelope)
    if answer.refusal is not None or answer.error is not None or answer.status != ACCEPTED:
        return told(answer)
    name = _begun_in(answer.body).id
    world = caller.world
    status, body = await world.late_answers.first(
        caller.book,
        envelope.key,
        stream_of(name),
        lambda history: show(history, name),
        settled=settled,
        fresh=not answer.replayed,
        position=answer.position,
    )
    position = _begun_in(body).position or answer.position
    world.acknowledge(caller.book, position)
    headers = {POSITION: str(position)} | ({REPLAYED: "true"} if answer.replayed else {})
    return Response(body, status, headers, JSON)
