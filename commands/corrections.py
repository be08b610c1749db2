"""Corrections: an operator says what really became of a payment, with a reason; the books move both ways.

succeeded           ──▶ failed      its channel never took it: the full opposite of the sale (row K2)
failed, or unknown  ──▶ succeeded   its channel took it after all: the sale (rows A5 and A6)
unknown             ──▶ failed      its channel says so, in a way that no machine reads; nothing moves

What it is already it becomes without an event. What others have a part in, refunds, shares, disputes, is undone first.
"""

from typing import Literal

from msgspec.structs import replace

from commands.books import Books
from commands.channel_facts import imagined
from commands.channels.channel import Charged
from commands.confirmations import payment_named
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.payments import captured_by
from commands.policies.charges import COIN
from commands.settlement_state import was_reported
from commands.system_accounts import with_accounts
from ledger.authorization import REVOKED, Capture
from ledger.chart import AGENCY_PAY, merchant_pending
from ledger.errors import ChangeUnderWay, CorrectionNotPossible, FieldMissing, PaymentStateInvalid
from ledger.events.corrections import PaymentCorrected
from ledger.events.event import Event
from ledger.events.payments import PaymentAttemptDeclined, PaymentCaptured, PaymentFailed
from ledger.events.voids import PaymentRevoked
from ledger.payment import FAILED, PROCESSING, SUCCEEDED, UNKNOWN, Attempt, Payment
from ledger.payment_views import payment_view, payment_view_of

# What the payer is told of it: nothing was charged, and he may try again.
_GROUP = "try_again"


class CorrectPayment(Command, frozen=True):
    """Say what became of a payment. `channel_reference`: what its channel knows the money by, where it took some."""

    payment: str
    status: Literal["succeeded", "failed"]
    reason: str
    channel_reference: str | None = None


def correct(books: Books, command: CorrectPayment, envelope: Envelope) -> Decision:
    payment = payment_named(books, command.payment)
    if payment.status == command.status:
        return Decision([], payment_view_of(payment), status=200)
    _check(payment, command)
    attempt = _attempt_of(payment)
    reference = command.channel_reference or attempt.reference
    corrected = PaymentCorrected(command.status, payment.status, command.reason, reference)
    moved = _failure(books, payment, attempt, command) if command.status == FAILED else []
    if command.status == SUCCEEDED:
        if not reference:
            raise FieldMissing("Say what its channel knows the money by.", pointer="/channel_reference")
        moved = [_success(books, payment, attempt, reference)]
    events: list[Event] = [corrected, *moved]
    view = payment_view(imagined(books, command.payment, events))
    view.position = None
    return Decision(with_accounts(books, [(command.payment, event) for event in events]), view, status=200)


def _check(payment: Payment, command: CorrectPayment) -> None:
    """Raises what forbids it: another state, something under way, somebody else's part in it."""
    unknown = payment.status == PROCESSING and _attempt_of(payment).status == UNKNOWN
    if payment.status not in (SUCCEEDED, FAILED) and not unknown:
        raise PaymentStateInvalid(
            f"A payment that is {payment.status} is not corrected.",
            payment=command.payment,
            payment_status=payment.status,
            expected_status=[SUCCEEDED, FAILED],
        )
    if payment.is_being_voided or payment.reserved or payment.closing or payment.confirmation:
        raise ChangeUnderWay(payment=command.payment)
    created = payment.created
    if not payment.attempts or created.method.type == COIN or created.product == AGENCY_PAY or created.exchange:
        raise CorrectionNotPossible("No channel moved its money in one unit.", payment=command.payment)
    if created.capture != "automatic" and unknown:
        raise CorrectionNotPossible("Whether something is held is for its channel to say.", payment=command.payment)
    if payment.frozen or payment.from_wallet or created.method.wallet_amount:
        raise CorrectionNotPossible("A part of it comes from a wallet.", payment=command.payment)
    if any(attempt.unapplied for attempt in payment.attempts):
        raise CorrectionNotPossible("Money has come for it that is kept apart.", payment=command.payment)
    if payment.shared or payment.disputes or any(refund.status != FAILED for refund in payment.refunds):
        raise CorrectionNotPossible("Refunds, shares and disputes are about its money.", payment=command.payment)
    if len(payment.taken) > 1:
        raise CorrectionNotPossible("It was taken in parts.", payment=command.payment)


def _attempt_of(payment: Payment) -> Attempt:
    """The attempt that paid it, or else the last one."""
    paying = payment.paying_attempt or (payment.attempts[-1] if payment.attempts else None)
    if paying is None:
        raise CorrectionNotPossible("No channel was asked for its money.", payment=payment.created.id)
    return paying


def _failure(books: Books, payment: Payment, attempt: Attempt, command: CorrectPayment) -> list[Event]:
    failed = PaymentFailed(_GROUP, command.reason)
    if not payment.taken:
        return [PaymentAttemptDeclined(attempt.id, _GROUP, message=command.reason, hard=True), failed]
    return [_undone(books, payment, attempt, payment.taken[0]), failed]


def _undone(books: Books, payment: Payment, attempt: Attempt, capture: Capture) -> PaymentRevoked:
    """K2: what was taken is as if it had not been. What its merchant has had of it already becomes his debt."""
    if was_reported(books, payment, capture):
        raise CorrectionNotPossible("Its channel's report shows that it was taken.", payment=payment.created.id)
    created = payment.created
    owed = capture.amount + capture.subsidy - (0 if capture.invoiced else capture.fee + capture.tax)
    sales = books.find_account(merchant_pending(created.merchant, attempt.currency))
    pending = 0 if sales is None else max(0, sales.balance)
    return PaymentRevoked(
        id="",
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
        short=max(0, owed - pending),
    )


def _success(books: Books, payment: Payment, attempt: Attempt, reference: str) -> PaymentCaptured:
    """A5 and A6; over the sum and the fees that it had when it was taken for a failure by mistake."""
    sale = captured_by(payment, attempt, Charged(reference, attempt.amount, attempt.currency, None, books.now))
    before = [capture for capture in payment.captures if capture.status == REVOKED]
    if not before:
        return sale
    was = before[-1]
    return replace(
        sale,
        amount=was.amount,
        fee=was.fee,
        tax=was.tax,
        invoiced=was.invoiced,
        subsidy=was.subsidy,
        channel_fee=was.channel_fee,
    )


def _needs(command: CorrectPayment) -> Needs:
    return Needs(streams=(command.payment,))


DECIDERS: dict[type[Command], Decider] = {CorrectPayment: Decider(correct, _needs)}
