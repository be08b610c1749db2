"""Payouts: money that leaves us, one stream each: to a merchant, for a principal (agency pay), or out of a wallet.

The receiver's account number and name stand in the log as a whole and in their seals, because the channel needs them;
whatever is shown of the number is masked.
"""

from typing import ClassVar

import msgspec

from ledger.events.event import Event
from ledger.tokens import masked

# Whose money a payout is.
MERCHANT = "merchant"
PRINCIPAL = "principal"
CUSTOMER = "customer"


class Destination(msgspec.Struct, frozen=True):
    """Where the money goes: a bank account by its number, or what a vault or a wallet provider knows by a token."""

    type: str
    account_number: str = ""
    bank: str = ""
    name: str = ""
    country: str = ""
    token: str = ""
    entity: str = "individual"

    def masked(self) -> "Destination":
        """As it is shown: the last four characters of the account, where there are more than that."""
        return msgspec.structs.replace(self, account_number=masked(self.account_number))


class PayoutCreated(Event, frozen=True, omit_defaults=True):
    """A payout was asked for; nothing has moved. `fee`, in minor units, is paid on top of the amount.

    `source` says whose money it is and `party` who that is; `channel` was chosen `because`, out of the `candidates`, by
    this version of the `rules`; `considered` says why each other one was not. `prefunded`: the channel
    pays out of a float of ours that it holds. `needs_approval`: somebody else than the maker has to agree.
    """

    topic: ClassVar[str] = "payouts.created.v1"

    id: str
    source: str
    party: str
    amount: int
    currency: str
    fee: int
    channel: str
    destination: Destination
    prefunded: bool = False
    needs_approval: bool = False
    because: str = ""
    reference: str | None = None
    metadata: dict[str, str] = {}
    candidates: tuple[str, ...] = ()
    considered: dict[str, str] = {}
    rules: str = ""


class PayoutApproved(Event, frozen=True, omit_defaults=True):
    """A second person agreed: who, is in the envelope."""

    topic: ClassVar[str] = "payouts.approved.v1"

    id: str


class PayoutCanceled(Event, frozen=True, omit_defaults=True):
    """It was taken back before any money was set aside."""

    topic: ClassVar[str] = "payouts.canceled.v1"

    id: str
    reason: str = ""


class PayoutReserved(Event, frozen=True, omit_defaults=True):
    """The money is on its way: taken from its owner, with the fee, and in transit until the channel says what became
    of it. This is the intent that is sent."""

    topic: ClassVar[str] = "payouts.reserved.v1"

    id: str
    source: str
    party: str
    channel: str
    amount: int
    currency: str
    fee: int
    destination: Destination


class PayoutUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel has it and says no more, or did not answer: in transit, and asked again until it is known."""

    topic: ClassVar[str] = "payouts.unanswered.v1"

    id: str
    reason: str


class PayoutPaid(Event, frozen=True, omit_defaults=True):
    """The channel says that the receiver has it. Only a prefunded channel's word moves money: out of our float there,
    with the `channel_fee` it keeps. Else the bank's statement will show it."""

    topic: ClassVar[str] = "payouts.paid.v1"

    id: str
    source: str
    party: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    prefunded: bool = False
    channel_fee: int = 0


class PayoutDebited(Event, frozen=True, omit_defaults=True):
    """The bank's statement shows that `amount` left our client money for it."""

    topic: ClassVar[str] = "payouts.debited.v1"

    id: str
    source: str
    party: str
    bank_account: str
    amount: int
    currency: str
    bank_line: str = ""
    """The stream of that line; empty where somebody told it by hand."""


class PayoutDebitUndone(Event, frozen=True, omit_defaults=True):
    """The line of the bank's statement was about something else: the exact opposite, and it is in transit again."""

    topic: ClassVar[str] = "payouts.debit_undone.v1"

    debited: PayoutDebited
    reason: str = ""


class PayoutRejected(Event, frozen=True, omit_defaults=True):
    """The channel said no, finally, before anything left us: its owner has all of it back, the fee too."""

    topic: ClassVar[str] = "payouts.rejected.v1"

    id: str
    source: str
    party: str
    amount: int
    currency: str
    fee: int
    group: str
    message: str = ""


class PayoutReturned(Event, frozen=True, omit_defaults=True):
    """The receiver's bank sent it back after it had been paid: it is in transit again, until it is given back.

    `bank_account` is where the bank's statement had shown the debit; empty where it had not, or the float paid.
    """

    topic: ClassVar[str] = "payouts.returned.v1"

    id: str
    source: str
    party: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    prefunded: bool = False
    bank_account: str = ""
    channel_code: str = ""
    message: str = ""
    bank_line: str = ""
    """The stream of the line that showed it, where the bank's statement told of it first."""


class PayoutGivenBack(Event, frozen=True, omit_defaults=True):
    """What was returned is its owner's again; the fee for the payout is kept."""

    topic: ClassVar[str] = "payouts.given_back.v1"

    id: str
    source: str
    party: str
    amount: int
    currency: str


class PayoutUnapplied(Event, frozen=True, omit_defaults=True):
    """The channel paid it although its owner has the money back, or a second time: kept apart until it is explained."""

    topic: ClassVar[str] = "payouts.unapplied.v1"

    id: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    because: str
    prefunded: bool = False


class PayoutReturnUnapplied(Event, frozen=True, omit_defaults=True):
    """Money came back for a payout whose owner has it already: kept apart."""

    topic: ClassVar[str] = "payouts.return_unapplied.v1"

    id: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    because: str
    prefunded: bool = False


PayoutEvent = (
    PayoutCreated
    | PayoutApproved
    | PayoutCanceled
    | PayoutReserved
    | PayoutUnanswered
    | PayoutPaid
    | PayoutDebited
    | PayoutDebitUndone
    | PayoutRejected
    | PayoutReturned
    | PayoutGivenBack
    | PayoutUnapplied
    | PayoutReturnUnapplied
)
