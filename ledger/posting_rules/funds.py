"""Funds: sales become available, shares of them go to others (chart rows A11, A15, C7, and B2's recovery)."""

from ledger.chart import credit_loss, merchant_available, merchant_pending, merchant_receivable, merchant_reserve
from ledger.events.funds import FundsReleased, ReserveReleased
from ledger.events.merchant_losses import MerchantDebtWrittenOff
from ledger.events.shares import PaymentShared, PaymentShareReturned
from ledger.journal import JournalEntry, credit, debit, entry_of
from ledger.posting_rules.transfers import Rules


def released(event: FundsReleased) -> JournalEntry:
    """A11; what the merchant owes us is paid first, as B2 has it."""
    available = event.amount - event.reserve - event.recovered
    return entry_of(
        debit(merchant_pending(event.merchant, event.currency), event.amount, event.currency),
        credit(merchant_available(event.merchant, event.currency), available, event.currency),
        credit(merchant_reserve(event.merchant, event.currency), event.reserve, event.currency),
        credit(merchant_receivable(event.merchant, event.currency), event.recovered, event.currency),
    )


def reserve_released(event: ReserveReleased) -> JournalEntry:
    """A11, the release of the reserve."""
    return entry_of(
        debit(merchant_reserve(event.merchant, event.currency), event.amount, event.currency),
        credit(merchant_available(event.merchant, event.currency), event.amount, event.currency),
    )


def shared(event: PaymentShared) -> JournalEntry:
    """A15."""
    return entry_of(
        debit(merchant_pending(event.merchant, event.currency), event.amount, event.currency),
        credit(merchant_pending(event.receiver, event.currency), event.amount, event.currency),
    )


def share_returned(event: PaymentShareReturned) -> JournalEntry:
    """A15 the other way round."""
    return entry_of(
        debit(merchant_pending(event.receiver, event.currency), event.amount, event.currency),
        credit(merchant_pending(event.merchant, event.currency), event.amount, event.currency),
    )


def written_off(event: MerchantDebtWrittenOff) -> JournalEntry:
    """C7."""
    return entry_of(
        debit(credit_loss("merchant", event.currency), event.amount, event.currency),
        credit(merchant_receivable(event.merchant, event.currency), event.amount, event.currency),
    )


ENTRY_RULES: Rules = {
    FundsReleased: released,
    ReserveReleased: reserve_released,
    PaymentShared: shared,
    PaymentShareReturned: share_returned,
    MerchantDebtWrittenOff: written_off,
}
