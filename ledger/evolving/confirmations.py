"""Payments: what the payer's answers, and the closing of an order that is given up, make of them."""

from msgspec.structs import replace

from ledger.events.closings import PaymentClosingDeclined, PaymentClosingRequested
from ledger.events.confirmations import PaymentConfirmationFailed, PaymentConfirmationSent
from ledger.events.event import Recorded
from ledger.evolving.payments import Evolvers, with_attempt
from ledger.payment import CANCELED, DECLINED, PROCESSING, REQUIRES_ACTION, Closing, Confirmation, Payment


def confirmation_sent(payment: Payment, event: PaymentConfirmationSent, recorded: Recorded) -> Payment:
    confirmation = Confirmation(event.confirmation, event.attempt)
    # What the payer was asked stays known: it may be asked again.
    return replace(_waiting(payment, event.attempt), confirmations=(*payment.confirmations, confirmation))


def confirmation_failed(payment: Payment, event: PaymentConfirmationFailed, recorded: Recorded) -> Payment:
    confirmations = tuple(
        replace(one, status=event.because, tries_left=event.tries_left) if one.id == event.confirmation else one
        for one in payment.confirmations
    )
    return replace(_asking(payment, event.attempt), confirmations=confirmations)


def closing_requested(payment: Payment, event: PaymentClosingRequested, recorded: Recorded) -> Payment:
    closing = Closing(event.closing, event.attempt, event.ending, event.group, event.reason)
    return replace(_waiting(payment, event.attempt), closings=(*payment.closings, closing))


def closing_declined(payment: Payment, event: PaymentClosingDeclined, recorded: Recorded) -> Payment:
    pending = payment.closing
    closings = tuple(replace(one, status=DECLINED) if one.id == event.closing else one for one in payment.closings)
    declined = replace(payment, closings=closings)
    # Where its time is over, or too many answers were wrong, nobody is asked again: only the channel's word counts.
    goes_on = pending is not None and pending.id == event.closing and pending.ending == CANCELED
    return _asking(declined, event.attempt) if goes_on and payment.action is not None else declined


def _waiting(payment: Payment, attempt: str) -> Payment:
    changed = with_attempt(payment, attempt, lambda one: replace(one, status=PROCESSING))
    return replace(changed, status=PROCESSING)


def _asking(payment: Payment, attempt: str) -> Payment:
    changed = with_attempt(payment, attempt, lambda one: replace(one, status=REQUIRES_ACTION))
    return replace(changed, status=REQUIRES_ACTION)


EVOLVERS: Evolvers = {
    PaymentConfirmationSent: confirmation_sent,
    PaymentConfirmationFailed: confirmation_failed,
    PaymentClosingRequested: closing_requested,
    PaymentClosingDeclined: closing_declined,
}
