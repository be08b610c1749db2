"""Top-ups: money into a wallet through a channel (chart rows F1 and A6)."""

from ledger.chart import channel_fee, channel_receivable, wallet_available
from ledger.events.top_ups import TopUpSucceeded
from ledger.journal import JournalEntry, credit, debit, entry_of
from ledger.posting_rules.transfers import Rules


def succeeded(event: TopUpSucceeded) -> JournalEntry:
    receivable = channel_receivable(event.channel, event.currency)
    return entry_of(
        debit(receivable, event.amount, event.currency),
        credit(wallet_available(event.customer, event.currency), event.amount, event.currency),
        debit(channel_fee(event.channel, event.currency), event.channel_fee, event.currency),
        credit(receivable, event.channel_fee, event.currency),
    )


ENTRY_RULES: Rules = {TopUpSucceeded: succeeded}
