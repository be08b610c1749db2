"""Sealed answers: what a payer tells us for his bank alone, a code from a message, is written down only in a seal.

The intent to pass it on is an event, and events are for ever; the seal is opened where the channel is spoken to.
"""

from msgspec.structs import replace

from commands.channels.requests import ChannelRequest, ConfirmCharge, SignContract
from commands.seals import Seal

_PURPOSE = b"payer's answers v1"


class AnswerSeal(Seal):
    """Closes and opens the answers of one installation."""

    def __init__(self, pepper: bytes) -> None:
        super().__init__(pepper, _PURPOSE)

    def opened(self, request: ChannelRequest) -> ChannelRequest:
        """The request as its channel is to read it."""
        match request:
            case ConfirmCharge():
                return replace(request, answer=self.open(request.answer))
            case SignContract(answer=str(answer)):
                return replace(request, answer=self.open(answer))
            case _:
                return request
