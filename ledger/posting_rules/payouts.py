"""Payouts: set aside, paid, refused, sent back (chart rows D1 to D4, E3 to E6 and F6)."""

from ledger import chart
from ledger.events.payouts import (
    CUSTOMER,
    PRINCIPAL,
    PayoutDebited,
    PayoutDebitUndone,
    PayoutGivenBack,
    PayoutPaid,
    PayoutRejected,
    PayoutReserved,
    PayoutReturned,
    PayoutReturnUnapplied,
    PayoutUnapplied,
)
from ledger.journal import JournalEntry, Posting, credit, debit, entry_of, opposite
from ledger.posting_rules.transfers import Rules

# What the fee for a payout is earned with.
_PRODUCTS = {PRINCIPAL: "agency_pay", CUSTOMER: "withdrawal"}


def owner_account(source: str, party: str, currency: str) -> str:
    """The account that a payout is taken from."""
    match source:
        case "principal":
            return chart.agency_balance(party, currency)
        case "customer":
            return chart.wallet_available(party, currency)
        case _:
            return chart.merchant_available(party, currency)


def in_transit_account(source: str, party: str, currency: str) -> str:
    """The account that it stands on while nobody knows what became of it."""
    match source:
        case "principal":
            return chart.agency_in_transit(party, currency)
        case "customer":
            return chart.withdrawal_in_transit(party, currency)
        case _:
            return chart.payout_in_transit(party, currency)


def fee_account(source: str, currency: str) -> str:
    return chart.merchant_fee(_PRODUCTS.get(source, "payout"), currency)


def reserved(event: PayoutReserved) -> JournalEntry:
    """D1, E3 and F6."""
    return entry_of(
        debit(owner_account(event.source, event.party, event.currency), event.amount + event.fee, event.currency),
        credit(in_transit_account(event.source, event.party, event.currency), event.amount, event.currency),
        credit(fee_account(event.source, event.currency), event.fee, event.currency),
    )


def paid(event: PayoutPaid) -> JournalEntry | None:
    """E4, and D2 at a prefunded provider; any other provider's word changes the state and not the books."""
    if not event.prefunded:
        return None
    float_ = chart.channel_prefunded(event.channel, event.currency)
    return entry_of(
        debit(in_transit_account(event.source, event.party, event.currency), event.amount, event.currency),
        credit(float_, event.amount, event.currency),
        debit(chart.channel_fee(event.channel, event.currency), event.channel_fee, event.currency),
        credit(float_, event.channel_fee, event.currency),
    )


def _debit(event: PayoutDebited) -> tuple[Posting, Posting]:
    return (
        debit(in_transit_account(event.source, event.party, event.currency), event.amount, event.currency),
        credit(chart.bank_client(event.bank_account, event.currency), event.amount, event.currency),
    )


def debited(event: PayoutDebited) -> JournalEntry:
    """D2."""
    return entry_of(*_debit(event))


def debit_undone(event: PayoutDebitUndone) -> JournalEntry | None:
    """The exact opposite of D2."""
    return entry_of(*opposite(_debit(event.debited))) if event.debited.amount else None


def rejected(event: PayoutRejected) -> JournalEntry:
    """D3, E5, and F6 the other way round."""
    return entry_of(
        debit(in_transit_account(event.source, event.party, event.currency), event.amount, event.currency),
        debit(fee_account(event.source, event.currency), event.fee, event.currency),
        credit(owner_account(event.source, event.party, event.currency), event.amount + event.fee, event.currency),
    )


def returned(event: PayoutReturned) -> JournalEntry | None:
    """The first step of D4 and E6. Where nothing had left our books yet, it is in transit still."""
    if event.prefunded:
        back_on = chart.channel_prefunded(event.channel, event.currency)
    elif event.bank_account:
        back_on = chart.bank_client(event.bank_account, event.currency)
    else:
        return None
    return entry_of(
        debit(back_on, event.amount, event.currency),
        credit(in_transit_account(event.source, event.party, event.currency), event.amount, event.currency),
    )


def given_back(event: PayoutGivenBack) -> JournalEntry:
    """The second step of D4 and E6."""
    return entry_of(
        debit(in_transit_account(event.source, event.party, event.currency), event.amount, event.currency),
        credit(owner_account(event.source, event.party, event.currency), event.amount, event.currency),
    )


def unapplied(event: PayoutUnapplied) -> JournalEntry | None:
    """Our float has paid what we do not owe; where the bank pays, its statement will show it (J6)."""
    if not event.prefunded:
        return None
    return entry_of(
        debit(chart.suspense_debit(event.channel, event.currency), event.amount, event.currency),
        credit(chart.channel_prefunded(event.channel, event.currency), event.amount, event.currency),
    )


def return_unapplied(event: PayoutReturnUnapplied) -> JournalEntry | None:
    """Our float has more again than anybody is owed; at a bank, its statement will show it (J5)."""
    if not event.prefunded:
        return None
    return entry_of(
        debit(chart.channel_prefunded(event.channel, event.currency), event.amount, event.currency),
        credit(chart.unapplied_receipts(event.channel, event.currency), event.amount, event.currency),
    )


ENTRY_RULES: Rules = {
    PayoutReserved: reserved,
    PayoutPaid: paid,
    PayoutDebited: debited,
    PayoutDebitUndone: debit_undone,
    PayoutRejected: rejected,
    PayoutReturned: returned,
    PayoutGivenBack: given_back,
    PayoutUnapplied: unapplied,
    PayoutReturnUnapplied: return_unapplied,
}
