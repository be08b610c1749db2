"""Reviews: a person lets a payment go on or not; where nobody decides in time, the policy that it was opened with does.

open ──approve──▶ it begins, or what is authorized is captured
  ├───reject───▶ rejected, or what is authorized is let go
  └───(the payment is canceled)───▶ withdrawn
"""

from commands.attempts import begin
from commands.authorizations import HELD, capture_event, held_now, state_refusal, void_events
from commands.books import Books
from commands.challenges import BLOCKED
from commands.confirmations import answered
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from ledger.errors import PaymentStateInvalid, ReviewNotDue, ReviewNotFound, ReviewNotOpen, SelfApproval
from ledger.events.event import Event
from ledger.events.payments import PaymentRejected
from ledger.events.reviews import PaymentReviewApproved, PaymentReviewRejected
from ledger.ids import REVIEW, stream_of
from ledger.payment import OPEN, PROCESSING, REQUIRES_ACTION, Payment, Review
from ledger.payment_state import fold

# The channel has still to say whether it holds the money.
_NOT_KNOWN_YET = (PROCESSING, REQUIRES_ACTION)


class ApproveReview(Command, frozen=True):
    """Let the payment go on."""

    review: str
    note: str = ""


class RejectReview(Command, frozen=True):
    """Let the payment go no further."""

    review: str
    note: str = ""


class CloseOverdueReview(Command, frozen=True):
    """Nobody decided in time: do what the review was opened with."""

    review: str


def approve(books: Books, command: ApproveReview, envelope: Envelope) -> Decision:
    payment, review = _open(books, command.review)
    creator = books.recorded(payment.created.id)[0].metadata.who
    if review.four_eyes and creator == envelope.who:
        raise SelfApproval(review=review.id, payment=payment.created.id)
    if _is_too_late(books, payment, review):
        raise PaymentStateInvalid(
            "Its time is over: nobody can pay it any more.", payment=payment.created.id, payment_status=payment.status
        )
    approved = PaymentReviewApproved(review.id, command.note)
    return answered(books, payment, [approved, *_goes_on(books, payment, review)])


def reject(books: Books, command: RejectReview, envelope: Envelope) -> Decision:
    payment, review = _open(books, command.review)
    rejected = PaymentReviewRejected(review.id, command.note)
    return answered(books, payment, [rejected, *_goes_no_further(books, payment, review)])


def close_overdue(books: Books, command: CloseOverdueReview, envelope: Envelope) -> Decision:
    payment, review = _found(books, command.review)
    waits = review.after_authorization and payment.status in _NOT_KNOWN_YET
    if review.status != OPEN or books.now < review.deadline or waits:
        raise ReviewNotDue(review=review.id, review_status=review.status)
    events: list[Event]
    is_over = _is_too_late(books, payment, review) or (review.after_authorization and payment.status not in HELD)
    if review.on_deadline == "approve" and not is_over:
        approved = PaymentReviewApproved(review.id, by_deadline=True)
        events = [approved, *_goes_on(books, payment, review)]
    else:
        rejected = PaymentReviewRejected(review.id, by_deadline=True)
        events = [rejected, *_goes_no_further(books, payment, review)]
    return answered(books, payment, events)


def _is_too_late(books: Books, payment: Payment, review: Review) -> bool:
    """Whether the order's own time ran out while it waited to begin."""
    until = payment.created.expires_at
    return not review.after_authorization and until is not None and until <= books.now


def _goes_on(books: Books, payment: Payment, review: Review) -> list[Event]:
    """The payment begins, or all that is held for it is captured; raises what says that nothing is held."""
    if not review.after_authorization:
        return begin(books, payment.created)
    return [capture_event(payment, held_now(books, payment), payment.capturable, final=False)]


def _goes_no_further(books: Books, payment: Payment, review: Review) -> list[Event]:
    """It is rejected, or what is held is let go; nothing, where nothing is held any more."""
    if not review.after_authorization:
        return [PaymentRejected(BLOCKED, "rejected by a review")]
    if payment.status in _NOT_KNOWN_YET:
        raise state_refusal(payment)
    return void_events(books, payment, "rejected by a review") if payment.status in HELD else []


def _found(books: Books, name: str) -> tuple[Payment, Review]:
    stream = stream_of(name) if name.startswith(REVIEW) else ""
    payment = fold(books.recorded(stream)) if stream else None
    review = None if payment is None else payment.review
    if payment is None or review is None or review.id != name:
        raise ReviewNotFound(review=name)
    return payment, review


def _open(books: Books, name: str) -> tuple[Payment, Review]:
    payment, review = _found(books, name)
    if review.status != OPEN:
        raise ReviewNotOpen(f"The review is {review.status} already.", review=name, review_status=review.status)
    return payment, review


def _needs(command: ApproveReview | RejectReview | CloseOverdueReview) -> Needs:
    stream = stream_of(command.review)
    return Needs(streams=(stream,) if stream else ())


DECIDERS: dict[type[Command], Decider] = {
    ApproveReview: Decider(approve, _needs),
    RejectReview: Decider(reject, _needs),
    CloseOverdueReview: Decider(close_overdue, _needs),
}
