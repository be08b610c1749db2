"""Authorizations: what holding, taking and letting go make of a payment. All of it is told by amounts, not by order."""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from ledger.authorization import DONE, REFUSED, REVOKED, Authorization, Capture, Increment, Void
from ledger.events.authorizations import (
    AuthorizationExpired,
    AuthorizationExtended,
    AuthorizationIncremented,
    AuthorizationReleased,
    CaptureDeclined,
    CaptureRequested,
    CaptureUnanswered,
    IncrementDeclined,
    IncrementRequested,
    IncrementUnanswered,
    PaymentAuthorized,
    PaymentCapturedFromWallet,
    PaymentFrozenInWallet,
    PaymentUnfrozenInWallet,
)
from ledger.events.event import Recorded
from ledger.events.payments import PaymentCaptured
from ledger.events.voids import AuthorizationVoided, PaymentRevoked, VoidDeclined, VoidRequested, VoidUnanswered
from ledger.evolving import payments
from ledger.evolving.payments import Evolvers, with_attempt
from ledger.payment import (
    AUTHORIZED,
    CANCELED,
    CLOSED,
    EXPIRED,
    PARTIALLY_CAPTURED,
    PROCESSING,
    SUCCEEDED,
    Payment,
)

VOIDED_GROUP = "cancelled_by_user"
EXPIRED_GROUP = "session_expired"

# --- the parts ------------------------------------------------------------------------------------------------------


def with_capture(payment: Payment, name: str, change: Callable[[Capture], Capture]) -> Payment:
    return replace(payment, captures=tuple(change(one) if one.id == name else one for one in payment.captures))


def with_void(payment: Payment, name: str, change: Callable[[Void], Void]) -> Payment:
    return replace(payment, voids=tuple(change(one) if one.id == name else one for one in payment.voids))


def with_increment(payment: Payment, name: str, change: Callable[[Increment], Increment]) -> Payment:
    return replace(payment, increments=tuple(change(one) if one.id == name else one for one in payment.increments))


def with_authorization(payment: Payment, change: Callable[[Authorization], Authorization]) -> Payment:
    held = payment.authorization
    return payment if held is None else replace(payment, authorization=change(held))


def _let_go(held: Authorization, amount: int) -> Authorization:
    return replace(held, open=held.open - amount)


def standing(payment: Payment) -> Payment:
    """The payment with the status that its amounts give it, once something was held or taken for it."""
    held = payment.authorization
    status, group, attempt_status = payment.status, None, AUTHORIZED
    if held is None or not held.open:
        if payment.captured:
            status, attempt_status = SUCCEEDED, SUCCEEDED
        elif held is not None and held.expired and not held.voided:
            status, group, attempt_status = EXPIRED, EXPIRED_GROUP, CLOSED
        else:
            status, group, attempt_status = CANCELED, VOIDED_GROUP, CLOSED
    elif payment.captured:
        status, attempt_status = PARTIALLY_CAPTURED, SUCCEEDED
    else:
        status = PROCESSING if held.by_channel else AUTHORIZED
    paying = payment.paying_attempt
    name = (held.attempt if held is not None else paying.id if paying is not None else None) or ""
    changed = with_attempt(payment, name, lambda one: replace(one, status=attempt_status))
    return replace(changed, status=status, group=group, action=None)


# --- holding --------------------------------------------------------------------------------------------------------


def authorized(payment: Payment, event: PaymentAuthorized, recorded: Recorded) -> Payment:
    held = Authorization(
        granted=event.amount,
        open=event.amount,
        fee=event.fee,
        channel=event.channel,
        attempt=event.attempt,
        reference=event.channel_reference,
        capture_before=event.capture_before,
        by_channel=event.by_channel,
    )
    named = with_attempt(payment, event.attempt, lambda one: replace(one, reference=event.channel_reference))
    return standing(replace(named, authorization=held))


def frozen(payment: Payment, event: PaymentFrozenInWallet, recorded: Recorded) -> Payment:
    held = payment.authorization or Authorization(0, 0, event.fee, capture_before=event.capture_before)
    raised = replace(held, granted=held.granted + event.amount, open=held.open + event.amount)
    known = replace(payment, authorization=raised)
    if event.increment:
        increment = Increment(event.increment, event.amount, status=DONE)
        known = replace(known, increments=(*known.increments, increment))
    return standing(known)


def unfrozen(payment: Payment, event: PaymentUnfrozenInWallet, recorded: Recorded) -> Payment:
    def change(held: Authorization) -> Authorization:
        voided = held.voided or event.because == "voided"
        return replace(_let_go(held, event.amount), voided=voided, expired=held.expired or event.because == "expired")

    known = payment
    if event.id:
        void = Void(event.id, event.amount, event.reason, status=DONE)
        known = replace(payment, voids=(*payment.voids, void))
    return standing(with_authorization(known, change))


def released(payment: Payment, event: AuthorizationReleased, recorded: Recorded) -> Payment:
    return standing(with_authorization(payment, lambda held: _let_go(held, event.amount)))


def expired(payment: Payment, event: AuthorizationExpired, recorded: Recorded) -> Payment:
    return standing(with_authorization(payment, lambda held: replace(_let_go(held, event.amount), expired=True)))


# --- taking ---------------------------------------------------------------------------------------------------------


def capture_requested(payment: Payment, event: CaptureRequested, recorded: Recorded) -> Payment:
    capture = Capture(event.id, event.amount, recorded.recorded_at, final=event.final)
    return replace(payment, captures=(*payment.captures, capture))


def capture_unanswered(payment: Payment, event: CaptureUnanswered, recorded: Recorded) -> Payment:
    return with_capture(payment, event.id, lambda one: replace(one, unanswered=(*one.unanswered, event.reason)))


def capture_declined(payment: Payment, event: CaptureDeclined, recorded: Recorded) -> Payment:
    return with_capture(payment, event.id, lambda one: replace(one, status=REFUSED, group=event.group))


def _taken(payment: Payment, amount: int, subsidy: int) -> Payment:
    return replace(payment, captured=payment.captured + amount, subsidized=payment.subsidized + subsidy)


def captured(payment: Payment, event: PaymentCaptured, recorded: Recorded) -> Payment:
    def change(capture: Capture) -> Capture:
        return replace(
            capture,
            status=DONE,
            group=None,
            final=event.final,
            reference=event.channel_reference,
            fee=event.fee,
            tax=event.tax,
            invoiced=event.invoiced,
            fee_payable=event.fee_payable,
            subsidy=event.subsidy,
            channel_fee=event.channel_fee,
            released=event.released,
            taken_at=recorded.recorded_at,
            entry=recorded.entry_id,
            exchanged=event.exchange is not None,
        )

    def take(held: Authorization) -> Authorization:
        return replace(_let_go(held, event.released), finished=held.finished or event.final)

    if not event.capture:
        charge = change(Capture(event.attempt, event.amount, recorded.recorded_at))
        paid = payments.captured(payment, event, recorded)
        return standing(with_authorization(replace(paid, captures=(*payment.captures, charge)), take))
    known = with_capture(payment, event.capture, change)
    return standing(with_authorization(_taken(known, event.amount, event.subsidy), take))


def captured_from_wallet(payment: Payment, event: PaymentCapturedFromWallet, recorded: Recorded) -> Payment:
    at = recorded.recorded_at
    capture = Capture(
        id=event.id,
        amount=event.amount,
        requested_at=at,
        status=DONE,
        final=event.final,
        fee=event.fee,
        tax=event.tax,
        invoiced=event.invoiced,
        subsidy=event.subsidy,
        released=event.amount,
        taken_at=at,
        entry=recorded.entry_id,
    )

    def take(held: Authorization) -> Authorization:
        return replace(_let_go(held, event.amount + event.unfrozen), finished=held.finished or event.final)

    known = _taken(replace(payment, captures=(*payment.captures, capture)), event.amount, event.subsidy)
    return standing(with_authorization(known, take))


# --- letting go and taking back -------------------------------------------------------------------------------------


def void_requested(payment: Payment, event: VoidRequested, recorded: Recorded) -> Payment:
    void = Void(event.id, event.amount, event.reason, event.attempt, event.takes_back, event.surplus)
    return replace(payment, voids=(*payment.voids, void))


def void_unanswered(payment: Payment, event: VoidUnanswered, recorded: Recorded) -> Payment:
    return with_void(payment, event.id, lambda one: replace(one, unanswered=(*one.unanswered, event.reason)))


def void_declined(payment: Payment, event: VoidDeclined, recorded: Recorded) -> Payment:
    def change(void: Void) -> Void:
        return replace(void, status=REFUSED, group=event.group, refund=event.refund)

    return with_void(payment, event.id, change)


def voided(payment: Payment, event: AuthorizationVoided, recorded: Recorded) -> Payment:
    void = payment.void(event.id)
    done = with_void(payment, event.id, lambda one: replace(one, status=DONE))
    if void is not None and void.surplus:
        return done
    return standing(with_authorization(done, lambda held: replace(_let_go(held, event.amount), voided=True)))


def revoked(payment: Payment, event: PaymentRevoked, recorded: Recorded) -> Payment:
    done = with_void(payment, event.id, lambda one: replace(one, status=DONE))
    known = with_capture(done, event.takes_back, lambda one: replace(one, status=REVOKED))
    finished = any(one.final and one.status == DONE for one in known.captures)

    def reopen(held: Authorization) -> Authorization:
        return replace(held, open=held.open + event.reopened, finished=finished)

    return standing(with_authorization(_taken(known, -event.amount, -event.subsidy), reopen))


# --- more, and for longer -------------------------------------------------------------------------------------------


def increment_requested(payment: Payment, event: IncrementRequested, recorded: Recorded) -> Payment:
    increment = Increment(event.id, event.amount, event.extends)
    return replace(payment, increments=(*payment.increments, increment))


def increment_unanswered(payment: Payment, event: IncrementUnanswered, recorded: Recorded) -> Payment:
    return with_increment(payment, event.id, lambda one: replace(one, unanswered=(*one.unanswered, event.reason)))


def increment_declined(payment: Payment, event: IncrementDeclined, recorded: Recorded) -> Payment:
    return with_increment(payment, event.id, lambda one: replace(one, status=REFUSED, group=event.group))


def incremented(payment: Payment, event: AuthorizationIncremented, recorded: Recorded) -> Payment:
    def raise_it(held: Authorization) -> Authorization:
        until = _later(held, event.capture_before)
        return replace(until, granted=held.granted + event.amount, open=held.open + event.amount)

    done = with_increment(payment, event.id, lambda one: replace(one, status=DONE))
    return standing(with_authorization(done, raise_it))


def extended(payment: Payment, event: AuthorizationExtended, recorded: Recorded) -> Payment:
    known = payment
    if payment.increment(event.id) is None:  # in a wallet nobody is asked first
        known = replace(payment, increments=(*payment.increments, Increment(event.id, 0, extends=True)))
    done = with_increment(known, event.id, lambda one: replace(one, status=DONE))
    return with_authorization(done, lambda held: _later(held, event.capture_before))


def _later(held: Authorization, until: datetime | None) -> Authorization:
    # Two of them may be told in any order: the later time holds.
    known = [time for time in (held.capture_before, until) if time is not None]
    return replace(held, capture_before=max(known, default=None))


EVOLVERS: Evolvers = {
    PaymentAuthorized: authorized,
    PaymentFrozenInWallet: frozen,
    PaymentUnfrozenInWallet: unfrozen,
    AuthorizationReleased: released,
    AuthorizationExpired: expired,
    CaptureRequested: capture_requested,
    CaptureUnanswered: capture_unanswered,
    CaptureDeclined: capture_declined,
    PaymentCaptured: captured,
    PaymentCapturedFromWallet: captured_from_wallet,
    VoidRequested: void_requested,
    VoidUnanswered: void_unanswered,
    VoidDeclined: void_declined,
    AuthorizationVoided: voided,
    PaymentRevoked: revoked,
    IncrementRequested: increment_requested,
    IncrementUnanswered: increment_unanswered,
    IncrementDeclined: increment_declined,
    AuthorizationIncremented: incremented,
    AuthorizationExtended: extended,
}
