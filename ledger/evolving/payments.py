"""Payments: what the events of the order itself, its attempts and its risk make of it."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from ledger.events.event import Event, Recorded
from ledger.events.payments import (
    PaymentActionRequired,
    PaymentAttemptDeclined,
    PaymentAttemptInitiated,
    PaymentAttemptUnanswered,
    PaymentCanceled,
    PaymentCaptured,
    PaymentExpired,
    PaymentFailed,
    PaymentPaidFromWallet,
    PaymentPostponed,
    PaymentReceiptUnapplied,
    PaymentRejected,
    PaymentRiskAssessed,
    PaymentRouted,
)
from ledger.payment import (
    CANCELED,
    CLOSED,
    CREATED,
    DECLINED,
    EXPIRED,
    FAILED,
    PROCESSING,
    REJECTED,
    REQUIRES_ACTION,
    SUCCEEDED,
    UNAPPLIED,
    UNKNOWN,
    Attempt,
    Payment,
)
from ledger.receipt import ACCEPTED

# What an event does to a payment; the event's own type is what the table says.
Evolver = Callable[[Payment, Any, Recorded], Payment]
Evolvers = dict[type[Event], Evolver]


def with_attempt(payment: Payment, name: str, change: Callable[[Attempt], Attempt]) -> Payment:
    """The payment with one of its attempts changed."""
    return replace(payment, attempts=tuple(change(one) if one.id == name else one for one in payment.attempts))


def risk_assessed(payment: Payment, event: PaymentRiskAssessed, recorded: Recorded) -> Payment:
    return replace(payment, risk=event)


def postponed(payment: Payment, event: PaymentPostponed, recorded: Recorded) -> Payment:
    return replace(payment, status=CREATED, action=None, postponed_until=event.until)


def routed(payment: Payment, event: PaymentRouted, recorded: Recorded) -> Payment:
    return replace(payment, routing=event)


def initiated(payment: Payment, event: PaymentAttemptInitiated, recorded: Recorded) -> Payment:
    attempt = Attempt(event.attempt, event.channel, event.amount, event.currency, authenticate=event.authenticate)
    begun = replace(payment, status=PROCESSING, action=None, group=None, postponed_until=None)
    return replace(begun, attempts=(*payment.attempts, attempt))


def action_required(payment: Payment, event: PaymentActionRequired, recorded: Recorded) -> Payment:
    def change(attempt: Attempt) -> Attempt:
        return replace(attempt, status=REQUIRES_ACTION, reference=event.channel_reference)

    changed = with_attempt(payment, event.attempt, change)
    return replace(changed, status=REQUIRES_ACTION, action=event, asked=(*payment.asked, event))


def unanswered(payment: Payment, event: PaymentAttemptUnanswered, recorded: Recorded) -> Payment:
    def change(attempt: Attempt) -> Attempt:
        status = UNKNOWN if attempt.status == PROCESSING else attempt.status
        return replace(attempt, status=status, unanswered=(*attempt.unanswered, event.reason))

    return with_attempt(payment, event.attempt, change)


def declined(payment: Payment, event: PaymentAttemptDeclined, recorded: Recorded) -> Payment:
    changed = with_attempt(payment, event.attempt, lambda one: replace(one, status=DECLINED, declined=event))
    return replace(changed, action=None)


def captured(payment: Payment, event: PaymentCaptured, recorded: Recorded) -> Payment:
    def change(attempt: Attempt) -> Attempt:
        return replace(attempt, status=SUCCEEDED, reference=event.channel_reference)

    changed = with_attempt(payment, event.attempt, change)
    return replace(
        changed,
        status=SUCCEEDED,
        action=None,
        group=None,
        receipts=tuple(
            replace(one, status=ACCEPTED) if one.number == event.receipt else one for one in payment.receipts
        ),
        captured=payment.captured + event.amount + event.from_wallet,
        subsidized=payment.subsidized + event.subsidy,
        frozen=payment.frozen - event.from_wallet,
        from_wallet=payment.from_wallet + event.from_wallet,
    )


def paid_from_wallet(payment: Payment, event: PaymentPaidFromWallet, recorded: Recorded) -> Payment:
    paid, subsidized = payment.captured + event.amount, payment.subsidized + event.subsidy
    return replace(payment, status=SUCCEEDED, captured=paid, subsidized=subsidized)


def receipt_unapplied(payment: Payment, event: PaymentReceiptUnapplied, recorded: Recorded) -> Payment:
    def change(attempt: Attempt) -> Attempt:
        status = SUCCEEDED if attempt.status == SUCCEEDED else UNAPPLIED
        return replace(attempt, status=status, unapplied=(*attempt.unapplied, event.channel_reference))

    return with_attempt(payment, event.attempt, change)


def failed(payment: Payment, event: PaymentFailed, recorded: Recorded) -> Payment:
    return replace(payment, status=FAILED, action=None, group=event.group)


def rejected(payment: Payment, event: PaymentRejected, recorded: Recorded) -> Payment:
    return replace(payment, status=REJECTED, action=None, group=event.group)


def canceled(payment: Payment, event: PaymentCanceled, recorded: Recorded) -> Payment:
    return replace(_closed(payment), status=CANCELED, group=event.group)


def expired(payment: Payment, event: PaymentExpired, recorded: Recorded) -> Payment:
    return replace(_closed(payment), status=EXPIRED, group=event.group)


def _closed(payment: Payment) -> Payment:
    attempt = payment.open_attempt
    closed = payment if attempt is None else with_attempt(payment, attempt.id, lambda one: replace(one, status=CLOSED))
    return replace(closed, action=None)


EVOLVERS: Evolvers = {
    PaymentRiskAssessed: risk_assessed,
    PaymentPostponed: postponed,
    PaymentRouted: routed,
    PaymentAttemptInitiated: initiated,
    PaymentActionRequired: action_required,
    PaymentAttemptUnanswered: unanswered,
    PaymentAttemptDeclined: declined,
    PaymentCaptured: captured,
    PaymentPaidFromWallet: paid_from_wallet,
    PaymentReceiptUnapplied: receipt_unapplied,
    PaymentFailed: failed,
    PaymentRejected: rejected,
    PaymentCanceled: canceled,
    PaymentExpired: expired,
}
