"""Reviews: what challenges of the payer and reviews by people make of a payment."""

from msgspec.structs import replace

from ledger.events.event import Recorded
from ledger.events.reviews import (
    PaymentChallenged,
    PaymentChallengeFailed,
    PaymentChallengePassed,
    PaymentReviewApproved,
    PaymentReviewOpened,
    PaymentReviewRejected,
    PaymentReviewWithdrawn,
)
from ledger.evolving.payments import Evolvers
from ledger.payment import APPROVED, IN_REVIEW, OPEN, REJECTED, WITHDRAWN, Challenge, Payment, Review


def challenged(payment: Payment, event: PaymentChallenged, recorded: Recorded) -> Payment:
    return replace(payment, challenge=Challenge(event.proof, event.tries, event.expires_at))


def challenge_failed(payment: Payment, event: PaymentChallengeFailed, recorded: Recorded) -> Payment:
    challenge = payment.challenge
    return payment if challenge is None else replace(payment, challenge=replace(challenge, wrong=event.number))


def challenge_passed(payment: Payment, event: PaymentChallengePassed, recorded: Recorded) -> Payment:
    return replace(payment, challenge=None, action=None)


def review_opened(payment: Payment, event: PaymentReviewOpened, recorded: Recorded) -> Payment:
    review = Review(
        event.id, OPEN, event.deadline, event.on_deadline, event.four_eyes, event.after_authorization, event.reasons
    )
    # What a channel is asked to hold goes its own way meanwhile.
    return replace(payment, review=review, status=payment.status if event.after_authorization else IN_REVIEW)


def review_approved(payment: Payment, event: PaymentReviewApproved, recorded: Recorded) -> Payment:
    return _decided(payment, APPROVED)


def review_rejected(payment: Payment, event: PaymentReviewRejected, recorded: Recorded) -> Payment:
    return _decided(payment, REJECTED)


def review_withdrawn(payment: Payment, event: PaymentReviewWithdrawn, recorded: Recorded) -> Payment:
    return _decided(payment, WITHDRAWN)


def _decided(payment: Payment, status: str) -> Payment:
    review = payment.review
    return payment if review is None else replace(payment, review=replace(review, status=status))


EVOLVERS: Evolvers = {
    PaymentChallenged: challenged,
    PaymentChallengeFailed: challenge_failed,
    PaymentChallengePassed: challenge_passed,
    PaymentReviewOpened: review_opened,
    PaymentReviewApproved: review_approved,
    PaymentReviewRejected: review_rejected,
    PaymentReviewWithdrawn: review_withdrawn,
}
