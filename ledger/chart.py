"""The chart of accounts: the system's own accounts that posting rules may name, and how their ids are built.

An id reads `sys:<code>:<dimensions…>:<currency>`, e.g. `sys:1110:card_simulator:eur`. Codes and meaning are the
project's chart of accounts (docs/GLOSSARY.md); sub-ledgers are the dimensions, and control accounts their sums.
"""

from enum import Enum

from ledger.accounts import SYSTEM_PREFIX, Account, Kind


class Code(Enum):
    """Account code, name, kind, and whether the balance may not fall below zero."""

    CHANNEL_RECEIVABLE = ("1110", "channel receivable", Kind.ASSET, False)
    MERCHANT_RECEIVABLE = ("1210", "merchant receivable", Kind.ASSET, False)
    SUSPENSE_DEBIT = ("1910", "suspense debit", Kind.ASSET, False)
    WALLET_AVAILABLE = ("2010", "wallet available", Kind.LIABILITY, True)
    WALLET_FROZEN = ("2020", "wallet frozen", Kind.LIABILITY, True)
    MERCHANT_PENDING = ("2110", "merchant pending", Kind.LIABILITY, False)
    MERCHANT_AVAILABLE = ("2120", "merchant available", Kind.LIABILITY, True)
    MERCHANT_RESERVE = ("2130", "merchant reserve", Kind.LIABILITY, True)
    REFUND_IN_TRANSIT = ("2210", "refund in transit", Kind.LIABILITY, True)
    PAYOUT_IN_TRANSIT = ("2220", "payout in transit", Kind.LIABILITY, True)
    UNAPPLIED_RECEIPTS = ("2310", "unapplied receipts", Kind.LIABILITY, True)
    MERCHANT_FEE = ("4010", "merchant fee", Kind.REVENUE, False)
    CHANNEL_FEE = ("5010", "channel fee", Kind.EXPENSE, False)

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


def merchant_pending(merchant: str, currency: str) -> str:
    return account_id(Code.MERCHANT_PENDING, merchant, currency=currency)


def merchant_available(merchant: str, currency: str) -> str:
    return account_id(Code.MERCHANT_AVAILABLE, merchant, currency=currency)


def merchant_reserve(merchant: str, currency: str) -> str:
    return account_id(Code.MERCHANT_RESERVE, merchant, currency=currency)


def merchant_receivable(merchant: str, currency: str) -> str:
    return account_id(Code.MERCHANT_RECEIVABLE, merchant, currency=currency)


def payout_in_transit(merchant: str, currency: str) -> str:
    return account_id(Code.PAYOUT_IN_TRANSIT, merchant, currency=currency)


def merchant_fee(product: str, currency: str) -> str:
    return account_id(Code.MERCHANT_FEE, product, currency=currency)


def refund_in_transit(merchant: str, currency: str) -> str:
    return account_id(Code.REFUND_IN_TRANSIT, merchant, currency=currency)


def unapplied_receipts(channel: str, currency: str) -> str:
    return account_id(Code.UNAPPLIED_RECEIPTS, channel, currency=currency)


def suspense_debit(channel: str, currency: str) -> str:
    return account_id(Code.SUSPENSE_DEBIT, channel, currency=currency)


def wallet_available(customer: str, currency: str) -> str:
    return account_id(Code.WALLET_AVAILABLE, customer, currency=currency)


def wallet_frozen(customer: str, currency: str) -> str:
    return account_id(Code.WALLET_FROZEN, customer, currency=currency)


_CODES = {code.number: code for code in Code}


def code_of(account: str) -> Code:
    """The code in a system account's id."""
    return _CODES[account.split(":", 2)[1]]


def system_account(account: str, currency: str) -> Account:
    """The account as it is opened: protected, and with a floor of zero where the chart says so."""
    code = code_of(account)
    floor = 0 if code.never_negative else None
    return Account(id=account, kind=code.kind, currency=currency, min_balance=floor, protected=True)
