"""Payments: what a capture, a wallet payment and an unapplied receipt post (chart rows A5, A6, F3, J1, J4)."""

from ledger.chart import (
    channel_fee,
    channel_receivable,
    merchant_fee,
    merchant_pending,
    unapplied_receipts,
    wallet_available,
)
from ledger.events.payments import PaymentCaptured, PaymentPaidFromWallet, PaymentReceiptUnapplied
from ledger.journal import JournalEntry, credit, debit, entry_of
from ledger.posting_rules.transfers import Rules


def captured(event: PaymentCaptured) -> JournalEntry:
    """A5 and A6: gross legs, never netted, so that gross, fee and channel fee can each be read."""
    merchant = merchant_pending(event.merchant, event.currency)
    receivable = channel_receivable(event.channel, event.currency)
    return entry_of(
        debit(receivable, event.amount, event.currency),
        credit(merchant, event.amount, event.currency),
        debit(merchant, event.fee, event.currency),
        credit(merchant_fee(event.product, event.currency), event.fee, event.currency),
        debit(channel_fee(event.channel, event.currency), event.channel_fee, event.currency),
        credit(receivable, event.channel_fee, event.currency),
    )


def paid_from_wallet(event: PaymentPaidFromWallet) -> JournalEntry:
    """F3: no channel, no report line."""
    merchant = merchant_pending(event.merchant, event.currency)
    return entry_of(
        debit(wallet_available(event.customer, event.currency), event.amount, event.currency),
        credit(merchant, event.amount, event.currency),
        debit(merchant, event.fee, event.currency),
        credit(merchant_fee(event.product, event.currency), event.fee, event.currency),
    )


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
    PaymentReceiptUnapplied: receipt_unapplied,
}
