"""Fees back: what merchants have back of their fees with a refund, by their terms (row B8 of the table of events).

Pro rata, and with the last refund all that is left of it. It goes to where the refund was taken from, the last of it
first: off a debt, then to what was released, then to pending sales; what was invoiced goes off the invoice.
"""

from commands.books import Books
from commands.funds import Taken
from commands.merchants import after_sale_terms
from commands.policies.charges import COIN
from ledger.chart import merchant_receivable
from ledger.events.refunds import FeeBack
from ledger.payment import Payment


def fee_back(books: Books, payment: Payment, amount: int, taken: Taken, *, at_once: bool = False) -> FeeBack | None:
    """What goes back with this refund of `amount`, which was taken so; None: nothing.

    `at_once`: it is taken with this very event, so that no debt of it is on the books yet, or paid already.
    """
    created = payment.created
    if not after_sale_terms(books, created.merchant, created.product).returns_fee:
        return None
    before = sum(refund.fee_back for refund in payment.refunds)
    back = next_part(_fee_of(payment), payment.refunded + amount, payment.captured, before)
    if not back:
        return None
    into = None if created.method.type == COIN else created.exchange
    currency = created.currency if into is None else into.currency
    if created.invoiced:
        return FeeBack(back, currency, invoiced=True)
    short = taken.short if at_once else min(taken.short, _debt(books, created.merchant, currency))
    to_debt = min(back, short)
    # What sales have paid of the debt since then had been the merchant's to have.
    to_available = min(back - to_debt, taken.from_available + taken.short - short)
    return FeeBack(back, currency, to_available, to_debt)


def next_part(fee: int, gone: int, captured: int, given: int) -> int:
    """Measured from the start each time, so that all parts together are never more than the whole."""
    return max(0, min(fee, fee * gone // captured) - given) if captured else 0


def _fee_of(payment: Payment) -> int:
    """What the merchant paid for all that was taken; what is not captured in parts was paid with its order."""
    return sum(capture.fee for capture in payment.taken) if payment.captures else payment.created.fee


def _debt(books: Books, merchant: str, currency: str) -> int:
    found = books.find_account(merchant_receivable(merchant, currency))
    return 0 if found is None else max(0, found.balance)
