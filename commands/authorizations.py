"""Authorizations: what a merchant does with money that is held for a payment: take it in parts, hold more, let it go.

authorized ──CapturePayment──▶ partially_captured ──(the last part, or a final one)──▶ succeeded, the rest is let go
           ──IncrementPayment, ExtendPayment──▶ more is held, or for longer
           ──void_events, expiry_events──▶ canceled, expired; or succeeded with what was captured

A channel is asked and its answer is taken by changes.py; in a wallet everything is final in the one commit.
"""

from commands.authorization_facts import HELD_IN_WALLET_FOR, sale_of_next, void_requested
from commands.books import Books
from commands.channel_facts import check_amount, imagined
from commands.confirmations import payment_named
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.policies.channels import terms_of
from commands.system_accounts import with_accounts
from ledger.authorization import UNDER_WAY, Authorization
from ledger.errors import (
    AuthExpired,
    CaptureExceedsAuthorization,
    ChangeNotSupported,
    ChangeUnderWay,
    PaymentStateInvalid,
)
from ledger.events.authorizations import (
    AuthorizationExpired,
    AuthorizationExtended,
    CaptureRequested,
    IncrementRequested,
    PaymentCapturedFromWallet,
    PaymentFrozenInWallet,
    PaymentUnfrozenInWallet,
)
from ledger.events.event import Event
from ledger.ids import CAPTURE, INCREMENT, VOID, child_id
from ledger.money import BASIS_POINTS
from ledger.payment import AUTHORIZED, EXPIRED, OPEN, PARTIALLY_CAPTURED, Attempt, Payment
from ledger.payment_views import payment_view

HELD = (AUTHORIZED, PARTIALLY_CAPTURED)


class CapturePayment(Command, frozen=True):
    """Take `amount` minor units of what is held; None: all that is left. With `final` the rest is let go."""

    payment: str
    amount: int | None = None
    final: bool = False


class IncrementPayment(Command, frozen=True):
    """Have `amount` minor units more held."""

    payment: str
    amount: int


class ExtendPayment(Command, frozen=True):
    """Have what is held be held for longer."""

    payment: str


class ChangeBegun(Receipt):
    """A channel was asked for the capture, void, increment or extension with this id."""

    id: str = ""


# --- taking ---------------------------------------------------------------------------------------------------------


def capture(books: Books, command: CapturePayment, envelope: Envelope) -> Decision:
    payment = payment_named(books, command.payment)
    held = held_now(books, payment)
    if payment.is_being_finished:
        raise ChangeUnderWay("A final capture is under way.", payment=command.payment)
    if payment.review is not None and payment.review.status == OPEN:
        raise ChangeUnderWay("A review decides whether it is captured.", payment=command.payment)
    amount = payment.capturable if command.amount is None else command.amount
    if command.amount is not None:
        check_amount(command.amount)
    most = max(0, held.open - payment.reserved + _tolerance_left(payment, held))
    if not 0 < amount <= most:
        raise CaptureExceedsAuthorization(
            f"{most} minor units can be captured.", pointer="/amount", amount=amount, capturable=most
        )
    event = capture_event(payment, held, amount, final=command.final)
    if isinstance(event, CaptureRequested):
        return asked(books, payment, event, event.id)
    return at_once(books, payment, [event])


def capture_event(
    payment: Payment, held: Authorization, amount: int, *, final: bool
) -> CaptureRequested | PaymentCapturedFromWallet:
    """What taking this much of what is held begins with, or leads to at once."""
    number = 1 + sum(one.id.startswith(CAPTURE) for one in payment.captures)
    created = payment.created
    name = child_id(CAPTURE, created.id, number)
    if held.channel is None:
        sale = sale_of_next(payment, amount)
        return PaymentCapturedFromWallet(
            id=name,
            customer=created.customer or "",
            merchant=created.merchant,
            product=created.product,
            amount=amount,
            currency=created.currency,
            fee=sale.fee.amount,
            tax=sale.fee.tax,
            invoiced=sale.fee.invoiced,
            subsidy=sale.subsidy,
            unfrozen=held.open - amount if final else 0,
            final=final,
        )
    return CaptureRequested(
        id=name,
        attempt=held.attempt or "",
        channel=held.channel,
        channel_reference=held.reference,
        amount=amount,
        currency=created.currency,
        final=final,
    )


def _tolerance_left(payment: Payment, held: Authorization) -> int:
    """By how much captures may still go beyond what is held, as is agreed with the channel."""
    terms = None if held.channel is None else terms_of(held.channel)
    if terms is None:
        return 0
    beyond = sum(one.amount - one.released for one in payment.taken)
    return max(0, held.granted * terms.over_capture_bps // BASIS_POINTS - beyond)


# --- more, and for longer -------------------------------------------------------------------------------------------


def increment(books: Books, command: IncrementPayment, envelope: Envelope) -> Decision:
    check_amount(command.amount)
    payment = payment_named(books, command.payment)
    held = held_now(books, payment)
    check_amount(held.granted + command.amount)
    created = payment.created
    name = _increment_name(payment)
    if held.channel is None:
        more = PaymentFrozenInWallet(created.customer or "", command.amount, created.currency, held.fee, increment=name)
        return at_once(books, payment, [more])
    return asked(books, payment, _increment_requested(payment, held, held.channel, name, command.amount), name)


def extend(books: Books, command: ExtendPayment, envelope: Envelope) -> Decision:
    payment = payment_named(books, command.payment)
    held = held_now(books, payment)
    name = _increment_name(payment)
    if held.channel is None:
        return at_once(books, payment, [AuthorizationExtended(name, books.now + HELD_IN_WALLET_FOR)])
    return asked(books, payment, _increment_requested(payment, held, held.channel, name, held.open, extends=True), name)


def _increment_name(payment: Payment) -> str:
    if any(one.status == UNDER_WAY for one in payment.increments):
        raise ChangeUnderWay("An increment or an extension is under way.", payment=payment.created.id)
    return child_id(INCREMENT, payment.created.id, len(payment.increments) + 1)


def _increment_requested(
    payment: Payment, held: Authorization, channel: str, name: str, amount: int, *, extends: bool = False
) -> Event:
    terms = terms_of(channel)
    if terms is None or not terms.increments:
        raise ChangeNotSupported(f"What {channel} holds cannot be raised or held for longer.", channel=channel)
    return IncrementRequested(
        id=name,
        attempt=held.attempt or "",
        channel=channel,
        channel_reference=held.reference,
        amount=amount,
        currency=payment.created.currency,
        extends=extends,
    )


# --- letting go -----------------------------------------------------------------------------------------------------


def void_events(books: Books, payment: Payment, reason: str) -> list[Event]:
    """What letting go of all that is still held begins with, or leads to at once.

    A payment of which nothing was captured is canceled then. Raises PaymentStateInvalid, AuthExpired, ChangeUnderWay.
    """
    held = held_now(books, payment)
    if payment.reserved or any(one.status == UNDER_WAY for one in payment.increments):
        raise ChangeUnderWay("A capture or an increment is under way.", payment=payment.created.id)
    created = payment.created
    if held.channel is None:
        name = child_id(VOID, created.id, len(payment.voids) + 1)
        return [PaymentUnfrozenInWallet(created.customer or "", held.open, created.currency, "voided", reason, name)]
    return [void_requested(payment, holding_attempt(payment, held), held.reference, held.open, reason)]


def holding_attempt(payment: Payment, held: Authorization) -> Attempt:
    attempt = payment.attempt(held.attempt or "")
    if attempt is None:
        raise AssertionError(f"{payment.created.id} is held by no attempt of its own")
    return attempt


def expiry_events(books: Books, payment: Payment) -> list[Event]:
    """What is let go because its time is over: all that no capture under way may still take."""
    held = payment.authorization
    if held is None or held.is_over or not held.open:
        raise state_refusal(payment)
    if held.capture_before is None or held.capture_before > books.now:
        raise PaymentStateInvalid("The authorization's time is not over.", payment=payment.created.id)
    amount, created = max(0, held.open - payment.reserved), payment.created
    if held.channel is None:
        return [PaymentUnfrozenInWallet(created.customer or "", amount, created.currency, "expired")]
    return [AuthorizationExpired(held.channel, amount, created.currency)]


# --- what they have in common ---------------------------------------------------------------------------------------


def held_now(books: Books, payment: Payment) -> Authorization:
    """What is held, for whoever wants to do something with it.

    Raises AuthExpired, ChangeUnderWay, PaymentStateInvalid with the states that allow it.
    """
    held = payment.authorization
    if held is not None and (held.expired or (payment.status in HELD and _has_run_out(books, held))):
        # The timer may not have come by yet: the clock has the last word, not the timer.
        status = payment.status if held.expired else EXPIRED
        raise AuthExpired(payment=payment.created.id, payment_status=status, expected_status=list(HELD))
    if held is None or held.is_over or payment.status not in HELD:
        raise state_refusal(payment)
    if payment.is_being_voided:
        raise ChangeUnderWay("What is held is being let go.", payment=payment.created.id)
    return held


def _has_run_out(books: Books, held: Authorization) -> bool:
    return held.capture_before is not None and held.capture_before <= books.now


def state_refusal(payment: Payment) -> PaymentStateInvalid:
    return PaymentStateInvalid(
        f"Nothing is held for a payment that is {payment.status}.",
        payment=payment.created.id,
        payment_status=payment.status,
        expected_status=list(HELD),
    )


def asked(books: Books, payment: Payment, event: Event, change: str) -> Decision:
    """The decision to ask a channel for a change: what becomes of it is still to come."""
    stream = payment.created.id
    return Decision(with_accounts(books, [(stream, event)]), ChangeBegun(id=change), status=202)


def at_once(books: Books, payment: Payment, events: list[Event]) -> Decision:
    """The decision for what is final in the one commit."""
    stream = payment.created.id
    view = payment_view(imagined(books, stream, events))
    view.position = None
    return Decision(with_accounts(books, [(stream, event) for event in events]), view)


def _needs(command: CapturePayment | IncrementPayment | ExtendPayment) -> Needs:
    return Needs(streams=(command.payment,))


DECIDERS: dict[type[Command], Decider] = {
    CapturePayment: Decider(capture, _needs),
    IncrementPayment: Decider(increment, _needs),
    ExtendPayment: Decider(extend, _needs),
}
