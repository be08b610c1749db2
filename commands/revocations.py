"""Revocations: a merchant undoes a payment, and the state of the payment decides how.

held                    ──▶ void: it is let go
taken today, in one go  ──▶ revocation: as if it had not been; what was held before it was taken is held again
otherwise               ──▶ refund of what was taken, and what is still held beside it is let go
from a wallet           ──▶ refund into it, final at once

A revocation that the channel refuses goes on as a refund. The answer says which it was.
"""

from commands.authorization_facts import void_requested
from commands.authorizations import HELD, void_events
from commands.books import Books
from commands.channel_facts import imagined
from commands.confirmations import payment_named
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.policies.revocations import is_revocable
from commands.refunds import refund_event
from commands.settlement_state import was_reported
from commands.system_accounts import with_accounts
from ledger.authorization import Capture
from ledger.authorization_views import revocation_view
from ledger.chart import AGENCY_PAY, merchant_pending
from ledger.errors import ChangeUnderWay, DisputeOpen, PaymentStateInvalid, RefundExceedsPayment
from ledger.events.event import Event
from ledger.ids import VOID, child_id
from ledger.payment import AUTHORIZED, FAILED, PARTIALLY_CAPTURED, PROCESSING, SUCCEEDED, Payment


class RevokePayment(Command, frozen=True):
    """Undo a payment, in whichever way its state asks for."""

    payment: str
    reason: str = ""


def revoke(books: Books, command: RevokePayment, envelope: Envelope) -> Decision:
    payment = payment_named(books, command.payment)
    if payment.status not in (AUTHORIZED, PARTIALLY_CAPTURED, SUCCEEDED):
        raise PaymentStateInvalid(
            f"A payment that is {payment.status} has nothing to revoke.",
            payment=command.payment,
            payment_status=payment.status,
            expected_status=[AUTHORIZED, PARTIALLY_CAPTURED, SUCCEEDED],
        )
    if payment.disputed:
        raise DisputeOpen(payment=command.payment)
    if payment.is_being_voided or payment.reserved:
        raise ChangeUnderWay(payment=command.payment)
    if payment.status == AUTHORIZED:
        events = void_events(books, payment, command.reason)
        return _answered(books, payment, events, child_id(VOID, command.payment, len(payment.voids) + 1))
    single = _revocable(books, payment)
    if single is not None:
        attempt = payment.paying_attempt
        if attempt is None:
            raise AssertionError(f"{command.payment} was taken by no attempt")
        taken_back = void_requested(
            payment, attempt, attempt.reference, single.amount, command.reason, takes_back=single.id
        )
        return _answered(books, payment, [taken_back], taken_back.id)
    if not payment.refundable:
        raise RefundExceedsPayment("Nothing of it is left to give back.", amount=0, refundable=0)
    rest = void_events(books, payment, command.reason) if payment.status in HELD else []
    refund = refund_event(books, payment, payment.refundable, command.reason)
    return _answered(books, payment, [*rest, refund], refund.id)


def _revocable(books: Books, payment: Payment) -> Capture | None:
    """The one capture that its channel can take back: of several, or of what was partly given back, it cannot."""
    attempt, taken = payment.paying_attempt, payment.taken
    if attempt is None or len(taken) != 1 or any(refund.status != FAILED for refund in payment.refunds):
        return None
    if payment.created.product == AGENCY_PAY:
        return None  # Until the channel answers, its principal may pay out what would be taken back.
    if any(void.takes_back and void.takes_back == taken[0].id for void in payment.voids):
        return None  # It was refused before.
    if any(refund.fee_back or refund.channel_fee_back for refund in payment.refunds):
        return None  # With a refund that came back later; to take back all of the fee would give that twice.
    capture = taken[0]
    # Of a payment in two currencies or from two sources the channel knows only a part.
    whole = capture.amount == payment.captured and not capture.exchanged
    today = capture.taken_at is not None and is_revocable(attempt.channel, capture.taken_at, books.now)
    # What others have a share of, or what was released to its merchant already, is settled: it can only be refunded.
    created = payment.created
    sales = books.find_account(merchant_pending(created.merchant, attempt.currency))
    kept = 0 if capture.invoiced else capture.fee + capture.tax
    whole_of_it = capture.amount + capture.subsidy - kept
    unsettled = not payment.shared and sales is not None and sales.available >= whole_of_it
    return capture if whole and today and unsettled and not was_reported(books, payment, capture) else None


def _answered(books: Books, payment: Payment, events: list[Event], name: str) -> Decision:
    stream = payment.created.id
    view = revocation_view(imagined(books, stream, events), name)
    view.position = None
    status = 202 if view.status == PROCESSING else 201
    return Decision(with_accounts(books, [(stream, event) for event in events]), view, status)


def _needs(command: RevokePayment) -> Needs:
    return Needs(streams=(command.payment,))


DECIDERS: dict[type[Command], Decider] = {RevokePayment: Decider(revoke, _needs)}
