"""What the stories about collection and fees begin with: a principal, orders that are paid to it, terms with tax."""

from commands.channels.channel import ActionRequired, ContractSigned
from commands.contract_results import RecordContractResult
from commands.contracts import ConfirmContract, CreateContract
from commands.customers import CreateCustomer, OpenWallet
from commands.envelope import Command
from commands.merchants import CreateMerchant
from commands.payments import CreatePayment
from commands.principals import CreatePrincipal
from ledger.events.contracts import Limits
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Discount, Method
from tests.commands.given import NOON
from tests.commands.stories import CARD, CHANNEL, attempt_of, charged

BALANCE = "sys:2235:water:eur"
IN_TRANSIT = "sys:2210:water:eur"
# 1 per cent and 5 minor units, with a fifth of that as tax.
TERMS = FeeTerms(100, 5, tax_bps=2_000)
PRINCIPAL_PARTIES: tuple[Command, ...] = (
    CreateMerchant("water", "A merchant with a principal's id", FeeTerms(0, 0), "EUR"),
    CreatePrincipal("water", "Water works", collection_fee=TERMS),
    CreateCustomer("ann"),
    OpenWallet("ann", "EUR"),
)
# A merchant whose terms have tax on the fee, and one whose fee is invoiced apart.
TAXED = CreateMerchant("taxed", "Taxed", FeeTerms(200, 10, tax_bps=2_000), "EUR")
INVOICED = CreateMerchant("gross", "Gross", FeeTerms(200, 10, tax_bps=2_000, invoiced=True), "EUR")


def collect(name: str = "pay_1", amount: int = 6_000, currency: str = "EUR") -> CreatePayment:
    return CreatePayment(name, "water", amount, currency, "agency_pay", CARD, "bill-1")


def by_contract(name: str = "pay_1", amount: int = 3_000, merchant: str = "water") -> CreatePayment:
    method = Method("contract", details={"contract": "con_1"})
    return CreatePayment(name, merchant, amount, "EUR", "agency_pay", method, "bill-1", customer="ann")


def agreed(product: str = "agency_pay") -> tuple[Command, ...]:
    """Ann has agreed that the principal, or the merchant of the same name, may charge her."""
    method = Method("card", "tok_sms")
    return (
        CreateContract("con_1", "ann", "water", product, method, Limits("EUR", per_charge=5_000)),
        RecordContractResult("con_1", CHANNEL, ActionRequired("agr_1", "sms_code")),
        ConfirmContract("con_1", "123456"),
        RecordContractResult("con_1", CHANNEL, ContractSigned("agr_1", NOON)),
    )


COLLECTED: tuple[Command, ...] = (*PRINCIPAL_PARTIES, collect(), attempt_of("pay_1", charged()))


def order(
    merchant: str,
    amount: int = 6_000,
    discount: Discount | None = None,
    capture: str = "automatic",
    product: str = "quick_pay",
) -> CreatePayment:
    """An order by card, or from Ann's wallet."""
    method = CARD if product == "quick_pay" else Method("credit" if product == "credit_pay" else "wallet")
    customer = None if product == "quick_pay" else "ann"
    return CreatePayment(
        "pay_1", merchant, amount, "EUR", product, method, "order-1", customer, capture, discount=discount
    )
