"""Settlements: lines and rows of channels' reports (rows A7, A8, A9, B4, C2r, K3, K4, K5, K6 of the table of events).

In every line our gross − fee leaves the receivable, and the reported gross − fee is what the batch will pay: the rest
is somebody's. A sale, a refund, a chargeback and its reversal differ in their signs only.
"""

from ledger.chart import (
    channel_fee,
    channel_fees_payable,
    channel_receivable,
    channel_reserve,
    dispute_cost,
    reconciliation_difference,
    rounding,
    settlement_pending,
    suspense_credit,
    suspense_debit,
)
from ledger.events.settlements import (
    FEE,
    MERCHANT,
    RESERVE,
    TOLERANCE,
    BatchRowSettled,
    BatchRowUndone,
    ClaimClosed,
    ClaimReopened,
    FractionRounded,
    FractionUndone,
    LineSettled,
    LineUnsettled,
)
from ledger.journal import JournalEntry, Posting, credit, debit, entry_of, opposite
from ledger.posting_rules import fx
from ledger.posting_rules.transfers import Rules


def moved(account: str, amount: int, currency: str) -> Posting:
    """A debit, or with an amount below 0 a credit."""
    return debit(account, amount, currency) if amount >= 0 else credit(account, -amount, currency)


def entry_if_any(*postings: Posting) -> JournalEntry | None:
    """The entry, or None where every amount is 0: what comes to nothing is a fact, and no money."""
    return entry_of(*postings) if any(posting.amount for posting in postings) else None


def _suspense(channel: str, amount: int, currency: str) -> Posting:
    """What we claim of a channel is an asset, what it may claim of us is owed."""
    account = suspense_debit if amount >= 0 else suspense_credit
    return moved(account(channel, currency), amount, currency)


def _line(event: LineSettled) -> tuple[Posting, ...]:
    if event.exchanged:
        return ()
    channel, currency = event.channel, event.currency
    pending = settlement_pending(channel, currency, event.batch)
    tolerated = event.difference if event.difference_to == TOLERANCE else 0
    borne = event.difference - tolerated
    bearer = event.bearer if event.difference_to == MERCHANT else reconciliation_difference(channel, currency)
    excess = event.fee_excess
    cost = dispute_cost if event.kind.startswith("chargeback") else channel_fee
    more = _suspense(channel, excess, currency) if event.claim else moved(cost(channel, currency), excess, currency)
    return (
        # Gross legs, so that what was tolerated can be read.
        moved(pending, event.reported_gross + tolerated - event.reported_fee, currency),
        moved(reconciliation_difference(channel, currency), tolerated, currency),
        moved(pending, -tolerated, currency),
        moved(bearer, borne, currency),
        moved(channel_fees_payable(channel, currency), event.from_payable, currency),
        more,
        moved(channel_receivable(channel, currency), event.fee - event.gross, currency),
    )


def line_settled(event: LineSettled) -> JournalEntry | None:
    """A7 with its true-up, B4, C2r and the line of C3; K3 or K4 where the grosses differ, K6 where the fees do."""
    return entry_if_any(*_line(event))


def line_unsettled(event: LineUnsettled) -> JournalEntry | None:
    """The exact opposite, of I2 and I3 too where the line was exchanged."""
    exchange = () if event.exchange is None else fx.settled_legs(event.exchange)
    realized = () if event.realized is None else fx.realized_legs(event.realized)
    return entry_if_any(*opposite((*_line(event.settled), *exchange, *realized)))


def _claim(event: ClaimClosed) -> tuple[Posting, ...]:
    channel, currency = event.channel, event.currency
    batch = settlement_pending(channel, currency, event.batch)
    became = batch if event.batch else channel_fee(channel, currency)
    return moved(became, event.amount, currency), *opposite([_suspense(channel, event.amount, currency)])


def claim_closed(event: ClaimClosed) -> JournalEntry | None:
    """The end of K6: paid back in a batch, or an expense after all."""
    return entry_if_any(*_claim(event))


def claim_reopened(event: ClaimReopened) -> JournalEntry | None:
    return entry_if_any(*opposite(_claim(event.closed)))


def _batch_row(event: BatchRowSettled) -> tuple[Posting, ...]:
    channel, currency, amount = event.channel, event.currency, event.amount
    pending = moved(settlement_pending(channel, currency, event.batch), amount, currency)
    match event.purpose:
        case purpose if purpose == FEE:
            return (
                pending,
                moved(channel_fees_payable(channel, currency), event.from_payable, currency),
                moved(channel_fee(channel, currency), -amount - event.from_payable, currency),
            )
        case purpose if purpose == RESERVE:
            return pending, moved(channel_reserve(channel, currency), -amount, currency)
        case _:
            return pending, _suspense(channel, -amount, currency)


def batch_row_settled(event: BatchRowSettled) -> JournalEntry | None:
    """A8, A9, and what nobody knows."""
    return entry_if_any(*_batch_row(event))


def batch_row_undone(event: BatchRowUndone) -> JournalEntry | None:
    return entry_if_any(*opposite(_batch_row(event.settled)))


def _fraction(event: FractionRounded) -> tuple[Posting, ...]:
    channel, currency = event.channel, event.currency
    return (
        moved(rounding(channel, currency), event.amount, currency),
        moved(channel_receivable(channel, currency), -event.amount, currency),
    )


def fraction_rounded(event: FractionRounded) -> JournalEntry | None:
    """K5: a fee that the batch keeps, and so an item like any other, which is settled with it."""
    return entry_if_any(*_fraction(event))


def fraction_undone(event: FractionUndone) -> JournalEntry | None:
    return entry_if_any(*opposite(_fraction(event.rounded)))


ENTRY_RULES: Rules = {
    LineSettled: line_settled,
    LineUnsettled: line_unsettled,
    ClaimClosed: claim_closed,
    ClaimReopened: claim_reopened,
    BatchRowSettled: batch_row_settled,
    BatchRowUndone: batch_row_undone,
    FractionRounded: fraction_rounded,
    FractionUndone: fraction_undone,
}
