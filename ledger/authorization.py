"""Authorization: what is held for a payment, what was taken of it, and what is under way about it at the channel.

Values of ledger/payment.py; amounts in minor units of the payment's currency.
"""

from datetime import datetime

import msgspec

from ledger.events.merchants import FeeTerms

# Of a capture, a void and an increment. What is under way may have happened already.
UNDER_WAY = "processing"
DONE = "succeeded"
REFUSED = "failed"
REVOKED = "revoked"


class Capture(msgspec.Struct, frozen=True):
    """One part that was taken, or is to be: processing, succeeded, failed, or revoked after it had succeeded.

    A one-step charge is one as well, under the id of its attempt. `entry` is the journal entry of its success.
    """

    id: str
    amount: int
    requested_at: datetime
    status: str = UNDER_WAY
    final: bool = False
    reference: str = ""
    fee: int = 0
    channel_fee: int = 0
    released: int = 0
    """How much of what was held it was."""
    taken_at: datetime | None = None
    entry: str = ""
    tax: int = 0
    invoiced: bool = False
    fee_payable: bool = False
    """The channel invoices its fee."""
    subsidy: int = 0
    """What we paid of it in the payer's stead, beside its amount."""
    exchanged: bool = False
    """Whether its merchant is owed in another currency."""
    unanswered: tuple[str, ...] = ()
    group: str | None = None

    @property
    def by_attempt(self) -> bool:
        """Whether it is a charge in one step."""
        return self.id.startswith("pay_")


class Void(msgspec.Struct, frozen=True):
    """One letting go, or taking back of a capture: processing, succeeded or failed. `refund` is done in its stead."""

    id: str
    amount: int
    reason: str
    attempt: str = ""
    takes_back: str = ""
    surplus: bool = False
    status: str = UNDER_WAY
    refund: str = ""
    unanswered: tuple[str, ...] = ()
    group: str | None = None


class Increment(msgspec.Struct, frozen=True):
    """One raising of what is held, or of how long it is held: processing, succeeded or failed."""

    id: str
    amount: int
    extends: bool = False
    status: str = UNDER_WAY
    unanswered: tuple[str, ...] = ()
    group: str | None = None


class Authorization(msgspec.Struct, frozen=True):
    """What is held. `granted` is all that was ever held, `open` what still is: the payment's part of account 9010.

    `channel` and `attempt` are None where it is held in a wallet. It is over once it was finished by a final capture,
    voided or expired: then nothing is held but what a capture under way may still take.
    """

    granted: int
    open: int
    fee: FeeTerms
    channel: str | None = None
    attempt: str | None = None
    reference: str = ""
    capture_before: datetime | None = None
    by_channel: bool = False
    finished: bool = False
    voided: bool = False
    expired: bool = False

    @property
    def is_over(self) -> bool:
        return self.finished or self.voided or self.expired
