"""Coin moves: coins that payments brought are sold, what was kept apart goes back, and moving them costs a fee.

A sale realises what it came to: the part of the position that is sold, at what its payments were owed for it.
"""

from commands.books import Books
from commands.channel_facts import check_amount
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.policies.coins import COINS
from commands.system_accounts import with_accounts
from ledger.chart import coin_custody, fx_position
from ledger.currencies import ASSETS
from ledger.errors import (
    CoinNotSupported,
    CoinsNotUnapplied,
    CurrencyUnknown,
    PaymentNotFound,
    PaymentStateInvalid,
    SaleExceedsPosition,
)
from ledger.events.coins import CoinsSold, NetworkFeePaid, PaymentCoinsGivenBack
from ledger.events.fx import FxRealized
from ledger.payment import PROCESSING, REQUIRES_ACTION
from ledger.payment_state import fold


class SellCoins(Command, frozen=True):
    """`amount` minor units of a coin out of a channel's custody were sold at `exchange`; `id` is fresh."""

    id: str
    channel: str
    coin: str
    amount: int
    currency: str
    proceeds: int
    exchange: str
    reference: str = ""


class PayNetworkFee(Command, frozen=True):
    """Moving coins cost `amount` minor units of them; `id` is fresh."""

    id: str
    channel: str
    coin: str
    amount: int
    txid: str = ""


class GiveCoinsBack(Command, frozen=True):
    """Coins that were kept apart for a payment went back to its payer."""

    payment: str
    amount: int
    address: str
    txid: str


class CoinMoveReceipt(Receipt):
    """What was moved, in minor units of the coin, and for a sale what it came to in the other currency."""

    id: str = ""
    channel: str = ""
    coin: str = ""
    amount: int = 0
    currency: str | None = None
    proceeds: int = 0
    cost: int = 0
    gain: int = 0
    loss: int = 0


def sell(books: Books, command: SellCoins, envelope: Envelope) -> Decision:
    _check(command.coin, command.amount)
    check_amount(command.proceeds)
    if command.currency not in ASSETS:
        raise CurrencyUnknown(pointer="/currency")
    units = (command.coin, command.currency)
    position = -_balance(books, fx_position(command.channel, units, command.coin))
    owed = _balance(books, fx_position(command.channel, units, command.currency))
    if command.amount > position:
        raise SaleExceedsPosition(pointer="/amount", amount=command.amount, position=max(0, position))
    # The whole position has the whole cost, so nothing is left over in either unit.
    cost = owed * command.amount // position
    sold = CoinsSold(
        id=command.id,
        channel=command.channel,
        exchange=command.exchange,
        amount=command.amount,
        currency=command.coin,
        proceeds=command.proceeds,
        settled_currency=command.currency,
        reference=command.reference,
    )
    gain = command.proceeds - cost
    realized = FxRealized(
        subject=command.id,
        channel=command.channel,
        from_currency=command.coin,
        to_currency=command.currency,
        currency=command.currency,
        gain=max(0, gain),
        loss=max(0, -gain),
    )
    receipt = CoinMoveReceipt(
        id=command.id,
        channel=command.channel,
        coin=command.coin,
        amount=command.amount,
        currency=command.currency,
        proceeds=command.proceeds,
        cost=cost,
        gain=realized.gain,
        loss=realized.loss,
    )
    return Decision(with_accounts(books, [(command.id, sold), (command.id, realized)]), receipt)


def pay_network_fee(books: Books, command: PayNetworkFee, envelope: Envelope) -> Decision:
    _check(command.coin, command.amount)
    held = _balance(books, coin_custody(command.channel, command.coin))
    if command.amount > held:
        raise SaleExceedsPosition("It is more than is in custody.", pointer="/amount", amount=command.amount, held=held)
    paid = NetworkFeePaid(command.id, command.channel, command.amount, command.coin, command.txid)
    receipt = CoinMoveReceipt(id=command.id, channel=command.channel, coin=command.coin, amount=command.amount)
    return Decision(with_accounts(books, [(command.id, paid)]), receipt)


def give_back(books: Books, command: GiveCoinsBack, envelope: Envelope) -> Decision:
    check_amount(command.amount)
    payment = fold(books.recorded(command.payment)) if command.payment.startswith("pay_") else None
    if payment is None:
        raise PaymentNotFound(payment=command.payment)
    if payment.status in (PROCESSING, REQUIRES_ACTION):
        detail = "The payer may still send the rest: they go back when the payment is over."
        raise PaymentStateInvalid(detail, payment=command.payment, payment_status=payment.status)
    last = payment.attempts[-1] if payment.attempts else None
    if last is None or command.amount > payment.coins_apart:
        raise CoinsNotUnapplied(pointer="/amount", amount=command.amount, apart=payment.coins_apart)
    back = PaymentCoinsGivenBack(last.channel, command.txid, command.amount, last.currency, command.address)
    receipt = CoinMoveReceipt(id=command.payment, channel=last.channel, coin=last.currency, amount=command.amount)
    return Decision(with_accounts(books, [(command.payment, back)]), receipt)


def _check(coin: str, amount: int) -> None:
    check_amount(amount)
    if coin not in COINS:
        raise CoinNotSupported(pointer="/coin", coin=coin, supported=list(COINS))


def _balance(books: Books, account: str) -> int:
    found = books.find_account(account)
    return 0 if found is None else found.balance


def _sale_needs(command: SellCoins) -> Needs:
    units = (command.coin, command.currency)
    return Needs(accounts=tuple(fx_position(command.channel, units, unit) for unit in units), streams=(command.id,))


def _fee_needs(command: PayNetworkFee) -> Needs:
    return Needs(accounts=(coin_custody(command.channel, command.coin),), streams=(command.id,))


def _back_needs(command: GiveCoinsBack) -> Needs:
    return Needs(streams=(command.payment,))


DECIDERS: dict[type[Command], Decider] = {
    SellCoins: Decider(sell, _sale_needs),
    PayNetworkFee: Decider(pay_network_fee, _fee_needs),
    GiveCoinsBack: Decider(give_back, _back_needs),
}
