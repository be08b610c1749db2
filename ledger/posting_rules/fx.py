"""Fx: a foreign payment settled by its channel, and the result realised (rows I2, I3, H4 of the table of events)."""

from ledger.chart import channel_fee, channel_receivable, fx_gain, fx_loss, fx_position, settlement_pending
from ledger.events.fx import FxRealized, FxSettled
from ledger.journal import JournalEntry, Posting, credit, debit, entry_of, opposite
from ledger.posting_rules.transfers import Rules


def settled_legs(event: FxSettled) -> tuple[Posting, ...]:
    units, currency, other = (event.currency, event.settled_currency), event.currency, event.settled_currency
    receivable = channel_receivable(event.channel, currency)
    reported = settlement_pending(event.channel, other, event.batch)
    legs = (
        debit(reported, event.settled, other),
        credit(fx_position(event.channel, units, other), event.settled, other),
        debit(fx_position(event.channel, units, currency), event.amount, currency),
        credit(receivable, event.amount, currency),
    )
    expected = (
        debit(receivable, abs(event.accrued_fee), currency),
        credit(channel_fee(event.channel, currency), abs(event.accrued_fee), currency),
    )
    kept = (
        debit(channel_fee(event.channel, other), abs(event.kept_fee), other),
        credit(reported, abs(event.kept_fee), other),
    )
    # Below 0 a fee was, or is, given back.
    return (
        *(opposite(legs) if event.back else legs),
        *(expected if event.accrued_fee >= 0 else opposite(expected)),
        *(kept if event.kept_fee >= 0 else opposite(kept)),
    )


def settled(event: FxSettled) -> JournalEntry | None:
    """I2, and its opposite for a refund. The fee that was expected makes room for the one that was kept."""
    return entry_of(*settled_legs(event))


def realized_legs(event: FxRealized) -> tuple[Posting, ...]:
    position = fx_position(event.channel, (event.from_currency, event.to_currency), event.currency)
    return (
        debit(position, event.gain, event.currency),
        credit(fx_gain(event.channel, event.currency), event.gain, event.currency),
        debit(fx_loss(event.channel, event.currency), event.loss, event.currency),
        credit(position, event.loss, event.currency),
    )


def realized(event: FxRealized) -> JournalEntry | None:
    """I3 and H4: after it the position of this exchange is zero in both units."""
    return entry_of(*realized_legs(event)) if event.gain or event.loss else None


ENTRY_RULES: Rules = {FxSettled: settled, FxRealized: realized}
