"""Coins: what payers send, what becomes of it, and what we do with it. Amounts of coins in minor units of the coin."""

from typing import ClassVar

from ledger.events.event import Event


class PaymentCoinsSeen(Event, frozen=True, omit_defaults=True):
    """A transaction to the payment's address lies under so many blocks, of the `required` ones: nothing is ours yet.

    `late`: it was sent after the price had expired.
    """

    topic: ClassVar[str] = "coins.seen.v1"

    attempt: str
    txid: str
    amount: int
    currency: str
    confirmations: int
    required: int
    late: bool = False


class PaymentCoinsUnapplied(Event, frozen=True, omit_defaults=True):
    """Coins that are ours and pay nothing yet: too few, too late, or for what is paid or over already.

    `late`: whatever happens, they will never count for this payment.
    """

    topic: ClassVar[str] = "coins.unapplied.v1"

    attempt: str
    channel: str
    txid: str
    amount: int
    currency: str
    because: str
    late: bool = False


class PaymentPaidInCoins(Event, frozen=True, omit_defaults=True):
    """Coins pay `amount` at the price that was locked.

    Of the transaction `applied` are needed and `excess` are not; `from_unapplied` came before and were too few then.
    """

    topic: ClassVar[str] = "coins.paid.v1"

    attempt: str
    channel: str
    txid: str
    merchant: str
    product: str
    amount: int
    currency: str
    fee: int
    channel_fee: int
    coin: str
    applied: int
    from_unapplied: int = 0
    excess: int = 0
    tax: int = 0
    invoiced: bool = False
    fee_payable: bool = False


class PaymentCoinsReversed(Event, frozen=True):
    """The chain took back a transaction that had paid: all that it paid is as it was before."""

    topic: ClassVar[str] = "coins.reversed.v1"

    attempt: str
    txid: str
    paid: PaymentPaidInCoins


class PaymentCoinsDropped(Event, frozen=True):
    """The chain took back a transaction whose coins were kept apart."""

    topic: ClassVar[str] = "coins.dropped.v1"

    attempt: str
    channel: str
    txid: str
    amount: int
    currency: str


class PaymentCoinsGivenBack(Event, frozen=True):
    """Coins that were kept apart for this payment went to an address that the payer named."""

    topic: ClassVar[str] = "coins.given_back.v1"

    channel: str
    txid: str
    amount: int
    currency: str
    address: str


class CoinsSold(Event, frozen=True, omit_defaults=True):
    """`amount` of a coin out of `channel`'s custody was sold at `exchange` for `proceeds` of `settled_currency`."""

    topic: ClassVar[str] = "coins.sold.v1"

    id: str
    channel: str
    exchange: str
    amount: int
    currency: str
    proceeds: int
    settled_currency: str
    reference: str = ""


class NetworkFeePaid(Event, frozen=True, omit_defaults=True):
    """Moving coins on their chain cost `amount` of them."""

    topic: ClassVar[str] = "coins.network_fee_paid.v1"

    id: str
    channel: str
    amount: int
    currency: str
    txid: str = ""
