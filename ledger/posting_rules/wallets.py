"""Wallets: transfers between customers, freezes and releases (chart rows F2 and F7)."""

from ledger.chart import wallet_available, wallet_frozen
from ledger.events.wallets import WalletFrozen, WalletReleased, WalletTransferred
from ledger.journal import JournalEntry, credit, debit, entry_of
from ledger.posting_rules.transfers import Rules


def transferred(event: WalletTransferred) -> JournalEntry:
    """F7."""
    return entry_of(
        debit(wallet_available(event.customer, event.currency), event.amount, event.currency),
        credit(wallet_available(event.to_customer, event.currency), event.amount, event.currency),
    )


def frozen(event: WalletFrozen) -> JournalEntry:
    """F2: real and no memo, for the customer may not spend it."""
    return entry_of(
        debit(wallet_available(event.customer, event.currency), event.amount, event.currency),
        credit(wallet_frozen(event.customer, event.currency), event.amount, event.currency),
    )


def released(event: WalletReleased) -> JournalEntry:
    """F2 the other way round."""
    return entry_of(
        debit(wallet_frozen(event.customer, event.currency), event.amount, event.currency),
        credit(wallet_available(event.customer, event.currency), event.amount, event.currency),
    )


ENTRY_RULES: Rules = {WalletTransferred: transferred, WalletFrozen: frozen, WalletReleased: released}
