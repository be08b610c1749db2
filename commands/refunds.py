"""Refunds: money that goes back to the payer, recorded in the stream of the payment it belongs to.

RequestRefund ──▶ succeeded (into the wallet it came from: final in the one commit)
              └─▶ processing ──RecordRefundResult──▶ succeeded
                                                └──▶ failed (the merchant has it back, exactly)
What comes back after it had succeeded: returned_refunds.py.
"""

from commands.books import Books
from commands.channel_facts import check_amount, imagined, is_news, with_effect, without_effect
from commands.channels.channel import RefundDeclined, Refunded, RefundReturned, Unknown, Verdict
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.refund_ways import RefundBegun, refund_of
from commands.returned_refunds import as_refunded, failed_event, returned_events, succeeded_event
from commands.system_accounts import with_accounts
from ledger.errors import DisputeOpen, PaymentNotFound, PaymentStateInvalid, RefundExceedsPayment, RefundNotFound
from ledger.events.refunds import (
    RefundUnanswered,
    RefundUnapplied,
)
from ledger.ids import PAYMENT, REFUND, child_id, stream_of
from ledger.payment import PARTIALLY_CAPTURED, PROCESSING, SUCCEEDED, Payment, Refund
from ledger.payment_state import fold
from ledger.payment_views import refund_view
from ledger.receipt import GivenBackUnasked


class RequestRefund(Command, frozen=True):
    """Give back `amount` minor units of a payment; None: all that is left of it. The receipt tells the refund's id."""

    payment: str
    amount: int | None = None
    reason: str = ""


class RecordRefundResult(Command, frozen=True):
    """What the channel says became of a refund."""

    refund: str
    channel: str
    verdict: Verdict


def request(books: Books, command: RequestRefund, envelope: Envelope) -> Decision:
    payment = fold(books.recorded(command.payment)) if command.payment.startswith("pay_") else None
    if payment is None:
        raise PaymentNotFound(payment=command.payment)
    if payment.status not in (SUCCEEDED, PARTIALLY_CAPTURED):
        raise PaymentStateInvalid(
            f"Only a payment that has succeeded is given back; this one is {payment.status}.",
            payment=command.payment,
            payment_status=payment.status,
            expected_status=SUCCEEDED,
        )
    if payment.disputed:
        raise DisputeOpen(payment=command.payment)
    amount = payment.refundable if command.amount is None else command.amount
    if command.amount is not None:
        check_amount(command.amount)
    # Measured against the capture and every refund that has not failed: only money we hold can go back.
    if amount > payment.refundable or amount == 0:
        raise RefundExceedsPayment(pointer="/amount", amount=amount, refundable=payment.refundable)
    event = refund_event(books, payment, amount, command.reason)
    view = refund_view(imagined(books, command.payment, [event]), event.id)
    view.position = None
    status = 202 if view.status == PROCESSING else 201
    return Decision(with_accounts(books, [(command.payment, event)]), view, status=status)


def refund_event(books: Books, payment: Payment, amount: int, reason: str) -> RefundBegun:
    """How this refund, which is allowed, begins.

    Where a payment was captured in parts, one refund still is one errand: it names the charge, and its channel spreads
    it over the captures as it does for a payer's bank. Spread by us, one refund could half fail.
    """
    # No id under which its channel gave something back unasked: it would not do it once more.
    taken = [one.id for one in payment.refunds] + [one.subject for one in payment.unasked]
    number = max((int(name.rpartition("-")[2]) for name in taken if name.startswith(REFUND)), default=0) + 1
    return refund_of(books, payment, child_id(REFUND, payment.created.id, number), amount, reason)


def record_result(books: Books, command: RecordRefundResult, envelope: Envelope) -> Decision:
    if (unasked := _unasked(books, command)) is not None:
        return unasked
    payment, refund, channel = _payment_and_refund(books, command)
    stream, created = payment.created.id, payment.created
    verdict = as_refunded(command.verdict, refund, created.currency)
    match verdict:
        case Refunded() if verdict.channel_reference in (refund.reference, *refund.unapplied):
            return without_effect(refund.id, "duplicate", payment.position)
        case Refunded() if refund.status != PROCESSING:
            unapplied = RefundUnapplied(
                id=refund.id,
                channel=channel,
                channel_reference=verdict.channel_reference,
                amount=refund.by_channel,
                currency=created.currency,
                because=f"the refund has {refund.status} already",
            )
            return with_effect(books, stream, [unapplied], refund.id, "unapplied")
        case Refunded():
            succeeded = succeeded_event(books, payment, refund, channel, verdict.channel_reference)
            return with_effect(books, stream, [succeeded], refund.id, "recorded")
        case RefundReturned() if refund.status in (PROCESSING, SUCCEEDED):
            events = returned_events(books, payment, refund, channel, verdict)
            return with_effect(books, stream, events, refund.id, "recorded")
        case RefundDeclined() if refund.status == PROCESSING:
            failed = failed_event(payment, refund, channel, verdict.reason, verdict.message)
            return with_effect(books, stream, [failed], refund.id, "recorded")
        case Unknown() if is_news(verdict, refund.status == PROCESSING, refund.unanswered):
            return with_effect(books, stream, [RefundUnanswered(refund.id, verdict.reason)], refund.id, "recorded")
        case _:
            # NotSent too: we owe the payer this money, so it is sent again and not given up.
            return without_effect(refund.id, "ignored", payment.position)


def _unasked(books: Books, command: RecordRefundResult) -> Decision | None:
    """A channel of this payment gave something back that nobody here had asked for: it is kept in suspense."""
    stream, said = stream_of(command.refund) if command.refund.startswith(REFUND) else "", command.verdict
    payment = fold(books.recorded(stream)) if stream.startswith(PAYMENT) else None
    if payment is None or payment.refund(command.refund) is not None or not isinstance(said, Refunded):
        return None
    if not any(attempt.channel == command.channel for attempt in payment.attempts):
        return None
    if GivenBackUnasked(command.refund, said.channel_reference) in payment.unasked:
        return without_effect(command.refund, "duplicate", payment.position)
    unapplied = RefundUnapplied(
        id=command.refund,
        channel=command.channel,
        channel_reference=said.channel_reference,
        amount=said.amount,
        currency=said.currency,
        because="nobody here asked for it",
    )
    return with_effect(books, stream, [unapplied], command.refund, "unapplied")


def _payment_and_refund(books: Books, command: RecordRefundResult) -> tuple[Payment, Refund, str]:
    order = stream_of(command.refund)
    payment = fold(books.recorded(order)) if order else None
    refund = None if payment is None else payment.refund(command.refund)
    # A channel speaks for what was sent to it, and for nothing else.
    if payment is None or refund is None or refund.channel is None or refund.channel != command.channel:
        raise RefundNotFound(refund=command.refund, channel=command.channel)
    return payment, refund, refund.channel


def _request_needs(command: RequestRefund) -> Needs:
    return Needs(streams=(command.payment,))


def _result_needs(command: RecordRefundResult) -> Needs:
    return Needs(streams=(stream_of(command.refund),))


DECIDERS: dict[type[Command], Decider] = {
    RequestRefund: Decider(request, _request_needs),
    RecordRefundResult: Decider(record_result, _result_needs),
}
