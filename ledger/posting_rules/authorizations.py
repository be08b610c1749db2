"""Authorizations: what is held, taken of it, let go and revoked (chart rows A2, A3, A4, B10, F2).

What a channel holds is memo only: it is neither ours nor owed. What is frozen in a wallet is real.
"""

from ledger.chart import (
    authorized,
    authorized_contra,
    channel_receivable,
    merchant_pending,
    merchant_receivable,
    subsidy,
    wallet_available,
    wallet_frozen,
)
from ledger.events.authorizations import (
    AuthorizationExpired,
    AuthorizationIncremented,
    AuthorizationReleased,
    PaymentAuthorized,
    PaymentFrozenInWallet,
    PaymentUnfrozenInWallet,
)
from ledger.events.voids import AuthorizationVoided, PaymentRevoked
from ledger.journal import JournalEntry, Posting, credit, debit, entry_of, opposite
from ledger.posting_rules.channel_fees import accrued
from ledger.posting_rules.payments import DISCOUNT, owed_to_merchant
from ledger.posting_rules.transfers import Rules


def memo(channel: str, amount: int, currency: str) -> tuple[Posting, Posting]:
    """A2: the pair beside the books."""
    return debit(authorized(channel, currency), amount, currency), credit(
        authorized_contra(channel, currency), amount, currency
    )


def held(event: PaymentAuthorized | AuthorizationIncremented) -> JournalEntry:
    """A2 and A3."""
    return entry_of(*memo(event.channel, event.amount, event.currency))


def let_go(event: AuthorizationVoided | AuthorizationExpired | AuthorizationReleased) -> JournalEntry | None:
    """A4, over what was still open: that may be nothing."""
    return entry_of(*opposite(memo(event.channel, event.amount, event.currency))) if event.amount else None


def taken_back(event: PaymentRevoked) -> tuple[Posting, ...]:
    """The full opposite of A5 and A6, with A13 and A14."""
    currency, receivable = event.currency, channel_receivable(event.channel, event.currency)
    owed = owed_to_merchant(
        event.merchant,
        event.product,
        event.amount + event.subsidy,
        event.fee,
        currency,
        tax=event.tax,
        invoiced=event.invoiced,
    )
    return (
        *opposite(owed),
        *opposite(accrued(event)),
        credit(receivable, event.amount, currency),
        credit(subsidy(DISCOUNT, currency), event.subsidy, currency),
    )


def revoked(event: PaymentRevoked) -> JournalEntry:
    """B10 and K2. What is held again is memo again; what its merchant has had already is his debt."""
    return entry_of(
        *taken_back(event),
        debit(merchant_receivable(event.merchant, event.currency), event.short, event.currency),
        credit(merchant_pending(event.merchant, event.currency), event.short, event.currency),
        *memo(event.channel, event.reopened, event.currency),
    )


def frozen(event: PaymentFrozenInWallet) -> JournalEntry:
    """F2."""
    return entry_of(
        debit(wallet_available(event.customer, event.currency), event.amount, event.currency),
        credit(wallet_frozen(event.customer, event.currency), event.amount, event.currency),
    )


def unfrozen(event: PaymentUnfrozenInWallet) -> JournalEntry | None:
    """The opposite of F2."""
    if not event.amount:
        return None
    return entry_of(
        debit(wallet_frozen(event.customer, event.currency), event.amount, event.currency),
        credit(wallet_available(event.customer, event.currency), event.amount, event.currency),
    )


ENTRY_RULES: Rules = {
    PaymentAuthorized: held,
    AuthorizationIncremented: held,
    AuthorizationVoided: let_go,
    AuthorizationExpired: let_go,
    AuthorizationReleased: let_go,
    PaymentRevoked: revoked,
    PaymentFrozenInWallet: frozen,
    PaymentUnfrozenInWallet: unfrozen,
}
