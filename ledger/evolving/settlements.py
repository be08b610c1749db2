"""Settlements: what the lines of channels' reports make of a payment: nothing of its own, and of an exchange undone.

What they make of its items of a channel's receivable is in receivable_items.py.
"""

from msgspec.structs import replace

from ledger.events.event import Event, Recorded
from ledger.events.settlements import ClaimClosed, ClaimReopened, ItemsOffset, LineSettled, LineUnsettled
from ledger.evolving.payments import Evolvers
from ledger.payment import Payment

# They may stand in the stream of anything that a channel settles.
SETTLING: tuple[type[Event], ...] = (LineSettled, LineUnsettled, ItemsOffset, ClaimClosed, ClaimReopened)


def told(
    payment: Payment, event: LineSettled | ItemsOffset | ClaimClosed | ClaimReopened, recorded: Recorded
) -> Payment:
    return payment


def unsettled(payment: Payment, event: LineUnsettled, recorded: Recorded) -> Payment:
    """What was exchanged by the line may be settled anew."""
    undone = event.exchange
    if undone is None:
        return payment
    left = list(payment.settled_exchanges)
    left.remove(undone.subject)
    return replace(payment, settled_exchanges=tuple(left))


EVOLVERS: Evolvers = {
    LineSettled: told,
    LineUnsettled: unsettled,
    ItemsOffset: told,
    ClaimClosed: told,
    ClaimReopened: told,
}
