"""Batch movements: what each event does to a batch that a channel pays, by itself and without the journal: pure.

A batch stands on an account of its own (1120). Lines and rows of the channel's report raise or lower what is due, lines
of a bank's statement pay it, and people may post to it; what was settled without a batch stands together.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from ledger.chart import Code, settlement_pending
from ledger.events.bank_lines import ACCOUNT, BankLineCleared, BankLineReopened
from ledger.events.entries import EntryPosted, ReversalPosted
from ledger.events.event import Event, Recorded
from ledger.events.fx import FxSettled
from ledger.events.holds import HoldCaptured
from ledger.events.settlements import (
    MERCHANT,
    PLATFORM,
    TOLERANCE,
    BatchRowSettled,
    BatchRowUndone,
    ClaimClosed,
    ClaimReopened,
    LineSettled,
    LineUnsettled,
    RowPlace,
)
from ledger.events.transfers import TransferPosted
from ledger.posting_rules import movements_for

PREFIX = f"sys:{Code.CHANNEL_SETTLEMENT_PENDING.number}:"

# line: of one item; row: of the batch as a whole; payment: a line of a bank.
Role = Literal["line", "row", "payment"]


class BatchMovement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One movement of a batch, in minor units of its currency: net = gross - fee is what becomes due by it.

    `kind` is what the report says it is (sale, refund, …), or of a row fee, reserve, suspense, claim, fx or posting.
    `difference` is how much less than ours was reported, borne by `difference_to`; `fee_difference` what was kept
    beyond the expected fee and not claimed, `claimed` what was.
    """

    account: str
    channel: str
    currency: str
    batch: str
    role: Role
    kind: str
    gross: int
    fee: int = 0
    item: str = ""
    difference: int = 0
    difference_to: str = ""
    fee_difference: int = 0
    claimed: int = 0
    file: str = ""
    number: int = 0
    line: int = 0
    external_id: str = ""
    bank_line: str = ""
    reason: str = ""
    undoes: bool = False
    """The exact opposite of one that stood: that one counts no more, and this is no movement of its own."""

    @property
    def net(self) -> int:
        return self.gross - self.fee

    @property
    def borne_by_merchant(self) -> int:
        return self.difference if self.difference_to == MERCHANT else 0

    @property
    def borne_by_us(self) -> int:
        return self.difference if self.difference_to == PLATFORM else 0

    @property
    def tolerated(self) -> int:
        return self.difference if self.difference_to == TOLERANCE else 0


Movements = Iterator[BatchMovement]


def movements(recorded: Recorded) -> list[BatchMovement]:
    """What this event does to batches; nothing, for most."""
    rule = _RULES.get(type(recorded.event))
    return [] if rule is None else list(rule(recorded.event))


def _moved(channel: str, currency: str, batch: str, role: Role, kind: str, gross: int, **more: Any) -> BatchMovement:
    account = settlement_pending(channel, currency, batch)
    return BatchMovement(account, channel, currency, batch, role, kind, gross, **more)


def _place(row: RowPlace | None) -> dict[str, Any]:
    if row is None:
        return {}
    return {"file": row.file, "number": row.number, "line": row.line, "external_id": row.external_id}


def _line(event: LineSettled, *, undoes: bool = False) -> Movements:
    # An exchanged line is told in the currency in which it is paid.
    yield _moved(
        event.channel,
        event.reported_currency or event.currency,
        event.batch,
        "line",
        event.kind,
        event.reported_gross,
        fee=event.reported_fee,
        item=event.item,
        difference=event.difference,
        difference_to=event.difference_to if event.difference else "",
        fee_difference=event.fee_excess - event.claimed,
        claimed=event.claimed,
        reason=event.reason,
        undoes=undoes,
        **_place(event.row),
    )


def _unsettled(event: LineUnsettled) -> Movements:
    return _line(event.settled, undoes=True)


def _row(event: BatchRowSettled, *, undoes: bool = False) -> Movements:
    place = _place(event.row)
    batch = (event.channel, event.currency, event.batch)
    yield _moved(*batch, "row", event.purpose, event.amount, reason=event.reason, undoes=undoes, **place)


def _row_undone(event: BatchRowUndone) -> Movements:
    return _row(event.settled, undoes=True)


def _claim(event: ClaimClosed, *, undoes: bool = False) -> Movements:
    if event.batch:  # Else it was given up.
        told = {"item": event.item, "reason": event.reason, "undoes": undoes, **_place(event.row)}
        yield _moved(event.channel, event.currency, event.batch, "row", "claim", event.amount, **told)


def _claim_reopened(event: ClaimReopened) -> Movements:
    return _claim(event.closed, undoes=True)


def _exchanged(event: FxSettled) -> Movements:
    if not event.item:  # Else its line follows right behind it.
        amount = -event.settled if event.back else event.settled
        batch = (event.channel, event.settled_currency, event.batch)
        yield _moved(*batch, "row", "fx", amount, fee=event.kept_fee, external_id=event.reference)


def _cleared(event: BankLineCleared, *, undoes: bool = False) -> Movements:
    line = event.line
    if event.by == ACCOUNT:
        yield from _by_account(event, -line.amount if undoes else line.amount)
    for share in event.batches:
        yield _moved(
            share.channel,
            line.currency,
            share.batch,
            "payment",
            "bank_line",
            -share.amount,
            bank_line=line.stream,
            reason=event.reason,
            undoes=undoes,
            **_place(line.row),
        )


def _by_account(event: BankLineCleared, amount: int) -> Movements:
    """Somebody named the account itself."""
    account = "".join(event.subjects)
    if account.startswith(PREFIX):
        yield _on(account, event.line.currency, -amount, _place(event.line.row))


def _reopened(event: BankLineReopened) -> Movements:
    return _cleared(event.cleared, undoes=True)


def _by_hand(event: TransferPosted | EntryPosted | ReversalPosted | HoldCaptured) -> Movements:
    if isinstance(event, TransferPosted) and not (
        event.debit_account.startswith(PREFIX) or event.credit_account.startswith(PREFIX)
    ):
        return  # The commonest event by far.
    for move in movements_for(event):
        if move.account.startswith(PREFIX) and move.debit != move.credit:
            yield _on(move.account, move.currency, move.debit - move.credit, {})


def _on(account: str, currency: str, amount: int, place: dict[str, Any]) -> BatchMovement:
    """What was posted to the account of a batch, whose name the channel writes somehow else, maybe."""
    channel, _, _ = account.removeprefix(PREFIX).rpartition(":")[0].partition(":")
    return BatchMovement(account, channel, currency, "", "row", "posting", amount, **place)


_RULES: dict[type[Event], Callable[[Any], Movements]] = {
    LineSettled: _line,
    LineUnsettled: _unsettled,
    BatchRowSettled: _row,
    BatchRowUndone: _row_undone,
    ClaimClosed: _claim,
    ClaimReopened: _claim_reopened,
    FxSettled: _exchanged,
    BankLineCleared: _cleared,
    BankLineReopened: _reopened,
    TransferPosted: _by_hand,
    EntryPosted: _by_hand,
    ReversalPosted: _by_hand,
    HoldCaptured: _by_hand,
}
