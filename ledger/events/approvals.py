"""Approvals: what waits for a second person, exactly as it would be carried out, and what became of it."""

from datetime import datetime
from typing import ClassVar

from ledger.events.event import Event

POLICY_STREAM = "approvals/policy"
DEFAULT_EXPIRY_S = 7 * 24 * 3600


class ApprovalPolicyChanged(Event, frozen=True, omit_defaults=True):
    """What a second person has to agree to in this book, from here on; the whole of it.

    `transfers`, `entries`, `payouts`: by currency, above how many minor units; a currency that is not named: from the
    first unit; None: never. `expire_after_s`: for how many seconds an approval can be given.
    """

    topic: ClassVar[str] = "approvals.policy_changed.v1"

    version: int
    reason: str
    transfers: dict[str, int] | None = None
    entries: dict[str, int] | None = None
    payouts: dict[str, int] | None = None
    reversals: bool = False
    account_limits: bool = False
    only_persons: bool = False
    expire_after_s: int = DEFAULT_EXPIRY_S

    @property
    def asks_for_anything(self) -> bool:
        """Whether there is anything that it guards."""
        limits = (self.transfers, self.entries, self.payouts)
        return self.reversals or self.account_limits or any(limit is not None for limit in limits)


class ApprovalRequested(Event, frozen=True, omit_defaults=True):
    """`maker` asked for what nobody may do alone: `command`, in canonical JSON, a command of this `kind`.

    `digest` is the SHA-256 in hex of `kind`, a newline and `command`: whoever agrees names it. `maker` is a person, or
    an API key whose person is not known. `period` is the closed or open period that it takes effect in, if it says one.
    """

    topic: ClassVar[str] = "approvals.requested.v1"

    id: str
    kind: str
    command: str
    digest: str
    maker: str
    expires_at: datetime
    administrator: bool = False
    period: str = ""


class ApprovalGiven(Event, frozen=True):
    """`checker`, who is not `maker`, agreed: what follows with this event as its causation was carried out with it."""

    topic: ClassVar[str] = "approvals.approved.v1"

    id: str
    kind: str
    digest: str
    maker: str
    checker: str


class ApprovalRejected(Event, frozen=True):
    """`checker`, who is not `maker`, did not agree."""

    topic: ClassVar[str] = "approvals.rejected.v1"

    id: str
    maker: str
    checker: str
    reason: str


class ApprovalCanceled(Event, frozen=True):
    """Its maker took it back."""

    topic: ClassVar[str] = "approvals.canceled.v1"

    id: str
    maker: str
    reason: str


ApprovalEvent = ApprovalPolicyChanged | ApprovalRequested | ApprovalGiven | ApprovalRejected | ApprovalCanceled
