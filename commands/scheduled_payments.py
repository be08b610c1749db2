"""Scheduled payments: the payer was told when he will be charged, and then he is.

Risk control has judged it when it was created; in between it can be canceled, and is when its contract ends. While the
card of its contract is being replaced it waits, and goes on as soon as that is over.
"""

from commands.attempts import begin
from commands.books import Books
from commands.confirmations import answered, payment_named
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from ledger.errors import PaymentNotDue
from ledger.payment import CREATED


class SendScheduledPayment(Command, frozen=True):
    """The time that the payer was told has come."""

    payment: str


def send(books: Books, command: SendScheduledPayment, envelope: Envelope) -> Decision:
    payment = payment_named(books, command.payment)
    due_at = payment.postponed_until or payment.created.scheduled_at
    if payment.status != CREATED or due_at is None or due_at > books.now:
        raise PaymentNotDue(
            payment=command.payment,
            payment_status=payment.status,
            scheduled_at=None if due_at is None else due_at.isoformat(),
        )
    return answered(books, payment, begin(books, payment.created))


def _needs(command: SendScheduledPayment) -> Needs:
    return Needs(streams=(command.payment,))


DECIDERS: dict[type[Command], Decider] = {SendScheduledPayment: Decider(send, _needs)}
