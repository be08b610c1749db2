"""Products: the ways to pay that are offered, as data, and what each of them takes.

Known words that are not offered yet: online_banking, protocol_pay, platform_pay, foreign_card, mobile_bill,
virtual_currency, credit_pay, agency_pay.
"""

from typing import Literal

import msgspec

from ledger.errors import CaptureNotSupported, FieldMissing, MethodNotSupported, ProductNotSupported, Refusal

Source = Literal["channel", "wallet"]


class Product(msgspec.Struct, frozen=True):
    """Where the money comes from, which methods carry it, and how it may be captured."""

    name: str
    source: Source
    methods: tuple[str, ...]
    captures: tuple[str, ...] = ("automatic",)
    needs_customer: bool = False


PRODUCTS: dict[str, Product] = {
    product.name: product
    for product in (
        Product("balance_pay", source="wallet", methods=("wallet", "balance"), needs_customer=True),
        Product("quick_pay", source="channel", methods=("card",)),
    )
}
TOP_UP_METHODS = ("card",)


def product_of(name: str) -> Product:
    """The product of this name; raises ProductNotSupported."""
    product = PRODUCTS.get(name)
    if product is None:
        raise ProductNotSupported(pointer="/product", product=name, offered=list(PRODUCTS))
    return product


def objections(product: Product, method: str, capture: str, customer: str | None) -> list[Refusal]:
    """Everything about the order that the product does not take, so that a caller hears of all of it at once."""
    found: list[Refusal] = []
    if product.needs_customer and customer is None:
        found.append(FieldMissing(f"{product.name} is paid by a customer.", pointer="/customer"))
    if method not in product.methods:
        found.append(MethodNotSupported(pointer="/method/type", method=method, supported=list(product.methods)))
    if capture not in product.captures:
        found.append(CaptureNotSupported(pointer="/capture", capture=capture, supported=list(product.captures)))
    return found
