"""Refunds: what the events of its refunds make of a payment."""

from collections.abc import Callable

from msgspec.structs import replace

from ledger.events.event import Recorded
from ledger.events.refunds import (
    RefundFailed,
    RefundPaidByBank,
    RefundPaidToCredit,
    RefundPaidToWallet,
    RefundRequested,
    RefundReturned,
    RefundSucceeded,
    RefundUnanswered,
    RefundUnapplied,
)
from ledger.evolving.payments import Evolvers
from ledger.payment import FAILED, FAILED_AFTER_SUCCESS, PAID_ELSEWHERE, SUCCEEDED, Payment, Refund
from ledger.receipt import GivenBackUnasked


def with_refund(payment: Payment, name: str, recorded: Recorded, change: Callable[[Refund], Refund]) -> Payment:
    """The payment with one of its refunds changed by this event."""
    changed = (
        replace(change(refund), position=recorded.position) if refund.id == name else refund
        for refund in payment.refunds
    )
    return replace(payment, refunds=tuple(changed))


def requested(payment: Payment, event: RefundRequested, recorded: Recorded) -> Payment:
    refund = Refund(
        event.id,
        event.amount + event.to_wallet,
        event.short,
        event.reason,
        recorded.recorded_at,
        recorded.position,
        event.channel,
        to_wallet=event.to_wallet,
        from_available=event.from_available,
        subsidy=event.subsidy,
        exchange=event.exchange,
    )
    return replace(payment, refunds=(*payment.refunds, refund))


def paid_at_once(payment: Payment, event: RefundPaidToWallet | RefundPaidToCredit, recorded: Recorded) -> Payment:
    refund = Refund(
        event.id,
        event.amount,
        event.short,
        event.reason,
        recorded.recorded_at,
        recorded.position,
        status=SUCCEEDED,
        from_available=event.from_available,
        subsidy=event.subsidy,
        fee_back=0 if event.returned is None else event.returned.amount,
    )
    return replace(payment, refunds=(*payment.refunds, refund))


def unanswered(payment: Payment, event: RefundUnanswered, recorded: Recorded) -> Payment:
    def change(refund: Refund) -> Refund:
        return replace(refund, unanswered=(*refund.unanswered, event.reason))

    return with_refund(payment, event.id, recorded, change)


def succeeded(payment: Payment, event: RefundSucceeded, recorded: Recorded) -> Payment:
    def change(refund: Refund) -> Refund:
        return replace(
            refund,
            status=SUCCEEDED,
            reference=event.channel_reference,
            fee_back=event.fee_back if event.returned is None else event.returned.amount,
            channel_fee_back=event.channel_fee_back,
        )

    return with_refund(payment, event.id, recorded, change)


def returned(payment: Payment, event: RefundReturned, recorded: Recorded) -> Payment:
    def change(refund: Refund) -> Refund:
        return replace(refund, status=FAILED_AFTER_SUCCESS, group=event.group)

    return with_refund(payment, event.id, recorded, change)


def paid_by_bank(payment: Payment, event: RefundPaidByBank, recorded: Recorded) -> Payment:
    return with_refund(payment, event.id, recorded, lambda one: replace(one, status=PAID_ELSEWHERE, group=None))


def failed(payment: Payment, event: RefundFailed, recorded: Recorded) -> Payment:
    return with_refund(payment, event.id, recorded, lambda one: replace(one, status=FAILED, group=event.group))


def unapplied(payment: Payment, event: RefundUnapplied, recorded: Recorded) -> Payment:
    def change(refund: Refund) -> Refund:
        return replace(refund, unapplied=(*refund.unapplied, event.channel_reference))

    if payment.refund(event.id) is None:
        return replace(payment, unasked=(*payment.unasked, GivenBackUnasked(event.id, event.channel_reference)))
    return with_refund(payment, event.id, recorded, change)


EVOLVERS: Evolvers = {
    RefundRequested: requested,
    RefundPaidToWallet: paid_at_once,
    RefundPaidToCredit: paid_at_once,
    RefundUnanswered: unanswered,
    RefundSucceeded: succeeded,
    RefundReturned: returned,
    RefundPaidByBank: paid_by_bank,
    RefundFailed: failed,
    RefundUnapplied: unapplied,
}
