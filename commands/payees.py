"""Payees: who is owed what is paid: a merchant, or the principal that it is collected for."""

import msgspec

from commands.books import Books
from commands.merchants import merchant_named
from commands.principals import principal_named
from ledger.chart import AGENCY_PAY
from ledger.errors import PrincipalUnknown
from ledger.events.merchants import AfterSaleTerms, FeeTerms, merchant_stream
from ledger.events.principals import principal_stream


class Payee(msgspec.Struct, frozen=True):
    """What has to be known of whoever is owed a payment. `currency`: the one that it is paid in; None for any."""

    id: str
    fee: FeeTerms
    currency: str | None
    after_sale: AfterSaleTerms = AfterSaleTerms()


def payee_of(books: Books, product: str, name: str) -> Payee:
    """Who is owed what is paid for this product; raises MerchantUnknown, PrincipalUnknown."""
    if product == AGENCY_PAY:
        try:
            principal = principal_named(books, name)
        except PrincipalUnknown:
            raise PrincipalUnknown(pointer="/merchant", principal=name) from None
        return Payee(principal.id, principal.collection_fee, None)
    merchant = merchant_named(books, name)
    return Payee(merchant.id, merchant.fee, merchant.settlement_currency, merchant.after_sale)


def payee_stream(product: str, name: str) -> str:
    """The stream that tells of them."""
    return principal_stream(name) if product == AGENCY_PAY else merchant_stream(name)
