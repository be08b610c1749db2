"""Payment: what is known of one payment, and of its attempts, authorization, captures, refunds, receipts and disputes.

These are values; ledger/evolving/ says what each event does to them, and payment_state.py folds a stream into one.
Amounts in minor units of the payment's currency.
"""

from datetime import datetime
from typing import Literal, get_args

import msgspec

from ledger.authorization import DONE, UNDER_WAY, Authorization, Capture, Increment, Void
from ledger.dispute import TAKEN, Dispute
from ledger.events.coins import PaymentPaidInCoins
from ledger.events.payments import (
    PaymentActionRequired,
    PaymentAttemptDeclined,
    PaymentCreated,
    PaymentRiskAssessed,
    PaymentRouted,
)
from ledger.events.refunds import ExchangedBack
from ledger.receipt import GivenBackUnasked, Receipt

CREATED = "created"
REQUIRES_ACTION = "requires_action"
IN_REVIEW = "in_review"
PROCESSING = "processing"
AUTHORIZED = "authorized"
PARTIALLY_CAPTURED = "partially_captured"
SUCCEEDED = "succeeded"
FAILED = "failed"
CANCELED = "canceled"
EXPIRED = "expired"
REJECTED = "rejected"
Status = Literal[
    "created",
    "requires_action",
    "in_review",
    "processing",
    "authorized",
    "partially_captured",
    "succeeded",
    "failed",
    "canceled",
    "expired",
    "rejected",
]
STATUSES: tuple[str, ...] = get_args(Status)

# Of an attempt.
UNKNOWN = "unknown"
DECLINED = "declined"
UNAPPLIED = "unapplied"
CLOSED = "closed"

# Of a refund, beside processing, succeeded and failed.
FAILED_AFTER_SUCCESS = "failed_after_success"
PAID_ELSEWHERE = "paid_elsewhere"

# Of a transaction of coins.
SEEN = "seen"
APPLIED = "applied"
APART = "apart"

# Of a review, beside rejected.
OPEN = "open"
APPROVED = "approved"
WITHDRAWN = "withdrawn"


class Attempt(msgspec.Struct, frozen=True):
    """One try at one channel.

    processing, requires_action, unknown, authorized, succeeded, declined, closed (let go of before anything was taken),
    or unapplied (a success that came too late).
    """

    id: str
    channel: str
    amount: int
    currency: str
    status: str = PROCESSING
    reference: str = ""
    """The channel's reference of the success that counts, or of the order while the payer is being asked."""
    unapplied: tuple[str, ...] = ()
    """The channel's references of successes that were kept apart."""
    unanswered: tuple[str, ...] = ()
    """Why we could not tell what became of it, in the order in which it was recorded."""
    declined: PaymentAttemptDeclined | None = None
    authenticate: bool = False
    """The payer was to prove to the channel that it is him."""


class Confirmation(msgspec.Struct, frozen=True):
    """One answer of the payer to an attempt's channel: processing until it is known that it changed nothing, and why.

    wrong, not_done, not_sent; an answer that was right shows in its attempt.
    """

    id: str
    attempt: str
    status: str = PROCESSING
    tries_left: int | None = None


class Closing(msgspec.Struct, frozen=True):
    """An order that is being closed at its channel: processing, or declined. `ending`: what the payment becomes."""

    id: str
    attempt: str
    ending: str
    group: str
    reason: str = ""
    status: str = PROCESSING


class Refund(msgspec.Struct, frozen=True):
    """One refund: processing, succeeded, failed, failed_after_success (it came back), or paid_elsewhere after that.

    `short` is the part of it that became the merchant's debt.
    """

    id: str
    amount: int
    short: int
    reason: str
    created_at: datetime
    position: int
    channel: str | None = None
    to_wallet: int = 0
    """How much of `amount` goes into the customer's wallet once the channel gave back the rest."""
    exchange: ExchangedBack | None = None
    status: str = PROCESSING
    reference: str = ""
    unapplied: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    group: str | None = None
    subsidy: int = 0
    """What came back to us with it, of a discount that we had paid."""
    from_available: int = 0
    """How much of it came out of what was released to the merchant already."""
    fee_back: int = 0
    channel_fee_back: int = 0

    @property
    def by_channel(self) -> int:
        """The part of it that the channel gives back, in minor units; 0 where no channel does."""
        return self.amount - self.to_wallet if self.channel is not None else 0


class Challenge(msgspec.Struct, frozen=True):
    """A code that we asked the payer for: how its answer is proved, and how often it was answered wrongly."""

    proof: str
    tries: int
    expires_at: datetime
    wrong: int = 0


class Review(msgspec.Struct, frozen=True):
    """A decision that a person has to take: open, approved or rejected."""

    id: str
    status: str
    deadline: datetime
    on_deadline: str
    four_eyes: bool
    after_authorization: bool
    reasons: tuple[str, ...] = ()


class Share(msgspec.Struct, frozen=True):
    """A part of a payment that its merchant passed on to another one, less what was returned of it."""

    id: str
    receiver: str
    amount: int
    created_at: datetime
    position: int
    returned: int = 0

    @property
    def left(self) -> int:
        return self.amount - self.returned


class CoinReceipt(msgspec.Struct, frozen=True):
    """One transaction of coins: seen (too few blocks yet), applied, or apart, as it is or for what it was too much."""

    txid: str
    amount: int
    confirmations: int
    late: bool = False
    status: str = SEEN

    @property
    def counts(self) -> bool:
        """Whether it is kept apart only until the payer sends the rest."""
        return self.status == APART and not self.late


class Payment(msgspec.Struct, frozen=True):
    """All that its stream says; `version` and `position` are those of its last event."""

    created: PaymentCreated
    created_at: datetime
    version: int
    position: int
    status: str = CREATED
    risk: PaymentRiskAssessed | None = None
    postponed_until: datetime | None = None
    """When it is sent at the latest, where that has to wait for something."""
    routing: PaymentRouted | None = None
    action: PaymentActionRequired | None = None
    """What the payer is asked to do, while the payment requires an action."""
    asked: tuple[PaymentActionRequired, ...] = ()
    """All that he was ever asked to do."""
    attempts: tuple[Attempt, ...] = ()
    refunds: tuple[Refund, ...] = ()
    captured: int = 0
    subsidized: int = 0
    """What we paid of it in the payer's stead, beside what was captured."""
    shares: tuple[Share, ...] = ()
    frozen: int = 0
    """Of a mixed payment that is not decided: what is frozen in the customer's wallet."""
    from_wallet: int = 0
    """How much of what was captured came from the wallet beside a channel."""
    coins: tuple[CoinReceipt, ...] = ()
    coins_apart: int = 0
    """Coins of this payment that are kept apart, in minor units of the coin."""
    paid_in_coins: PaymentPaidInCoins | None = None
    settled_exchanges: tuple[str, ...] = ()
    """The payment and refunds of which it is known what their channel settled them for."""
    group: str | None = None
    """Why it was not paid, in the taxonomy of declines."""
    confirmations: tuple[Confirmation, ...] = ()
    closings: tuple[Closing, ...] = ()
    challenge: Challenge | None = None
    review: Review | None = None
    authorization: Authorization | None = None
    captures: tuple[Capture, ...] = ()
    voids: tuple[Void, ...] = ()
    increments: tuple[Increment, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    unasked: tuple[GivenBackUnasked, ...] = ()
    backs: dict[str, int] = {}
    """Which receipt each of the returns gives back."""

    @property
    def refunded(self) -> int:
        """Minor units that went back to the payer."""
        return sum(refund.amount for refund in self.refunds if refund.status in (SUCCEEDED, PAID_ELSEWHERE))

    @property
    def refundable(self) -> int:
        """Minor units that may still be given back: what was captured, less every refund that has not failed."""
        # What the channel gave back unasked is gone as well, whoever will bear it.
        asked = sum(refund.amount for refund in self.refunds if refund.status != FAILED)
        unasked = sum(refund.by_channel * len(refund.unapplied) for refund in self.refunds)
        # What is being taken back on the day of its capture must not be given back a second time.
        taken_back = sum(void.amount for void in self.voids if void.takes_back and void.status == UNDER_WAY)
        disputed = sum(dispute.weighs for dispute in self.disputes if dispute.currency == self.created.currency)
        if any(dispute.weighs and dispute.currency != self.created.currency for dispute in self.disputes):
            return 0  # How much of it the payer has back nobody can say in one number.
        return max(0, self.captured - asked - unasked - taken_back - disputed)

    @property
    def disputed(self) -> bool:
        """Whether a bank holds money of it that nobody has decided on."""
        return any(dispute.money == TAKEN for dispute in self.disputes)

    def receipt(self, number: int) -> Receipt | None:
        return next((receipt for receipt in self.receipts if receipt.number == number), None)

    def receipt_of(self, back: str) -> Receipt | None:
        """The receipt that this gives back, or tried to."""
        number = self.backs.get(back)
        return None if number is None else self.receipt(number)

    def dispute(self, name: str) -> Dispute | None:
        return next((dispute for dispute in self.disputes if dispute.id == name), None)

    @property
    def shared(self) -> int:
        """Minor units that are owed to other merchants."""
        return sum(share.left for share in self.shares)

    def share(self, name: str) -> Share | None:
        return next((share for share in self.shares if share.id == name), None)

    @property
    def paying_attempt(self) -> Attempt | None:
        """The attempt that paid for it, if a channel did."""
        return next((attempt for attempt in self.attempts if attempt.status == SUCCEEDED), None)

    @property
    def expires_at(self) -> datetime | None:
        """After it nobody may pay any more: the order's own time, or that of what the payer is asked to do."""
        times = (self.created.expires_at, None if self.action is None else self.action.expires_at)
        return min((time for time in times if time is not None), default=None)

    @property
    def confirmation(self) -> Confirmation | None:
        """The payer's answer that is under way, if one is."""
        last = self.confirmations[-1] if self.confirmations else None
        return last if last is not None and last.status == PROCESSING and self._is_open(last.attempt) else None

    @property
    def closing(self) -> Closing | None:
        """The closing at the channel that is under way, if one is."""
        last = self.closings[-1] if self.closings else None
        return last if last is not None and last.status == PROCESSING and self._is_open(last.attempt) else None

    def _is_open(self, attempt: str) -> bool:
        waits = self.status in (PROCESSING, REQUIRES_ACTION)  # and is not paid by another attempt after all
        return waits and self.open_attempt is not None and self.open_attempt.id == attempt

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt whose outcome is still to come, if there is one: there is never more than one."""
        open_states = (PROCESSING, UNKNOWN, REQUIRES_ACTION)
        return next((attempt for attempt in self.attempts if attempt.status in open_states), None)

    @property
    def reserved(self) -> int:
        """Minor units that captures under way may take."""
        return sum(capture.amount for capture in self.captures if capture.status == UNDER_WAY)

    @property
    def capturable(self) -> int:
        """Minor units that are held and that no capture or void under way is about."""
        held = self.authorization
        if held is None or held.is_over or held.by_channel or self.is_being_voided or self.is_being_finished:
            return 0
        return max(0, held.open - self.reserved)

    @property
    def is_being_finished(self) -> bool:
        """Whether a final capture is under way."""
        return any(capture.final and capture.status == UNDER_WAY for capture in self.captures)

    @property
    def is_being_voided(self) -> bool:
        """Whether what is held, or was taken, is being let go or taken back."""
        return any(void.status == UNDER_WAY and not void.surplus for void in self.voids)

    @property
    def taken(self) -> tuple[Capture, ...]:
        """The captures that succeeded and were not revoked."""
        return tuple(capture for capture in self.captures if capture.status == DONE)

    def capture(self, name: str) -> Capture | None:
        return next((capture for capture in self.captures if capture.id == name), None)

    def void(self, name: str) -> Void | None:
        return next((void for void in self.voids if void.id == name), None)

    def increment(self, name: str) -> Increment | None:
        return next((increment for increment in self.increments if increment.id == name), None)

    def coin(self, txid: str) -> CoinReceipt | None:
        return next((receipt for receipt in self.coins if receipt.txid == txid), None)

    @property
    def coins_counting(self) -> int:
        """Coins that came in time and were too few: they pay once the rest is there."""
        return sum(receipt.amount for receipt in self.coins if receipt.counts)

    def attempt(self, name: str) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.id == name), None)

    def refund(self, name: str) -> Refund | None:
        return next((refund for refund in self.refunds if refund.id == name), None)
