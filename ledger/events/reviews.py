"""Reviews: payments that wait for a code from the payer or for a decision of a person, in the payment's own stream."""

from datetime import datetime
from typing import ClassVar

from ledger.events.event import Event


class PaymentChallenged(Event, frozen=True, omit_defaults=True):
    """A code was made for the payer. `proof` is keyed with a secret that no event holds, so it does not tell the code.

    `sent_to` is masked. After `tries` wrong answers the payment is rejected.
    """

    topic: ClassVar[str] = "reviews.challenged.v1"

    proof: str
    sent_to: str
    tries: int
    expires_at: datetime


class PaymentChallengeFailed(Event, frozen=True, omit_defaults=True):
    """The payer answered with a wrong code, for the n-th time."""

    topic: ClassVar[str] = "reviews.challenge_failed.v1"

    number: int


class PaymentChallengePassed(Event, frozen=True, omit_defaults=True):
    """The payer answered with the right code: the payment goes on."""

    topic: ClassVar[str] = "reviews.challenge_passed.v1"


class PaymentReviewOpened(Event, frozen=True, omit_defaults=True):
    """A person has to decide until `deadline`, else `on_deadline` (approve or reject) happens by itself.

    `after_authorization`: the channel holds the money meanwhile, and nothing is captured before the decision.
    `four_eyes`: whoever created the payment may not approve it.
    """

    topic: ClassVar[str] = "reviews.opened.v1"

    id: str
    reasons: tuple[str, ...]
    deadline: datetime
    on_deadline: str
    four_eyes: bool = True
    after_authorization: bool = False


class PaymentReviewApproved(Event, frozen=True, omit_defaults=True):
    """The payment may go on. `by_deadline`: nobody decided in time, and the policy did."""

    topic: ClassVar[str] = "reviews.approved.v1"

    id: str
    note: str = ""
    by_deadline: bool = False


class PaymentReviewRejected(Event, frozen=True, omit_defaults=True):
    """The payment may not go on. `by_deadline`: nobody decided in time, and the policy did."""

    topic: ClassVar[str] = "reviews.rejected.v1"

    id: str
    note: str = ""
    by_deadline: bool = False


class PaymentReviewWithdrawn(Event, frozen=True, omit_defaults=True):
    """The payment was given up while it waited: there is nothing left to decide."""

    topic: ClassVar[str] = "reviews.withdrawn.v1"

    id: str
    reason: str = ""
