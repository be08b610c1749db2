"""Closings: a payment that is given up is closed at its channel first, so that nobody can pay it any more.

given up ──▶ (nothing was opened anywhere) ──▶ canceled, expired or failed at once
         └─▶ processing ──RecordClosingResult──▶ canceled, expired or failed
                                            └──▶ it is not closed, and what the channel says of the charge counts

What is not known stays processing and is asked: money that comes while an order is being closed pays it.
"""

from commands.books import Books
from commands.channel_facts import with_effect, without_effect
from commands.channels.channel import Changed, ChangeDeclined, Verdict, as_asked
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.policies.channels import terms_of
from ledger.errors import PaymentNotFound
from ledger.events.closings import PaymentClosingDeclined, PaymentClosingRequested
from ledger.events.event import Event
from ledger.events.payments import PaymentAttemptDeclined, PaymentCanceled, PaymentExpired, PaymentFailed
from ledger.events.reviews import PaymentReviewWithdrawn
from ledger.events.voids import AuthorizationVoided
from ledger.ids import CLOSING, child_id, stream_of
from ledger.payment import CANCELED, EXPIRED, FAILED, IN_REVIEW, PROCESSING, Attempt, Closing, Payment
from ledger.payment_state import fold

_ENDED = (CANCELED, EXPIRED, FAILED)


class RecordClosingResult(Command, frozen=True):
    """What the channel says became of the closing of an order."""

    closing: str
    channel: str
    verdict: Verdict


def given_up(payment: Payment, ending: str, group: str, reason: str = "") -> list[Event]:
    """What giving up this payment, which waits for its payer or for a review, begins with or leads to at once.

    `ending` is canceled, expired or failed, and `group` what the payer is told.
    """
    attempt = payment.open_attempt
    name = child_id(CLOSING, payment.created.id, len(payment.closings) + 1)
    if attempt is None:
        return [*withdrawn(payment, reason), *ending_of(Closing(name, "", ending, group, reason), attempt="")]
    terms = terms_of(attempt.channel)
    if terms is None or not terms.voids:
        # Nothing there can be closed. Money that comes all the same is kept apart, so the channel goes on being asked.
        return ending_of(Closing(name, attempt.id, ending, group, reason), attempt="")
    requested = PaymentClosingRequested(
        closing=name,
        attempt=attempt.id,
        channel=attempt.channel,
        channel_reference=attempt.reference,
        amount=attempt.amount,
        currency=attempt.currency,
        ending=ending,
        group=group,
        reason=reason,
    )
    return [requested]


def withdrawn(payment: Payment, reason: str) -> list[Event]:
    """The end of the review for which this payment waits, if it does: there is nothing left to decide."""
    review = payment.review
    return [PaymentReviewWithdrawn(review.id, reason)] if payment.status == IN_REVIEW and review is not None else []


def ending_of(closing: Closing, *, attempt: str) -> list[Event]:
    """What the payment becomes. `attempt`: the one that nothing more is to come of, empty if that is not sure."""
    match closing.ending:
        case "canceled":
            return [PaymentCanceled(closing.reason, closing.group, attempt)]
        case "expired":
            return [PaymentExpired(closing.group, attempt)]
        case _:
            over = [PaymentAttemptDeclined(attempt, closing.group, message=closing.reason)] if attempt else []
            return [*over, PaymentFailed(closing.group, closing.reason)]


def record_result(books: Books, command: RecordClosingResult, envelope: Envelope) -> Decision:
    payment, closing, attempt = _found(books, command)
    name = payment.created.id
    pending = payment.closing is not None and payment.closing.id == closing.id
    match as_asked(command.verdict, attempt.amount, attempt.currency):
        case Changed() if pending:
            return with_effect(books, name, ending_of(closing, attempt=attempt.id), name, "recorded")
        case Changed() if (held := payment.authorization) and held.attempt == attempt.id and not held.is_over:
            # The hold came before the closing's own word: with the order it is let go.
            still_open = max(0, held.open - payment.reserved)
            let_go = AuthorizationVoided(closing.id, attempt.channel, still_open, attempt.currency)
            return with_effect(books, name, [let_go], name, "recorded")
        case ChangeDeclined() as no if closing.status == PROCESSING and payment.status not in _ENDED:
            declined = PaymentClosingDeclined(closing.id, attempt.id, no.reason, no.channel_code, no.message)
            return with_effect(books, name, [declined], name, "recorded")
        case _:
            # NotSent too: an order that is given up has to be closed, so it is sent again.
            return without_effect(name, "ignored", payment.position)


def _found(books: Books, command: RecordClosingResult) -> tuple[Payment, Closing, Attempt]:
    order = stream_of(command.closing)
    payment = fold(books.recorded(order)) if order.startswith("pay_") else None
    closings = () if payment is None else payment.closings
    closing = next((one for one in closings if one.id == command.closing), None)
    attempt = None if payment is None or closing is None else payment.attempt(closing.attempt)
    # A channel speaks for what was sent to it, and for nothing else.
    if payment is None or closing is None or attempt is None or attempt.channel != command.channel:
        raise PaymentNotFound(closing=command.closing, channel=command.channel)
    return payment, closing, attempt


def _result_needs(command: RecordClosingResult) -> Needs:
    return Needs(streams=(stream_of(command.closing),))


DECIDERS: dict[type[Command], Decider] = {
    RecordClosingResult: Decider(record_result, _result_needs),
}
