"""Repayments: a customer pays back what he owes on a credit line, through a channel.

RequestRepayment ──▶ processing ──RecordRepaymentResult──▶ succeeded | failed ──(a late success)──▶ succeeded

What it pays is decided when the money is there: fees, then interest, then principal, and the rest into the wallet.
"""

from commands.books import Books
from commands.channel_choice import chosen_for
from commands.channel_facts import (
    NOT_SENT_GROUP,
    FactReceipt,
    check_amount,
    imagined,
    is_news,
    with_effect,
    without_effect,
)
from commands.channels.channel import Charged, Declined, NotSent, Unknown, Verdict, as_asked
from commands.credit_lines import line_of, principal_of
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.policies.fees import channel_fee, invoices_fee
from commands.policies.products import TOP_UP_METHODS
from commands.policies.routing import RoutingFacts
from commands.system_accounts import with_accounts
from ledger.chart import credit_principal
from ledger.credit_line_state import Split, split
from ledger.errors import MethodNotSupported, RepaymentNotFound
from ledger.events.credit_lines import CreditRepaid, credit_line_stream
from ledger.events.payments import Method, attempt_id
from ledger.events.repayments import (
    RepaymentFailed,
    RepaymentReceiptUnapplied,
    RepaymentRequested,
    RepaymentSucceeded,
    RepaymentUnanswered,
)
from ledger.ids import REPAYMENT, stream_of
from ledger.payment import PROCESSING, SUCCEEDED
from ledger.repayment_state import Repayment, fold, repayment_view

# What routing rules know a repayment by.
PRODUCT = "repayment"


class RequestRepayment(Command, frozen=True):
    """Charge `amount` minor units for a credit line; `id` is fresh."""

    id: str
    customer: str
    amount: int
    currency: str
    method: Method


class RecordRepaymentResult(Command, frozen=True):
    """What the channel says became of a charge for a repayment."""

    attempt: str
    channel: str
    verdict: Verdict


def request(books: Books, command: RequestRepayment, envelope: Envelope) -> Decision:
    check_amount(command.amount)
    if command.method.type not in TOP_UP_METHODS:
        raise MethodNotSupported(pointer="/method/type", method=command.method.type, supported=list(TOP_UP_METHODS))
    line_of(books, command.customer, command.currency)
    charge = RoutingFacts(
        command.id, PRODUCT, command.method.type, command.amount, command.currency, customer=command.customer
    )
    chosen = chosen_for(books, charge)
    requested = RepaymentRequested(
        id=command.id,
        customer=command.customer,
        amount=command.amount,
        currency=command.currency,
        channel=chosen.channel,
        attempt=attempt_id(command.id, 1),
        token=command.method.token,
        because=chosen.because,
    )
    view = repayment_view(imagined(books, command.id, [requested]))
    view.position = None
    return Decision([(command.id, requested)], view, status=202)


def record_result(books: Books, command: RecordRepaymentResult, envelope: Envelope) -> Decision:
    repayment = _repayment(books, command)
    requested, name = repayment.requested, repayment.requested.id
    verdict = as_asked(command.verdict, requested.amount, requested.currency)
    match verdict:
        case Charged() if verdict.channel_reference in repayment.references:
            return without_effect(name, "duplicate", repayment.position)
        case Charged() if repayment.status == SUCCEEDED:
            unapplied = RepaymentReceiptUnapplied(
                id=name,
                channel=requested.channel,
                channel_reference=verdict.channel_reference,
                amount=requested.amount,
                currency=requested.currency,
                channel_fee=channel_fee(requested.channel, requested.amount),
                fee_payable=invoices_fee(requested.channel),
                because="a second success for one repayment",
            )
            return with_effect(books, name, [unapplied], name, "unapplied")
        case Charged():
            # Also after a failure: the channel has the customer's money, and the debt is what it was meant for.
            return _succeeded(books, requested, verdict.channel_reference)
        case Declined() if repayment.status == PROCESSING:
            failed = RepaymentFailed(name, verdict.reason, verdict.message)
            return with_effect(books, name, [failed], name, "recorded")
        case NotSent() if repayment.status == PROCESSING:
            failed = RepaymentFailed(name, NOT_SENT_GROUP, verdict.reason)
            return with_effect(books, name, [failed], name, "recorded")
        case Unknown() if is_news(verdict, repayment.status == PROCESSING, repayment.unanswered):
            return with_effect(books, name, [RepaymentUnanswered(name, verdict.reason)], name, "recorded")
        case _:
            return without_effect(name, "ignored", repayment.position)


def _succeeded(books: Books, requested: RepaymentRequested, reference: str) -> Decision:
    """The repayment, and on the line what it pays: in one commit, measured by what is owed in that moment."""
    paid = _paid(books, requested)
    succeeded = RepaymentSucceeded(
        requested.id,
        reference,
        requested.amount,
        requested.currency,
        paid.fees,
        paid.interest,
        paid.principal,
        paid.to_wallet,
    )
    repaid = CreditRepaid(
        requested.id,
        requested.customer,
        requested.channel,
        requested.currency,
        channel_fee(requested.channel, requested.amount),
        paid.fees,
        paid.interest,
        paid.principal,
        paid.to_wallet,
        invoices_fee(requested.channel),
        reference,
    )
    line = credit_line_stream(requested.customer, requested.currency)
    events = with_accounts(books, [(requested.id, succeeded), (line, repaid)])
    return Decision(events, FactReceipt(id=requested.id, effect="recorded"), status=200)


def _paid(books: Books, requested: RepaymentRequested) -> Split:
    line = line_of(books, requested.customer, requested.currency)
    principal = principal_of(books, requested.customer, requested.currency)
    return split(requested.amount, line.fees_due, line.interest_due, principal)


def _repayment(books: Books, command: RecordRepaymentResult) -> Repayment:
    order = stream_of(command.attempt)
    repayment = fold(books.recorded(order)) if order.startswith(REPAYMENT) else None
    if repayment is None:
        raise RepaymentNotFound(attempt=command.attempt, channel=command.channel)
    requested = repayment.requested
    # A channel speaks for what was sent to it, and for nothing else.
    if (requested.attempt, requested.channel) != (command.attempt, command.channel):
        raise RepaymentNotFound(attempt=command.attempt, channel=command.channel)
    return repayment


def _request_needs(command: RequestRepayment) -> Needs:
    return Needs(
        accounts=(credit_principal(command.customer, command.currency),),
        streams=(command.id, credit_line_stream(command.customer, command.currency)),
    )


def _result_needs(command: RecordRepaymentResult) -> Needs:
    return Needs(streams=(stream_of(command.attempt),))


DECIDERS: dict[type[Command], Decider] = {
    RequestRepayment: Decider(request, _request_needs),
    RecordRepaymentResult: Decider(record_result, _result_needs),
}
