"""Caps: how much may be charged to one phone bill, as data, in minor units of each currency that is taken."""

import re

import msgspec

from ledger.errors import CapExceeded, CurrencyMismatch, FieldInvalid, FieldMissing, Refusal
from ledger.events.payments import Method

_PHONE = re.compile(r"\+[1-9][0-9]{5,14}")


class Cap(msgspec.Struct, frozen=True):
    """The most for one payment, and for all payments of one phone in a calendar month (UTC)."""

    payment: int
    month: int


# The sums of the second Payment Services Directive, article 3 (l), and what is customary where it is not law.
PHONE_BILL: dict[str, Cap] = {
    "EUR": Cap(5_000, 30_000),
    "GBP": Cap(4_000, 24_000),
    "USD": Cap(5_000, 30_000),
    "CNY": Cap(30_000, 200_000),
    "JPY": Cap(10_000, 50_000),
}


def phone_objections(method: Method, amount: int, currency: str) -> list[Refusal]:
    """What the method lacks, and whether one payment is too great for a phone bill."""
    found: list[Refusal] = []
    phone = method.details.get("phone")
    if phone is None:
        found.append(FieldMissing("A phone's bill needs its number.", pointer="/method/phone"))
    elif not _PHONE.fullmatch(phone):
        found.append(FieldInvalid("A number is + and 6 to 15 digits.", pointer="/method/phone"))
    cap = PHONE_BILL.get(currency)
    if cap is None:
        detail = f"A phone's bill is charged in {', '.join(PHONE_BILL)}."
        found.append(CurrencyMismatch(detail, pointer="/currency", supported=list(PHONE_BILL)))
    elif amount > cap.payment:
        detail = f"A phone's bill takes at most {cap.payment} minor units at a time."
        found.append(CapExceeded(detail, pointer="/amount", most=cap.payment, amount=amount))
    return found
