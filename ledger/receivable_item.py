"""Receivable item: one movement of a channel's receivable, until the channel's own report shows it.

open ──its line in a report──▶ settled ──undone──▶ open
  └──two that the channel never reports, a sale and its revocation──▶ offset
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from ledger.events.event import Event, Recorded, event_of_entry
from ledger.report_row import RowKind

ItemStatus = Literal["open", "settled", "offset"]
OPEN: ItemStatus = "open"
SETTLED: ItemStatus = "settled"
OFFSET: ItemStatus = "offset"

# Items of the ledger's own entries and holds are settled beside their streams, which are not ours to write to.
_ASIDE = "receivable/"
_OF_THE_LEDGER = ("ent_", "hold_")


class ItemSettlement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What closed an item: a line of a file and the batch it stands in, by the event `entry` of the item's stream.

    `with_item`: the item that it was offset against; then, or where it was told by hand, there is no file.
    """

    entry: str
    position: int
    at: datetime
    file: str = ""
    number: int = 0
    line: int = 0
    external_id: str = ""
    batch: str = ""
    currency: str = ""
    """That of the batch."""
    with_item: str = ""


class ReceivableItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item, in minor units of `currency`: gross − fee is what it adds to the channel's receivable.

    `gross` is what the channel owes us more by it, below 0 what it took; `fee` what it keeps, below 0 what it gives
    back: the signs of a report's row. `id` is that of the journal entry that opened it, `<stream>.<version>`.
    """

    id: str
    stream: str
    position: int
    at: datetime
    channel: str
    kind: RowKind
    currency: str
    gross: int
    fee: int
    subject: str = ""
    """What of ours it is: the attempt, capture, void, refund, return, dispute, top-up, repayment or sale of coins."""
    ours: tuple[str, ...] = ()
    """Every id of ours by which the channel may name it; the first is the one that it was given."""
    theirs: tuple[str, ...] = ()
    """What the channel knows it by."""
    about: tuple[str, ...] = ()
    """Of a refund, a revocation or a dispute: what the channel, or we, know the sale by that it is about."""
    stage: str = ""
    """Of a dispute."""
    payable: int = 0
    """The fee that was accrued for the channel's invoice, and that it should not keep."""
    bearer: str = ""
    """The account of whoever was paid by it, and could bear a difference; empty where nobody can be asked."""
    worth: int = 0
    worth_currency: str = ""
    """What it is owed for, or was given up for, in another currency, where the payment was exchanged."""
    status: ItemStatus = OPEN
    settled: ItemSettlement | None = None
    claimed: int = 0
    """Of its fee, what is claimed back from the channel; below 0 what it kept too little of."""

    @property
    def net(self) -> int:
        return self.gross - self.fee

    @property
    def is_open(self) -> bool:
        return self.status == OPEN

    @property
    def payment(self) -> str:
        """The payment that it belongs to; empty for a top-up, a repayment and the like."""
        return self.stream if self.stream.startswith("pay_") else ""

    @property
    def settles_in(self) -> str:
        """The stream in which it is recorded what becomes of it."""
        return settling_stream(self.stream)


Items = dict[str, ReceivableItem]
"""The items of one stream, by id."""
Changed = Iterable[ReceivableItem]
# Keyed by the event's class, each rule takes just that class, with the items of its stream; what it gives has changed.
Rules = dict[type[Event], Callable[[Items, Any, Recorded], Changed]]


def opened(
    recorded: Recorded, channel: str, kind: RowKind, currency: str, gross: int, fee: int, **more: Any
) -> list[ReceivableItem]:
    """The item that this event opens; none where it comes to nothing."""
    if not gross and not fee:
        return []
    place = (recorded.entry_id, recorded.stream, recorded.position, recorded.recorded_at)
    return [ReceivableItem(*place, channel, kind, currency, gross, fee, **more)]


def closed(
    item: ReceivableItem, recorded: Recorded, status: ItemStatus, settlement: ItemSettlement | None = None
) -> ReceivableItem:
    """The item, closed by this event."""
    told = settlement or ItemSettlement(recorded.entry_id, recorded.position, recorded.recorded_at)
    return replace(item, status=status, settled=told)


def names_of(*names: str) -> tuple[str, ...]:
    """Each of these names once; an empty one names nothing."""
    return tuple(dict.fromkeys(name for name in names if name))


def settling_stream(stream: str) -> str:
    """The stream in which it is recorded what becomes of the items that this stream opened."""
    return _ASIDE + stream if stream.startswith(_OF_THE_LEDGER) else stream


def opening_stream(stream: str) -> str:
    """The stream that opened the items which events of this stream are about."""
    return stream.removeprefix(_ASIDE)


def stream_of_item(item: str) -> str:
    """The stream that opened an item, by its id."""
    return event_of_entry(item.partition("#")[0])[0]
