"""What the stories about products begin with: a credit line, a mixed payment, a foreign card, a payment in coins."""

from datetime import timedelta

from commands.channels.channel import CoinsSeen, CoinTransfer
from commands.coin_moves import SellCoins
from commands.credit_lines import OpenCreditLine
from commands.envelope import Command
from commands.fx import QuoteExchange, SetRate
from commands.merchants import CreateMerchant
from commands.payments import CreatePayment, RecordAttemptResult
from commands.repayments import RecordRepaymentResult, RequestRepayment
from ledger.events.event import Event
from ledger.events.merchants import FeeTerms
from ledger.events.payments import (
    Exchange,
    Method,
    PaymentActionRequired,
    PaymentAttemptInitiated,
    PaymentCreated,
    PaymentRouted,
)
from tests.commands.given import NOON
from tests.commands.stories import CARD, CHANNEL, PARTIES, charged, topped_up

PRINCIPAL = "sys:1220:ann:eur"
INTEREST = "sys:1221:ann:eur"
ALLOWANCE = "sys:1229:ann:eur"
FROZEN = "sys:2020:ann:eur"

# --- mixed


def mixed(name: str = "pay_1", amount: int = 6_000, from_wallet: int = 2_000, product: str = "quick_pay") -> Command:
    method = Method("mixed", "tok_visa", wallet_amount=from_wallet)
    return CreatePayment(name, "acme", amount, "EUR", product, method, "order-1", customer="ann")


WITH_A_WALLET: tuple[Command, ...] = (*PARTIES, *topped_up(10_000))

# --- credit


def on_credit(name: str = "pay_1", amount: int = 6_000) -> CreatePayment:
    return CreatePayment(name, "acme", amount, "EUR", "credit_pay", Method("credit"), "order-1", customer="ann")


def repaid(amount: int, number: int = 1) -> tuple[Command, ...]:
    name = f"rep_{number}"
    return (
        RequestRepayment(name, "ann", amount, "EUR", CARD),
        RecordRepaymentResult(f"{name}-1", CHANNEL, charged(amount, f"ch_{name}")),
    )


WITH_CREDIT: tuple[Command, ...] = (*PARTIES, OpenCreditLine("ann", "EUR", 10_000, 150, 25))

# --- foreign card

AMERICAN = CreateMerchant("usco", "US Co", FeeTerms(200, 0), "USD")
QUOTED: tuple[Command, ...] = (
    AMERICAN,
    SetRate("EUR", "USD", "1.25", "treasury"),
    QuoteExchange("fxq_1", "EUR", "USD", 10_000, 900),
)


def foreign(name: str = "pay_1", quote: str | None = "fxq_1", amount: int = 10_000) -> CreatePayment:
    return CreatePayment(name, "usco", amount, "EUR", "foreign_card", CARD, "order-1", quote=quote)


PAID_ABROAD: tuple[Command, ...] = (*QUOTED, foreign(), RecordAttemptResult("pay_1-1", CHANNEL, charged(10_000)))

# --- coins

GATEWAY = "coin_gateway"
PRICE = 100_000
LOCKED_UNTIL = NOON + timedelta(minutes=15)
LOCKED = Exchange(PRICE, "BTC", "60000", "treasury", NOON, LOCKED_UNTIL)
ADDRESS = {"address": "bc1q", "amount": str(PRICE), "coin": "BTC", "confirmations": "2"}


def waiting_for_coins(name: str = "pay_1", amount: int = 6_000) -> tuple[tuple[str, Event], ...]:
    """A payment of 60.00 EUR that waits for 0.001 BTC; no channel has to be there for the story."""
    method = Method("coin", details={"coin": "BTC"})
    created = PaymentCreated(
        id=name,
        merchant="acme",
        customer="ann",
        amount=amount,
        currency="EUR",
        product="virtual_currency",
        method=method,
        order_reference="order-1",
        fee=130,
        expires_at=LOCKED_UNTIL,
        exchange=LOCKED,
    )
    initiated = PaymentAttemptInitiated(
        f"{name}-1", GATEWAY, PRICE, "BTC", None, "acme", "order-1", method="coin", details={"coin": "BTC"}
    )
    asked = PaymentActionRequired(f"{name}-1", "pay_to_address", "inv_1", None, ADDRESS, LOCKED_UNTIL)
    return (
        (name, created),
        (name, PaymentRouted(GATEWAY, "the only channel for coin")),
        (name, initiated),
        (name, asked),
    )


def coins(
    txid: str = "tx_1",
    amount: int = PRICE,
    confirmations: int = 2,
    *,
    late: bool = False,
    dropped: bool = False,
    payment: str = "pay_1",
) -> RecordAttemptResult:
    at = LOCKED_UNTIL + timedelta(minutes=1) if late else NOON
    transfer = CoinTransfer(txid, amount, confirmations, at, dropped)
    return RecordAttemptResult(f"{payment}-1", GATEWAY, CoinsSeen("inv_1", "BTC", (transfer,)))


def sale(amount: int, proceeds: int, name: str = "coin_1") -> SellCoins:
    return SellCoins(name, GATEWAY, "BTC", amount, "EUR", proceeds, "kraken")
