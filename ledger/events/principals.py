"""Principals: for whom we collect money and pay it out (agency pay).

What they have with us was put in by them, then each funding has a stream, or was collected for them by payments.
"""

from typing import ClassVar

from ledger.events.event import Event
from ledger.events.merchants import FeeTerms


def principal_stream(principal: str) -> str:
    return f"principal/{principal}"


class PrincipalCreated(Event, frozen=True, omit_defaults=True):
    """A principal is served from here on. `fee`, in minor units, is paid for each of its payouts.

    `collection_fee` is paid for each payment that is collected for it, in the currency of the payment.
    A payout above `approve_above` minor units needs a second person; None: as the house has it.
    """

    topic: ClassVar[str] = "principals.created.v1"

    id: str
    name: str
    fee: int = 0
    approve_above: int | None = None
    metadata: dict[str, str] = {}
    collection_fee: FeeTerms = FeeTerms(0, 0)


class PrincipalFunded(Event, frozen=True, omit_defaults=True):
    """The principal put `amount` into our client money at `bank_account`; `recovered` of it pays what it owed us."""

    topic: ClassVar[str] = "principals.funded.v1"

    id: str
    principal: str
    amount: int
    currency: str
    bank_account: str
    reference: str | None = None
    recovered: int = 0


PrincipalEvent = PrincipalCreated | PrincipalFunded
