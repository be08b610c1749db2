"""Risk: the rules that payments are judged by, and who stands on which list."""

from datetime import datetime
from typing import ClassVar

import msgspec

from ledger.events.event import Event

RULES_STREAM = "rules/risk"


def list_stream(kind: str, value: str) -> str:
    """Where it is recorded on which lists a value stands: a payment names its values, so it names its streams."""
    return f"risk_list/{kind}/{value}"


class RiskRule(msgspec.Struct, frozen=True):
    """One rule: a condition in CEL, and what follows where it holds: a verdict, points for the score, or both.

    `verdict` is flag, challenge, review, reject or allow, empty for points alone. `products`: only for these, empty for
    all of them.
    """

    name: str
    condition: str
    verdict: str = ""
    points: int = 0
    products: tuple[str, ...] = ()


class RiskPolicy(msgspec.Struct, frozen=True):
    """What is decided beside the rules themselves, as data.

    A score of `…_at` or more asks for that verdict; None: no score does. A fail mode says what happens to a payment
    whose signals are not there in time: open (it goes on, flagged), review, or closed (it is rejected).
    """

    challenge_at: int | None = 60
    review_at: int | None = 75
    reject_at: int | None = 90
    step_up: str = "one_time_code"
    """How a payer is challenged: one_time_code (by us) or three_ds (at the channel, for what a channel charges)."""
    challenge_minutes: int = 10
    challenge_tries: int = 3
    review_hours: int = 72
    on_deadline: str = "reject"
    """What becomes of a review that nobody decides: reject or approve."""
    four_eyes: bool = True
    """A review is approved by somebody else than who created the payment."""
    fail_mode: str = "open"
    fail_modes: dict[str, str] = {}
    """By product, where it differs."""
    patience_ms: int = 500
    """How long signals are waited for."""


class RiskRulesChanged(Event, frozen=True, omit_defaults=True):
    """From here on payments are judged by these rules. `version` is a hash of all that stands in them."""

    topic: ClassVar[str] = "risk.rules_changed.v1"

    version: str
    rules: tuple[RiskRule, ...]
    policy: RiskPolicy


class RiskListed(Event, frozen=True, omit_defaults=True):
    """A value stands on a list (allow, block or review) until it is taken off it, or until it expires."""

    topic: ClassVar[str] = "risk.listed.v1"

    list: str
    type: str
    value: str
    reason: str
    expires_at: datetime | None = None


class RiskUnlisted(Event, frozen=True, omit_defaults=True):
    """A value was taken off a list."""

    topic: ClassVar[str] = "risk.unlisted.v1"

    list: str
    type: str
    value: str
