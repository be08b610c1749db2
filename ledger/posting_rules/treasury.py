"""Treasury: principals' money, floats at channels, earned fees (chart rows A12, E1 and E2)."""

from ledger.chart import agency_balance, bank_client, bank_own, channel_prefunded, principal_receivable
from ledger.events.principals import PrincipalFunded
from ledger.events.treasury import FeesSwept, FloatFed
from ledger.journal import JournalEntry, credit, debit, entry_of
from ledger.posting_rules.transfers import Rules


def funded(event: PrincipalFunded) -> JournalEntry:
    """E1. What it owed us for disputes that its balance did not cover is paid first."""
    return entry_of(
        debit(bank_client(event.bank_account, event.currency), event.amount, event.currency),
        credit(agency_balance(event.principal, event.currency), event.amount, event.currency),
        debit(agency_balance(event.principal, event.currency), event.recovered, event.currency),
        credit(principal_receivable(event.principal, event.currency), event.recovered, event.currency),
    )


def float_fed(event: FloatFed) -> JournalEntry:
    """E2."""
    return entry_of(
        debit(channel_prefunded(event.channel, event.currency), event.amount, event.currency),
        credit(bank_client(event.bank_account, event.currency), event.amount, event.currency),
    )


def fees_swept(event: FeesSwept) -> JournalEntry:
    """A12."""
    return entry_of(
        debit(bank_own(event.bank_account, event.currency), event.amount, event.currency),
        credit(bank_client(event.bank_account, event.currency), event.amount, event.currency),
    )


ENTRY_RULES: Rules = {PrincipalFunded: funded, FloatFed: float_fed, FeesSwept: fees_swept}
