"""Discounts: how much less a payer pays than the price, and which of them there are. Amounts in minor units.

The merchant's own simply lowers the order. What the platform pays is owed to the merchant all the same. A channel's is
between the payer and the channel: it pays us the whole price.
"""

from typing import Literal, get_args

from commands.policies.products import Product
from ledger.errors import DiscountNotSupported, FieldInvalid, Refusal
from ledger.events.payments import CHANNEL, PLATFORM, Discount

PaidBy = Literal["platform", "merchant", "channel"]


def payable(amount: int, discount: Discount | None) -> int:
    """What is to be paid of this price."""
    return amount if discount is None or discount.paid_by == CHANNEL else amount - discount.amount


def discount_objections(product: Product, amount: int, discount: Discount | None) -> list[Refusal]:
    """Everything about the discount that does not go together with the order."""
    if discount is None:
        return []
    found: list[Refusal] = []
    if discount.paid_by not in get_args(PaidBy):
        detail = f"It is paid by one of {', '.join(get_args(PaidBy))}."
        found.append(FieldInvalid(detail, pointer="/discount/paid_by"))
    if not 0 < discount.amount < amount:
        detail = "A discount is at least 1, and smaller than the amount."
        found.append(FieldInvalid(detail, pointer="/discount/amount"))
    if discount.paid_by == CHANNEL and product.source != "channel":
        found.append(DiscountNotSupported("No channel takes part in it.", pointer="/discount/paid_by"))
    if discount.paid_by == PLATFORM and product.exchanges:
        # It would be paid in one currency and owed in another, at nobody's rate.
        detail = f"We pay no discount on {product.name}."
        found.append(DiscountNotSupported(detail, pointer="/discount/paid_by"))
    return found
