"""/channels: how each of them does at the moment, and their circuits in the hands of people."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.answers import answer
from api.dependencies import Calling, MinPosition
from api.fields import Identifier, Request, Text500
from api.routing import Router
from commands.circuits import CircuitReceipt, SwitchCircuit
from commands.policies.channels import CHANNELS
from commands.processes.channel_health import ChannelHealth, Place
from ledger.circuit_state import State
from ledger.errors import ChannelNotFound, MethodNotSupported
from ledger.events.routing import channel_and_method

router = Router("/v1/channels", "channels")

_TIME = "2026-11-21T10:20:30.123456Z"
_MOST_FAILURES = 10
_CIRCUIT: dict[str, Any] = {
    "channel": "card_simulator",
    "method": "card",
    "state": "closed",
    "by_hand": False,
    "because": "3 probes went well",
    "since": _TIME,
    "position": 51,
    "until": None,
    "failures": [],
    "probes": 0,
    "probe_percent": 0,
}
_FAILURE = {"attempt": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f-1", "reason": "ReadTimeout", "failed_at": _TIME}
_SHOWN: dict[str, Any] = {
    "name": "card_simulator",
    "health": "degraded",
    "configured": True,
    "methods": [
        {
            "method": "card",
            "circuit": "closed",
            "because": "3 probes went well",
            "by_hand": False,
            "since_at": _TIME,
            "until_at": None,
            "succeeded": 48,
            "ended": 52,
            "last_failures": [_FAILURE],
        }
    ],
}

Health = Literal["up", "degraded", "down"]


class ChannelFailure(msgspec.Struct):
    """An attempt that failed technically, and why it counts."""

    attempt: str
    reason: str
    failed_at: datetime


class MethodHealth(msgspec.Struct):
    """A channel's circuit for one method, and how its last attempts ended: `succeeded` of `ended`, latest failures."""

    method: str
    circuit: State
    because: str
    by_hand: bool
    since_at: datetime | None
    until_at: datetime | None
    succeeded: int
    ended: int
    last_failures: list[ChannelFailure]


class ChannelShown(msgspec.Struct):
    """A channel: `down` while no method of it takes payments, `degraded` while one rests or has failed lately."""

    name: str
    health: Health
    configured: bool
    methods: list[MethodHealth]


class ChannelsShown(msgspec.Struct):
    """Every channel, in the order in which they are tried where no rules say otherwise."""

    data: list[ChannelShown]
    position: int


class CircuitSwitch(Request):
    """Open or close the circuits of a channel until further notice, or give them back to the automatic."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "auto", "reason": "The maintenance is over"}]})

    state: Literal["open", "closed", "auto"]
    reason: Annotated[Text500, Field(min_length=1)]
    method: Identifier | None = None


@router.reads("", ChannelsShown, {"data": [_SHOWN], "position": 60}, scope="payments:read")
async def list_channels(caller: Calling, min_position: MinPosition = None) -> Response:
    """List the channels with their circuits and their last failures, as the end of the log tells of them."""
    await caller.see(min_position)
    health = ChannelHealth()
    async with caller.world.reading() as connection:
        await health.catch_up(connection, caller.book)
    configured = caller.world.channels.names()
    shown = [_shown(health, terms.name, terms.methods, terms.name in configured) for terms in CHANNELS]
    return answer(ChannelsShown(shown, health.position))


def _shown(health: ChannelHealth, name: str, methods: tuple[str, ...], configured: bool) -> ChannelShown:
    found = [_method(health, (name, method)) for method in methods]
    if found and all(one.circuit == "open" for one in found):
        word: Health = "down"
    else:
        word = "degraded" if any(one.circuit != "closed" or one.last_failures for one in found) else "up"
    return ChannelShown(name, word, configured, found)


def _method(health: ChannelHealth, place: Place) -> MethodHealth:
    circuit = health.circuit(place)
    succeeded, ended = health.statistics().get(channel_and_method(*place), (0, 0))
    failures = [
        ChannelFailure(result.attempt, why, result.at.astimezone(UTC)) for result, why in health.failures(place)
    ]
    return MethodHealth(
        place[1],
        circuit.state,
        circuit.because,
        circuit.by_hand,
        circuit.since,
        circuit.until,
        succeeded,
        ended,
        failures[:_MOST_FAILURES],
    )


@router.writes(
    "/{channel}/circuit",
    CircuitReceipt,
    {"position": 51, "channel": "card_simulator", "circuits": [_CIRCUIT]},
    scope="payments:write",
    status=200,
    refuses=(ChannelNotFound, MethodNotSupported),
)
async def switch_circuit(channel: str, asked: CircuitSwitch, caller: Calling) -> Response:
    """Open or close a channel's circuits by hand, or give them back to the automatic. The reason is kept."""
    return await caller.carry_out(SwitchCircuit(channel, asked.state, asked.reason, asked.method), asked)
