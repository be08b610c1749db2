"""Bank expectations: what the statements of our banks are to show, by what the books say: pure, over events.

    batch     what stands on 1120 of a batch until it was paid
    payout    what is in transit to somebody, until the bank shows that it left
    refund    what came back and is owed to the payer again: it may be paid by the bank, or not at all
    entry     what people, or a channel, said that the bank had moved: until the bank shows it

Each is cleared by a line of a statement (commands/bank_line_clearings.py), or by what makes it pointless.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from ledger.chart import Code, code_of, settlement_pending
from ledger.events import payouts
from ledger.events.bank_lines import (
    BankLineCleared,
    BankLineRecognized,
    BankLineReopened,
    BankLineSuspended,
    EntrySeenAtBank,
    EntryUnseenAtBank,
)
from ledger.events.event import Event, Recorded
from ledger.events.fx import FxSettled
from ledger.events.refunds import RefundFailed, RefundPaidByBank, RefundReturned
from ledger.events.settlements import (
    BatchPaid,
    BatchRowSettled,
    BatchRowUndone,
    BatchUnpaid,
    ClaimClosed,
    ClaimReopened,
    LineSettled,
    LineUnsettled,
    batch_stream,
)
from ledger.events.transfers import TransferPosted
from ledger.posting_rules import movements_for

Kind = Literal["batch", "payout", "refund", "entry"]
# announced: it waits for somebody to agree.
Status = Literal["announced", "open", "closed"]

_OWN, _CLIENT = f"sys:{Code.BANK_OWN.number}:", f"sys:{Code.BANK_CLIENT.number}:"
_BANKS = (_OWN, _CLIENT)


class BankExpectation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of them: `amount` minor units will come, or below 0 leave. `subject` is what a clearing names.

    `bank_account` is empty where it may be any; `references` are all the names that the line may carry.
    """

    id: str
    kind: Kind
    subject: str
    amount: int
    currency: str
    at: datetime
    position: int
    channel: str = ""
    bank_account: str = ""
    own: bool = False
    references: tuple[str, ...] = ()
    status: Status = "open"
    bank_line: str = ""


Change = Callable[[BankExpectation], BankExpectation]


class Step(msgspec.Struct, frozen=True):
    """What an event does to the expectation of this id: `begins` it, where it is not there yet, and changes it."""

    id: str
    change: Change
    begins: BankExpectation | None = None


def steps(recorded: Recorded) -> list[Step]:
    """What this event does to expectations, in order."""
    event = recorded.event
    if isinstance(event, TransferPosted) and not (
        event.debit_account.startswith(_BANKS) or event.credit_account.startswith(_BANKS)
    ):
        return []  # The commonest event by far.
    found = [*_entries(recorded), *_batches(recorded)]
    match event:
        case payouts.PayoutCreated() if not event.prefunded:
            names = tuple(filter(None, (event.id, event.reference)))
            begun = _begun(recorded, event.id, "payout", event.id, -event.amount, event.currency)
            found.append(_begins(replace(begun, channel=event.channel, references=names, status="announced")))
        case payouts.PayoutReserved() | payouts.PayoutDebitUndone():
            name = event.debited.id if isinstance(event, payouts.PayoutDebitUndone) else event.id
            found.append(Step(name, _reopened))
        case payouts.PayoutPaid():
            found.append(Step(event.id, _named(event.channel_reference)))
        case payouts.PayoutDebited():
            found.append(Step(event.id, _closed(event.bank_line)))
        case payouts.PayoutCanceled() | payouts.PayoutRejected() | payouts.PayoutGivenBack():
            found.append(Step(event.id, _closed("")))
        case RefundReturned():
            begun = _begun(recorded, event.id, "refund", event.id, -event.amount, event.currency)
            names = tuple(filter(None, (event.id, event.channel_reference)))
            found.append(_begins(replace(begun, channel=event.channel, references=names)))
        case RefundPaidByBank() | RefundFailed():
            found.append(Step(event.id, _closed(getattr(event, "bank_line", ""))))
        case EntrySeenAtBank():
            found.append(Step(f"{event.entry}/{event.account}", _closed(event.bank_line)))
        case EntryUnseenAtBank():
            found.append(Step(f"{event.entry}/{event.account}", _reopened))
    return found


def after(known: dict[str, BankExpectation], recorded: Recorded) -> dict[str, BankExpectation]:
    """The expectations that this event begins or changes, as they are after it; `known` are those of its steps."""
    changed: dict[str, BankExpectation] = {}
    for step in steps(recorded):
        expectation = changed.get(step.id) or known.get(step.id) or step.begins
        if expectation is not None:  # Of a payout out of a float the bank shows nothing.
            changed[step.id] = step.change(expectation)
    return changed


def _begun(recorded: Recorded, name: str, kind: Kind, subject: str, amount: int, currency: str) -> BankExpectation:
    return BankExpectation(name, kind, subject, amount, currency, recorded.recorded_at, recorded.position)


def _begins(begun: BankExpectation) -> Step:
    """It stands like this from here on, whatever was there before: a refund may come back twice."""
    return Step(begun.id, lambda known: replace(begun, at=known.at, position=known.position), begun)


def _reopened(known: BankExpectation) -> BankExpectation:
    return replace(known, status="open", bank_line="")


def _closed(bank_line: str) -> Change:
    return lambda known: replace(known, status="closed", bank_line=bank_line)


def _named(reference: str) -> Change:
    def change(known: BankExpectation) -> BankExpectation:
        there = not reference or reference in known.references
        return known if there else replace(known, references=(*known.references, reference))

    return change


# --- entries ----------------------------------------------------------------------------------------------------------

# They post by a line of a statement themselves.
_BY_LINES = (BankLineCleared, BankLineReopened, BankLineSuspended, BankLineRecognized, payouts.PayoutDebitUndone)


def _entries(recorded: Recorded) -> Iterator[Step]:
    event = recorded.event
    if isinstance(event, _BY_LINES) or getattr(event, "bank_line", None):
        return
    for movement in movements_for(event):
        net = movement.debit - movement.credit
        if net and movement.account.startswith(_BANKS):
            name = f"{recorded.entry_id}/{movement.account}"
            begun = _begun(recorded, name, "entry", recorded.entry_id, net, movement.currency)
            bank_account = movement.account[len(_OWN) :].rpartition(":")[0]
            own = code_of(movement.account) is Code.BANK_OWN
            yield _begins(replace(begun, bank_account=bank_account, own=own, references=_references(event)))


_NAMES = ("id", "reference", "channel_reference")


def _references(event: Event) -> tuple[str, ...]:
    names = (getattr(event, name, None) for name in _NAMES)
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name))


# --- batches ----------------------------------------------------------------------------------------------------------


def _batches(recorded: Recorded) -> Iterator[Step]:
    event = recorded.event
    names = list(dict.fromkeys(_batches_of(event)))
    if not names:
        return
    moved = {move.account: move.debit - move.credit for move in movements_for(event)}
    for channel, currency, batch in names:
        stream = batch_stream(channel, currency, batch)
        net = moved.get(settlement_pending(channel, currency, batch), 0)
        begun = replace(_begun(recorded, stream, "batch", batch, 0, currency), channel=channel, references=(batch,))
        match event:
            case BatchPaid():
                yield Step(stream, _closed(event.bank_line), begun)
            case BatchUnpaid():
                yield Step(stream, _reopened, begun)
            case _:
                yield Step(stream, _added(net), begun)


def _added(net: int) -> Change:
    return lambda known: replace(known, amount=known.amount + net)


def _batches_of(event: Any) -> Iterator[tuple[str, str, str]]:
    """Channel, currency and batch, of every batch that the event may change."""
    match event:
        case LineSettled() if event.batch and not event.exchanged:
            yield event.channel, event.currency, event.batch
        case LineUnsettled(settled=line):
            yield line.channel, line.reported_currency or line.currency, line.batch
        case FxSettled() if event.batch:
            yield event.channel, event.settled_currency, event.batch
        case ClaimClosed() | BatchRowSettled() | BatchPaid() | BatchUnpaid() if event.batch:
            yield event.channel, event.currency, event.batch
        case ClaimReopened(closed=closed) if closed.batch:
            yield closed.channel, closed.currency, closed.batch
        case BatchRowUndone(settled=row):
            yield row.channel, row.currency, row.batch
        case BankLineCleared() | BankLineReopened():
            cleared = event.cleared if isinstance(event, BankLineReopened) else event
            for share in cleared.batches:
                if share.batch:
                    yield share.channel, cleared.line.currency, share.batch
