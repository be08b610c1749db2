"""Fx: a foreign payment settled by its channel, and the result realised (rows I2, I3, H4 of the table of events)."""

from ledger.chart import channel_fee, channel_receivable, fx_gain, fx_loss, fx_position, settlement_pending
from ledger.events.fx import FxRealized, FxSettled
from ledger.journal import JournalEntry, credit, debit, entry_of, opposite
from ledger.posting_rules.transfers import Rules


def settled(event: FxSettled) -> JournalEntry | None:
    """I2, and its opposite for a refund. The fee that was expected makes room for the one that was kept."""
    units, currency, other = (event.currency, event.settled_currency), event.currency, event.settled_currency
    receivable, reported = channel_receivable(event.channel, currency), settlement_pending(event.channel, other)
    legs = (
        debit(reported, event.settled, other),
        credit(fx_position(event.channel, units, other), event.settled, other),
        debit(fx_position(event.channel, units, currency), event.amount, currency),
        credit(receivable, event.amount, currency),
    )
    return entry_of(
        *(opposite(legs) if event.back else legs),
        debit(receivable, event.accrued_fee, currency),
        credit(channel_fee(event.channel, currency), event.accrued_fee, currency),
        debit(channel_fee(event.channel, other), event.kept_fee, other),
        credit(reported, event.kept_fee, other),
    )


def realized(event: FxRealized) -> JournalEntry | None:
    """I3 and H4: after it the position of this exchange is zero in both units."""
    if not event.gain and not event.loss:
        return None
    position = fx_position(event.channel, (event.from_currency, event.to_currency), event.currency)
    return entry_of(
        debit(position, event.gain, event.currency),
        credit(fx_gain(event.channel, event.currency), event.gain, event.currency),
        debit(fx_loss(event.channel, event.currency), event.loss, event.currency),
        credit(position, event.loss, event.currency),
    )


ENTRY_RULES: Rules = {FxSettled: settled, FxRealized: realized}
