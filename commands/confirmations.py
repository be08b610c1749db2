"""Confirmations: a payment is begun, or what its payer answered is passed on to whoever asked.

ConfirmPayment of what is  created          ──▶ it is begun, as at once without `confirm: false`
                           requires_action  ──▶ processing ──RecordConfirmationResult──▶ succeeded, authorized, failed
                                                                                   └──▶ requires_action again
A wrong code may be told a few times; after that the order is closed at the channel and the payment has failed.
"""

from commands.books import Books
from commands.challenges import answer_challenge
from commands.channel_facts import imagined, with_effect, without_effect
from commands.channels.channel import ActionRequired, NotFound, NotSent, Unknown, Verdict
from commands.closings import given_up
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.payments import RecordAttemptResult, record_attempt_result
from commands.risk_decisions import set_in_motion
from commands.risk_signals import RiskSignals
from commands.system_accounts import with_accounts
from ledger.errors import FieldInvalid, FieldMissing, PaymentNotFound, PaymentStateInvalid
from ledger.events.confirmations import PaymentConfirmationFailed, PaymentConfirmationSent
from ledger.events.event import Event
from ledger.events.payments import PaymentActionRequired
from ledger.ids import CONFIRMATION, child_id, stream_of
from ledger.payment import CREATED, FAILED, PROCESSING, REQUIRES_ACTION, Confirmation, Payment
from ledger.payment_state import fold
from ledger.payment_views import payment_view

MOST_WRONG_ANSWERS = 3
GROUP = "authentication_failed"
# What a channel may ask for and is told through us; everywhere else the payer turns to the channel himself.
ANSWERED_HERE = ("sms_code", "three_ds")

WRONG, NOT_DONE, NOT_SENT = "wrong", "not_done", "not_sent"


class ConfirmPayment(Command, frozen=True):
    """Begin a payment that was only created, or pass on what the payer answered; three_ds needs no answer.

    `proof` is that of the answer, for a code that we sent ourselves; `risk` what a view knows of the payer's past.
    """

    payment: str
    answer: str | None = None
    proof: str = ""
    risk: RiskSignals = RiskSignals()


class RecordConfirmationResult(Command, frozen=True):
    """What the channel says to the payer's answer."""

    confirmation: str
    channel: str
    verdict: Verdict


# --- the answer -----------------------------------------------------------------------------------------------------


def confirm(books: Books, command: ConfirmPayment, envelope: Envelope) -> Decision:
    payment = payment_named(books, command.payment)
    if payment.status in (CREATED, REQUIRES_ACTION) and payment.expires_at and payment.expires_at <= books.now:
        # The timer has not come by yet; the clock has the last word, not the timer.
        raise _refusal(payment, "Its time is over: nobody can pay it any more.")
    if payment.status == CREATED:
        return answered(books, payment, _begun(books, payment, command))
    action = payment.action
    if payment.status != REQUIRES_ACTION or action is None:
        raise _refusal(payment, f"There is nothing to confirm: the payment is {payment.status}.")
    if not action.attempt:
        return answered(books, payment, _challenge_answered(books, payment, command))
    if action.action not in ANSWERED_HERE:
        raise _refusal(payment, f"The payer acts at the channel ({action.action}): there is nothing to confirm here.")
    return answered(books, payment, [_sent(payment, action, command.answer)])


def payment_named(books: Books, name: str) -> Payment:
    """The payment as it stands; raises PaymentNotFound."""
    payment = fold(books.recorded(name)) if name.startswith("pay_") else None
    if payment is None:
        raise PaymentNotFound(payment=name)
    return payment


def answered(books: Books, payment: Payment, events: list[Event]) -> Decision:
    """The decision to record these events of a payment; 202 where the outcome is still to come."""
    name = payment.created.id
    view = payment_view(imagined(books, name, events))
    view.position = None
    status = 202 if view.status == PROCESSING else 200
    return Decision(with_accounts(books, [(name, event) for event in events]), view, status)


def _refusal(payment: Payment, detail: str) -> PaymentStateInvalid:
    return PaymentStateInvalid(
        detail,
        payment=payment.created.id,
        payment_status=payment.status,
        expected_status=[CREATED, REQUIRES_ACTION],
        action=None if payment.action is None else payment.action.action,
    )


def _begun(books: Books, payment: Payment, command: ConfirmPayment) -> list[Event]:
    if command.answer is not None:
        raise FieldInvalid("Nobody has asked anything yet: a payment is begun without an answer.", pointer="/answer")
    if payment.created.scheduled_at is not None:
        raise _refusal(payment, "It begins by itself, when the payer was told that he will be charged.")
    if payment.postponed_until is not None:
        raise _refusal(payment, "It begins by itself, once the card of its contract is replaced.")
    return set_in_motion(books, payment.created, command.risk)


def _challenge_answered(books: Books, payment: Payment, command: ConfirmPayment) -> list[Event]:
    if command.answer is None:
        raise FieldMissing("The code that the payer was sent is missing.", pointer="/answer")
    return answer_challenge(books, payment, command.proof)


def _sent(payment: Payment, action: PaymentActionRequired, answer: str | None) -> Event:
    attempt = payment.attempt(action.attempt)
    if attempt is None:
        raise AssertionError(f"{payment.created.id} waits for the answer to an attempt that it does not have")
    if answer is None and action.action == "sms_code":
        raise FieldMissing("The code that the payer was sent is missing.", pointer="/answer")
    return PaymentConfirmationSent(
        confirmation=child_id(CONFIRMATION, payment.created.id, len(payment.confirmations) + 1),
        attempt=attempt.id,
        channel=attempt.channel,
        channel_reference=action.channel_reference,
        amount=attempt.amount,
        currency=attempt.currency,
        answer=answer or "",
    )


# --- what the channel says to it ------------------------------------------------------------------------------------


def record_result(books: Books, command: RecordConfirmationResult, envelope: Envelope) -> Decision:
    payment, confirmation = _found(books, command)
    name, attempt, verdict = payment.created.id, confirmation.attempt, command.verdict
    pending = payment.confirmation is not None and payment.confirmation.id == confirmation.id
    match verdict:
        case ActionRequired() if pending:
            return with_effect(books, name, _asked_again(books, payment, confirmation, verdict), name, "recorded")
        case NotSent() if pending:
            failed = PaymentConfirmationFailed(confirmation.id, attempt, NOT_SENT, confirmation.tries_left)
            return with_effect(books, name, [failed], name, "recorded")
        case ActionRequired() | NotSent() | NotFound() | Unknown():
            return without_effect(name, "ignored", payment.position)
        case _:
            return record_attempt_result(books, RecordAttemptResult(attempt, command.channel, verdict), envelope)


def _asked_again(books: Books, payment: Payment, confirmation: Confirmation, asked: ActionRequired) -> list[Event]:
    """The answer changed nothing. A code that was wrong is counted; a step at the bank that is not done yet is not."""
    if asked.action != "sms_code":
        events: list[Event] = [PaymentConfirmationFailed(confirmation.id, confirmation.attempt, NOT_DONE)]
    else:
        wrong = 1 + sum(one.status == WRONG for one in payment.confirmations)
        left = MOST_WRONG_ANSWERS - wrong
        events = [PaymentConfirmationFailed(confirmation.id, confirmation.attempt, WRONG, left)]
        if left <= 0:
            return [*events, *given_up(payment, FAILED, GROUP, "The code was wrong too often.")]
    return [*events, *_asked_for_more(payment, confirmation, asked)]


def _asked_for_more(payment: Payment, confirmation: Confirmation, asked: ActionRequired) -> list[Event]:
    """What the channel asks for now, where that is something else than before."""
    known = payment.action
    if known is not None and (known.action, known.url, known.data) == (asked.action, asked.url, asked.data):
        return []
    until = asked.expires_at or (None if known is None else known.expires_at)
    again = PaymentActionRequired(
        confirmation.attempt, asked.action, asked.channel_reference, asked.url, asked.data, until
    )
    return [again]


def _found(books: Books, command: RecordConfirmationResult) -> tuple[Payment, Confirmation]:
    order = stream_of(command.confirmation)
    payment = fold(books.recorded(order)) if order.startswith("pay_") else None
    confirmations = () if payment is None else payment.confirmations
    confirmation = next((one for one in confirmations if one.id == command.confirmation), None)
    attempt = None if payment is None or confirmation is None else payment.attempt(confirmation.attempt)
    # A channel speaks for what was sent to it, and for nothing else.
    if payment is None or confirmation is None or attempt is None or attempt.channel != command.channel:
        raise PaymentNotFound(confirmation=command.confirmation, channel=command.channel)
    return payment, confirmation


def _confirm_needs(command: ConfirmPayment) -> Needs:
    return Needs(streams=(command.payment,))


def _result_needs(command: RecordConfirmationResult) -> Needs:
    return Needs(streams=(stream_of(command.confirmation),))


DECIDERS: dict[type[Command], Decider] = {
    ConfirmPayment: Decider(confirm, _confirm_needs),
    RecordConfirmationResult: Decider(record_result, _result_needs),
}
