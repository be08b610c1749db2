"""What the stories about payments begin with: a merchant, a customer with a wallet, and a channel's words."""

from commands.channels.channel import Charged, Declined, RefundDeclined, Refunded, Verdict
from commands.customers import CreateCustomer, OpenWallet
from commands.envelope import Command
from commands.merchants import CreateMerchant
from commands.payments import CreatePayment, RecordAttemptResult
from commands.refunds import RecordRefundResult, RequestRefund
from commands.top_ups import RecordTopUpResult, RequestTopUp
from ledger.declines import WAITING
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Method, PaymentRouted
from ledger.events.receipts import ReceiptReturnRequested
from tests.commands.given import NOON

CHANNEL = "card_simulator"
OTHER_CHANNEL = "card_simulator_b"
CARD = Method("card", "tok_visa")
WALLET = Method("wallet")
# What follows for a payer while an outcome is not known.
PATIENCE = {"type": "wait", "message": WAITING.en, "texts": {"en": WAITING.en, "zh": WAITING.zh}}

RECEIVABLE = "sys:1110:card_simulator:eur"
CHANNEL_FEE = "sys:5010:card_simulator:eur"
UNAPPLIED = "sys:2310:card_simulator:eur"
SUSPENSE = "sys:1910:card_simulator:eur"
MERCHANT = "sys:2110:acme:eur"
MERCHANT_DEBT = "sys:1210:acme:eur"
IN_TRANSIT = "sys:2210:acme:eur"
ANN = "sys:2010:ann:eur"

# By the terms of the channels alone, where there are no rules.
ROUTED = PaymentRouted(
    CHANNEL,
    "the first of 2 for card",
    (CHANNEL, OTHER_CHANNEL),
    considered={OTHER_CHANNEL: "stands at place 2 of 2"},
)

PARTIES: tuple[Command, ...] = (
    CreateMerchant("acme", "Acme", FeeTerms(200, 10), "EUR"),
    CreateCustomer("ann"),
    OpenWallet("ann", "EUR"),
)


def charged(amount: int = 6_000, reference: str = "ch_1", currency: str = "EUR") -> Charged:
    return Charged(reference, amount, currency, None, NOON)


def refunded(amount: int = 6_000, reference: str = "re_1", currency: str = "EUR") -> Refunded:
    return Refunded(reference, amount, currency, None, NOON)


DECLINED = Declined("insufficient_funds", "51", "Not enough money.", hard=False)
REFUND_DECLINED = RefundDeclined("account_invalid", "14", "The account is closed.", hard=True)


def by_card(name: str = "pay_1", amount: int = 6_000) -> CreatePayment:
    return CreatePayment(name, "acme", amount, "EUR", "quick_pay", CARD, "order-1")


def from_wallet(name: str = "pay_1", amount: int = 6_000) -> CreatePayment:
    return CreatePayment(name, "acme", amount, "EUR", "balance_pay", WALLET, "order-1", customer="ann")


def attempt_of(payment: str, verdict: Verdict) -> RecordAttemptResult:
    return RecordAttemptResult(f"{payment}-1", CHANNEL, verdict)


def topped_up(amount: int) -> tuple[Command, ...]:
    return (
        RequestTopUp("top_0", "ann", amount, "EUR", CARD),
        RecordTopUpResult("top_0-1", CHANNEL, charged(amount, "ch_top_0")),
    )


PAID_BY_CARD: tuple[Command, ...] = (*PARTIES, by_card(), attempt_of("pay_1", charged()))
PAID_FROM_WALLET: tuple[Command, ...] = (*PARTIES, *topped_up(10_000), from_wallet())


def refund(amount: int | None = None, payment: str = "pay_1") -> RequestRefund:
    return RequestRefund(payment, amount, "returned")


def going_back(
    amount: int = 6_000,
    reference: str = "ch_1",
    because: str = "the payment is failed already",
    attempt: str = "pay_1-1",
    channel: str = CHANNEL,
) -> ReceiptReturnRequested:
    """What came for nothing goes back by itself."""
    return ReceiptReturnRequested("ret_1-1", 1, "pay_1", "acme", attempt, channel, reference, amount, "EUR", because)


def refund_result(number: int, verdict: Verdict) -> RecordRefundResult:
    return RecordRefundResult(f"ref_1-{number}", CHANNEL, verdict)
