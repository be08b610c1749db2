"""Refunds: accepted, given back, refused, or paid into a wallet or a credit line.

Rows B1 to B3, B5 to B9, F5, G4 and J1's mirror of the table of events; of a foreign payment with both sides of I1.
"""

from ledger.chart import (
    agency_balance,
    bank_client,
    channel_fee,
    channel_fees_payable,
    channel_receivable,
    credit_principal,
    fx_position,
    invoiced_fees,
    merchant_available,
    merchant_fee,
    merchant_pending,
    merchant_receivable,
    refund_in_transit,
    subsidy,
    suspense_debit,
    wallet_available,
)
from ledger.events.refunds import (
    FeeBack,
    RefundFailed,
    RefundPaidByBank,
    RefundPaidToCredit,
    RefundPaidToWallet,
    RefundRequested,
    RefundReturned,
    RefundSucceeded,
    RefundUnapplied,
)
from ledger.journal import JournalEntry, Posting, credit, debit, entry_of, opposite
from ledger.posting_rules.payments import DISCOUNT
from ledger.posting_rules.transfers import Rules


def _taken_from_merchant(
    merchant: str, amount: int, short: int, currency: str, from_available: int = 0
) -> tuple[Posting, ...]:
    # Sales stand on `pending` until they are released to the merchant; what both do not cover becomes a debt.
    return (
        debit(merchant_pending(merchant, currency), amount - from_available - short, currency),
        debit(merchant_available(merchant, currency), from_available, currency),
        debit(merchant_receivable(merchant, currency), short, currency),
    )


def _ours_again(
    event: RefundRequested | RefundFailed | RefundPaidToWallet | RefundPaidToCredit,
) -> tuple[Posting, ...]:
    """A14 the other way round: of a discount that we paid, what goes with the part that is given back."""
    return (credit(subsidy(DISCOUNT, event.currency), event.subsidy, event.currency),)


def _given_up(event: RefundRequested | RefundFailed, channel: str) -> tuple[Posting, ...]:
    """What the merchant gives up, in its own currency, and what it is worth in the payment's."""
    whole, currency, back = event.amount + event.to_wallet, event.currency, event.exchange
    if event.collected:
        return (debit(agency_balance(event.merchant, currency), whole + event.subsidy, currency), *_ours_again(event))
    if back is None:
        cost = whole + event.subsidy
        taken = _taken_from_merchant(event.merchant, cost, event.short, currency, event.from_available)
        return (*taken, *_ours_again(event))
    units, cost = (currency, back.currency), back.cost
    return (
        *_taken_from_merchant(event.merchant, cost, back.short, back.currency, back.from_available),
        credit(fx_position(channel, units, back.currency), cost, back.currency),
        debit(fx_position(channel, units, currency), whole, currency),
    )


def requested(event: RefundRequested) -> JournalEntry:
    """B1, and B2 where the merchant's sales do not cover it."""
    whole = event.amount + event.to_wallet
    return entry_of(
        *_given_up(event, event.channel),
        credit(refund_in_transit(event.merchant, event.currency), whole, event.currency),
    )


def _fee_back(event: RefundSucceeded | RefundPaidToWallet | RefundPaidToCredit) -> tuple[Posting, ...]:
    """B8: to where the refund was taken from, or off the invoice of A13."""
    back = event.returned
    if back is None and isinstance(event, RefundSucceeded):
        back = FeeBack(event.fee_back, event.currency)
    if back is None:
        return ()
    merchant, currency = event.merchant, back.currency
    fee = debit(merchant_fee(event.product, currency), back.amount, currency)
    if back.invoiced:
        return (fee, credit(invoiced_fees(event.product, merchant, currency), back.amount, currency))
    return (
        fee,
        credit(merchant_receivable(merchant, currency), back.to_debt, currency),
        credit(merchant_available(merchant, currency), back.to_available, currency),
        credit(merchant_pending(merchant, currency), back.amount - back.to_debt - back.to_available, currency),
    )


def succeeded(event: RefundSucceeded) -> JournalEntry:
    """B3: the channel will net it from a settlement. The wallet's part of a mixed payment is F5.

    B8: what the merchant gets back of its fee. B9: what the channel gives back of its own.
    """
    whole = event.amount + event.to_wallet
    channel, currency = event.channel, event.currency
    kept_on = channel_fees_payable(channel, currency) if event.fee_payable else channel_receivable(channel, currency)
    return entry_of(
        debit(refund_in_transit(event.merchant, event.currency), whole, event.currency),
        credit(channel_receivable(event.channel, event.currency), event.amount, event.currency),
        credit(wallet_available(event.customer or "", event.currency), event.to_wallet, event.currency),
        *_fee_back(event),
        debit(kept_on, event.channel_fee_back, event.currency),
        credit(channel_fee(event.channel, event.currency), event.channel_fee_back, event.currency),
    )


def returned(event: RefundReturned) -> JournalEntry:
    """B6: we owe it to the payer again, and the merchant does not have it back by itself."""
    return entry_of(
        debit(channel_receivable(event.channel, event.currency), event.amount, event.currency),
        credit(refund_in_transit(event.merchant, event.currency), event.amount, event.currency),
    )


def paid_by_bank(event: RefundPaidByBank) -> JournalEntry:
    """B7."""
    return entry_of(
        debit(refund_in_transit(event.merchant, event.currency), event.amount, event.currency),
        credit(bank_client(event.bank_account, event.currency), event.amount, event.currency),
    )


def failed(event: RefundFailed) -> JournalEntry:
    """B5: the exact opposite of B1 and B2."""
    whole = event.amount + event.to_wallet
    return entry_of(
        debit(refund_in_transit(event.merchant, event.currency), whole, event.currency),
        *opposite(_given_up(event, event.channel)),
    )


def _paid_by_merchant(event: RefundPaidToWallet | RefundPaidToCredit) -> tuple[Posting, ...]:
    cost = event.amount + event.subsidy
    taken = _taken_from_merchant(event.merchant, cost, event.short, event.currency, event.from_available)
    return (*taken, *_ours_again(event), *_fee_back(event))


def paid_to_wallet(event: RefundPaidToWallet) -> JournalEntry:
    """F5."""
    return entry_of(
        *_paid_by_merchant(event),
        credit(wallet_available(event.customer, event.currency), event.amount, event.currency),
    )


def paid_to_credit(event: RefundPaidToCredit) -> JournalEntry:
    """G4: the debt first, and what is left of the refund into the wallet."""
    return entry_of(
        *_paid_by_merchant(event),
        credit(credit_principal(event.customer, event.currency), event.principal, event.currency),
        credit(wallet_available(event.customer, event.currency), event.amount - event.principal, event.currency),
    )


def unapplied(event: RefundUnapplied) -> JournalEntry:
    """J1 the other way round: the channel will net money from a settlement that we did not, or no longer, owe."""
    return entry_of(
        debit(suspense_debit(event.channel, event.currency), event.amount, event.currency),
        credit(channel_receivable(event.channel, event.currency), event.amount, event.currency),
    )


ENTRY_RULES: Rules = {
    RefundRequested: requested,
    RefundSucceeded: succeeded,
    RefundReturned: returned,
    RefundPaidByBank: paid_by_bank,
    RefundFailed: failed,
    RefundPaidToWallet: paid_to_wallet,
    RefundPaidToCredit: paid_to_credit,
    RefundUnapplied: unapplied,
}
