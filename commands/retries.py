"""Retries: a payment that failed is tried once more because somebody asks for it, for as long as the rules allow.

RetryPayment ──▶ processing, at whichever channel the rules choose now; its earlier attempts stay listed
"""

from datetime import timedelta

from commands.attempts import initiated
from commands.books import Books
from commands.channel_choice import active_rules, chosen_for, facts_of, routed
from commands.channel_facts import imagined
from commands.contract_charges import is_agreed
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.policies.charges import MIXED
from commands.policies.products import PRODUCTS
from ledger.errors import PaymentNotFound, PaymentStateInvalid, RetryNotAllowed
from ledger.events.event import Event
from ledger.ids import PAYMENT
from ledger.payment import FAILED, Payment
from ledger.payment_state import fold
from ledger.payment_views import payment_view

# Asking again cannot help, or must not be tried.
_FOR_GOOD = frozenset({"blocked", "mandate_ended", "account_invalid", "duplicate"})


class RetryPayment(Command, frozen=True):
    """Try a failed payment once more with the same method."""

    payment: str


def retry(books: Books, command: RetryPayment, envelope: Envelope) -> Decision:
    payment = fold(books.recorded(command.payment)) if command.payment.startswith(PAYMENT) else None
    if payment is None:
        raise PaymentNotFound(payment=command.payment)
    if payment.status != FAILED:
        raise PaymentStateInvalid(
            f"Only a payment that has failed is tried again; this one is {payment.status}.",
            payment=command.payment,
            payment_status=payment.status,
            expected_status=FAILED,
        )
    _check(payment)
    minutes = active_rules(books).document.retry_minutes
    if books.now - payment.created_at > timedelta(minutes=minutes):
        detail = f"It may be tried again for {minutes} minutes." if minutes else "Nothing is tried again."
        raise RetryNotAllowed(detail, payment=command.payment, retry_minutes=minutes)
    created, facts = payment.created, facts_of(payment.created)
    chosen = chosen_for(books, facts)
    proof = PRODUCTS[created.product].authenticate
    intent = initiated(created, len(payment.attempts) + 1, chosen, authenticate=proof)
    events: list[Event] = [routed(chosen, facts.method), intent]
    view = payment_view(imagined(books, command.payment, events))
    view.position = None
    return Decision([(command.payment, event) for event in events], view, status=202)


def _check(payment: Payment) -> None:
    """Raises RetryNotAllowed where trying again would be wrong at any time."""
    created, last = payment.created, payment.attempts[-1] if payment.attempts else None
    name = created.id
    if last is None or is_agreed(created) or created.method.type == MIXED:
        raise RetryNotAllowed("What was paid in this way is asked for anew, as another payment.", payment=name)
    if last.declined is None or last.declined.hard or last.declined.group in _FOR_GOOD:
        raise RetryNotAllowed("This was refused for good: use another method.", payment=name)
    if any(attempt.unapplied for attempt in payment.attempts):
        raise RetryNotAllowed("Money has come for it that is kept apart: decide about that first.", payment=name)


def _needs(command: RetryPayment) -> Needs:
    return Needs(streams=(command.payment,))


DECIDERS: dict[type[Command], Decider] = {RetryPayment: Decider(retry, _needs)}
