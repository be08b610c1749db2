"""Payment state: what the facts of one payment's stream add up to, for whoever decides and for whoever shows.

    created ─▶ requires_action ⇄ processing ─▶ authorized ─▶ partially_captured ─▶ succeeded ─▶ (its refunds, disputes)
       ├─▶ in_review ─▶ …      ├─▶ failed         └─▶ canceled | expired
       └─▶ rejected            └─▶ canceled | expired

One fold serves both sides; what it looks like outside is in payment_views.py. A projection may keep a `Payment` as JSON
between events and `evolve` it one recorded event at a time.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from ledger.events.event import Event, Recorded
from ledger.events.payments import PaymentCreated
from ledger.evolving import (
    authorizations,
    coins,
    confirmations,
    corrections,
    disputes,
    payments,
    products,
    receipts,
    refunds,
    reviews,
    settlements,
    shares,
)
from ledger.payment import Payment

_EVOLVERS = (
    payments.EVOLVERS
    | products.EVOLVERS
    | coins.EVOLVERS
    | authorizations.EVOLVERS
    | confirmations.EVOLVERS
    | refunds.EVOLVERS
    | reviews.EVOLVERS
    | disputes.EVOLVERS
    | receipts.EVOLVERS
    | corrections.EVOLVERS
    | shares.EVOLVERS
    | settlements.EVOLVERS
)
# Every event that a payment's stream may hold.
EVENTS: frozenset[type[Event]] = frozenset({PaymentCreated, *_EVOLVERS})


def evolve(payment: Payment | None, recorded: Recorded) -> Payment:
    """The payment after one more event of its stream."""
    event = recorded.event
    if payment is None:
        if not isinstance(event, PaymentCreated):
            raise AssertionError(f"a payment begins with its creation, not with {event}")
        return Payment(event, recorded.recorded_at, recorded.version, recorded.position)
    evolver = _EVOLVERS.get(type(event))
    if evolver is None:
        raise AssertionError(f"{event} does not belong into the stream of a payment")
    return evolver(replace(payment, version=recorded.version, position=recorded.position), event, recorded)


def fold(history: Sequence[Recorded]) -> Payment | None:
    """The payment after all of its history; None for no history."""
    payment: Payment | None = None
    for recorded in history:
        payment = evolve(payment, recorded)
    return payment
