"""Routing: which channel a charge goes to, and because of what. The answer is recorded with its reason.

To grow: rules, splits and the health of channels come in as values beside the charge, never by looking them up here.
"""

import msgspec

from ledger.errors import ChannelUnavailable


class ChannelTerms(msgspec.Struct, frozen=True):
    """What is agreed with a channel: the methods it carries, and its fee in ten-thousandths of the amount."""

    name: str
    methods: tuple[str, ...]
    fee_bps: int


CHANNELS: tuple[ChannelTerms, ...] = (ChannelTerms("card_simulator", methods=("card",), fee_bps=60),)


class Route(msgspec.Struct, frozen=True):
    """The channel that was chosen, and why."""

    channel: str
    because: str


def route(method: str, channels: tuple[ChannelTerms, ...] = CHANNELS) -> Route:
    """The channel for a method of payment; raises ChannelUnavailable."""
    carriers = [terms.name for terms in channels if method in terms.methods]
    if not carriers:
        raise ChannelUnavailable(f"No channel carries {method} at the moment.")
    because = f"the only channel for {method}" if len(carriers) == 1 else f"the first of {len(carriers)} for {method}"
    return Route(carriers[0], because)
