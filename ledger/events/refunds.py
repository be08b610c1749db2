"""Refunds: money that goes back, recorded in the stream of the payment it belongs to."""

from typing import ClassVar

import msgspec

from ledger.events.event import Event


class ExchangedBack(msgspec.Struct, frozen=True):
    """What a refund takes from a merchant in another currency: from pending sales, what was released, as a debt."""

    currency: str
    covered: int
    short: int
    from_available: int = 0

    @property
    def cost(self) -> int:
        """All of it, in minor units of the merchant's currency."""
        return self.covered + self.short + self.from_available


class FeeBack(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a merchant has a part of its fee back, in minor units of the `currency` that it is owed.

    Where its refund was taken from: `to_debt` off what it owes us, `to_available`, and the rest to its pending sales;
    all of it off its invoice where the fee was `invoiced`.
    """

    amount: int
    currency: str
    to_available: int = 0
    to_debt: int = 0
    invoiced: bool = False


class RefundRequested(Event, frozen=True, omit_defaults=True):
    """We owe the payer `amount`: taken from the merchant, `short` of it as a debt of the merchant to us.

    `from_available` of it were released to the merchant already; the rest comes out of sales that are still pending.

    Of a mixed payment, `to_wallet` minor units go into the customer's wallet once the channel gave `amount` back. With
    `exchange` the merchant pays in its own currency, and `short` is 0. `subsidy` comes back to us, who had paid it in
    the payer's stead. `collected`: `merchant` names the principal that the money was collected for.
    """

    topic: ClassVar[str] = "refunds.requested.v1"

    id: str
    payment: str
    merchant: str
    channel: str
    attempt: str
    channel_reference: str
    amount: int
    currency: str
    short: int
    reason: str
    to_wallet: int = 0
    customer: str | None = None
    exchange: ExchangedBack | None = None
    from_available: int = 0
    subsidy: int = 0
    collected: bool = False


class RefundUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say what became of the refund: unknown, and asked again until it is known."""

    topic: ClassVar[str] = "refunds.unanswered.v1"

    id: str
    reason: str


class RefundSucceeded(Event, frozen=True, omit_defaults=True):
    """The channel gave `amount` back to the payer; `to_wallet` more goes into the customer's wallet.

    A part of the fee that the merchant had paid for a payment with `product` goes back to it, by its terms: `returned`,
    or in older events `fee_back` to its pending sales. `channel_fee_back` of what the channel had kept comes back from
    it, by the contract with it.
    """

    topic: ClassVar[str] = "refunds.succeeded.v1"

    id: str
    merchant: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    to_wallet: int = 0
    customer: str | None = None
    product: str = ""
    fee_back: int = 0
    channel_fee_back: int = 0
    fee_payable: bool = False
    returned: FeeBack | None = None


class RefundReturned(Event, frozen=True, omit_defaults=True):
    """The payer's bank sent the refund back after it had succeeded: we owe the payer `amount` again."""

    topic: ClassVar[str] = "refunds.returned.v1"

    id: str
    merchant: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    group: str
    message: str = ""


class RefundPaidByBank(Event, frozen=True, omit_defaults=True):
    """A refund that had come back reached the payer by a bank transfer out of the client money."""

    topic: ClassVar[str] = "refunds.paid_by_bank.v1"

    id: str
    merchant: str
    bank_account: str
    amount: int
    currency: str
    reference: str = ""
    bank_line: str = ""


class RefundFailed(Event, frozen=True, omit_defaults=True):
    """The channel refused the refund before anything moved: the merchant has it back, exactly."""

    topic: ClassVar[str] = "refunds.failed.v1"

    id: str
    merchant: str
    amount: int
    currency: str
    short: int
    group: str
    message: str = ""
    to_wallet: int = 0
    exchange: ExchangedBack | None = None
    channel: str = ""
    from_available: int = 0
    subsidy: int = 0
    collected: bool = False


class RefundPaidToWallet(Event, frozen=True, omit_defaults=True):
    """`amount` went from the merchant back to the customer's wallet, and `subsidy` back to us: final at once.

    `returned`: what goes back to the merchant of its fee for a payment with `product`.
    """

    topic: ClassVar[str] = "refunds.paid_to_wallet.v1"

    id: str
    payment: str
    merchant: str
    customer: str
    amount: int
    currency: str
    short: int
    reason: str
    from_available: int = 0
    subsidy: int = 0
    product: str = ""
    returned: FeeBack | None = None


class RefundPaidToCredit(Event, frozen=True, omit_defaults=True):
    """`amount` of a purchase on credit went back: `principal` of it pays the debt, the rest goes into the wallet.

    `subsidy` comes back to us, and `returned` to the merchant of its fee for a payment with `product`.
    """

    topic: ClassVar[str] = "refunds.paid_to_credit.v1"

    id: str
    payment: str
    merchant: str
    customer: str
    amount: int
    currency: str
    principal: int
    short: int
    reason: str
    from_available: int = 0
    subsidy: int = 0
    product: str = ""
    returned: FeeBack | None = None


class RefundUnapplied(Event, frozen=True, omit_defaults=True):
    """The channel gave `amount` back for a refund that has failed, or twice: it is kept apart until it is explained."""

    topic: ClassVar[str] = "refunds.unapplied.v1"

    id: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    because: str
