"""Payments: an order to pay, and what its channel says became of it.

CreatePayment ──▶ succeeded (from a wallet: final in the one commit)
              ├─▶ created (to be begun by /confirm)
              └─▶ processing ──RecordAttemptResult──▶ succeeded
                                                 ├──▶ requires_action ──(the payer's turn)──▶ processing, succeeded, …
                                                 └──▶ failed ──(a late success)──▶ failed, and the money kept apart
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from commands.authorization_facts import record_authorized, record_charged, record_gone
from commands.books import Books
from commands.channel_choice import streams_of_routing
from commands.channel_facts import (
    NOT_SENT_GROUP,
    check_amount,
    imagined,
    is_news,
    with_effect,
    without_effect,
)
from commands.channels.channel import (
    ActionRequired,
    Authorized,
    Charged,
    CoinsSeen,
    Declined,
    NotSent,
    Unknown,
    Verdict,
    as_asked,
)
from commands.closings import ending_of
from commands.coins import charged_in_coins, coins_seen
from commands.contract_charges import METHOD_TYPE, agreement_streams, check_bound_card, reserve
from commands.customers import customer_exists, wallet_exists
from commands.envelope import Command, Decision, Envelope
from commands.failover import after_decline
from commands.handler import Decider, Needs
from commands.mixed_payments import mixed_objections
from commands.open_orders import closed_elsewhere, closed_in_vain
from commands.payees import payee_of, payee_stream
from commands.policies.charges import COIN
from commands.policies.discounts import discount_objections, payable
from commands.policies.fees import channel_fee, invoices_fee
from commands.policies.methods import method_objections
from commands.policies.products import Product, objections, product_of
from commands.pricing import Order, Price, price
from commands.risk_decisions import risk_streams, set_in_motion
from commands.risk_signals import RiskSignals
from commands.system_accounts import with_accounts
from ledger import chart
from ledger.currencies import ASSETS
from ledger.errors import (
    CurrencyUnknown,
    CustomerUnknown,
    FieldInvalid,
    IdExistsDifferent,
    PaymentNotFound,
    Refusal,
    ScheduleInPast,
    ScheduleNotSupported,
    WalletUnknown,
)
from ledger.events.customers import customer_stream
from ledger.events.event import Event
from ledger.events.payments import (
    PLATFORM,
    Discount,
    Method,
    PaymentActionRequired,
    PaymentAttemptDeclined,
    PaymentAttemptUnanswered,
    PaymentCanceled,
    PaymentCaptured,
    PaymentCreated,
    PaymentExpired,
    PaymentReceiptUnapplied,
)
from ledger.ids import stream_of
from ledger.payment import CANCELED, PROCESSING, REQUIRES_ACTION, SUCCEEDED, UNKNOWN, Attempt, Payment
from ledger.payment_state import fold
from ledger.payment_views import payment_view

# So long the payer has for what a channel asks, and an order waits to be begun, where nobody else sets a time.
TIME_FOR_AN_ACTION = timedelta(minutes=30)
TIME_FOR_A_BEGINNING = timedelta(days=1)


class CreatePayment(Command, frozen=True):
    """Ask for `amount` minor units for a merchant; `id` is fresh. Several payments may carry one order reference.

    Agency pay collects them for a principal, and then `merchant` names that.
    `confirm` false: only the order is made, and nothing is asked of anybody until ConfirmPayment. `expires_in_s`: the
    seconds for which it may be paid; None leaves it to the product. `scheduled_at`: the payer was told that he will be
    charged then. `risk`: what a view knows of the payer's past.
    """

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
    confirm: bool = True
    expires_in_s: int | None = None
    scheduled_at: datetime | None = None
    quote: str | None = None
    """Of a foreign payment: the quote at which the merchant is owed its own currency."""
    risk: RiskSignals = RiskSignals()
    discount: Discount | None = None
    """By how much less is paid than `amount`, and who pays that."""

    @property
    def subsidy(self) -> int:
        """What we pay in the payer's stead, in minor units."""
        return self.discount.amount if self.discount is not None and self.discount.paid_by == PLATFORM else 0


class RecordAttemptResult(Command, frozen=True):
    """What the channel says became of an attempt."""

    attempt: str
    channel: str
    verdict: Verdict


def create(books: Books, command: CreatePayment, envelope: Envelope) -> Decision:
    check_amount(command.amount)
    product = product_of(command.product)
    discounts = discount_objections(product, command.amount, command.discount)
    if not discounts:
        command = replace(command, amount=payable(command.amount, command.discount))
    found = discounts + objections(product, command.method.type, command.capture, command.customer)
    if command.method.type in product.methods:
        found += method_objections(command.method, command.amount, command.currency)
    found += mixed_objections(command.method, command.amount, command.customer)
    found += _schedule_objections(books.now, command)
    if command.currency not in ASSETS:
        found.append(CurrencyUnknown(pointer="/currency"))
    if found:
        raise _all_of(found)
    payee = payee_of(books, product.name, command.merchant)
    _check_customer(books, command, product)
    if books.recorded(command.id):
        raise IdExistsDifferent(f"There is a payment {command.id} already.", pointer="/id", payment=command.id)
    priced = price(books, _order(books.now, command, product), payee)
    created = _created(command, priced)
    check_bound_card(books, command.customer, command.method)
    reserved = reserve(books, created)
    events = [created, *(set_in_motion(books, created, command.risk) if command.confirm else ())]
    view = payment_view(imagined(books, command.id, events))
    view.position = None
    status = 202 if view.status == PROCESSING else 201
    whole = [*priced.taken, *reserved, *((command.id, event) for event in events)]
    return Decision(with_accounts(books, whole), view, status)


def _schedule_objections(now: datetime, command: CreatePayment) -> list[Refusal]:
    if command.scheduled_at is None:
        return []
    if command.method.type != METHOD_TYPE:
        return [ScheduleNotSupported(pointer="/scheduled_at")]
    if not command.confirm:
        return [FieldInvalid("What is scheduled begins by itself.", pointer="/confirm")]
    return [] if command.scheduled_at > now else [ScheduleInPast(pointer="/scheduled_at")]


def _order(now: datetime, command: CreatePayment, product: Product) -> Order:
    return Order(
        command.id,
        product.name,
        command.amount,
        command.currency,
        command.method,
        command.quote,
        _expiry(now, command, product),
        command.subsidy,
    )


def _expiry(now: datetime, command: CreatePayment, product: Product) -> datetime | None:
    """When the order's time is over."""
    seconds = product.open_for_s if command.expires_in_s is None else command.expires_in_s
    if seconds is not None:
        return now + timedelta(seconds=seconds)
    return None if command.confirm else now + TIME_FOR_A_BEGINNING


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


def _created(command: CreatePayment, priced: Price) -> PaymentCreated:
    return PaymentCreated(
        id=command.id,
        merchant=command.merchant,
        customer=command.customer,
        amount=command.amount,
        currency=command.currency,
        product=command.product,
        method=command.method,
        order_reference=command.order_reference,
        fee=priced.fee.amount,
        tax=priced.fee.tax,
        invoiced=priced.fee.invoiced,
        discount=command.discount,
        capture=command.capture,
        description=command.description,
        metadata=command.metadata,
        client=command.client,
        return_url=command.return_url,
        expires_at=priced.expires_at,
        scheduled_at=command.scheduled_at,
        exchange=priced.exchange,
    )


# --- what became of it ----------------------------------------------------------------------------------------------


def record_attempt_result(books: Books, command: RecordAttemptResult, envelope: Envelope) -> Decision:
    payment, attempt = _payment_and_attempt(books, command)
    name = payment.created.id
    unheard = attempt.status in (PROCESSING, UNKNOWN)
    still_open = unheard or attempt.status == REQUIRES_ACTION
    verdict = as_asked(command.verdict, attempt.amount, attempt.currency)
    match verdict:
        case Authorized():
            return record_authorized(books, payment, attempt, verdict)
        case CoinsSeen():
            return coins_seen(books, payment, attempt, verdict)
        case Charged() if payment.created.method.type == COIN:
            return coins_seen(books, payment, attempt, charged_in_coins(verdict, attempt))
        case Charged() if payment.authorization is not None and payment.authorization.attempt == attempt.id:
            return record_charged(books, payment, attempt, captured_by(payment, attempt, verdict))
        case Charged() if _is_known(payment, attempt, verdict.channel_reference):
            return without_effect(name, "duplicate", payment.position)
        case Charged() if payment.status == SUCCEEDED:
            unapplied = _unapplied(attempt, verdict, "the payment is paid already")
            return with_effect(books, name, [unapplied], name, "unapplied")
        case Charged() if payment.status not in (PROCESSING, REQUIRES_ACTION):
            unapplied = _unapplied(attempt, verdict, f"the payment is {payment.status} already")
            return with_effect(books, name, [unapplied], name, "unapplied")
        case Charged():
            paid = [captured_by(payment, attempt, verdict), *closed_elsewhere(payment, attempt)]
            return with_effect(books, name, paid, name, "recorded")
        case ActionRequired() if closing := closed_in_vain(payment, attempt, verdict.channel_reference):
            return with_effect(books, name, closing, name, "recorded")
        case ActionRequired() if still_open and not payment.coins and _asks_anew(payment, attempt, verdict):
            return with_effect(books, name, [_asked(books.now, payment, attempt, verdict)], name, "recorded")
        case Declined() if payment.authorization is not None and payment.authorization.attempt == attempt.id:
            return record_gone(books, payment)
        case Declined() if still_open:
            no = PaymentAttemptDeclined(attempt.id, verdict.reason, verdict.channel_code, verdict.message, verdict.hard)
            return with_effect(books, name, _declined(books, payment, attempt, no), name, "recorded")
        case NotSent() if unheard and not attempt.reference:
            no = PaymentAttemptDeclined(attempt.id, NOT_SENT_GROUP, message=verdict.reason, sent=False)
            return with_effect(books, name, _declined(books, payment, attempt, no), name, "recorded")
        case Unknown() if is_news(verdict, unheard, attempt.unanswered):
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


def _is_known(payment: Payment, attempt: Attempt, reference: str) -> bool:
    """Whether this success was taken before. While the payer is asked, the reference is only that of the order."""
    taken = payment.capture(attempt.id)
    return reference in attempt.unapplied or (taken is not None and reference == taken.reference)


def _asks_anew(payment: Payment, attempt: Attempt, asked: ActionRequired) -> bool:
    """Whether the payer is asked something that he was not asked before.

    While his answer or a closing is under way, the channel's old question says nothing: their own answers count.
    """
    # Nobody is asked for what is given up, even where the channel could not close it.
    given_up = any(closing.ending != CANCELED for closing in payment.closings)
    if payment.status not in (PROCESSING, REQUIRES_ACTION) or given_up or payment.closing or payment.confirmation:
        return False
    anew = (attempt.id, asked.action, asked.channel_reference, asked.url, asked.data)
    return anew not in [(one.attempt, one.action, one.channel_reference, one.url, one.data) for one in payment.asked]


def _asked(now: datetime, payment: Payment, attempt: Attempt, asked: ActionRequired) -> Event:
    expires_at = asked.expires_at or (now + TIME_FOR_AN_ACTION if payment.created.expires_at is None else None)
    return PaymentActionRequired(attempt.id, asked.action, asked.channel_reference, asked.url, asked.data, expires_at)


def captured_by(payment: Payment, attempt: Attempt, charged: Charged) -> PaymentCaptured:
    """What the order becomes by this charge."""
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
        tax=created.tax,
        invoiced=created.invoiced,
        subsidy=created.subsidy,
        channel_fee=channel_fee(attempt.channel, attempt.amount),
        fee_payable=invoices_fee(attempt.channel),
        from_wallet=payment.frozen,
        customer=created.customer if payment.frozen else None,
        exchange=created.exchange,
    )


def _unapplied(attempt: Attempt, charged: Charged, because: str) -> Event:
    return PaymentReceiptUnapplied(
        attempt=attempt.id,
        channel=attempt.channel,
        channel_reference=charged.channel_reference,
        amount=attempt.amount,
        currency=attempt.currency,
        channel_fee=channel_fee(attempt.channel, attempt.amount),
        fee_payable=invoices_fee(attempt.channel),
        because=because,
    )


def _declined(books: Books, payment: Payment, attempt: Attempt, no: PaymentAttemptDeclined) -> list[Event]:
    """The attempt is over, and so is the payment unless another attempt is made for it."""
    if payment.closing is not None:
        # It is how the channel tells of an order that we have closed: its word came before that of the closing.
        return [no, *ending_of(payment.closing, attempt="")]
    match no.group:
        case _ if payment.status not in (PROCESSING, REQUIRES_ACTION):
            return [no]  # Paid by an earlier attempt after all, or given up meanwhile.
        case "cancelled_by_user":
            return [no, PaymentCanceled(no.message or "The payer gave it up.", no.group)]
        case "session_expired":
            return [no, PaymentExpired(no.group)]
        case _:
            return [no, *after_decline(books, payment, attempt, no)]


def _create_needs(command: CreatePayment) -> Needs:
    judged_by = risk_streams(command.customer, command.method, command.client)
    streams = (
        command.id,
        payee_stream(command.product, command.merchant),
        *judged_by,
        *agreement_streams(command.method),
    )
    if command.customer is None:
        return Needs(streams=streams, latest=streams_of_routing(command.method.type))
    wallet = chart.wallet_available(command.customer, command.currency)
    return Needs(
        accounts=(wallet,),
        streams=(*streams, customer_stream(command.customer)),
        latest=streams_of_routing(command.method.type),
    )


def _result_needs(command: RecordAttemptResult) -> Needs:
    return Needs(streams=(stream_of(command.attempt),))


DECIDERS: dict[type[Command], Decider] = {
    CreatePayment: Decider(create, _create_needs),
    RecordAttemptResult: Decider(record_attempt_result, _result_needs),
}
