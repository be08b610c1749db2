"""Payments: what a capture, a payment from a wallet or on credit and an unapplied receipt post.

Rows A5 and A6, A13, A14, F3, F4, F8 with its F2, G1, I1, J1, J4 of the table of events.
"""

from ledger.chart import (
    authorized,
    authorized_contra,
    channel_receivable,
    credit_principal,
    fx_position,
    invoiced_fees,
    merchant_fee,
    sales,
    subsidy,
    tax_payable,
    unapplied_receipts,
    wallet_available,
    wallet_frozen,
)
from ledger.events.authorizations import PaymentCapturedFromWallet
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
from ledger.posting_rules.channel_fees import accrued
from ledger.posting_rules.transfers import Rules

# The cause of what we pay in a payer's stead.
DISCOUNT = "discount"


def owed_to_merchant(
    merchant: str, product: str, amount: int, fee: int, currency: str, *, tax: int = 0, invoiced: bool = False
) -> tuple[Posting, ...]:
    """Gross legs, never netted, so that gross, fee and tax can each be read; of an invoiced fee those of A13."""
    owed = sales(product, merchant, currency)
    return (
        credit(owed, amount, currency),
        debit(invoiced_fees(product, merchant, currency) if invoiced else owed, fee + tax, currency),
        credit(merchant_fee(product, currency), fee, currency),
        credit(tax_payable(currency), tax, currency),
    )


Sold = PaymentPaidFromWallet | PaymentPaidOnCredit | PaymentCapturedFromWallet


def _sold(event: Sold) -> tuple[Posting, ...]:
    """What the merchant is owed for what was paid from within the house; what we pay in the payer's stead is A14."""
    return (
        debit(subsidy(DISCOUNT, event.currency), event.subsidy, event.currency),
        *owed_to_merchant(
            event.merchant,
            event.product,
            event.amount + event.subsidy,
            event.fee,
            event.currency,
            tax=event.tax,
            invoiced=event.invoiced,
        ),
    )


def exchanged(channel: str, amount: int, currency: str, into: Exchange) -> tuple[Posting, ...]:
    """The two sides of a position: what came in one unit and is owed in another."""
    units = (currency, into.currency)
    return (
        credit(fx_position(channel, units, currency), amount, currency),
        debit(fx_position(channel, units, into.currency), into.amount, into.currency),
    )


def captured(event: PaymentCaptured) -> JournalEntry:
    """A5 and A6; A13 of an invoiced fee, A14 of a discount that we pay; F8 where a part comes from a wallet.

    I1 where the merchant is owed in another currency; J2 of a receipt that was kept apart.
    """
    receivable = channel_receivable(event.channel, event.currency)
    whole, into = event.amount + event.from_wallet + event.subsidy, event.exchange
    crossing = () if into is None else exchanged(event.channel, whole, event.currency, into)
    amount, currency = (whole, event.currency) if into is None else (into.amount, into.currency)
    owed = crossing + owed_to_merchant(
        event.merchant, event.product, amount, event.fee, currency, tax=event.tax, invoiced=event.invoiced
    )
    unapplied, kept = unapplied_receipts(event.channel, event.currency), event.receipt != 0
    return entry_of(
        debit(unapplied if kept else receivable, event.amount, event.currency),
        debit(subsidy(DISCOUNT, event.currency), event.subsidy, event.currency),
        debit(wallet_frozen(event.customer or "", event.currency), event.from_wallet, event.currency),
        *owed,
        # What was kept apart is with the channel already, and so is its fee.
        *(() if kept else accrued(event)),
        # What was held is taken now, and held no more.
        debit(authorized_contra(event.channel, event.currency), event.released, event.currency),
        credit(authorized(event.channel, event.currency), event.released, event.currency),
    )


def paid_from_wallet(event: PaymentPaidFromWallet) -> JournalEntry:
    """F3: no channel, no report line."""
    return entry_of(
        debit(wallet_available(event.customer, event.currency), event.amount, event.currency),
        *_sold(event),
    )


def paid_on_credit(event: PaymentPaidOnCredit) -> JournalEntry:
    """G1."""
    return entry_of(
        debit(credit_principal(event.customer, event.currency), event.amount, event.currency),
        *_sold(event),
    )


def captured_from_wallet(event: PaymentCapturedFromWallet) -> JournalEntry:
    """F4, with the merchant's fee as in F3."""
    return entry_of(
        debit(wallet_frozen(event.customer, event.currency), event.amount + event.unfrozen, event.currency),
        credit(wallet_available(event.customer, event.currency), event.unfrozen, event.currency),
        *_sold(event),
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
    return entry_of(
        debit(channel_receivable(event.channel, event.currency), event.amount, event.currency),
        credit(unapplied_receipts(event.channel, event.currency), event.amount, event.currency),
        *accrued(event),
    )


ENTRY_RULES: Rules = {
    PaymentCaptured: captured,
    PaymentPaidFromWallet: paid_from_wallet,
    PaymentPaidOnCredit: paid_on_credit,
    PaymentCapturedFromWallet: captured_from_wallet,
    PaymentWalletFrozen: wallet_part_frozen,
    PaymentWalletUnfrozen: wallet_part_unfrozen,
    PaymentReceiptUnapplied: receipt_unapplied,
}
