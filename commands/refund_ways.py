"""Refund ways: money goes back the way it came, in a fixed order: the channel first, then the wallet.

A purchase on credit pays its debt first. What was paid in coins goes into the customer's wallet, in the currency of
the order: nobody sends coins to an address that he has not been told.
"""

from collections.abc import Sequence

from commands.books import Books
from commands.credit_lines import principal_of
from commands.customers import wallet_exists
from commands.fees_back import fee_back
from commands.funds import taken_from
from commands.policies.charges import COIN
from commands.policies.products import PRODUCTS
from ledger.chart import AGENCY_PAY
from ledger.dispute import NONE, Dispute
from ledger.errors import RefundNotSupported
from ledger.events.refunds import ExchangedBack, RefundPaidToCredit, RefundPaidToWallet, RefundRequested
from ledger.payment import FAILED, Attempt, Payment

RefundBegun = RefundRequested | RefundPaidToWallet | RefundPaidToCredit


def refund_of(books: Books, payment: Payment, name: str, amount: int, reason: str) -> RefundBegun:
    """The refund `name` of `amount` minor units, not more than is refundable; raises RefundNotSupported."""
    created, attempt = payment.created, payment.paying_attempt
    if PRODUCTS[created.product].source == "credit":
        return _to_credit(books, payment, name, amount, reason)
    if attempt is None or created.method.type == COIN:
        return _to_wallet(books, payment, name, amount, reason)
    by_channel = min(amount, _left_at_channel(payment))
    if by_channel == 0:
        return _to_wallet(books, payment, name, amount, reason)
    return _by_channel(books, payment, attempt, (name, by_channel, amount - by_channel, reason))


def _left_at_channel(payment: Payment) -> int:
    """What the channel took and has not been asked to give back."""
    asked = sum(refund.by_channel for refund in payment.refunds if refund.status != FAILED)
    unasked = sum(refund.by_channel * len(refund.unapplied) for refund in payment.refunds)
    return max(0, payment.captured - payment.from_wallet - asked - unasked)


def _by_channel(books: Books, payment: Payment, attempt: Attempt, asked: tuple[str, int, int, str]) -> RefundBegun:
    created, (name, by_channel, to_wallet, reason) = payment.created, asked
    back, collected = exchanged_back(books, payment, by_channel), created.product == AGENCY_PAY
    subsidy = subsidy_back(payment, by_channel + to_wallet)
    taken = None
    if back is None and not collected:
        taken = taken_from(books, created.merchant, by_channel + to_wallet + subsidy, created.currency)
    return RefundRequested(
        id=name,
        payment=created.id,
        merchant=created.merchant,
        channel=attempt.channel,
        attempt=attempt.id,
        channel_reference=attempt.reference,
        amount=by_channel,
        currency=created.currency,
        short=0 if taken is None else taken.short,
        reason=reason,
        to_wallet=to_wallet,
        customer=created.customer if to_wallet else None,
        exchange=back,
        from_available=0 if taken is None else taken.from_available,
        subsidy=subsidy,
        # From what the principal has with us, and nothing else: its balance refuses what is not there.
        collected=collected,
    )


def exchanged_back(books: Books, payment: Payment, amount: int) -> ExchangedBack | None:
    """What it costs the merchant at the rate of the payment; the last refund takes what is left of the whole."""
    created, into = payment.created, payment.created.exchange
    if into is None or created.method.type == COIN:
        return None
    cost = cost_at_the_rate(payment, amount, payment.disputes)
    taken = taken_from(books, created.merchant, cost, into.currency)
    covered = cost - taken.from_available - taken.short
    return ExchangedBack(into.currency, covered, taken.short, taken.from_available)


def cost_at_the_rate(payment: Payment, amount: int, disputes: Sequence[Dispute]) -> int:
    """What `amount` of a foreign payment costs its merchant when it goes back, in minor units of his currency.

    What went back before, by refunds and by these disputes, counts: the last part takes what is left of the whole.
    """
    into = payment.created.exchange
    if into is None:
        raise AssertionError(f"nothing was exchanged for {payment.created.id}")
    refunds = [refund for refund in payment.refunds if refund.status != FAILED]
    taken = [dispute.share for dispute in disputes if dispute.money != NONE]
    gone = sum(refund.amount for refund in refunds) + sum(share.held for share in taken)
    cost = sum(refund.exchange.cost for refund in refunds if refund.exchange is not None)
    cost += sum(share.cost for share in taken)
    # Measured from the start each time, so that parts never add up to more than the whole.
    return max(0, into.amount * (gone + amount) // payment.captured - cost)


def subsidy_back(payment: Payment, amount: int) -> int:
    """What comes back to us with this refund, of a discount that we paid; the last refund takes what is left of it."""
    if not payment.subsidized:
        return 0
    before = [refund for refund in payment.refunds if refund.status != FAILED]
    given_back = sum(refund.amount for refund in before) + amount
    # Measured from the start each time, so that parts never add up to more than the whole.
    return max(0, payment.subsidized * given_back // payment.captured - sum(refund.subsidy for refund in before))


def _to_wallet(books: Books, payment: Payment, name: str, amount: int, reason: str) -> RefundBegun:
    created = payment.created
    if created.customer is None or not wallet_exists(books, created.customer, created.currency):
        detail = "It was paid by a way that nothing can be sent back on, and by nobody who has a wallet here."
        raise RefundNotSupported(detail, payment=created.id)
    subsidy = subsidy_back(payment, amount)
    taken = taken_from(books, created.merchant, amount + subsidy, created.currency)
    back = fee_back(books, payment, amount, taken, at_once=True)
    return RefundPaidToWallet(
        id=name,
        payment=created.id,
        merchant=created.merchant,
        customer=created.customer,
        amount=amount,
        currency=created.currency,
        short=taken.short,
        reason=reason,
        from_available=taken.from_available,
        subsidy=subsidy,
        product=created.product if back is not None else "",
        returned=back,
    )


def _to_credit(books: Books, payment: Payment, name: str, amount: int, reason: str) -> RefundBegun:
    created = payment.created
    if created.customer is None:
        raise AssertionError(f"{created.id} was lent to nobody")
    subsidy = subsidy_back(payment, amount)
    taken = taken_from(books, created.merchant, amount + subsidy, created.currency)
    back = fee_back(books, payment, amount, taken, at_once=True)
    return RefundPaidToCredit(
        id=name,
        payment=created.id,
        merchant=created.merchant,
        customer=created.customer,
        amount=amount,
        currency=created.currency,
        principal=min(amount, principal_of(books, created.customer, created.currency)),
        short=taken.short,
        reason=reason,
        from_available=taken.from_available,
        subsidy=subsidy,
        product=created.product if back is not None else "",
        returned=back,
    )
