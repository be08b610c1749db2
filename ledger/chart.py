"""The chart of accounts: the system's own accounts that posting rules may name, and how their ids are built.

An id reads `sys:<code>:<dimensions…>:<currency>`, e.g. `sys:1110:card_simulator:eur`. Codes and meaning are the
project's chart of accounts (docs/GLOSSARY.md); sub-ledgers are the dimensions, and control accounts their sums.
"""

import re
from enum import Enum
from hashlib import sha256

from ledger.accounts import SYSTEM_PREFIX, Account, Kind

# The product by which money is collected for a principal, and paid out for it.
AGENCY_PAY = "agency_pay"


class Code(Enum):
    """Account code, name, kind, and whether the balance may not fall below zero."""

    BANK_OWN = ("1010", "bank own", Kind.ASSET, False)
    BANK_CLIENT = ("1020", "bank client", Kind.ASSET, False)
    CHANNEL_RECEIVABLE = ("1110", "channel receivable", Kind.ASSET, False)
    CHANNEL_SETTLEMENT_PENDING = ("1120", "channel settlement pending", Kind.ASSET, False)
    CHANNEL_RESERVE = ("1130", "channel reserve", Kind.ASSET, False)
    CHANNEL_PREFUNDED = ("1140", "channel prefunded", Kind.ASSET, False)
    MERCHANT_RECEIVABLE = ("1210", "merchant receivable", Kind.ASSET, False)
    CREDIT_PRINCIPAL = ("1220", "credit principal", Kind.ASSET, True)
    CREDIT_INTEREST_RECEIVABLE = ("1221", "credit interest receivable", Kind.ASSET, True)
    # A contra account of assets: it stands on the credit side.
    CREDIT_ALLOWANCE = ("1229", "credit allowance", Kind.ASSET, False)
    DISPUTE_RECEIVABLE = ("1230", "dispute receivable", Kind.ASSET, False)
    COIN_CUSTODY = ("1310", "crypto custody", Kind.ASSET, False)
    FX_POSITION = ("1410", "fx position", Kind.ASSET, False)
    SUSPENSE_DEBIT = ("1910", "suspense debit", Kind.ASSET, False)
    WALLET_AVAILABLE = ("2010", "wallet available", Kind.LIABILITY, True)
    WALLET_FROZEN = ("2020", "wallet frozen", Kind.LIABILITY, True)
    MERCHANT_PENDING = ("2110", "merchant pending", Kind.LIABILITY, False)
    MERCHANT_AVAILABLE = ("2120", "merchant available", Kind.LIABILITY, True)
    MERCHANT_RESERVE = ("2130", "merchant reserve", Kind.LIABILITY, True)
    MERCHANT_DISPUTE_HOLD = ("2140", "merchant dispute hold", Kind.LIABILITY, True)
    REFUND_IN_TRANSIT = ("2210", "refund in transit", Kind.LIABILITY, True)
    PAYOUT_IN_TRANSIT = ("2220", "payout in transit", Kind.LIABILITY, True)
    AGENCY_IN_TRANSIT = ("2230", "agency in transit", Kind.LIABILITY, True)
    AGENCY_BALANCE = ("2235", "agency principal balance", Kind.LIABILITY, True)
    UNAPPLIED_RECEIPTS = ("2310", "unapplied receipts", Kind.LIABILITY, True)
    TAX_PAYABLE = ("2410", "tax payable", Kind.LIABILITY, False)
    CHANNEL_FEES_PAYABLE = ("2510", "channel fees payable", Kind.LIABILITY, False)
    SUSPENSE_CREDIT = ("2910", "suspense credit", Kind.LIABILITY, False)
    RETAINED_EARNINGS = ("3010", "retained earnings", Kind.EQUITY, False)
    MERCHANT_FEE = ("4010", "merchant fee", Kind.REVENUE, False)
    DISPUTE_FEE = ("4020", "dispute fee", Kind.REVENUE, False)
    FX_GAIN = ("4030", "fx gain", Kind.REVENUE, False)
    CREDIT_INTEREST = ("4040", "credit interest", Kind.REVENUE, False)
    CHANNEL_FEE = ("5010", "channel fee", Kind.EXPENSE, False)
    CHARGEBACK_LOSS = ("5020", "chargeback loss", Kind.EXPENSE, False)
    DISPUTE_COST = ("5030", "dispute cost", Kind.EXPENSE, False)
    FX_LOSS = ("5040", "fx loss", Kind.EXPENSE, False)
    CREDIT_LOSS = ("5050", "credit loss", Kind.EXPENSE, False)
    BANK_FEE = ("5060", "bank fee", Kind.EXPENSE, False)
    SUBSIDY = ("5070", "subsidy", Kind.EXPENSE, False)
    RECONCILIATION_DIFFERENCE = ("5080", "reconciliation difference", Kind.EXPENSE, False)
    ROUNDING = ("5090", "rounding", Kind.EXPENSE, False)
    AUTHORIZED = ("9010", "authorized", Kind.MEMO, True)
    AUTHORIZED_CONTRA = ("9019", "authorized contra", Kind.MEMO, False)

    def __init__(self, number: str, title: str, kind: Kind, never_negative: bool) -> None:
        self.number = number
        self.title = title
        self.kind = kind
        self.never_negative = never_negative


def account_id(code: Code, *dimensions: str, currency: str) -> str:
    """The id of the account with this code for these dimensions, in one currency."""
    return ":".join((SYSTEM_PREFIX[:-1], code.number, *dimensions, currency.lower()))


def channel_receivable(channel: str, currency: str) -> str:
    return account_id(Code.CHANNEL_RECEIVABLE, channel, currency=currency)


def channel_fee(channel: str, currency: str) -> str:
    return account_id(Code.CHANNEL_FEE, channel, currency=currency)


def channel_fees_payable(channel: str, currency: str) -> str:
    """Fees that a channel does not keep, but invoices."""
    return account_id(Code.CHANNEL_FEES_PAYABLE, channel, currency=currency)


def merchant_pending(merchant: str, currency: str) -> str:
    return account_id(Code.MERCHANT_PENDING, merchant, currency=currency)


def merchant_available(merchant: str, currency: str) -> str:
    return account_id(Code.MERCHANT_AVAILABLE, merchant, currency=currency)


def merchant_reserve(merchant: str, currency: str) -> str:
    return account_id(Code.MERCHANT_RESERVE, merchant, currency=currency)


def merchant_dispute_hold(merchant: str, currency: str) -> str:
    return account_id(Code.MERCHANT_DISPUTE_HOLD, merchant, currency=currency)


def principal_dispute_hold(principal: str, currency: str) -> str:
    """What was collected for a principal, while a dispute of it is not decided. A merchant may have the same id."""
    return account_id(Code.MERCHANT_DISPUTE_HOLD, "principal", principal, currency=currency)


def principal_receivable(principal: str, currency: str) -> str:
    """What a principal owes us since its balance did not cover a dispute; what it puts in next pays that first."""
    return account_id(Code.MERCHANT_RECEIVABLE, "principal", principal, currency=currency)


def dispute_receivable(channel: str, currency: str) -> str:
    """What the channel took for disputes that are not decided."""
    return account_id(Code.DISPUTE_RECEIVABLE, channel, currency=currency)


def dispute_fee(merchant: str, currency: str) -> str:
    """What a merchant is charged for its disputes."""
    return account_id(Code.DISPUTE_FEE, merchant, currency=currency)


def dispute_cost(channel: str, currency: str) -> str:
    """What the channel keeps for disputes."""
    return account_id(Code.DISPUTE_COST, channel, currency=currency)


def chargeback_loss(channel: str, currency: str) -> str:
    return account_id(Code.CHARGEBACK_LOSS, channel, currency=currency)


def merchant_receivable(merchant: str, currency: str) -> str:
    return account_id(Code.MERCHANT_RECEIVABLE, merchant, currency=currency)


def invoiced_fees(product: str, party: str, currency: str) -> str:
    """Fees that a merchant or a principal pays by invoice, apart from debts: those are taken from later sales."""
    owner = ("principal", party) if product == AGENCY_PAY else (party,)
    return account_id(Code.MERCHANT_RECEIVABLE, "invoice", *owner, currency=currency)


def payout_in_transit(merchant: str, currency: str) -> str:
    return account_id(Code.PAYOUT_IN_TRANSIT, merchant, currency=currency)


def withdrawal_in_transit(customer: str, currency: str) -> str:
    """Beside those of merchants: a customer may have a merchant's id."""
    return account_id(Code.PAYOUT_IN_TRANSIT, "wallet", customer, currency=currency)


def sales(product: str, party: str, currency: str) -> str:
    """Where what was sold is owed: to a merchant until it is released, or to the principal it was collected for."""
    return agency_balance(party, currency) if product == AGENCY_PAY else merchant_pending(party, currency)


def agency_in_transit(principal: str, currency: str) -> str:
    return account_id(Code.AGENCY_IN_TRANSIT, principal, currency=currency)


def agency_balance(principal: str, currency: str) -> str:
    return account_id(Code.AGENCY_BALANCE, principal, currency=currency)


def channel_prefunded(channel: str, currency: str) -> str:
    return account_id(Code.CHANNEL_PREFUNDED, channel, currency=currency)


def bank_client(bank_account: str, currency: str) -> str:
    """The client money at one of our bank accounts."""
    return account_id(Code.BANK_CLIENT, bank_account, currency=currency)


def bank_own(bank_account: str, currency: str) -> str:
    """Our own money at one of our bank accounts."""
    return account_id(Code.BANK_OWN, bank_account, currency=currency)


def merchant_fee(product: str, currency: str) -> str:
    return account_id(Code.MERCHANT_FEE, product, currency=currency)


def refund_in_transit(merchant: str, currency: str) -> str:
    return account_id(Code.REFUND_IN_TRANSIT, merchant, currency=currency)


def unapplied_receipts(channel: str, currency: str) -> str:
    return account_id(Code.UNAPPLIED_RECEIPTS, channel, currency=currency)


def suspense_debit(channel: str, currency: str) -> str:
    return account_id(Code.SUSPENSE_DEBIT, channel, currency=currency)


def authorized(channel: str, currency: str) -> str:
    """What the channel holds for us and nobody has taken: beside the books."""
    return account_id(Code.AUTHORIZED, channel, currency=currency)


def authorized_contra(channel: str, currency: str) -> str:
    return account_id(Code.AUTHORIZED_CONTRA, channel, currency=currency)


def wallet_available(customer: str, currency: str) -> str:
    return account_id(Code.WALLET_AVAILABLE, customer, currency=currency)


def wallet_frozen(customer: str, currency: str) -> str:
    return account_id(Code.WALLET_FROZEN, customer, currency=currency)


def credit_principal(customer: str, currency: str) -> str:
    return account_id(Code.CREDIT_PRINCIPAL, customer, currency=currency)


def credit_interest_receivable(customer: str, currency: str) -> str:
    """Interest and instalment fees that are due and not paid."""
    return account_id(Code.CREDIT_INTEREST_RECEIVABLE, customer, currency=currency)


def credit_allowance(customer: str, currency: str) -> str:
    return account_id(Code.CREDIT_ALLOWANCE, customer, currency=currency)


def credit_interest(product: str, currency: str) -> str:
    return account_id(Code.CREDIT_INTEREST, product, currency=currency)


def credit_loss(cause: str, currency: str) -> str:
    return account_id(Code.CREDIT_LOSS, cause, currency=currency)


def settlement_pending(channel: str, currency: str, batch: str = "") -> str:
    """What a channel has reported of one batch and not paid; without a batch, what was told of by hand."""
    return account_id(Code.CHANNEL_SETTLEMENT_PENDING, channel, *filter(None, [batch_key(batch)]), currency=currency)


_PLAIN = re.compile(r"[a-z0-9_.-]{1,40}")
_NOT_PLAIN = re.compile(r"[^a-z0-9_.-]+")


def batch_key(batch: str) -> str:
    """A channel's name of a batch as it stands in ids of ours: as it is, or what is plain of it and a hash of it all.

    Channels write capitals, spaces and other scripts, and tell batches apart by them; two are never one here.
    """
    if not batch or _PLAIN.fullmatch(batch):
        return batch
    plain = _NOT_PLAIN.sub("-", batch.lower()).strip("-.")[:24]
    return f"{plain}.{sha256(batch.encode()).hexdigest()[:16]}".lstrip(".")


def channel_reserve(channel: str, currency: str) -> str:
    """What a channel keeps back of ours for a while."""
    return account_id(Code.CHANNEL_RESERVE, channel, currency=currency)


def suspense_credit(channel: str, currency: str) -> str:
    """What came from a channel and nobody can explain."""
    return account_id(Code.SUSPENSE_CREDIT, channel, currency=currency)


def bank_suspense_debit(bank_account: str, currency: str) -> str:
    """What left a bank account of ours and nobody can explain. Beside those of channels: one may have its name."""
    return account_id(Code.SUSPENSE_DEBIT, "bank", bank_account, currency=currency)


def bank_suspense_credit(bank_account: str, currency: str) -> str:
    """What came to a bank account of ours and nobody can explain."""
    return account_id(Code.SUSPENSE_CREDIT, "bank", bank_account, currency=currency)


def bank_fee(bank_account: str, currency: str) -> str:
    return account_id(Code.BANK_FEE, bank_account, currency=currency)


def reconciliation_difference(channel: str, currency: str) -> str:
    """What a channel reported otherwise than we have it, and that we bear."""
    return account_id(Code.RECONCILIATION_DIFFERENCE, channel, currency=currency)


def rounding(channel: str, currency: str) -> str:
    """What a channel's exact fees of a batch come to beside the rounded ones of its lines."""
    return account_id(Code.ROUNDING, channel, currency=currency)


def coin_custody(channel: str, coin: str) -> str:
    return account_id(Code.COIN_CUSTODY, channel, currency=coin)


def fx_position(channel: str, units: tuple[str, str], unit: str) -> str:
    """The position between two units at one channel, in one of them: its two accounts become zero together."""
    return account_id(Code.FX_POSITION, channel, "-".join(units).lower(), currency=unit)


def fx_gain(channel: str, currency: str) -> str:
    return account_id(Code.FX_GAIN, channel, currency=currency)


def fx_loss(channel: str, currency: str) -> str:
    return account_id(Code.FX_LOSS, channel, currency=currency)


def subsidy(cause: str, currency: str) -> str:
    """What we pay in a payer's stead."""
    return account_id(Code.SUBSIDY, cause, currency=currency)


def retained_earnings(currency: str) -> str:
    """Where revenue and expense of closed periods end up."""
    return account_id(Code.RETAINED_EARNINGS, "home", currency=currency)


def tax_payable(currency: str) -> str:
    """Tax on our fees. There is one jurisdiction in which we owe it, our own."""
    return account_id(Code.TAX_PAYABLE, "home", currency=currency)


_CODES = {code.number: code for code in Code}


def code_of(account: str) -> Code:
    """The code in a system account's id."""
    return _CODES[account.split(":", 2)[1]]


def system_account(account: str, currency: str) -> Account:
    """The account as it is opened: protected, and with a floor of zero where the chart says so."""
    code = code_of(account)
    floor = 0 if code.never_negative else None
    return Account(id=account, kind=code.kind, currency=currency, min_balance=floor, protected=True)
