"""Top-ups: a customer puts money into a wallet through a channel.

RequestTopUp ──▶ processing ──RecordTopUpResult──▶ succeeded | failed ──(a late success)──▶ succeeded
"""

from commands.books import Books
from commands.channel_choice import chosen_for, streams_of_routing
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
from commands.policies.fees import channel_fee, invoices_fee
from commands.policies.products import TOP_UP_METHODS
from commands.policies.routing import RoutingFacts
from ledger.chart import wallet_available
from ledger.currencies import asset_of
from ledger.errors import CustomerNotFound, MethodNotSupported, TopUpNotFound, WalletNotFound
from ledger.events.customers import customer_stream
from ledger.events.payments import Method, attempt_id
from ledger.events.top_ups import (
    TopUpFailed,
    TopUpReceiptUnapplied,
    TopUpRequested,
    TopUpSucceeded,
    TopUpUnanswered,
)
from ledger.ids import stream_of
from ledger.payment import PROCESSING, SUCCEEDED
from ledger.payment_views import top_up_view
from ledger.top_up_state import TopUp, fold

# What routing rules know a top-up by.
PRODUCT = "top_up"


class RequestTopUp(Command, frozen=True):
    """Charge `amount` minor units for the customer's wallet; `id` is fresh."""

    id: str
    customer: str
    amount: int
    currency: str
    method: Method


class RecordTopUpResult(Command, frozen=True):
    """What the channel says became of a charge for a top-up."""

    attempt: str
    channel: str
    verdict: Verdict


def request(books: Books, command: RequestTopUp, envelope: Envelope) -> Decision:
    asset_of(command.currency)
    check_amount(command.amount)
    if command.method.type not in TOP_UP_METHODS:
        raise MethodNotSupported(pointer="/method/type", method=command.method.type, supported=list(TOP_UP_METHODS))
    if not customer_exists(books, command.customer):
        raise CustomerNotFound(customer=command.customer)
    if not wallet_exists(books, command.customer, command.currency):
        raise WalletNotFound(customer=command.customer, currency=command.currency)
    chosen = chosen_for(books, _facts(command))
    requested = TopUpRequested(
        id=command.id,
        customer=command.customer,
        amount=command.amount,
        currency=command.currency,
        channel=chosen.channel,
        attempt=attempt_id(command.id, 1),
        token=command.method.token,
        because=chosen.because,
    )
    view = top_up_view(imagined(books, command.id, [requested]))
    view.position = None
    return Decision([(command.id, requested)], view, status=202)


def _facts(command: RequestTopUp) -> RoutingFacts:
    return RoutingFacts(
        command.id, PRODUCT, command.method.type, command.amount, command.currency, customer=command.customer
    )


def record_result(books: Books, command: RecordTopUpResult, envelope: Envelope) -> Decision:
    top_up = _top_up(books, command)
    requested, name = top_up.requested, top_up.requested.id
    verdict = as_asked(command.verdict, requested.amount, requested.currency)
    match verdict:
        case Charged() if verdict.channel_reference in (top_up.reference, *top_up.unapplied):
            return without_effect(name, "duplicate", top_up.position)
        case Charged() if top_up.status == SUCCEEDED:
            unapplied = TopUpReceiptUnapplied(
                id=name,
                channel=requested.channel,
                channel_reference=verdict.channel_reference,
                amount=requested.amount,
                currency=requested.currency,
                channel_fee=channel_fee(requested.channel, requested.amount),
                fee_payable=invoices_fee(requested.channel),
                because="a second success for one top-up",
            )
            return with_effect(books, name, [unapplied], name, "unapplied")
        case Charged():
            # Also after a failure: the channel has the customer's money, and the wallet is where it was meant to go.
            succeeded = TopUpSucceeded(
                id=name,
                customer=requested.customer,
                channel=requested.channel,
                channel_reference=verdict.channel_reference,
                amount=requested.amount,
                currency=requested.currency,
                channel_fee=channel_fee(requested.channel, requested.amount),
                fee_payable=invoices_fee(requested.channel),
            )
            return with_effect(books, name, [succeeded], name, "recorded")
        case Declined() if top_up.status == PROCESSING:
            failed = TopUpFailed(name, verdict.reason, verdict.message)
            return with_effect(books, name, [failed], name, "recorded")
        case NotSent() if top_up.status == PROCESSING:
            failed = TopUpFailed(name, NOT_SENT_GROUP, verdict.reason)
            return with_effect(books, name, [failed], name, "recorded")
        case Unknown() if is_news(verdict, top_up.status == PROCESSING, top_up.unanswered):
            return with_effect(books, name, [TopUpUnanswered(name, verdict.reason)], name, "recorded")
        case _:
            return without_effect(name, "ignored", top_up.position)


def _top_up(books: Books, command: RecordTopUpResult) -> TopUp:
    order = stream_of(command.attempt)
    top_up = fold(books.recorded(order)) if order.startswith("top_") else None
    if top_up is None or (top_up.requested.attempt, top_up.requested.channel) != (command.attempt, command.channel):
        raise TopUpNotFound(attempt=command.attempt, channel=command.channel)
    return top_up


def _request_needs(command: RequestTopUp) -> Needs:
    return Needs(
        accounts=(wallet_available(command.customer, command.currency),),
        streams=(command.id, customer_stream(command.customer)),
        latest=streams_of_routing(command.method.type),
    )


def _result_needs(command: RecordTopUpResult) -> Needs:
    return Needs(streams=(stream_of(command.attempt),))


DECIDERS: dict[type[Command], Decider] = {
    RequestTopUp: Decider(request, _request_needs),
    RecordTopUpResult: Decider(record_result, _result_needs),
}
