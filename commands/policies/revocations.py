"""Revocations: until when a channel takes a success back as if it had not been. Data and a pure rule."""

from datetime import datetime
from zoneinfo import ZoneInfo

from commands.policies.channels import terms_of

# The zone in whose day each of these channels closes its books. A channel that is not here only gives refunds.
CLOSES_IN: dict[str, ZoneInfo] = {
    "card_simulator": ZoneInfo("UTC"),
    "card_simulator_b": ZoneInfo("UTC"),
}


def is_revocable(channel: str, taken_at: datetime, now: datetime) -> bool:
    """Whether the channel's day, in which it was taken, is not over."""
    zone, terms = CLOSES_IN.get(channel), terms_of(channel)
    if zone is None or terms is None or not terms.voids:
        return False
    return taken_at.astimezone(zone).date() == now.astimezone(zone).date()
