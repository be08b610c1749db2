"""What the stories about money going out begin with: a principal, a merchant with funds, a channel's words."""

from commands.channels.channel import PaidOut, PayoutDeclined, PayoutReturned, Verdict
from commands.customers import CreateCustomer, OpenWallet
from commands.envelope import Command
from commands.funds import ReleaseFunds
from commands.merchants import CreateMerchant
from commands.payouts import CreatePayout, RecordPayoutDebit, RecordPayoutResult
from commands.principals import CreatePrincipal, FundPrincipal
from commands.treasury import FeedFloat
from ledger.events.merchants import FeeTerms, SettlementTerms
from ledger.events.payouts import Destination
from tests.commands.given import NOON
from tests.commands.stories import from_wallet, topped_up

BANK_PAYER = "card_simulator"
FLOAT_PAYER = "card_simulator_b"
IBAN = "DE89370400440532013000"
BANK = Destination("bank_account", IBAN, "Commerzbank", "Acme GmbH", "DE", entity="company")

PENDING_SALES = "sys:2110:acme:eur"
AVAILABLE = "sys:2120:acme:eur"
RESERVE = "sys:2130:acme:eur"
PAYOUT_IN_TRANSIT = "sys:2220:acme:eur"
WITHDRAWAL_IN_TRANSIT = "sys:2220:wallet:ann:eur"
AGENCY_IN_TRANSIT = "sys:2230:payroll:eur"
AGENCY_BALANCE = "sys:2235:payroll:eur"
FLOAT = "sys:1140:card_simulator_b:eur"
BANK_CLIENT = "sys:1020:main:eur"

PARTIES: tuple[Command, ...] = (
    CreateMerchant("acme", "Acme", FeeTerms(0, 0), "EUR", settlement=SettlementTerms(payout_fee=50)),
    CreateMerchant("beta", "Beta", FeeTerms(0, 0), "EUR"),
    CreateCustomer("ann"),
    OpenWallet("ann", "EUR"),
    CreateCustomer("bob"),
    OpenWallet("bob", "EUR"),
    CreatePrincipal("payroll", "Payroll", fee=30),
)
# Acme has 10,000 available, Ann 5,000 in her wallet, and Payroll has put in 20,000, all of which was fed to the float.
FUNDED: tuple[Command, ...] = (
    *PARTIES,
    *topped_up(15_000),
    from_wallet("pay_0", 10_000),
    ReleaseFunds("acme", "EUR", 10_000, 0, 1_000_000),
    FundPrincipal("fnd_1", "payroll", 20_000, "EUR", "main"),
    FeedFloat("flt_1", FLOAT_PAYER, 20_000, "EUR", "main"),
)


def payout(name: str = "po_1", amount: int = 6_000, source: str = "merchant", party: str = "acme") -> CreatePayout:
    return CreatePayout(name, source, party, amount, "EUR", BANK)


def agency(name: str = "po_1", amount: int = 6_000) -> CreatePayout:
    return payout(name, amount, "principal", "payroll")


def withdrawal(name: str = "po_1", amount: int = 2_000) -> CreatePayout:
    return payout(name, amount, "customer", "ann")


def said(verdict: Verdict, name: str = "po_1", channel: str = BANK_PAYER) -> RecordPayoutResult:
    return RecordPayoutResult(name, channel, verdict)


def said_by_float(verdict: Verdict, name: str = "po_1") -> RecordPayoutResult:
    return RecordPayoutResult(name, FLOAT_PAYER, verdict)


def at_the_bank(name: str = "po_1") -> RecordPayoutDebit:
    return RecordPayoutDebit(name, "main")


def paid_out(amount: int = 6_000, reference: str = "out_1") -> PaidOut:
    return PaidOut(reference, amount, "EUR", None, NOON)


def sent_back(amount: int = 6_000, reference: str = "back_1") -> PayoutReturned:
    return PayoutReturned(reference, amount, "EUR", "AC04", "The account is closed.", NOON)


DECLINED = PayoutDeclined("account_invalid", "AC01", "There is no such account.")
