"""Counterpart: what the simulator needs to know of a kind of channel in order to play it. Pure, as an adapter is."""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from commands.channels.channel import Action
from commands.channels.requests import ChannelRequest
from commands.channels.simulator.operations import Operation, Refused


class Wire(Struct, frozen=True):
    """A request as it came in; header names are lower case, `path` is without the channel's prefix and undecoded."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""


class Answer(Struct, frozen=True):
    """An answer; as `write` and `refuse` give it, it is not signed yet."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = {}


class Letter(Struct, frozen=True):
    """A message of the channel to us, signed."""

    headers: dict[str, str]
    body: bytes


class Counterpart(Protocol):
    """One kind of channel, seen from its own side. `asks`: what it has each payer do, if his token says nothing."""

    asks: Action | None

    def page(self, wire: Wire) -> Answer | None:
        """What everybody may see at this address without a signature, such as the list of banks; None: nothing."""

    def read(self, wire: Wire) -> ChannelRequest:
        """Verify the signature, then read what is asked. Raises Refused, with status 401 for a wrong signature."""

    def write(self, request: ChannelRequest, found: Operation) -> Answer:
        """The operation as the answer to this request carries it."""

    def refuse(self, refused: Refused) -> Answer:
        """A refusal as this channel says it."""

    def seal(self, wire: Wire, answer: Answer) -> Answer:
        """The answer to this request, signed: in its headers or in its body, as the channel does. It never raises."""

    def letter(self, event_id: str, told: Operation, at_s: int, *, forged: bool) -> Letter:
        """A message about the operation, sent at this time in Unix seconds; `forged`: signed by somebody else."""

    def is_heard(self, status: int, body: bytes) -> bool:
        """Whether this is the answer of somebody who took the message."""
