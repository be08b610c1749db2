"""Payments: from the order to the money, one stream per payment; its refunds are recorded in the same stream."""

from datetime import datetime
from typing import ClassVar

import msgspec

from ledger.events.event import Event

# Who pays a discount.
PLATFORM = "platform"
MERCHANT = "merchant"
CHANNEL = "channel"


def attempt_id(order: str, number: int) -> str:
    """What a channel knows the n-th attempt for a payment or a top-up by: `pay_…-1`."""
    return f"{order}-{number}"


class Method(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the payer pays. `token` stands for a card that a vault knows, None for the one that the channel has on file.

    Card numbers never come here. `details` is what this kind of method needs beside it, by name: bank, phone, scene,
    coin, contract, bin, country and the like.
    """

    type: str
    token: str | None = None
    details: dict[str, str] = {}
    wallet_amount: int = 0
    """Of a mixed payment: minor units that come from the customer's wallet; the card pays the rest."""


class Exchange(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an amount is in another unit, at a rate that was locked: `amount` minor units of `currency`.

    `rate` is a decimal number as text, of whole units. `quote` is empty where the rate was locked for one payment only.
    """

    amount: int
    currency: str
    rate: str
    source: str
    rated_at: datetime
    expires_at: datetime
    quote: str = ""


class Discount(msgspec.Struct, frozen=True):
    """What the payer does not have to pay of a price, in minor units, and who pays it: platform, merchant or channel.

    What the platform pays is a cost of ours. A channel pays us the whole price, whatever it takes of the payer.
    """

    amount: int
    paid_by: str


class PaymentCreated(Event, frozen=True, omit_defaults=True):
    """An order to pay was accepted; nothing has moved. `fee` is what the merchant will pay, in minor units.

    `tax` comes on top of the fee; `invoiced`: both are not taken from what was sold. `amount` is what is to be paid:
    less than the price by a discount of the merchant or the platform.
    """

    topic: ClassVar[str] = "payments.created.v1"

    id: str
    merchant: str
    customer: str | None
    amount: int
    currency: str
    product: str
    method: Method
    order_reference: str
    fee: int
    capture: str = "automatic"
    description: str | None = None
    metadata: dict[str, str] = {}
    client: dict[str, str] = {}
    return_url: str | None = None
    expires_at: datetime | None = None
    """After it nobody may pay any more; None: it stays open until its channel says what became of it."""
    scheduled_at: datetime | None = None
    """The payer was told that he will be charged then: until then nothing is asked of a channel."""
    exchange: Exchange | None = None
    """Of a foreign payment, what the merchant is owed, and then `fee` is in that currency; of a payment in coins, what
    the payer sends."""
    tax: int = 0
    invoiced: bool = False
    discount: Discount | None = None
    marks: dict[str, str] = {}
    """What stands for the payer's values that are sealed, by kind (ip, email, …): the same value has the same mark."""

    @property
    def price(self) -> int:
        """What was asked for before the discount, in minor units."""
        lowered = self.discount is not None and self.discount.paid_by != CHANNEL
        return self.amount + (self.discount.amount if self.discount is not None and lowered else 0)

    @property
    def subsidy(self) -> int:
        """What we pay in the payer's stead, in minor units: the merchant is owed it as well."""
        discount = self.discount
        return discount.amount if discount is not None and discount.paid_by == PLATFORM else 0


class PaymentRiskAssessed(Event, frozen=True, omit_defaults=True):
    """What risk control decided, and why: a replay reads it and never decides again.

    `decision` is accept, challenge, review or reject; `rules` the version of the rules that were asked, and `signals`
    every value they could look at. `flagged`: accepted, and yet something is to be looked at.
    """

    topic: ClassVar[str] = "payments.risk_assessed.v1"

    decision: str
    score: int
    reasons: tuple[str, ...] = ()
    rules: str = ""
    signals: dict[str, str | int | bool] = {}
    flagged: bool = False


class PaymentPostponed(Event, frozen=True, omit_defaults=True):
    """It is not sent yet, `until` this time at the latest, because of something that is under way."""

    topic: ClassVar[str] = "payments.postponed.v1"

    until: datetime
    because: str


class PaymentRouted(Event, frozen=True, omit_defaults=True):
    """Which channel was chosen, and because of what.

    `candidates`: the channels that could have carried it, in the order in which they are tried. `rules` is the version
    of the rules that were asked, `considered` why each other channel was not chosen.
    """

    topic: ClassVar[str] = "payments.routed.v1"

    channel: str
    because: str
    candidates: tuple[str, ...] = ()
    rules: str = ""
    considered: dict[str, str] = {}


class PaymentAttemptInitiated(Event, frozen=True, omit_defaults=True):
    """The intent to charge, recorded before anything is sent; the channel knows the charge by `attempt`."""

    topic: ClassVar[str] = "payments.attempt_initiated.v1"

    attempt: str
    channel: str
    amount: int
    currency: str
    token: str | None
    merchant: str
    order_reference: str
    capture: bool = True
    """False: hold the money and take it later."""
    method: str = "card"
    details: dict[str, str] = {}
    contract: str | None = None
    """The channel's reference of the contract under which the payer is charged."""
    return_url: str | None = None
    authenticate: bool = False
    """Have the payer prove to the channel that it is him."""


class PaymentActionRequired(Event, frozen=True, omit_defaults=True):
    """Nothing moves until the payer does something.

    `action` is redirect, qr_code, sms_code, three_ds, pay_to_address, wait (at the channel) or one_time_code (ours).
    `attempt` is empty where it is we who ask, before anything goes to a channel.
    """

    topic: ClassVar[str] = "payments.action_required.v1"

    attempt: str
    action: str
    channel_reference: str = ""
    url: str | None = None
    data: dict[str, str] = {}
    expires_at: datetime | None = None


class PaymentAttemptUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say what became of the attempt: unknown, and asked again until it is known."""

    topic: ClassVar[str] = "payments.attempt_unanswered.v1"

    attempt: str
    reason: str


class PaymentAttemptDeclined(Event, frozen=True, omit_defaults=True):
    """The channel said no, or the attempt surely did not happen. `group` is the project's own taxonomy of reasons.

    `sent` false: no byte of it left us.
    """

    topic: ClassVar[str] = "payments.attempt_declined.v1"

    attempt: str
    group: str
    channel_code: str = ""
    message: str = ""
    hard: bool = False
    sent: bool = True


class PaymentCaptured(Event, frozen=True, omit_defaults=True):
    """The channel took `amount` for us: the merchant is owed it less `fee`; `channel_fee` is what the contract says.

    Of a mixed payment, `from_wallet` minor units that were frozen in the customer's wallet come on top of it, and so
    does the `subsidy` that we pay in the payer's stead. With an `exchange` the merchant is owed that much, less `fee`
    of that currency. With the fee comes `tax` on it; `invoiced`: both stand as an invoice.
    """

    topic: ClassVar[str] = "payments.captured.v1"

    attempt: str
    channel: str
    channel_reference: str
    merchant: str
    product: str
    amount: int
    currency: str
    fee: int
    channel_fee: int
    from_wallet: int = 0
    customer: str | None = None
    exchange: Exchange | None = None
    capture: str = ""
    """The id of the capture, where it was held first and its merchant took it."""
    released: int = 0
    """How much of what was held it was: 0 where nothing was held."""
    final: bool = False
    tax: int = 0
    invoiced: bool = False
    subsidy: int = 0
    fee_payable: bool = False
    """The channel does not keep its fee, but invoices it."""
    receipt: int = 0
    """The number of the receipt that was kept apart before, and is accepted for the order now."""


class PaymentPaidFromWallet(Event, frozen=True, omit_defaults=True):
    """`amount` went from the customer's wallet to the merchant, less `fee` and `tax`: final at once.

    `subsidy` comes on top of it; `invoiced`: fee and tax stand as an invoice.
    """

    topic: ClassVar[str] = "payments.paid_from_wallet.v1"

    customer: str
    merchant: str
    product: str
    amount: int
    currency: str
    fee: int
    tax: int = 0
    invoiced: bool = False
    subsidy: int = 0


class PaymentWalletFrozen(Event, frozen=True, omit_defaults=True):
    """A mixed payment begins: `amount` of the customer's wallet is set aside before a card is asked for the rest."""

    topic: ClassVar[str] = "payments.wallet_frozen.v1"

    customer: str
    amount: int
    currency: str


class PaymentWalletUnfrozen(Event, frozen=True, omit_defaults=True):
    """A mixed payment was not paid: the customer may spend `amount` again."""

    topic: ClassVar[str] = "payments.wallet_unfrozen.v1"

    customer: str
    amount: int
    currency: str


class PaymentPaidOnCredit(Event, frozen=True, omit_defaults=True):
    """We lent the customer `amount`, and owe it to the merchant less `fee` and `tax`: final at once.

    `subsidy` comes on top of it; `invoiced`: fee and tax stand as an invoice.
    """

    topic: ClassVar[str] = "payments.paid_on_credit.v1"

    customer: str
    merchant: str
    product: str
    amount: int
    currency: str
    fee: int
    tax: int = 0
    invoiced: bool = False
    subsidy: int = 0


class PaymentFailed(Event, frozen=True, omit_defaults=True):
    """No attempt succeeded and no other will be made."""

    topic: ClassVar[str] = "payments.failed.v1"

    group: str
    message: str = ""


class PaymentRejected(Event, frozen=True, omit_defaults=True):
    """Risk control refused it: no channel was asked. What is told is neutral; why stands in the assessment."""

    topic: ClassVar[str] = "payments.rejected.v1"

    group: str
    reason: str = ""


class PaymentCanceled(Event, frozen=True, omit_defaults=True):
    """The merchant or the payer gave it up before anything was taken. `group` is what the payer is told."""

    topic: ClassVar[str] = "payments.canceled.v1"

    reason: str
    group: str = "cancelled_by_user"
    attempt: str = ""
    """The attempt whose order was closed at its channel, if there was one: nothing more is to come of it."""


class PaymentExpired(Event, frozen=True, omit_defaults=True):
    """Its time was over before anything was taken."""

    topic: ClassVar[str] = "payments.expired.v1"

    group: str = "session_expired"
    attempt: str = ""
    """The attempt whose order was closed at its channel, if there was one."""


class PaymentReceiptUnapplied(Event, frozen=True, omit_defaults=True):
    """A success that came for an order that is failed already, or paid already: the money is kept apart."""

    topic: ClassVar[str] = "payments.receipt_unapplied.v1"

    attempt: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    channel_fee: int
    because: str
    fee_payable: bool = False
