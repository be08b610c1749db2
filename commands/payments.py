"""Payments: an order to pay, and what its channel says became of it.

CreatePayment ──▶ succeeded (from a wallet: final in the one commit)
              └─▶ processing ──RecordAttemptResult──▶ succeeded
                                                 └──▶ failed ──(a late success)──▶ failed, and the money kept apart
"""

from typing import assert_never

from commands.attempts import begin
from commands.books import Books
from commands.channel_facts import (
    NOT_SENT_GROUP,
    check_amount,
    imagined,
    is_news,
    with_effect,
    without_effect,
)
from commands.channels.channel import Charged, Declined, NotSent, Unknown, Verdict, as_asked
from commands.customers import customer_exists, wallet_exists
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.merchants import merchant_named
from commands.policies.fees import channel_fee, merchant_fee
from commands.policies.products import Product, objections, product_of
from commands.policies.risk import Assessment, RiskFacts, assess
from commands.system_accounts import with_accounts
from ledger import chart
from ledger.currencies import ASSETS
from ledger.errors import (
    CurrencyMismatch,
    CurrencyUnknown,
    CustomerUnknown,
    IdExistsDifferent,
    PaymentNotFound,
    Refusal,
    WalletUnknown,
)
from ledger.events.customers import customer_stream
from ledger.events.event import Event
from ledger.events.merchants import merchant_stream
from ledger.events.payments import (
    Method,
    PaymentAttemptDeclined,
    PaymentAttemptUnanswered,
    PaymentCaptured,
    PaymentCreated,
    PaymentFailed,
    PaymentReceiptUnapplied,
    PaymentRiskAssessed,
)
from ledger.ids import stream_of
from ledger.payment import PROCESSING, SUCCEEDED, UNKNOWN, Attempt, Payment
from ledger.payment_state import fold
from ledger.payment_views import payment_view


class CreatePayment(Command, frozen=True):
    """Ask for `amount` minor units for a merchant; `id` is fresh. Several payments may carry one order reference."""

    id: str
    merchant: str
    amount: int
    currency: str
    product: str
    method: Method
    order_reference: str
    customer: str | None = None
    capture: str = "automatic"
    description: str | None = None
    metadata: dict[str, str] = {}
    client: dict[str, str] = {}
    return_url: str | None = None


class RecordAttemptResult(Command, frozen=True):
    """What the channel says became of an attempt."""

    attempt: str
    channel: str
    verdict: Verdict


# --- the order ------------------------------------------------------------------------------------------------------


def create(books: Books, command: CreatePayment, envelope: Envelope) -> Decision:
    check_amount(command.amount)
    product = product_of(command.product)
    found = objections(product, command.method.type, command.capture, command.customer)
    if command.currency not in ASSETS:
        found.append(CurrencyUnknown(pointer="/currency"))
    if found:
        raise _all_of(found)
    merchant = merchant_named(books, command.merchant)
    if merchant.settlement_currency != command.currency:
        detail = f"{merchant.id} is settled in {merchant.settlement_currency}, and nothing is exchanged here yet."
        raise CurrencyMismatch(detail, pointer="/currency", currency=merchant.settlement_currency)
    _check_customer(books, command, product)
    fee = merchant_fee(merchant.fee, command.amount)
    if books.recorded(command.id):
        raise IdExistsDifferent(f"There is a payment {command.id} already.", pointer="/id", payment=command.id)
    assessment = assess(_risk_facts(command))
    match assessment.decision:
        case "accept":
            pass
        case other:
            assert_never(other)
    created = _created(command, fee)
    events = [created, _assessed(assessment), *begin(books, created)]
    return _answered(books, command, events)


def _all_of(found: list[Refusal]) -> Refusal:
    """The first refusal, which names the fields of all of them."""
    first = found[0]
    first.errors = tuple(error for refusal in found for error in refusal.errors)
    return first


def _check_customer(books: Books, command: CreatePayment, product: Product) -> None:
    customer = command.customer
    if customer is None:
        return
    if not customer_exists(books, customer):
        raise CustomerUnknown(pointer="/customer", customer=customer)
    if product.source == "wallet" and not wallet_exists(books, customer, command.currency):
        raise WalletUnknown(pointer="/customer", customer=customer, currency=command.currency)


def _risk_facts(command: CreatePayment) -> RiskFacts:
    return RiskFacts(
        command.merchant, command.customer, command.amount, command.currency, command.product, command.client
    )


def _created(command: CreatePayment, fee: int) -> PaymentCreated:
    return PaymentCreated(
        id=command.id,
        merchant=command.merchant,
        customer=command.customer,
        amount=command.amount,
        currency=command.currency,
        product=command.product,
        method=command.method,
        order_reference=command.order_reference,
        fee=fee,
        capture=command.capture,
        description=command.description,
        metadata=command.metadata,
        client=command.client,
        return_url=command.return_url,
    )


def _assessed(assessment: Assessment) -> Event:
    return PaymentRiskAssessed(assessment.decision, assessment.score, assessment.reasons)


def _answered(books: Books, command: CreatePayment, events: list[Event]) -> Decision:
    view = payment_view(imagined(books, command.id, events))
    view.position = None
    status = 202 if view.status == PROCESSING else 201
    return Decision(with_accounts(books, [(command.id, event) for event in events]), view, status)


# --- what became of it ----------------------------------------------------------------------------------------------


def record_attempt_result(books: Books, command: RecordAttemptResult, envelope: Envelope) -> Decision:
    payment, attempt = _payment_and_attempt(books, command)
    name = payment.created.id
    still_open = attempt.status in (PROCESSING, UNKNOWN)
    verdict = as_asked(command.verdict, attempt.amount, attempt.currency)
    match verdict:
        case Charged() if verdict.channel_reference in (attempt.reference, *attempt.unapplied):
            return without_effect(name, "duplicate", payment.position)
        case Charged() if payment.status == SUCCEEDED:
            unapplied = _unapplied(attempt, verdict, "the payment is paid already")
            return with_effect(books, name, [unapplied], name, "unapplied")
        case Charged() if payment.status != PROCESSING:
            unapplied = _unapplied(attempt, verdict, f"the payment is {payment.status} already")
            return with_effect(books, name, [unapplied], name, "unapplied")
        case Charged():
            return with_effect(books, name, [_captured(payment, attempt, verdict)], name, "recorded")
        case Declined() if still_open:
            no = PaymentAttemptDeclined(attempt.id, verdict.reason, verdict.channel_code, verdict.message, verdict.hard)
            return with_effect(books, name, _declined(payment, no), name, "recorded")
        case NotSent() if still_open:
            no = PaymentAttemptDeclined(attempt.id, NOT_SENT_GROUP, message=verdict.reason)
            return with_effect(books, name, _declined(payment, no), name, "recorded")
        case Unknown() if is_news(verdict, still_open, attempt.unanswered):
            return with_effect(books, name, [PaymentAttemptUnanswered(attempt.id, verdict.reason)], name, "recorded")
        case _:
            return without_effect(name, "ignored", payment.position)


def _payment_and_attempt(books: Books, command: RecordAttemptResult) -> tuple[Payment, Attempt]:
    order = stream_of(command.attempt)
    payment = fold(books.recorded(order)) if order.startswith("pay_") else None
    attempt = None if payment is None else payment.attempt(command.attempt)
    # A channel speaks for what was sent to it, and for nothing else.
    if payment is None or attempt is None or attempt.channel != command.channel:
        raise PaymentNotFound(attempt=command.attempt, channel=command.channel)
    return payment, attempt


def _captured(payment: Payment, attempt: Attempt, charged: Charged) -> Event:
    created = payment.created
    return PaymentCaptured(
        attempt=attempt.id,
        channel=attempt.channel,
        channel_reference=charged.channel_reference,
        merchant=created.merchant,
        product=created.product,
        amount=attempt.amount,
        currency=attempt.currency,
        fee=created.fee,
        channel_fee=channel_fee(attempt.channel, attempt.amount),
    )


def _unapplied(attempt: Attempt, charged: Charged, because: str) -> Event:
    return PaymentReceiptUnapplied(
        attempt=attempt.id,
        channel=attempt.channel,
        channel_reference=charged.channel_reference,
        amount=attempt.amount,
        currency=attempt.currency,
        channel_fee=channel_fee(attempt.channel, attempt.amount),
        because=because,
    )


def _declined(payment: Payment, no: PaymentAttemptDeclined) -> list[Event]:
    """The attempt is over, and so is the payment: no other attempt is made for it."""
    return [no, PaymentFailed(no.group, no.message)]


def _create_needs(command: CreatePayment) -> Needs:
    streams = (command.id, merchant_stream(command.merchant))
    if command.customer is None:
        return Needs(streams=streams)
    wallet = chart.wallet_available(command.customer, command.currency)
    return Needs(accounts=(wallet,), streams=(*streams, customer_stream(command.customer)))


def _result_needs(command: RecordAttemptResult) -> Needs:
    return Needs(streams=(stream_of(command.attempt),))


DECIDERS: dict[type[Command], Decider] = {
    CreatePayment: Decider(create, _create_needs),
    RecordAttemptResult: Decider(record_attempt_result, _result_needs),
}
