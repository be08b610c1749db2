"""Purchases on credit: what a customer buys within the limit of a credit line, final at once."""

from commands.books import Books
from commands.credit_lines import credit_line, principal_of
from ledger.errors import CreditLimitExceeded, CreditLineUnknown
from ledger.events.event import Event
from ledger.events.payments import PaymentCreated, PaymentPaidOnCredit


def paid_on_credit(books: Books, created: PaymentCreated) -> Event:
    """The purchase; raises CreditLineUnknown, CreditLimitExceeded. The principal's account has the limit as well."""
    customer, currency = created.customer or "", created.currency
    line = credit_line(books, customer, currency)
    if line is None:
        raise CreditLineUnknown(pointer="/customer", customer=customer, currency=currency)
    available = line.limit - principal_of(books, customer, currency)
    if created.amount > available:
        raise CreditLimitExceeded(
            f"{max(0, available)} of {line.limit} is left, and {created.amount} is asked for.",
            pointer="/amount",
            available=max(0, available),
            limit=line.limit,
            required=created.amount,
        )
    return PaymentPaidOnCredit(
        customer=customer,
        merchant=created.merchant,
        product=created.product,
        amount=created.amount,
        currency=currency,
        fee=created.fee,
        tax=created.tax,
        invoiced=created.invoiced,
        subsidy=created.subsidy,
    )
