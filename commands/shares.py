"""Shares: a merchant passes a part of a payment on to another one (profit sharing), and takes it back."""

from datetime import datetime

from commands.books import Books
from commands.channel_facts import check_amount
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.merchants import merchant_named
from commands.system_accounts import with_accounts
from ledger.chart import AGENCY_PAY, merchant_pending
from ledger.errors import (
    CurrencyMismatch,
    InsufficientFunds,
    MerchantUnknown,
    PaymentNotFound,
    PaymentStateInvalid,
    SameAccount,
    ShareExceedsPayment,
    ShareExceedsReturn,
    ShareNotFound,
)
from ledger.events.merchants import merchant_stream
from ledger.events.shares import PaymentShared, PaymentShareReturned
from ledger.ids import PAYMENT, SHARE, child_id
from ledger.payment import SUCCEEDED, Payment, Share
from ledger.payment_state import fold


class SharePayment(Command, frozen=True):
    """Owe `amount` minor units of a payment to another merchant. The receipt tells the share's id."""

    payment: str
    receiver: str
    amount: int
    description: str | None = None


class ReturnShare(Command, frozen=True):
    """Take back `amount` minor units of a share; None: all that is left of it."""

    payment: str
    share: str
    amount: int | None = None


class ShareReceipt(Receipt):
    """The share as it stands, in minor units."""

    id: str = ""
    payment: str = ""
    receiver: str = ""
    amount: int = 0
    returned: int = 0
    currency: str = ""
    created_at: datetime | None = None


def share(books: Books, command: SharePayment, envelope: Envelope) -> Decision:
    check_amount(command.amount)
    payment = _payment(books, command.payment)
    created = payment.created
    if command.receiver == created.merchant:
        raise SameAccount("A share goes to another merchant.", pointer="/receiver")
    try:
        receiver = merchant_named(books, command.receiver)
    except MerchantUnknown:
        raise MerchantUnknown(pointer="/receiver", merchant=command.receiver) from None
    if receiver.settlement_currency != created.currency:
        words = f"{receiver.id} is paid in {receiver.settlement_currency}."
        raise CurrencyMismatch(words, pointer="/receiver", currency=receiver.settlement_currency)
    # What is owed to a principal is its own, to pay out; an invoiced fee is not taken from what was sold.
    kept = 0 if created.invoiced else created.fee + created.tax
    left = 0 if created.product == AGENCY_PAY else payment.refundable - kept - payment.shared
    if command.amount > left:
        raise ShareExceedsPayment(pointer="/amount", amount=command.amount, shareable=max(0, left))
    _check_pending(books, created.merchant, created.currency, command.amount)
    name = child_id(SHARE, created.id, len(payment.shares) + 1)
    shared = PaymentShared(
        id=name,
        payment=created.id,
        merchant=created.merchant,
        receiver=command.receiver,
        amount=command.amount,
        currency=created.currency,
        description=command.description,
    )
    receipt = ShareReceipt(
        id=name,
        payment=created.id,
        receiver=command.receiver,
        amount=command.amount,
        currency=created.currency,
        created_at=books.now,
    )
    return Decision(with_accounts(books, [(created.id, shared)]), receipt)


def give_back(books: Books, command: ReturnShare, envelope: Envelope) -> Decision:
    payment = _payment(books, command.payment)
    found = payment.share(command.share)
    if found is None:
        raise ShareNotFound(payment=command.payment, share=command.share)
    amount = found.left if command.amount is None else command.amount
    if command.amount is not None:
        check_amount(command.amount)
    if amount > found.left or amount == 0:
        raise ShareExceedsReturn(pointer="/amount", amount=amount, left=found.left)
    created = payment.created
    _check_pending(books, found.receiver, created.currency, amount)
    returned = PaymentShareReturned(found.id, created.id, created.merchant, found.receiver, amount, created.currency)
    return Decision(with_accounts(books, [(created.id, returned)]), _receipt(payment, found, amount))


def _receipt(payment: Payment, found: Share, amount: int) -> ShareReceipt:
    return ShareReceipt(
        id=found.id,
        payment=payment.created.id,
        receiver=found.receiver,
        amount=found.amount,
        returned=found.returned + amount,
        currency=payment.created.currency,
        created_at=found.created_at,
    )


def _payment(books: Books, name: str) -> Payment:
    payment = fold(books.recorded(name)) if name.startswith(PAYMENT) else None
    if payment is None:
        raise PaymentNotFound(payment=name)
    if payment.status != SUCCEEDED:
        raise PaymentStateInvalid(
            f"Only a payment that has succeeded is shared; this one is {payment.status}.",
            payment=name,
            payment_status=payment.status,
            expected_status=SUCCEEDED,
        )
    return payment


def _check_pending(books: Books, merchant: str, currency: str, amount: int) -> None:
    """Sales that were released already are the merchant's to pay out, and are not shared any more."""
    account = merchant_pending(merchant, currency)
    sales = books.find_account(account)
    available = 0 if sales is None else sales.available
    if amount > available:
        words = f"{merchant} has {available} pending, {amount} is required."
        raise InsufficientFunds(words, account=account, available=available, required=amount, min_balance=0)


def _share_needs(command: SharePayment) -> Needs:
    return Needs(streams=(command.payment, merchant_stream(command.receiver)))


def _return_needs(command: ReturnShare) -> Needs:
    return Needs(streams=(command.payment,))


DECIDERS: dict[type[Command], Decider] = {
    SharePayment: Decider(share, _share_needs),
    ReturnShare: Decider(give_back, _return_needs),
}
