"""Cancellations: a payment that nobody has paid yet is given up, by its merchant or because its time is over.

in_review                      ──CancelPayment──▶ canceled, and its review is withdrawn
created, requires_action       ──CancelPayment──▶ canceled, once its order is closed at the channel
                               ──ExpirePayment──▶ expired, likewise
authorized, partially_captured ──CancelPayment──▶ the channel is asked to let go of the payer's money
                               ──ExpirePayment──▶ it has done so by itself

A success that comes all the same is kept apart, and the payment stays what it became.
"""

from commands.authorizations import HELD, asked, expiry_events, void_events
from commands.books import Books
from commands.closings import given_up
from commands.coins import has_coins_on_their_way
from commands.confirmations import answered, payment_named
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from ledger.errors import PaymentStateInvalid
from ledger.events.event import Event
from ledger.events.voids import VoidRequested
from ledger.payment import CANCELED, CREATED, EXPIRED, IN_REVIEW, REQUIRES_ACTION, Payment

# What may be given up before anything was held or taken.
UNPAID = (CREATED, REQUIRES_ACTION)


class CancelPayment(Command, frozen=True):
    """Give a payment up before it is paid."""

    payment: str
    reason: str | None = None


class ExpirePayment(Command, frozen=True):
    """Give a payment up because its time is over."""

    payment: str


def cancel(books: Books, command: CancelPayment, envelope: Envelope) -> Decision:
    payment = payment_named(books, command.payment)
    reason = command.reason or ""
    if payment.status in (*UNPAID, IN_REVIEW):
        return answered(books, payment, given_up(payment, CANCELED, "cancelled_by_user", reason))
    if payment.status in HELD:
        return _let_go(books, payment, void_events(books, payment, reason))
    raise _refusal(payment, f"A payment that is {payment.status} cannot be canceled.", IN_REVIEW)


def expire(books: Books, command: ExpirePayment, envelope: Envelope) -> Decision:
    payment = payment_named(books, command.payment)
    if payment.authorization is not None and payment.status not in UNPAID:
        return answered(books, payment, expiry_events(books, payment))
    if payment.status not in UNPAID:
        raise _refusal(payment, f"A payment that is {payment.status} does not expire.")
    if payment.expires_at is None or payment.expires_at > books.now:
        raise _refusal(payment, "Its time is not over.")
    if has_coins_on_their_way(payment, books.now):
        raise _refusal(payment, "Coins that were sent in time are not confirmed yet.")
    return answered(books, payment, given_up(payment, EXPIRED, "session_expired"))


def _let_go(books: Books, payment: Payment, events: list[Event]) -> Decision:
    """The channel is asked to let go of what it holds; a wallet does it in the one commit."""
    match events:
        case [VoidRequested(id=void) as requested]:
            return asked(books, payment, requested, void)
        case _:
            return answered(books, payment, events)


def _refusal(payment: Payment, detail: str, *more: str) -> PaymentStateInvalid:
    return PaymentStateInvalid(
        detail,
        payment=payment.created.id,
        payment_status=payment.status,
        expected_status=[*UNPAID, *more, *HELD],
    )


def _needs(command: CancelPayment | ExpirePayment) -> Needs:
    return Needs(streams=(command.payment,))


DECIDERS: dict[type[Command], Decider] = {
    CancelPayment: Decider(cancel, _needs),
    ExpirePayment: Decider(expire, _needs),
}
