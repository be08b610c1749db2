"""Principals: for whom we pay out money (agency pay) that they have put in before; each funding has a stream."""

from typing import ClassVar

from ledger.events.event import Event


def principal_stream(principal: str) -> str:
    return f"principal/{principal}"


class PrincipalCreated(Event, frozen=True, omit_defaults=True):
    """A principal is served from here on. `fee`, in minor units, is paid for each of its payouts.

    A payout above `approve_above` minor units needs a second person; None: as the house has it.
    """

    topic: ClassVar[str] = "principals.created.v1"

    id: str
    name: str
    fee: int = 0
    approve_above: int | None = None
    metadata: dict[str, str] = {}


class PrincipalFunded(Event, frozen=True, omit_defaults=True):
    """The principal put `amount` into our client money at `bank_account`."""

    topic: ClassVar[str] = "principals.funded.v1"

    id: str
    principal: str
    amount: int
    currency: str
    bank_account: str
    reference: str | None = None


PrincipalEvent = PrincipalCreated | PrincipalFunded
