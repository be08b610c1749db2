"""Top-ups: money into a wallet through a channel (chart rows F1 and A6), or into nobody's (J4)."""

from ledger.chart import channel_receivable, unapplied_receipts, wallet_available
from ledger.events.top_ups import TopUpReceiptUnapplied, TopUpSucceeded
from ledger.journal import JournalEntry, credit, debit, entry_of
from ledger.posting_rules.channel_fees import accrued
from ledger.posting_rules.transfers import Rules


def _received(event: TopUpSucceeded | TopUpReceiptUnapplied, owed_to: str) -> JournalEntry:
    return entry_of(
        debit(channel_receivable(event.channel, event.currency), event.amount, event.currency),
        credit(owed_to, event.amount, event.currency),
        *accrued(event),
    )


def succeeded(event: TopUpSucceeded) -> JournalEntry:
    return _received(event, wallet_available(event.customer, event.currency))


def receipt_unapplied(event: TopUpReceiptUnapplied) -> JournalEntry:
    return _received(event, unapplied_receipts(event.channel, event.currency))


ENTRY_RULES: Rules = {TopUpSucceeded: succeeded, TopUpReceiptUnapplied: receipt_unapplied}
