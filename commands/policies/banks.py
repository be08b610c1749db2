"""Banks: where a payer of online banking may be sent, as data: what each takes, and which of them is out of order.

The list is what the channel of bank redirects publishes. A bank that is out is shown, so that the payer sees his bank
and learns that he has to wait, and nobody is sent there.
"""

import msgspec

from ledger.errors import AmountOutsideLimits, BankUnavailable, BankUnknown, CurrencyMismatch, Refusal


class BankLimit(msgspec.Struct, frozen=True):
    """What one payment by this bank may be, in minor units of one currency."""

    currency: str
    least: int
    most: int


class Bank(msgspec.Struct, frozen=True):
    """One bank: its code in a payment's `method.bank`, where it is, its limits by currency, whether it is out."""

    code: str
    name: str
    country: str
    limits: tuple[BankLimit, ...]
    out: bool = False

    def limit(self, currency: str) -> BankLimit | None:
        return next((limit for limit in self.limits if limit.currency == currency), None)


def _eur(most: int, least: int = 1) -> BankLimit:
    return BankLimit("EUR", least, most)


def _cny(most: int, least: int = 1) -> BankLimit:
    return BankLimit("CNY", least, most)


BANKS: tuple[Bank, ...] = (
    Bank("northern", "Northern Savings", "NL", (_eur(1_000_000),)),
    Bank("harbour", "Harbour Bank", "DE", (_eur(5_000_000), _cny(20_000_000))),
    Bank("granite", "Granite & Sons", "AT", (_eur(250_000, least=100), _cny(2_000_000))),
    Bank("meadow", "Meadow Mutual", "FR", (_eur(1_000_000),), out=True),
)


def bank_of(code: str) -> Bank | None:
    """The bank of this code, if there is one."""
    return next((bank for bank in BANKS if bank.code == code), None)


def bank_objections(code: str, amount: int, currency: str) -> list[Refusal]:
    """Why nothing can be paid so by this bank."""
    bank = bank_of(code)
    if bank is None:
        return [BankUnknown(pointer="/method/bank", bank=code, offered=[one.code for one in BANKS])]
    found: list[Refusal] = []
    if bank.out:
        found.append(BankUnavailable(f"{bank.name} is out of order at the moment.", pointer="/method/bank", bank=code))
    limit = bank.limit(currency)
    if limit is None:
        detail = f"{bank.name} does not pay in {currency}."
        taken: list[str] = [one.currency for one in bank.limits]
        found.append(CurrencyMismatch(detail, pointer="/currency", bank=code, currencies=[*taken]))
    elif not limit.least <= amount <= limit.most:
        detail = f"One payment by {bank.name} is {limit.least} to {limit.most} minor units of {currency}."
        found.append(AmountOutsideLimits(detail, pointer="/amount", least=limit.least, most=limit.most))
    return found
