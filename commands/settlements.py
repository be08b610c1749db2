"""Settlements: a line of a channel's report is brought home to the item of its receivable that it is about.

open item ──SettleLine──▶ settled in a batch ──UndoSettlement──▶ open
    └──OffsetItems──▶ offset: a sale and its revocation that the channel reports neither of

What differs is never lost: a small difference is ours, a fee outside of what was agreed is claimed, and anything else
waits for somebody to say who bears it. What a line cannot settle it refuses by name, so that a run makes it a break.
"""

from typing import Literal

from commands.books import Books
from commands.channel_facts import check_amount
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.policies.settlements import tolerance_of
from commands.settlement_state import batch_not_paid, find_item, items_near, open_item
from commands.system_accounts import StreamEvents, with_accounts
from ledger.errors import (
    ClaimExceedsOpen,
    FieldInvalid,
    FieldMissing,
    ItemNotSettled,
    ItemsNotOpposite,
    SettlementAmountDiffers,
    SettlementMismatch,
    SettlementNotUndoable,
    ToleranceExhausted,
)
from ledger.events.event import Recorded
from ledger.events.fx import FxRealized, FxSettled
from ledger.events.settlements import (
    FEE,
    MERCHANT,
    TOLERANCE,
    ClaimClosed,
    DifferenceTolerated,
    ItemsOffset,
    LineSettled,
    LineUnsettled,
    RowPlace,
    batch_stream,
    tolerance_stream,
)
from ledger.payment_state import fold as fold_payment
from ledger.receivable_item import SETTLED, ReceivableItem
from ledger.report_row import RowKind

# Which rows may be about an item of this kind, beside those of its own: channels call a revocation a refund.
_ALSO: dict[str, tuple[str, ...]] = {
    "reversed": ("refund",),
    "refund": ("reversed",),
    "chargeback": ("fee",),
    "fee": ("chargeback",),
    "fx": ("sale", "refund", "adjustment"),
}


class SettleLine(Command, frozen=True):
    """The channel's report shows `item` with these amounts, a row's signs, in `batch`, by `row` (and `more_rows`).

    `bears` says who bears a difference between the grosses, where it is not tolerated: the merchant or we.
    """

    item: str
    row: RowPlace
    kind: RowKind
    channel: str
    currency: str
    gross: int
    fee: int
    batch: str
    more_rows: tuple[RowPlace, ...] = ()
    bears: Literal["", "merchant", "platform"] = ""
    reason: str = ""


class UndoSettlement(Command, frozen=True):
    """The line was about something else: the item is open again."""

    item: str
    reason: str = ""


class OffsetItems(Command, frozen=True):
    """Two items of one stream that are nothing together, and that the channel reports neither of."""

    item: str
    against: str
    reason: str = ""


class CloseClaim(Command, frozen=True):
    """A claim over an item's fee is paid back in `batch` by `row`, or given up where there is none; None: all of it."""

    item: str
    amount: int | None = None
    batch: str = ""
    row: RowPlace | None = None
    reason: str = ""


class SettlementReceipt(Receipt):
    """The item as it stands, what was expected and reported of it, in minor units, and where the difference went."""

    item: str = ""
    stream: str = ""
    status: str = ""
    batch: str = ""
    currency: str = ""
    gross: int = 0
    fee: int = 0
    reported_currency: str = ""
    reported_gross: int = 0
    reported_fee: int = 0
    difference: int = 0
    difference_to: str = ""
    fee_difference: int = 0
    claimed: int = 0
    gain: int = 0
    loss: int = 0


# --- a line -----------------------------------------------------------------------------------------------------------


def settle(books: Books, command: SettleLine, envelope: Envelope) -> Decision:
    item = open_item(books, command.item)
    if not command.batch:
        raise FieldMissing("Say in which batch the channel pays it.", pointer="/batch")
    if command.channel != item.channel or command.kind not in _kinds_for(item):
        raise SettlementMismatch(
            item=item.id, channel=item.channel, kind=item.kind, reported_channel=command.channel, reported=command.kind
        )
    batch_not_paid(books, command.channel, command.currency, command.batch)
    if command.currency != item.currency:
        return _exchanged(books, command, item)
    gross, fee = _as_item(command, item)
    difference, (payable, excess) = item.gross - gross, _fee_parts(item, fee)
    within = tolerance_of(item.channel).takes_fee(item.gross, fee - excess, fee)
    settled = LineSettled(
        item=item.id,
        kind=item.kind,
        channel=item.channel,
        currency=item.currency,
        batch=command.batch,
        gross=item.gross,
        fee=item.fee,
        reported_gross=gross,
        reported_fee=fee,
        row=command.row,
        more_rows=command.more_rows,
        difference_to=_who_bears(command, item, difference),
        bearer=item.bearer if command.bears == MERCHANT and difference else "",
        from_payable=payable,
        claim=not within,
        reason=command.reason,
    )
    events: StreamEvents = [(item.settles_in, settled)]
    if settled.difference_to == TOLERANCE:
        events.append(_tolerated(books, item, abs(difference)))
    return Decision(with_accounts(books, events), _receipt(item, settled))


def _kinds_for(item: ReceivableItem) -> tuple[str, ...]:
    """People may have posted anything by hand, so any row may be about it."""
    return (item.kind, *_ALSO.get(item.kind, ())) if item.kind != "adjustment" else _ANY


_ANY: tuple[str, ...] = (
    "sale",
    "refund",
    "refund_returned",
    "chargeback",
    "chargeback_reversed",
    "reversed",
    "fee",
    "fx",
    "adjustment",
    "credit",
    "debit",
    "unknown",
)


def _as_item(command: SettleLine, item: ReceivableItem) -> tuple[int, int]:
    """The reported gross and fee; what is a fee for us some channels report as an amount that they took."""
    return (0, command.fee - command.gross) if item.kind == "fee" and not item.gross else (command.gross, command.fee)


def _fee_parts(item: ReceivableItem, reported: int) -> tuple[int, int]:
    """Of what was kept beyond the expected: what we owed on an invoice anyhow, and the rest."""
    excess = reported - item.fee
    payable = min(excess, item.payable) if excess > 0 else max(excess, item.payable)
    payable = payable if excess * item.payable > 0 else 0
    return payable, excess - payable


def _who_bears(command: SettleLine, item: ReceivableItem, difference: int) -> str:
    if not difference:
        return ""
    if command.bears == MERCHANT and not item.bearer:
        raise FieldInvalid("Nobody but us was paid by it.", pointer="/bears", item=item.id)
    if command.bears:
        return command.bears
    if abs(difference) <= tolerance_of(item.channel).amount:
        return TOLERANCE
    raise SettlementAmountDiffers(
        item=item.id, expected=item.gross, reported=command.gross, difference=difference, currency=item.currency
    )


def _tolerated(books: Books, item: ReceivableItem, amount: int) -> tuple[str, DifferenceTolerated]:
    """K4: the sum of the day is capped."""
    stream = tolerance_stream(item.channel, item.currency, books.now.date().isoformat())
    before, most = _tolerated_before(books, stream), tolerance_of(item.channel).amount_per_day
    if before + amount > most:
        raise ToleranceExhausted(item=item.id, channel=item.channel, difference=amount, borne=before, most=most)
    return stream, DifferenceTolerated(item.id, item.channel, item.currency, amount, before + amount)


def _tolerated_before(books: Books, stream: str) -> int:
    last = books.latest(stream)
    return last.event.total if last is not None and isinstance(last.event, DifferenceTolerated) else 0


def _exchanged(books: Books, command: SettleLine, item: ReceivableItem) -> Decision:
    """I2 and I3: the channel settles in the currency that the merchant is owed, at its own rate."""
    worth, subject = _worth(books, item, command.currency)
    if worth is None or command.gross * item.gross <= 0:
        raise SettlementMismatch(
            "It is reported in another currency than it was exchanged into, or than it moved in.",
            item=item.id,
            currency=item.currency,
            reported_currency=command.currency,
        )
    check_amount(abs(command.gross))
    back = item.gross < 0
    exchange = FxSettled(
        subject=subject,
        channel=item.channel,
        amount=abs(item.gross),
        currency=item.currency,
        settled=abs(command.gross),
        settled_currency=command.currency,
        back=back,
        accrued_fee=item.fee,
        kept_fee=command.fee,
        reference=command.row.external_id,
        batch=command.batch,
        item=item.id,
    )
    gain = worth - exchange.settled if back else exchange.settled - worth
    units = (item.currency, command.currency)
    realized = FxRealized(subject, item.channel, *units, command.currency, gain=max(0, gain), loss=max(0, -gain))
    settled = LineSettled(
        item=item.id,
        kind=item.kind,
        channel=item.channel,
        currency=item.currency,
        batch=command.batch,
        gross=item.gross,
        fee=item.fee,
        reported_gross=command.gross,
        reported_fee=command.fee,
        row=command.row,
        more_rows=command.more_rows,
        exchanged=True,
        reported_currency=command.currency,
        reason=command.reason,
    )
    events: StreamEvents = [(item.settles_in, event) for event in (exchange, realized, settled)]
    return Decision(with_accounts(books, events), _receipt(item, settled, realized))


def _worth(books: Books, item: ReceivableItem, currency: str) -> tuple[int | None, str]:
    """What it is owed or was given up for in this currency, None where in none, and by what the exchange is known."""
    if item.worth_currency == currency:
        return item.worth, item.stream if item.kind == "sale" else item.subject
    if item.kind == "refund" and item.payment:
        payment = fold_payment(books.recorded(item.stream))
        refund = None if payment is None else payment.refund(item.subject)
        back = None if refund is None else refund.exchange
        return (None if back is None or back.currency != currency else back.cost), item.subject
    return None, ""


def _receipt(
    item: ReceivableItem, settled: LineSettled, realized: FxRealized | None = None, status: str = SETTLED
) -> SettlementReceipt:
    return SettlementReceipt(
        item=item.id,
        stream=item.stream,
        status=status,
        batch=settled.batch,
        currency=item.currency,
        gross=settled.gross,
        fee=settled.fee,
        reported_currency=settled.reported_currency or item.currency,
        reported_gross=settled.reported_gross,
        reported_fee=settled.reported_fee,
        difference=settled.difference,
        difference_to=settled.difference_to,
        fee_difference=0 if settled.exchanged else settled.reported_fee - settled.fee,
        claimed=settled.claimed,
        gain=0 if realized is None else realized.gain,
        loss=0 if realized is None else realized.loss,
    )


# --- what becomes of it later -----------------------------------------------------------------------------------------


def undo(books: Books, command: UndoSettlement, envelope: Envelope) -> Decision:
    item = find_item(books, command.item)
    told = item.settled
    if item.status != SETTLED or told is None:
        raise ItemNotSettled(item=item.id, item_status=item.status)
    history = books.recorded(item.settles_in)
    settled = next((one.event for one in history if one.entry_id == told.entry), None)
    if not isinstance(settled, LineSettled):
        raise SettlementNotUndoable("No line of a report has settled it: it was told by hand.", item=item.id)
    if item.claimed != settled.claimed:
        raise SettlementNotUndoable("What was claimed for it is over already.", item=item.id)
    if settled.kind == FEE and item.stream.startswith("settlement/"):
        raise SettlementNotUndoable("It is a row of its batch, and undone there.", item=item.id)
    batch_not_paid(books, item.channel, settled.reported_currency or item.currency, settled.batch)
    exchange, realized = _exchange_of(history, item) if settled.exchanged else (None, None)
    unsettled = LineUnsettled(settled, exchange, realized, command.reason)
    events: StreamEvents = [(item.settles_in, unsettled)]
    if settled.difference_to == TOLERANCE:
        stream = tolerance_stream(item.channel, item.currency, told.at.date().isoformat())
        amount = abs(settled.difference)
        left = _tolerated_before(books, stream) - amount
        events.append((stream, DifferenceTolerated(item.id, item.channel, item.currency, -amount, left)))
    return Decision(with_accounts(books, events), _receipt(item, settled, realized, status="open"), status=200)


def _exchange_of(history: list[Recorded], item: ReceivableItem) -> tuple[FxSettled, FxRealized]:
    """The last exchange of the item, with its result right behind it."""
    for settled, realized in zip(reversed(history[:-1]), reversed(history), strict=False):
        one, other = settled.event, realized.event
        if isinstance(one, FxSettled) and one.item == item.id and isinstance(other, FxRealized):
            return one, other
    raise AssertionError(f"{item.id} was exchanged by nothing")


def offset(books: Books, command: OffsetItems, envelope: Envelope) -> Decision:
    one, other = open_item(books, command.item), open_item(books, command.against)
    alike = (one.stream, one.channel, one.currency) == (other.stream, other.channel, other.currency)
    if one.id == other.id or not alike or one.net + other.net:
        raise ItemsNotOpposite(item=one.id, against=other.id, together=one.net + other.net)
    event = ItemsOffset((one.id, other.id), one.channel, one.currency, command.reason)
    receipt = SettlementReceipt(item=one.id, stream=one.stream, status="offset", currency=one.currency)
    return Decision([(one.settles_in, event)], receipt)


def close_claim(books: Books, command: CloseClaim, envelope: Envelope) -> Decision:
    item = find_item(books, command.item)
    amount = item.claimed if command.amount is None else command.amount
    if not amount or amount * item.claimed <= 0 or abs(amount) > abs(item.claimed):
        raise ClaimExceedsOpen(pointer="/amount", item=item.id, amount=amount, claimed=item.claimed)
    if command.batch:
        batch_not_paid(books, item.channel, item.currency, command.batch)
    event = ClaimClosed(item.id, item.channel, item.currency, amount, command.batch, command.row, command.reason)
    receipt = SettlementReceipt(
        item=item.id,
        stream=item.stream,
        status=item.status,
        batch=command.batch,
        currency=item.currency,
        claimed=item.claimed - amount,
    )
    return Decision(with_accounts(books, [(item.settles_in, event)]), receipt)


def _line_needs(command: SettleLine) -> Needs:
    latest = (batch_stream(command.channel, command.currency, command.batch),) if command.batch else ()
    return Needs(streams=items_near(command.item), latest=latest)


def _item_needs(command: UndoSettlement | OffsetItems | CloseClaim) -> Needs:
    return Needs(streams=items_near(command.item))


DECIDERS: dict[type[Command], Decider] = {
    SettleLine: Decider(settle, _line_needs),
    UndoSettlement: Decider(undo, _item_needs),
    OffsetItems: Decider(offset, _item_needs),
    CloseClaim: Decider(close_claim, _item_needs),
}
