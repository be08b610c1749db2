"""Receipts: money that no order was waiting for is given back. Row J3 with B3, and their opposites."""

from ledger.chart import channel_receivable, refund_in_transit, unapplied_receipts
from ledger.events.receipts import ReceiptReturned, ReceiptReturnFailed, ReceiptReturnRequested
from ledger.journal import JournalEntry, credit, debit, entry_of
from ledger.posting_rules.transfers import Rules


def return_requested(event: ReceiptReturnRequested) -> JournalEntry:
    """J3."""
    return entry_of(
        debit(unapplied_receipts(event.channel, event.currency), event.amount, event.currency),
        credit(refund_in_transit(event.merchant, event.currency), event.amount, event.currency),
    )


def returned(event: ReceiptReturned) -> JournalEntry:
    """B3; straight out of what was kept apart again, where the channel had said that it would not."""
    unapplied, on_its_way = (
        unapplied_receipts(event.channel, event.currency),
        refund_in_transit(event.merchant, event.currency),
    )
    return entry_of(
        debit(unapplied if event.late else on_its_way, event.amount, event.currency),
        credit(channel_receivable(event.channel, event.currency), event.amount, event.currency),
    )


def return_failed(event: ReceiptReturnFailed) -> JournalEntry:
    """The exact opposite of J3; of J3 and B3 where it had been given back."""
    receivable, on_its_way = (
        channel_receivable(event.channel, event.currency),
        refund_in_transit(event.merchant, event.currency),
    )
    return entry_of(
        debit(receivable if event.bounced else on_its_way, event.amount, event.currency),
        credit(unapplied_receipts(event.channel, event.currency), event.amount, event.currency),
    )


ENTRY_RULES: Rules = {
    ReceiptReturnRequested: return_requested,
    ReceiptReturned: returned,
    ReceiptReturnFailed: return_failed,
}
