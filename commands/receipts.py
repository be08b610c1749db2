"""Receipts: what is done with money that came and that no order was waiting for.

kept ──by policy, or by hand──▶ accepted (a late success of an order that nobody else paid: it is paid now)
  └──by itself, or by hand────▶ returning ──RecordReturnResult──▶ returned
                                                             └──▶ kept again: people have to look
"""

from msgspec.structs import replace

from commands.books import Books
from commands.channel_facts import imagined, is_news, with_effect, without_effect
from commands.channels.channel import (
    AMOUNT_MISMATCH,
    Charged,
    RefundDeclined,
    Refunded,
    RefundReturned,
    Unknown,
    Verdict,
    as_asked,
)
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.merchants import after_sale_terms
from commands.payments import captured_by
from commands.system_accounts import with_accounts
from ledger.errors import PaymentNotFound, ReceiptNotFound, ReceiptStateInvalid, RefundNotFound
from ledger.events.event import Event
from ledger.events.payments import PaymentCaptured
from ledger.events.receipts import (
    ReceiptReturned,
    ReceiptReturnFailed,
    ReceiptReturnRequested,
    ReceiptReturnUnanswered,
)
from ledger.events.refunds import RefundUnapplied
from ledger.ids import PAYMENT, RECEIPT_RETURN, child_id, stream_of
from ledger.payment import CANCELED, EXPIRED, FAILED, Payment
from ledger.payment_state import fold
from ledger.payment_views import payment_view
from ledger.receipt import KEPT, RETURNED, RETURNING, GivenBackUnasked, Receipt

ACCEPT = "accept"
_GIVEN_UP = (FAILED, EXPIRED, CANCELED)


class AcceptReceipt(Command, frozen=True):
    """Take what came late for the order after all."""

    payment: str
    receipt: int


class ReturnReceipt(Command, frozen=True):
    """Give back what came for nothing, once more."""

    payment: str
    receipt: int


class RecordReturnResult(Command, frozen=True):
    """What the channel says became of giving a receipt back."""

    back: str
    channel: str
    verdict: Verdict


# --- what is done with it -------------------------------------------------------------------------------------------


def receipt_events(books: Books, payment: Payment) -> list[Event]:
    """What follows for each receipt that has just come; `payment` is as it is with them."""
    policy = after_sale_terms(books, payment.created.merchant, payment.created.product).late_success
    events: list[Event] = []
    for receipt in payment.receipts:
        if receipt.status != KEPT or receipt.back:
            continue
        if policy == ACCEPT and not events and may_be_accepted(payment, receipt):
            events.append(accepted(payment, receipt))
        else:
            number = len(payment.backs) + 1 + sum(isinstance(event, ReceiptReturnRequested) for event in events)
            events.append(_given_back(payment, receipt, number, receipt.because))
    return events


def may_be_accepted(payment: Payment, receipt: Receipt) -> bool:
    """Whether it is the whole of an order that was given up, that nothing was ever held for and nobody paid."""
    created = payment.created
    whole = (receipt.amount, receipt.currency) == (created.amount, created.currency) and created.exchange is None
    nobody_paid = payment.captured == 0 and not payment.captures and payment.authorization is None
    return payment.status in _GIVEN_UP and whole and nobody_paid


def accepted(payment: Payment, receipt: Receipt) -> PaymentCaptured:
    """J2: the order is paid."""
    attempt = payment.attempt(receipt.attempt)
    if attempt is None:
        raise AssertionError(f"receipt {receipt.number} of {payment.created.id} came by no attempt")
    charged = Charged(receipt.reference, receipt.amount, receipt.currency, None, receipt.received_at)
    captured = captured_by(payment, attempt, charged)
    return replace(captured, channel_fee=receipt.channel_fee, receipt=receipt.number)


def _given_back(payment: Payment, receipt: Receipt, number: int, because: str) -> ReceiptReturnRequested:
    return ReceiptReturnRequested(
        id=child_id(RECEIPT_RETURN, payment.created.id, number),
        receipt=receipt.number,
        payment=payment.created.id,
        merchant=payment.created.merchant,
        attempt=receipt.attempt,
        channel=receipt.channel,
        channel_reference=receipt.reference,
        amount=receipt.amount,
        currency=receipt.currency,
        because=because,
    )


def accept(books: Books, command: AcceptReceipt, envelope: Envelope) -> Decision:
    payment, receipt = _kept(books, command)
    if not may_be_accepted(payment, receipt):
        raise ReceiptStateInvalid(
            "Only the whole of an order that was given up, and that nobody has paid, is accepted for it.",
            payment=command.payment,
            payment_status=payment.status,
        )
    return _answered(books, payment, accepted(payment, receipt))


def give_back(books: Books, command: ReturnReceipt, envelope: Envelope) -> Decision:
    payment, receipt = _kept(books, command)
    return _answered(books, payment, _given_back(payment, receipt, len(payment.backs) + 1, "asked for"))


def _kept(books: Books, command: AcceptReceipt | ReturnReceipt) -> tuple[Payment, Receipt]:
    payment = fold(books.recorded(command.payment)) if command.payment.startswith(PAYMENT) else None
    if payment is None:
        raise PaymentNotFound(payment=command.payment)
    receipt = payment.receipt(command.receipt)
    if receipt is None:
        raise ReceiptNotFound(payment=command.payment, receipt=command.receipt)
    if receipt.status != KEPT:
        raise ReceiptStateInvalid(
            f"The receipt is {receipt.status}.", payment=command.payment, receipt_status=receipt.status
        )
    return payment, receipt


def _answered(books: Books, payment: Payment, event: Event) -> Decision:
    view = payment_view(imagined(books, payment.created.id, [event]))
    view.position = None
    return Decision(with_accounts(books, [(payment.created.id, event)]), view, status=200)


# --- what became of giving it back ----------------------------------------------------------------------------------


def record_result(books: Books, command: RecordReturnResult, envelope: Envelope) -> Decision:
    stream, name = stream_of(command.back), command.back
    payment = fold(books.recorded(stream)) if stream.startswith(PAYMENT) else None
    receipt = None if payment is None else payment.receipt_of(name)
    # A channel speaks for what was sent to it, and for nothing else.
    if payment is None or receipt is None or receipt.channel != command.channel:
        raise RefundNotFound(refund=name, channel=command.channel)
    under_way = receipt.status == RETURNING and receipt.back == name
    match _as_asked(command.verdict, receipt):
        case Refunded(channel_reference=reference) if (
            reference == receipt.back_reference or GivenBackUnasked(name, reference) in payment.unasked
        ):
            return without_effect(name, "duplicate", payment.position)
        case Refunded(channel_reference=reference) if under_way or receipt.status == KEPT:
            gone = _returned(payment, receipt, name, reference, late=not under_way)
            return with_effect(books, stream, [gone], name, "recorded")
        case Refunded(channel_reference=reference):
            because = f"the receipt is {receipt.status} already"
            twice = RefundUnapplied(name, receipt.channel, reference, receipt.amount, receipt.currency, because)
            return with_effect(books, stream, [twice], name, "unapplied")
        case RefundDeclined() as no if under_way:
            failed = _failed(payment, receipt, name, no.reason, no.message)
            return with_effect(books, stream, [failed], name, "recorded")
        case RefundReturned() as back if under_way or (receipt.status == RETURNED and receipt.back == name):
            # That it had been given back need not have been heard of.
            first: list[Event] = (
                [_returned(payment, receipt, name, back.channel_reference, late=False)] if under_way else []
            )
            bounced = _failed(payment, receipt, name, back.channel_code, back.message, bounced=True)
            return with_effect(books, stream, [*first, bounced], name, "recorded")
        case Unknown() as silence if is_news(silence, under_way, receipt.unanswered):
            return with_effect(books, stream, [ReceiptReturnUnanswered(name, silence.reason)], name, "recorded")
        case _:
            # NotSent too: we owe the payer this money, so it is sent again and not given up.
            return without_effect(name, "ignored", payment.position)


def _as_asked(verdict: Verdict, receipt: Receipt) -> Verdict:
    asked = (receipt.amount, receipt.currency)
    if isinstance(verdict, RefundReturned) and (verdict.amount, verdict.currency) != asked:
        return AMOUNT_MISMATCH
    return as_asked(verdict, *asked)


def _returned(payment: Payment, receipt: Receipt, name: str, reference: str, *, late: bool) -> ReceiptReturned:
    return ReceiptReturned(
        id=name,
        receipt=receipt.number,
        merchant=payment.created.merchant,
        channel=receipt.channel,
        channel_reference=reference,
        amount=receipt.amount,
        currency=receipt.currency,
        late=late,
    )


def _failed(
    payment: Payment, receipt: Receipt, name: str, group: str, message: str, *, bounced: bool = False
) -> ReceiptReturnFailed:
    return ReceiptReturnFailed(
        id=name,
        receipt=receipt.number,
        merchant=payment.created.merchant,
        channel=receipt.channel,
        amount=receipt.amount,
        currency=receipt.currency,
        group=group,
        message=message,
        bounced=bounced,
    )


def _needs(command: AcceptReceipt | ReturnReceipt) -> Needs:
    return Needs(streams=(command.payment,))


def _result_needs(command: RecordReturnResult) -> Needs:
    return Needs(streams=(stream_of(command.back),))


DECIDERS: dict[type[Command], Decider] = {
    AcceptReceipt: Decider(accept, _needs),
    ReturnReceipt: Decider(give_back, _needs),
    RecordReturnResult: Decider(record_result, _result_needs),
}
