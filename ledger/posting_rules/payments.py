"""Payments: what a capture, a payment from a wallet or on credit and an unapplied receipt post.

Rows A5 and A6, F3, F8 with its F2, G1, I1, J1, J4 of the table of events.
"""

from ledger.chart import (
    authorized,
    authorized_contra,
    channel_fee,
    channel_receivable,
    credit_principal,
    fx_position,
    merchant_fee,
    merchant_pending,
    unapplied_receipts,
    wallet_available,
    wallet_frozen,
)
from ledger.events.payments import (
    Exchange,
    PaymentCaptured,
    PaymentPaidFromWallet,
    PaymentPaidOnCredit,
    PaymentReceiptUnapplied,
    PaymentWalletFrozen,
    PaymentWalletUnfrozen,
)
from ledger.journal import JournalEntry, Posting, credit, debit, entry_of, opposite
from ledger.posting_rules.transfers import Rules


def owed_to_merchant(merchant: str, product: str, amount: int, fee: int, currency: str) -> tuple[Posting, ...]:
    """Gross legs, never netted, so that gross and fee can each be read."""
    pending = merchant_pending(merchant, currency)
    return (
        credit(pending, amount, currency),
        debit(pending, fee, currency),
        credit(merchant_fee(product, currency), fee, currency),
    )


def exchanged(channel: str, amount: int, currency: str, into: Exchange) -> tuple[Posting, ...]:
    """The two sides of a position: what came in one unit and is owed in another."""
    units = (currency, into.currency)
    return (
        credit(fx_position(channel, units, currency), amount, currency),
        debit(fx_position(channel, units, into.currency), into.amount, into.currency),
    )


def captured(event: PaymentCaptured) -> JournalEntry:
    """A5 and A6; F8 where a part comes from a wallet; I1 where the merchant is owed in another currency."""
    receivable = channel_receivable(event.channel, event.currency)
    whole, into = event.amount + event.from_wallet, event.exchange
    if into is None:
        owed = owed_to_merchant(event.merchant, event.product, whole, event.fee, event.currency)
    else:
        owed = exchanged(event.channel, whole, event.currency, into) + owed_to_merchant(
            event.merchant, event.product, into.amount, event.fee, into.currency
        )
    return entry_of(
        debit(receivable, event.amount, event.currency),
        debit(wallet_frozen(event.customer or "", event.currency), event.from_wallet, event.currency),
        *owed,
        debit(channel_fee(event.channel, event.currency), event.channel_fee, event.currency),
        credit(receivable, event.channel_fee, event.currency),
        # What was held is taken now, and held no more.
        debit(authorized_contra(event.channel, event.currency), event.released, event.currency),
        credit(authorized(event.channel, event.currency), event.released, event.currency),
    )


def paid_from_wallet(event: PaymentPaidFromWallet) -> JournalEntry:
    """F3: no channel, no report line."""
    return entry_of(
        debit(wallet_available(event.customer, event.currency), event.amount, event.currency),
        *owed_to_merchant(event.merchant, event.product, event.amount, event.fee, event.currency),
    )


def paid_on_credit(event: PaymentPaidOnCredit) -> JournalEntry:
    """G1."""
    return entry_of(
        debit(credit_principal(event.customer, event.currency), event.amount, event.currency),
        *owed_to_merchant(event.merchant, event.product, event.amount, event.fee, event.currency),
    )


def _set_aside(event: PaymentWalletFrozen | PaymentWalletUnfrozen) -> tuple[Posting, Posting]:
    return (
        debit(wallet_available(event.customer, event.currency), event.amount, event.currency),
        credit(wallet_frozen(event.customer, event.currency), event.amount, event.currency),
    )


def wallet_part_frozen(event: PaymentWalletFrozen) -> JournalEntry:
    """F2."""
    return entry_of(*_set_aside(event))


def wallet_part_unfrozen(event: PaymentWalletUnfrozen) -> JournalEntry:
    """The exact opposite of F2."""
    return entry_of(*opposite(_set_aside(event)))


def receipt_unapplied(event: PaymentReceiptUnapplied) -> JournalEntry:
    """J1 and J4 with A6: the channel holds money of ours that no order is waiting for."""
    receivable = channel_receivable(event.channel, event.currency)
    return entry_of(
        debit(receivable, event.amount, event.currency),
        credit(unapplied_receipts(event.channel, event.currency), event.amount, event.currency),
        debit(channel_fee(event.channel, event.currency), event.channel_fee, event.currency),
        credit(receivable, event.channel_fee, event.currency),
    )


ENTRY_RULES: Rules = {
    PaymentCaptured: captured,
    PaymentPaidFromWallet: paid_from_wallet,
    PaymentPaidOnCredit: paid_on_credit,
    PaymentWalletFrozen: wallet_part_frozen,
    PaymentWalletUnfrozen: wallet_part_unfrozen,
    PaymentReceiptUnapplied: receipt_unapplied,
}
