"""Products: the ways to pay that are offered, as data, and what each of them takes.

Agency pay is offered here as collection: what is paid is owed to a principal. Its other half, disbursement out of what
the principal has with us, is asked for by payouts, and needs no payment.
"""

from typing import Literal

import msgspec

from ledger.chart import AGENCY_PAY
from ledger.errors import CaptureNotSupported, FieldMissing, MethodNotSupported, ProductNotSupported, Refusal

Source = Literal["channel", "wallet", "credit"]


class Product(msgspec.Struct, frozen=True):
    """Where the money comes from, which methods carry it, and how it may be captured."""

    name: str
    source: Source
    methods: tuple[str, ...]
    captures: tuple[str, ...] = ("automatic",)
    needs_customer: bool = False
    open_for_s: int | None = None
    """How long an order may be paid where the caller sets no time; None: until its channel says what became of it."""
    authenticate: bool = False
    """The payer always has to prove to the channel that it is him."""
    exchanges: bool = False
    """What is paid in one unit may be owed in another."""


PRODUCTS: dict[str, Product] = {
    product.name: product
    for product in (
        Product(
            "balance_pay",
            source="wallet",
            methods=("wallet", "balance", "mixed"),
            captures=("automatic", "manual"),
            needs_customer=True,
        ),
        Product("quick_pay", source="channel", methods=("card", "mixed"), captures=("automatic", "manual")),
        Product("credit_pay", source="credit", methods=("credit",), needs_customer=True),
        Product("foreign_card", source="channel", methods=("card",), authenticate=True, exchanges=True),
        Product("mobile_bill", source="channel", methods=("carrier_billing",), open_for_s=1_800),
        Product("virtual_currency", source="channel", methods=("coin",), open_for_s=900, exchanges=True),
        Product("protocol_pay", source="channel", methods=("contract",), needs_customer=True),
        Product(AGENCY_PAY, source="channel", methods=("contract", "card")),
        Product("online_banking", source="channel", methods=("bank_redirect",), open_for_s=1_800),
        Product("platform_pay", source="channel", methods=("alipay", "wechat_pay"), open_for_s=1_800),
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
    # A payment from two sources is taken at once or not at all.
    if capture not in product.captures or (capture == "manual" and method == "mixed"):
        found.append(CaptureNotSupported(pointer="/capture", capture=capture, supported=list(product.captures)))
    return found
