"""Receivable settling: what the events that settle, exchange, offset and undo do to the items of their stream."""

from msgspec.structs import replace

from ledger.events.event import Recorded
from ledger.events.fx import FxSettled
from ledger.events.settlements import (
    ClaimClosed,
    ClaimReopened,
    FractionUndone,
    ItemsOffset,
    LineSettled,
    LineUnsettled,
)
from ledger.receivable_item import (
    OFFSET,
    OPEN,
    SETTLED,
    Changed,
    Items,
    ItemSettlement,
    ReceivableItem,
    Rules,
    closed,
    opened,
)


def settled(items: Items, event: LineSettled, recorded: Recorded) -> Changed:
    row = event.row
    line = ItemSettlement(
        recorded.entry_id,
        recorded.position,
        recorded.recorded_at,
        row.file,
        row.number,
        row.line,
        row.external_id,
        event.batch,
        event.reported_currency or event.currency,
    )
    item = replace(items[event.item], gross=event.gross, fee=event.fee, claimed=event.claimed)
    return [closed(item, recorded, SETTLED, line)]


def unsettled(items: Items, event: LineUnsettled, recorded: Recorded) -> Changed:
    was = event.settled
    return [replace(items[was.item], gross=was.gross, fee=was.fee, claimed=0, status=OPEN, settled=None)]


def offset(items: Items, event: ItemsOffset, recorded: Recorded) -> Changed:
    one, other = event.items
    for name, against in ((one, other), (other, one)):
        told = ItemSettlement(recorded.entry_id, recorded.position, recorded.recorded_at, with_item=against)
        yield closed(items[name], recorded, OFFSET, told)


def claim_closed(items: Items, event: ClaimClosed, recorded: Recorded) -> Changed:
    item = items[event.item]
    return [replace(item, claimed=item.claimed - event.amount)]


def claim_reopened(items: Items, event: ClaimReopened, recorded: Recorded) -> Changed:
    item = items[event.closed.item]
    return [replace(item, claimed=item.claimed + event.closed.amount)]


def fraction_undone(items: Items, event: FractionUndone, recorded: Recorded) -> Changed:
    return [closed(items[event.item], recorded, OFFSET)]


def exchanged(items: Items, event: FxSettled, recorded: Recorded) -> Changed:
    """The item that a line was about; told by hand, what the payment or the refund has open, in its order."""
    amount, fee = (-event.amount if event.back else event.amount), event.accrued_fee
    for item in _of_subject(items, event):
        gross_part = _part(amount, item.gross)
        fee_part = _part(fee, item.fee)
        if gross_part or fee_part:
            amount, fee = amount - gross_part, fee - fee_part
            left = replace(item, gross=item.gross - gross_part, fee=item.fee - fee_part)
            by_hand = ItemSettlement(
                recorded.entry_id,
                recorded.position,
                recorded.recorded_at,
                external_id=event.reference,
                batch=event.batch,
                currency=event.settled_currency,
            )
            yield left if left.gross or left.fee else closed(left, recorded, SETTLED, by_hand)
    # More than was there: somebody has to look.
    yield from opened(recorded, event.channel, "fx", event.currency, -amount, -fee, subject=event.subject)


def _of_subject(items: Items, event: FxSettled) -> list[ReceivableItem]:
    """What was exchanged into that currency comes first: a payment may have receipts that were kept apart."""
    there = [item for item in items.values() if item.is_open]
    there = [item for item in there if (item.channel, item.currency) == (event.channel, event.currency)]
    if event.item:
        return [item for item in there if item.id == event.item]
    found = [item for item in there if (item.subject == event.subject if event.back else item.kind == "sale")]
    return sorted(found, key=lambda item: item.worth_currency != event.settled_currency)


def _part(wanted: int, there: int) -> int:
    """What of the wanted sum is there, on the same side of zero."""
    if wanted >= 0:
        return max(0, min(wanted, there))
    return min(0, max(wanted, there))


SETTLING_RULES: Rules = {
    LineSettled: settled,
    LineUnsettled: unsettled,
    ItemsOffset: offset,
    ClaimClosed: claim_closed,
    ClaimReopened: claim_reopened,
    FractionUndone: fraction_undone,
    FxSettled: exchanged,
}
