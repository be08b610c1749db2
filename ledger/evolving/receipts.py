"""Receipts: what money that no order was waiting for, and what is done with it, make of a payment."""

from collections.abc import Callable

from msgspec.structs import replace

from ledger.events.event import Recorded
from ledger.events.payments import PaymentReceiptUnapplied
from ledger.events.receipts import (
    ReceiptReturned,
    ReceiptReturnFailed,
    ReceiptReturnRequested,
    ReceiptReturnUnanswered,
)
from ledger.evolving import payments
from ledger.evolving.payments import Evolvers
from ledger.payment import Payment
from ledger.receipt import KEPT, RETURNED, RETURNING, Receipt


def with_receipt(payment: Payment, number: int, change: Callable[[Receipt], Receipt]) -> Payment:
    """The payment with one of its receipts changed."""
    return replace(payment, receipts=tuple(change(one) if one.number == number else one for one in payment.receipts))


def unapplied(payment: Payment, event: PaymentReceiptUnapplied, recorded: Recorded) -> Payment:
    receipt = Receipt(
        number=len(payment.receipts) + 1,
        attempt=event.attempt,
        channel=event.channel,
        reference=event.channel_reference,
        amount=event.amount,
        currency=event.currency,
        channel_fee=event.channel_fee,
        because=event.because,
        received_at=recorded.recorded_at,
    )
    known = payments.receipt_unapplied(payment, event, recorded)
    return replace(known, receipts=(*payment.receipts, receipt))


def return_requested(payment: Payment, event: ReceiptReturnRequested, recorded: Recorded) -> Payment:
    def change(receipt: Receipt) -> Receipt:
        return replace(receipt, status=RETURNING, back=event.id, group=None, unanswered=())

    known = replace(payment, backs={**payment.backs, event.id: event.receipt})
    return with_receipt(known, event.receipt, change)


def return_unanswered(payment: Payment, event: ReceiptReturnUnanswered, recorded: Recorded) -> Payment:
    def change(receipt: Receipt) -> Receipt:
        return replace(receipt, unanswered=(*receipt.unanswered, event.reason))

    return with_receipt(payment, payment.backs[event.id], change)


def returned(payment: Payment, event: ReceiptReturned, recorded: Recorded) -> Payment:
    def change(receipt: Receipt) -> Receipt:
        return replace(receipt, status=RETURNED, back=event.id, back_reference=event.channel_reference, group=None)

    return with_receipt(payment, event.receipt, change)


def return_failed(payment: Payment, event: ReceiptReturnFailed, recorded: Recorded) -> Payment:
    return with_receipt(payment, event.receipt, lambda one: replace(one, status=KEPT, group=event.group))


EVOLVERS: Evolvers = {
    PaymentReceiptUnapplied: unapplied,
    ReceiptReturnRequested: return_requested,
    ReceiptReturnUnanswered: return_unanswered,
    ReceiptReturned: returned,
    ReceiptReturnFailed: return_failed,
}
