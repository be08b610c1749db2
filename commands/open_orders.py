"""Open orders: what a payer is still asked for at one channel is closed once another attempt has paid for it.

A declined attempt can succeed after all while the next one waits for its payer: who could still pay there would pay
twice. Where somebody was quicker than the closing, that money is kept apart and goes back.
"""

from commands.authorization_facts import void_requested
from commands.policies.channels import terms_of
from ledger.events.event import Event
from ledger.payment import SUCCEEDED, Attempt, Payment

PAID_ELSEWHERE = "the payment is paid by another attempt"


def closed_elsewhere(payment: Payment, attempt: Attempt) -> list[Event]:
    """What this attempt's success leads to for another one that waits for its payer; `payment` is before it."""
    other = payment.open_attempt
    if other is None or other.id == attempt.id or payment.closing is not None:
        return []
    return _closed(payment, other, other.reference)


def closed_in_vain(payment: Payment, attempt: Attempt, reference: str) -> list[Event]:
    """What follows where a payer is asked, under this reference of the order, for what is paid by another attempt."""
    is_asked = payment.open_attempt is not None and payment.open_attempt.id == attempt.id
    if payment.status != SUCCEEDED or not is_asked or any(void.attempt == attempt.id for void in payment.voids):
        return []
    return _closed(payment, attempt, reference)


def _closed(payment: Payment, attempt: Attempt, reference: str) -> list[Event]:
    terms = terms_of(attempt.channel)
    if not reference or terms is None or not terms.voids:
        return []  # There is nothing to close yet, or nothing that can be.
    return [void_requested(payment, attempt, reference, attempt.amount, PAID_ELSEWHERE, surplus=True)]
