"""Routing: the rules by which channels are chosen, and how well each channel has done lately."""

from typing import ClassVar

from ledger.events.event import Event

RULES_STREAM = "rules/routing"
STATISTICS_STREAM = "routing/statistics"


def channel_and_method(channel: str, method: str) -> str:
    """What statistics are kept by."""
    return f"{channel}/{method}"


class RoutingRulesActivated(Event, frozen=True, omit_defaults=True):
    """From here on payments are routed by these rules. `text` is the whole document as JSON, `version` its hash."""

    topic: ClassVar[str] = "routing.rules_activated.v1"

    version: str
    text: str


class RoutingRulesDeactivated(Event, frozen=True, omit_defaults=True):
    """From here on no rules are asked: the channels are tried in the order in which they are listed."""

    topic: ClassVar[str] = "routing.rules_deactivated.v1"

    version: str
    reason: str = ""


class RoutingStatisticsTaken(Event, frozen=True, omit_defaults=True):
    """How many of the last attempts succeeded, for the rules that choose by it: decisions read it here.

    `results`: by channel and method ("card_simulator/card"), the successes and how many attempts were counted.
    """

    topic: ClassVar[str] = "routing.statistics_taken.v1"

    results: dict[str, tuple[int, int]]
