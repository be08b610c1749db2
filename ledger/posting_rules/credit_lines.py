"""Credit lines: interest, repayments and losses (rows G2, G3 with A6, G5 of the table of events, and J4)."""

from ledger.chart import (
    channel_receivable,
    credit_allowance,
    credit_interest,
    credit_interest_receivable,
    credit_loss,
    credit_principal,
    unapplied_receipts,
    wallet_available,
)
from ledger.events.credit_lines import CreditImpaired, CreditInterestCharged, CreditRepaid, CreditWrittenOff
from ledger.events.repayments import RepaymentReceiptUnapplied
from ledger.journal import JournalEntry, credit, debit, entry_of
from ledger.posting_rules.channel_fees import accrued
from ledger.posting_rules.transfers import Rules

PRODUCT = "credit_pay"


def interest_charged(event: CreditInterestCharged) -> JournalEntry | None:
    """G2. A month without a debt is charged with nothing."""
    due = event.interest + event.fees
    if not due:
        return None
    return entry_of(
        debit(credit_interest_receivable(event.customer, event.currency), due, event.currency),
        credit(credit_interest(PRODUCT, event.currency), due, event.currency),
    )


def repaid(event: CreditRepaid) -> JournalEntry | None:
    """G3 and A6: fees and interest stand on one account, so that they are paid before principal."""
    due, currency = event.fees + event.interest, event.currency
    receivable = channel_receivable(event.channel, currency)
    whole = due + event.principal + event.to_wallet
    if not whole:
        return None
    return entry_of(
        debit(receivable, whole, currency),
        credit(credit_interest_receivable(event.customer, currency), due, currency),
        credit(credit_principal(event.customer, currency), event.principal, currency),
        credit(wallet_available(event.customer, currency), event.to_wallet, currency),
        *accrued(event),
    )


def impaired(event: CreditImpaired) -> JournalEntry:
    """The first half of G5."""
    return entry_of(
        debit(credit_loss(PRODUCT, event.currency), event.amount, event.currency),
        credit(credit_allowance(event.customer, event.currency), event.amount, event.currency),
    )


def written_off(event: CreditWrittenOff) -> JournalEntry:
    """G5: what was not written down before is an expense now."""
    allowance = credit_allowance(event.customer, event.currency)
    return entry_of(
        debit(credit_loss(PRODUCT, event.currency), event.expensed, event.currency),
        credit(allowance, event.expensed, event.currency),
        debit(allowance, event.amount, event.currency),
        credit(credit_principal(event.customer, event.currency), event.amount, event.currency),
    )


def receipt_unapplied(event: RepaymentReceiptUnapplied) -> JournalEntry:
    """J4 and A6."""
    receivable = channel_receivable(event.channel, event.currency)
    return entry_of(
        debit(receivable, event.amount, event.currency),
        credit(unapplied_receipts(event.channel, event.currency), event.amount, event.currency),
        *accrued(event),
    )


ENTRY_RULES: Rules = {
    CreditInterestCharged: interest_charged,
    CreditRepaid: repaid,
    CreditImpaired: impaired,
    CreditWrittenOff: written_off,
    RepaymentReceiptUnapplied: receipt_unapplied,
}
