"""Channel fees: what a channel earns by taking money for us (chart rows A6 and A6b)."""

from typing import Protocol

from ledger.chart import channel_fee, channel_fees_payable, channel_receivable
from ledger.journal import Posting, credit, debit


class Earning(Protocol):
    """An event by which a channel earns a fee, in minor units: it keeps it, or it invoices it."""

    @property
    def channel(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def channel_fee(self) -> int: ...
    @property
    def fee_payable(self) -> bool: ...


def accrued(event: Earning) -> tuple[Posting, Posting]:
    """A6 where the channel settles net, A6b where it settles gross and invoices its fee."""
    channel, fee, currency = event.channel, event.channel_fee, event.currency
    owed = channel_fees_payable(channel, currency) if event.fee_payable else channel_receivable(channel, currency)
    return debit(channel_fee(channel, currency), fee, currency), credit(owed, fee, currency)
