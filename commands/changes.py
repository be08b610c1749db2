"""Changes: what a channel says became of a capture, a void, an increment or an extension that it was asked for.

Each has one outcome, and outcomes come in any order: amounts decide what a payment is then, not the order.
"""

from msgspec.structs import replace

from commands.authorization_facts import sale_of_next, unapplied, with_rest
from commands.authorizations import holding_attempt
from commands.books import Books
from commands.channel_facts import NOT_SENT_GROUP, imagined, is_news, with_effect, without_effect
from commands.channels.channel import Changed, ChangeDeclined, NotSent, Unknown, Verdict, as_asked
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.policies.fees import channel_fee, invoices_fee
from commands.refunds import refund_event
from ledger.authorization import DONE, REFUSED, UNDER_WAY, Authorization, Capture, Increment, Void
from ledger.errors import ChangeNotFound
from ledger.events.authorizations import (
    AuthorizationExtended,
    AuthorizationIncremented,
    CaptureDeclined,
    CaptureUnanswered,
    IncrementDeclined,
    IncrementUnanswered,
)
from ledger.events.event import Event
from ledger.events.payments import PaymentCaptured
from ledger.events.voids import AuthorizationVoided, PaymentRevoked, VoidDeclined, VoidUnanswered
from ledger.ids import stream_of
from ledger.payment import Attempt, Payment
from ledger.payment_state import fold


class RecordChangeResult(Command, frozen=True):
    """What the channel says became of the capture, void, increment or extension with this id."""

    change: str
    channel: str
    verdict: Verdict


def record_result(books: Books, command: RecordChangeResult, envelope: Envelope) -> Decision:
    stream, name = stream_of(command.change), command.change
    payment = fold(books.recorded(stream)) if stream.startswith("pay_") else None
    if payment is None:
        raise _not_found(command)
    if (capture := payment.capture(name)) is not None and not capture.by_attempt:
        _check_channel(payment, command)
        return _captured(books, payment, capture, command.verdict)
    if (void := payment.void(name)) is not None:
        _check_channel(payment, command, void.attempt)
        return _voided(books, payment, void, command.verdict)
    if (increment := payment.increment(name)) is not None:
        _check_channel(payment, command)
        return _incremented(books, payment, increment, command.verdict)
    raise _not_found(command)


def _check_channel(payment: Payment, command: RecordChangeResult, attempt: str = "") -> None:
    """A channel speaks for what was sent to it, and for nothing else."""
    held = payment.authorization
    asked = payment.attempt(attempt or (held.attempt if held is not None else None) or "")
    if asked is None or asked.channel != command.channel:
        raise _not_found(command)


def _not_found(command: RecordChangeResult) -> ChangeNotFound:
    return ChangeNotFound(change=command.change, channel=command.channel)


def _held(payment: Payment) -> tuple[Authorization, Attempt]:
    held = payment.authorization
    if held is None:
        raise AssertionError(f"nothing is held for {payment.created.id}")
    return held, holding_attempt(payment, held)


# --- captures -------------------------------------------------------------------------------------------------------


def _captured(books: Books, payment: Payment, capture: Capture, verdict: Verdict) -> Decision:
    stream, created = payment.created.id, payment.created
    under_way = capture.status == UNDER_WAY
    held, attempt = _held(payment)
    match as_asked(verdict, capture.amount, created.currency):
        case Changed(channel_reference=reference) if (
            capture.status not in (UNDER_WAY, REFUSED) or reference in attempt.unapplied
        ):
            return without_effect(stream, "duplicate", payment.position)
        case Changed(channel_reference=reference) if not under_way and held.open - payment.reserved < capture.amount:
            # It was refused, and what it would have taken was let go or taken since.
            late = unapplied(attempt, reference, capture.amount, "the capture has failed already")
            return with_effect(books, stream, [late], stream, "unapplied")
        case Changed(channel_reference=reference):
            sale = sale_of_next(payment, capture.amount)
            taken = PaymentCaptured(
                attempt=attempt.id,
                channel=attempt.channel,
                channel_reference=reference,
                merchant=created.merchant,
                product=created.product,
                amount=capture.amount,
                currency=created.currency,
                fee=sale.fee.amount,
                tax=sale.fee.tax,
                invoiced=sale.fee.invoiced,
                subsidy=sale.subsidy,
                channel_fee=channel_fee(attempt.channel, capture.amount),
                fee_payable=invoices_fee(attempt.channel),
                capture=capture.id,
                released=min(held.open, capture.amount),
                final=capture.final,
            )
            return with_effect(books, stream, with_rest(books, payment, [taken]), stream, "recorded")
        case ChangeDeclined() as no if under_way:
            declined = CaptureDeclined(capture.id, no.reason, no.channel_code, no.message)
            return with_effect(books, stream, with_rest(books, payment, [declined]), stream, "recorded")
        case NotSent() as no if under_way:
            declined = CaptureDeclined(capture.id, NOT_SENT_GROUP, message=no.reason)
            return with_effect(books, stream, with_rest(books, payment, [declined]), stream, "recorded")
        case Unknown() as silence if is_news(silence, under_way, capture.unanswered):
            return with_effect(books, stream, [CaptureUnanswered(capture.id, silence.reason)], stream, "recorded")
        case _:
            return without_effect(stream, "ignored", payment.position)


# --- voids ----------------------------------------------------------------------------------------------------------


def _voided(books: Books, payment: Payment, void: Void, verdict: Verdict) -> Decision:
    stream, under_way = payment.created.id, void.status == UNDER_WAY
    match as_asked(verdict, void.amount, payment.created.currency):
        case Changed() if void.status == DONE:
            return without_effect(stream, "duplicate", payment.position)
        case Changed() if under_way and void.takes_back:
            return with_effect(books, stream, [_revoked(books, payment, void)], stream, "recorded")
        case Changed() if under_way or not void.takes_back:
            return with_effect(books, stream, [_let_go(payment, void)], stream, "recorded")
        case ChangeDeclined() as no if under_way:
            return with_effect(books, stream, _void_declined(books, payment, void, no), stream, "recorded")
        case Unknown() as silence if is_news(silence, under_way, void.unanswered):
            return with_effect(books, stream, [VoidUnanswered(void.id, silence.reason)], stream, "recorded")
        case _:
            # NotSent too: what is let go is owed to the payer, so it is sent again and not given up.
            return without_effect(stream, "ignored", payment.position)


def _let_go(payment: Payment, void: Void) -> Event:
    held, attempt = payment.authorization, payment.attempt(void.attempt)
    if attempt is None:
        raise AssertionError(f"{void.id} lets go of what no attempt holds")
    still_open = 0 if held is None or void.surplus else min(void.amount, held.open - payment.reserved)
    return AuthorizationVoided(void.id, attempt.channel, max(0, still_open), attempt.currency)


def _revoked(books: Books, payment: Payment, void: Void) -> Event:
    capture, attempt, held = payment.capture(void.takes_back), payment.attempt(void.attempt), payment.authorization
    if capture is None or attempt is None:
        raise AssertionError(f"{void.id} takes back what was never taken")
    created = payment.created
    # An authorization that is voided or has run out holds nothing again.
    ended = held is None or held.voided or held.expired
    ended = ended or (held is not None and held.capture_before is not None and held.capture_before <= books.now)
    return PaymentRevoked(
        id=void.id,
        takes_back=capture.id,
        merchant=created.merchant,
        product=created.product,
        channel=attempt.channel,
        amount=capture.amount,
        currency=attempt.currency,
        fee=capture.fee,
        tax=capture.tax,
        invoiced=capture.invoiced,
        subsidy=capture.subsidy,
        channel_fee=capture.channel_fee,
        fee_payable=capture.fee_payable,
        reverses=capture.entry,
        reopened=0 if ended or capture.by_attempt else capture.released,
    )


def _void_declined(books: Books, payment: Payment, void: Void, no: ChangeDeclined) -> list[Event]:
    """What could not be taken back is refunded instead: its merchant has asked for the payer to have it."""
    declined = VoidDeclined(void.id, no.reason, no.channel_code, no.message)
    if not void.takes_back:
        return [declined]
    after = fold(imagined(books, payment.created.id, [declined]))
    if after is None or not after.refundable:
        return [declined]
    refund = refund_event(books, after, min(void.amount, after.refundable), void.reason)
    return [replace(declined, refund=refund.id), refund]


# --- increments and extensions --------------------------------------------------------------------------------------


def _incremented(books: Books, payment: Payment, increment: Increment, verdict: Verdict) -> Decision:
    stream, currency, under_way = payment.created.id, payment.created.currency, increment.status == UNDER_WAY
    _, attempt = _held(payment)
    match as_asked(verdict, increment.amount, currency):
        case Changed() if increment.status == DONE:
            return without_effect(stream, "duplicate", payment.position)
        case Changed(capture_before=until) if increment.extends:
            return with_effect(books, stream, [AuthorizationExtended(increment.id, until)], stream, "recorded")
        case Changed(capture_before=until):
            raised = AuthorizationIncremented(increment.id, attempt.channel, increment.amount, currency, until)
            return with_effect(books, stream, with_rest(books, payment, [raised]), stream, "recorded")
        case ChangeDeclined() as no if under_way:
            declined = IncrementDeclined(increment.id, no.reason, no.channel_code, no.message)
            return with_effect(books, stream, [declined], stream, "recorded")
        case NotSent() as no if under_way:
            declined = IncrementDeclined(increment.id, NOT_SENT_GROUP, message=no.reason)
            return with_effect(books, stream, [declined], stream, "recorded")
        case Unknown() as silence if is_news(silence, under_way, increment.unanswered):
            return with_effect(books, stream, [IncrementUnanswered(increment.id, silence.reason)], stream, "recorded")
        case _:
            return without_effect(stream, "ignored", payment.position)


def _needs(command: RecordChangeResult) -> Needs:
    return Needs(streams=(stream_of(command.change),))


DECIDERS: dict[type[Command], Decider] = {RecordChangeResult: Decider(record_result, _needs)}
