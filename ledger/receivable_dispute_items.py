"""Receivable items of disputes: what a channel took, kept for it, and gave back.

A channel reports the amount and its fee in one line, so they are one item of their stage, whichever is told first. Who
bears a dispute may be shared anew without its channel moving anything: then what was returned is taken at the same
stage again, and both are nothing.
"""

from typing import Any

from msgspec.structs import replace

from ledger.events.disputes import DisputeFundsReturned, DisputeFundsTaken, DisputeMoved
from ledger.events.event import Recorded
from ledger.receivable_item import OFFSET, Changed, Items, ReceivableItem, Rules, closed, names_of, opened


def moved(items: Items, event: DisputeMoved, recorded: Recorded) -> Changed:
    if not event.channel_fee:
        return []
    item = _open(items, event.id, event.stage, "chargeback", "fee")
    if item is not None:
        return [replace(item, fee=item.fee + event.channel_fee, theirs=names_of(*item.theirs, event.reference))]
    return opened(
        recorded,
        event.channel,
        "fee",
        event.currency,
        0,
        event.channel_fee,
        subject=event.id,
        stage=event.stage,
        ours=names_of(event.id),
        theirs=names_of(event.reference),
        about=_about(items, event.attempt),
    )


def funds_taken(items: Items, event: DisputeFundsTaken, recorded: Recorded) -> Changed:
    back = _open(items, event.id, event.stage, "chargeback_reversed")
    if back is not None:
        return [closed(back, recorded, OFFSET)]
    fee_only = _open(items, event.id, event.stage, "fee")
    if fee_only is not None:
        return [replace(fee_only, kind="chargeback", gross=-event.amount, **_worth(event))]
    return _of(items, event, recorded)


def funds_returned(items: Items, event: DisputeFundsReturned, recorded: Recorded) -> Changed:
    return _of(items, event, recorded)


def _of(items: Items, event: DisputeFundsTaken | DisputeFundsReturned, recorded: Recorded) -> Changed:
    taken = isinstance(event, DisputeFundsTaken)
    known = [item for item in items.values() if item.subject == event.id]
    return opened(
        recorded,
        event.channel,
        "chargeback" if taken else "chargeback_reversed",
        event.currency,
        -event.amount if taken else event.amount,
        0,
        subject=event.id,
        stage=event.stage,
        ours=names_of(event.id),
        theirs=names_of(*(name for item in known for name in item.theirs)),
        about=names_of(*(name for item in known for name in item.about)) or _about(items, ""),
        **_worth(event),
    )


def _worth(event: DisputeFundsTaken | DisputeFundsReturned) -> dict[str, Any]:
    """What it is in the currency of whoever bears it, where he bears all of it."""
    share = event.share
    whole = share.currency and share.held == event.amount
    return {"worth": share.cost, "worth_currency": share.currency} if whole else {}


def _open(items: Items, dispute: str, stage: str, *kinds: str) -> ReceivableItem | None:
    found = (item for item in items.values() if (item.subject, item.stage) == (dispute, stage) and item.kind in kinds)
    return next((item for item in found if item.is_open), None)


def _about(items: Items, attempt: str) -> tuple[str, ...]:
    sales = [item for item in items.values() if item.kind == "sale"]
    own = [item for item in sales if attempt in item.ours] or sales
    return names_of(*(name for item in own for name in (*item.theirs, *item.ours)))


DISPUTE_RULES: Rules = {
    DisputeMoved: moved,
    DisputeFundsTaken: funds_taken,
    DisputeFundsReturned: funds_returned,
}
