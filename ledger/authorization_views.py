"""Authorization views: what is answered to a capture, an increment, an extension, and a revocation.

A change is answered with its payment, which is shown as processing until the channel has said what became of the
change. A revocation is answered with the void or refund by which it is done.
"""

from collections.abc import Sequence

import msgspec

from ledger import payment_state
from ledger.authorization import UNDER_WAY, Void
from ledger.declines import Failure, failure_of
from ledger.events.event import Recorded
from ledger.payment import PROCESSING, Payment
from ledger.payment_views import NextAction, PaymentView, next_action_of, payment_view_of, refund_view_of

VOID, REFUND = "void", "refund"


class RevocationView(msgspec.Struct):
    """How a payment is undone. `id` is that of the void or refund; `revoked_by` says which of them it is.

    `takes_back`: the capture that a void makes as if it had not been; null where it lets go of what is only held.
    `status` is that of the undoing (processing, succeeded or failed), `payment_status` what the payment is now.
    """

    position: int | None
    id: str
    revoked_by: str
    status: str
    next_action: NextAction | None
    payment: str
    payment_status: str
    amount: int
    currency: str
    reason: str
    takes_back: str | None
    error: Failure | None


def change_view(history: Sequence[Recorded], change: str) -> PaymentView:
    """The payment as this history makes it, processing while this change is under way."""
    payment = _folded(history)
    view = payment_view_of(payment)
    found = payment.capture(change) or payment.void(change) or payment.increment(change)
    if found is not None and found.status == UNDER_WAY:
        view.status, view.next_action = PROCESSING, next_action_of(PROCESSING)
    return view


def revocation_view(history: Sequence[Recorded], name: str) -> RevocationView:
    """The undoing by the void or refund of this name; by the refund that took a void's place, if one did."""
    payment = _folded(history)
    void = payment.void(name)
    if void is not None and not void.refund:
        return _by_void(payment, void)
    refund = payment.refund(name if void is None else void.refund)
    if refund is None:
        raise AssertionError(f"{payment.created.id} is not undone by {name}")
    view = refund_view_of(payment, refund)
    return RevocationView(
        position=payment.position,
        id=refund.id,
        revoked_by=REFUND,
        status=view.status,
        next_action=view.next_action,
        payment=view.payment,
        payment_status=payment.status,
        amount=view.amount,
        currency=view.currency,
        reason=view.reason,
        takes_back=None,
        error=view.error,
    )


def _by_void(payment: Payment, void: Void) -> RevocationView:
    return RevocationView(
        position=payment.position,
        id=void.id,
        revoked_by=VOID,
        status=void.status,
        next_action=next_action_of(void.status),
        payment=payment.created.id,
        payment_status=payment.status,
        amount=void.amount,
        currency=payment.created.currency,
        reason=void.reason,
        takes_back=void.takes_back or None,
        error=None if void.group is None else failure_of(void.group),
    )


def _folded(history: Sequence[Recorded]) -> Payment:
    payment = payment_state.fold(history)
    if payment is None:
        raise AssertionError("a payment without a history cannot be shown")
    return payment
