"""Returned refunds: money that came back after a refund had succeeded, and what goes back beside a refund.

succeeded ──RefundReturned──▶ failed_after_success ──ResolveRefund──▶ paid_elsewhere (by bank transfer)
                                                                 └──▶ failed (its merchant has it back)
"""

from typing import Literal

from commands.books import Books
from commands.channel_facts import imagined
from commands.channels.channel import AMOUNT_MISMATCH, RefundReturned, Verdict, as_asked
from commands.envelope import Command, Decision, Envelope
from commands.fees_back import fee_back, next_part
from commands.funds import Taken
from commands.handler import Decider, Needs
from commands.policies.channels import terms_of
from commands.system_accounts import with_accounts
from ledger.chart import AGENCY_PAY
from ledger.errors import RefundNotFound, RefundNotSupported, RefundStateInvalid
from ledger.events.event import Event
from ledger.events.refunds import RefundFailed, RefundPaidByBank, RefundSucceeded
from ledger.events.refunds import RefundReturned as CameBack
from ledger.ids import REFUND, stream_of
from ledger.payment import FAILED_AFTER_SUCCESS, Payment, Refund
from ledger.payment_state import fold
from ledger.payment_views import refund_view

BANK_TRANSFER = "bank_transfer"
# Why it failed, once its merchant has it back.
RETURNED = "returned"


class ResolveRefund(Command, frozen=True):
    """Say what becomes of a refund that came back: paid by the bank, out of this account of ours, or not at all."""

    refund: str
    by: Literal["bank_transfer", "return_to_merchant"]
    bank_account: str = "main"
    reference: str = ""


def as_refunded(verdict: Verdict, refund: Refund, currency: str) -> Verdict:
    """The verdict, if it is over the sum that the channel was asked to give back."""
    if isinstance(verdict, RefundReturned) and (verdict.amount, verdict.currency) != (refund.by_channel, currency):
        return AMOUNT_MISMATCH
    return as_asked(verdict, refund.by_channel, currency)


def succeeded_event(books: Books, payment: Payment, refund: Refund, channel: str, reference: str) -> RefundSucceeded:
    """B3, with what the merchant and we get back of the fees: pro rata, and with the last refund all that is left."""
    created = payment.created
    contract, exchange = terms_of(channel), refund.exchange
    taken = Taken(refund.from_available, refund.short)
    if exchange is not None:
        taken = Taken(exchange.from_available, exchange.short)
    back = fee_back(books, payment, refund.amount, taken)
    kept = sum(capture.channel_fee for capture in payment.taken) if contract is not None and contract.returns_fee else 0
    gone, before = payment.refunded + refund.amount, payment.refunds
    return RefundSucceeded(
        id=refund.id,
        merchant=created.merchant,
        channel=channel,
        channel_reference=reference,
        amount=refund.by_channel,
        currency=created.currency,
        to_wallet=refund.to_wallet,
        customer=created.customer if refund.to_wallet else None,
        product=created.product if back is not None else "",
        returned=back,
        fee_payable=bool(kept) and any(capture.fee_payable for capture in payment.taken),
        channel_fee_back=next_part(kept, gone, payment.captured, sum(one.channel_fee_back for one in before)),
    )


def returned_events(books: Books, payment: Payment, refund: Refund, channel: str, back: RefundReturned) -> list[Event]:
    """B6. Where it was not heard of that it had succeeded, it had all the same."""
    currency = payment.created.currency
    came_back = CameBack(
        id=refund.id,
        merchant=payment.created.merchant,
        channel=channel,
        channel_reference=back.channel_reference,
        amount=refund.by_channel,
        currency=currency,
        group=back.channel_code,
        message=back.message,
    )
    if refund.reference:
        return [came_back]
    return [succeeded_event(books, payment, refund, channel, back.channel_reference), came_back]


def failed_event(payment: Payment, refund: Refund, channel: str, group: str, message: str = "") -> RefundFailed:
    """B5."""
    created = payment.created
    return RefundFailed(
        id=refund.id,
        merchant=created.merchant,
        amount=refund.by_channel,
        currency=created.currency,
        short=refund.short,
        from_available=refund.from_available,
        subsidy=refund.subsidy,
        collected=created.product == AGENCY_PAY,
        to_wallet=refund.to_wallet,
        exchange=refund.exchange,
        # Only the position between two currencies is kept by channel.
        channel="" if refund.exchange is None else channel,
        group=group,
        message=message,
    )


def resolve(books: Books, command: ResolveRefund, envelope: Envelope) -> Decision:
    name = command.refund
    payment = fold(books.recorded(stream_of(name))) if name.startswith(REFUND) and stream_of(name) else None
    refund = None if payment is None else payment.refund(name)
    if payment is None or refund is None:
        raise RefundNotFound(refund=name)
    if refund.status != FAILED_AFTER_SUCCESS or refund.channel is None:
        raise RefundStateInvalid(
            f"The refund is {refund.status}.",
            refund=name,
            refund_status=refund.status,
            expected_status=FAILED_AFTER_SUCCESS,
        )
    event: Event
    if command.by == BANK_TRANSFER:
        event = RefundPaidByBank(
            id=name,
            merchant=payment.created.merchant,
            bank_account=command.bank_account,
            amount=refund.by_channel,
            currency=payment.created.currency,
            reference=command.reference,
        )
    elif refund.to_wallet:
        raise RefundNotSupported("A part of it is in the payer's wallet: the rest is owed to him.", refund=name)
    else:
        event = failed_event(payment, refund, refund.channel, RETURNED)
    stream = payment.created.id
    view = refund_view(imagined(books, stream, [event]), name)
    view.position = None
    return Decision(with_accounts(books, [(stream, event)]), view, status=200)


def _needs(command: ResolveRefund) -> Needs:
    return Needs(streams=(stream_of(command.refund),))


DECIDERS: dict[type[Command], Decider] = {ResolveRefund: Decider(resolve, _needs)}
