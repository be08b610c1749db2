"""Corrections: what they make of a payment; the events behind them move its money and give it its status."""

from msgspec.structs import replace

from ledger.events.corrections import PaymentCorrected
from ledger.events.event import Recorded
from ledger.evolving.payments import Evolvers
from ledger.payment import CLOSED, FAILED, SUCCEEDED, Attempt, Payment


def corrected(payment: Payment, event: PaymentCorrected, recorded: Recorded) -> Payment:
    """What was taken for a success is none: its attempt is over, and nothing was declined."""

    def close(attempt: Attempt) -> Attempt:
        return replace(attempt, status=CLOSED) if attempt.status == SUCCEEDED else attempt

    if event.status != FAILED:
        return payment
    return replace(payment, attempts=tuple(close(attempt) for attempt in payment.attempts))


EVOLVERS: Evolvers = {PaymentCorrected: corrected}
