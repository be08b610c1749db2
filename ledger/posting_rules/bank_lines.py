"""Bank lines: what a bank's statement shows (rows A10, J5, J6 of the table of events, and their resolution).

Of a payout, its return and a refund that a bank paid, their own events move the money: D2, D4 and B7.
"""

from ledger.chart import (
    bank_client,
    bank_fee,
    bank_own,
    bank_suspense_credit,
    bank_suspense_debit,
    settlement_pending,
)
from ledger.events.bank_lines import (
    ACCOUNT,
    BankLine,
    BankLineCleared,
    BankLineRecognized,
    BankLineReopened,
    BankLineSuspended,
)
from ledger.journal import JournalEntry, Posting, opposite
from ledger.posting_rules.settlements import entry_if_any, moved
from ledger.posting_rules.transfers import Rules


def account_of(line: BankLine) -> str:
    """The account of ours that the statement is about."""
    return (bank_own if line.own else bank_client)(line.bank_account, line.currency)


def _cleared(event: BankLineCleared) -> tuple[Posting, ...]:
    line, currency = event.line, event.line.currency
    if event.by == ACCOUNT:
        return moved(account_of(line), line.amount, currency), moved("".join(event.subjects), -line.amount, currency)
    # Without batches it is the bank's fee alone.
    paid = sum(share.amount for share in event.batches) - event.bank_fee
    return (
        moved(account_of(line), paid, currency),
        moved(bank_fee(line.bank_account, currency), event.bank_fee, currency),
        *(
            moved(settlement_pending(share.channel, currency, share.batch), -share.amount, currency)
            for share in event.batches
        ),
    )


def cleared(event: BankLineCleared) -> JournalEntry | None:
    """A10, for several batches at once, or the account that somebody named."""
    return entry_if_any(*_cleared(event))


def reopened(event: BankLineReopened) -> JournalEntry | None:
    return entry_if_any(*opposite(_cleared(event.cleared)))


def _in_suspense(line: BankLine) -> tuple[Posting, ...]:
    suspense = bank_suspense_credit if line.amount >= 0 else bank_suspense_debit
    return (
        moved(account_of(line), line.amount, line.currency),
        moved(suspense(line.bank_account, line.currency), -line.amount, line.currency),
    )


def suspended(event: BankLineSuspended) -> JournalEntry | None:
    """J5 and J6."""
    return entry_if_any(*_in_suspense(event.line))


def recognized(event: BankLineRecognized) -> JournalEntry | None:
    """The exact opposite of J5 or J6."""
    return entry_if_any(*opposite(_in_suspense(event.line)))


ENTRY_RULES: Rules = {
    BankLineCleared: cleared,
    BankLineReopened: reopened,
    BankLineSuspended: suspended,
    BankLineRecognized: recognized,
}
