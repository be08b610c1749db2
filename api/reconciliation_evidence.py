"""Reconciliation evidence: what views know of both sides of a run, and of what became of it."""

import re
from collections.abc import Sequence

import msgspec
from psycopg_pool import AsyncConnectionPool

from commands.break_resolutions import UNSURE
from commands.policies.reconciliation import end_of_day, is_bank
from commands.processes.reconciliation_steps import (
    BATCH,
    ENTRY,
    PAYOUT,
    PAYOUT_RETURN,
    REFUND,
    ReportedRow,
    Sides,
)
from ledger.bank_expectations import BankExpectation
from ledger.events.reconciliation import ReconciliationRequested
from ledger.ids import PAYMENT, stream_of
from ledger.ids import REFUND as REFUND_ID
from ledger.matching.sides import Item, State
from ledger.payment import CLOSED, DECLINED, FAILED_AFTER_SUCCESS, SUCCEEDED, UNAPPLIED, Payment
from ledger.payment import FAILED as REFUND_FAILED
from ledger.payment_state import fold
from ledger.payout_state import OPEN as OPEN_PAYOUT
from ledger.payout_state import PAID, RETURNED, Payout
from ledger.receivable_item import ReceivableItem
from ledger.store import read
from projections.bank_expectations import BankExpectations, expected
from projections.freshness import Freshness
from projections.payouts import Payouts, paid_at_bank, payouts_of
from projections.receivable_items import ReceivableItems, open_items, open_of, settled_of
from projections.reconciliation import Reconciliation, first_running, unresolved_breaks
from projections.report_files import ReportFiles, open_among, open_rows, rows_of_day

_VIEWS = (ReportFiles.name, ReceivableItems.name, Reconciliation.name, Payouts.name, BankExpectations.name)
_PATIENCE_S = 60.0
_AT_ONCE = 1_000
_PREFIXES = {"batch": BATCH, "payout": PAYOUT, "refund": REFUND, "entry": ENTRY}


class ViewedEvidence:
    """Answers from the views, with connections of a pool; waits for them as long as it takes."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._freshness = Freshness(pool)

    async def close(self) -> None:
        """Ask no more."""
        await self._freshness.close()

    async def next_run(self, book: str) -> ReconciliationRequested | None:
        async with self._pool.connection() as connection:
            return await first_running(connection, book)

    async def sides(self, book: str, run: ReconciliationRequested, position: int) -> Sides:
        async with self._pool.connection() as connection:
            head, _ = await read.head(connection, book)
        head = max(head, position)
        await self._freshness.wait(book, _VIEWS, head, _PATIENCE_S)
        async with self._pool.connection() as connection:
            found = await open_rows(connection, book, run.source, run.account, run.until)
        reported = [
            ReportedRow(one.file, one.number, one.fingerprint, one.state, one.order, one.row)
            for one in found
            # A channel's account of its own flows says again what its list of movements says.
            if is_bank(run.source) or one.row.kind not in ("credit", "debit")
        ]
        rows = {one.id: one for one in reported}
        if is_bank(run.source):
            items = await self._at_bank(book, run)
        else:
            items = await self._at_channel(book, run, reported)
        return Sides(rows, items, head)

    async def agreed(self, book: str, run: ReconciliationRequested, still: frozenset[str]) -> Sequence[str]:
        async with self._pool.connection() as connection:
            found = [
                one
                for one in await unresolved_breaks(connection, book, run.source, run.account)
                if one.opened.id not in still
            ]
            rows = [(row.file, row.number) for one in found for row in one.opened.rows]
            open_there = await open_among(connection, book, rows)
            open_here = await open_of(connection, book, [item for one in found for item in one.opened.items])
            if is_bank(run.source):
                # Of whatever day: a run over an earlier one does not look at all of them.
                waiting = await expected(connection, book, bank_account=run.account)
                open_here |= {_expected_item(one, frozenset()).id for one in waiting}
        return [
            one.opened.id
            for one in found
            if not any(row.id in open_there for row in one.opened.rows)
            and not any(item in open_here for item in one.opened.items)
        ]

    async def states(self, book: str, run: ReconciliationRequested, position: int) -> Sequence[tuple[str, str, str]]:
        await self._freshness.wait(book, _VIEWS, position, _PATIENCE_S)
        async with self._pool.connection() as connection:
            return await rows_of_day(connection, book, run.source, run.account, run.until)

    # --- a channel

    async def _at_channel(self, book: str, run: ReconciliationRequested, reported: Sequence[ReportedRow]) -> list[Item]:
        async with self._pool.connection() as connection:
            items = await open_items(connection, book, run.account, until=end_of_day(run.source, run.until))
            spoken_of = [one.row.our_reference for one in reported if one.row.kind in ("payout", "payout_returned")]
            payouts = await payouts_of(connection, book, spoken_of)
        found = [_item_of(item) for item in items]
        for payout in payouts:
            if payout.created.channel == run.account:
                found += _items_of_payout(payout)
        named = {name for item in found for name in item.our_references}
        found += await self._settled(book, run, reported, named)
        return found + await self._unsure(book, run, reported, named)

    async def _settled(
        self, book: str, run: ReconciliationRequested, reported: Sequence[ReportedRow], named: set[str]
    ) -> list[Item]:
        """What rows speak of, and the channel has reported before: said twice, or taken back."""
        spoken_of = {name for one in reported for name in (one.row.our_reference, one.row.about) if name not in named}
        streams = sorted({stream_of(name) or name for name in spoken_of if name})
        found: list[Item] = []
        for begin in range(0, len(streams), _AT_ONCE):
            async with self._pool.connection() as connection:
                known = await settled_of(connection, book, run.account, streams[begin : begin + _AT_ONCE])
            found += [msgspec.structs.replace(_item_of(item), state="settled") for item in known]
        return found

    async def _unsure(
        self, book: str, run: ReconciliationRequested, reported: Sequence[ReportedRow], named: set[str]
    ) -> list[Item]:
        """What rows speak of, and we do not have in our books: nobody told us its end, or that it failed."""
        subjects = {
            one.row.our_reference: stream_of(one.row.our_reference)
            for one in reported
            if one.row.our_reference not in named
            and one.row.kind in ("sale", "refund")
            and one.row.our_reference.startswith((PAYMENT, REFUND_ID))
        }
        streams = sorted({stream for stream in subjects.values() if stream.startswith(PAYMENT)})
        payments: dict[str, Payment] = {}
        for begin in range(0, len(streams), _AT_ONCE):
            async with self._pool.connection() as connection:
                wanted = dict.fromkeys(streams[begin : begin + _AT_ONCE], 0)
                for stream, history in (await read.beyond(connection, book, wanted)).items():
                    payment = fold(history)
                    if payment is not None:
                        payments[stream] = payment
        found = (_unsure_item(subject, payments.get(stream), run.account) for subject, stream in subjects.items())
        return [item for item in found if item is not None]

    # --- a bank

    async def _at_bank(self, book: str, run: ReconciliationRequested) -> list[Item]:
        until = end_of_day(run.source, run.until)
        async with self._pool.connection() as connection:
            expectations = await expected(connection, book, until=until, bank_account=run.account)
            gone = await paid_at_bank(connection, book)
        shared = _shared_names(expectations)
        return [_expected_item(one, shared) for one in expectations] + [_return_of(payout) for payout in gone]


# A batch that its channel does not number is known by its day: every channel has one of that name.
_NAMED_BY_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(-[a-z0-9]+)?")


def _shared_names(expectations: Sequence[BankExpectation]) -> frozenset[str]:
    """Names of batches that more than one channel has: whoever says only that says nothing."""
    channels: dict[str, set[str]] = {}
    for one in expectations:
        if one.kind == "batch":
            channels.setdefault(one.subject, set()).add(one.channel)
    return frozenset(name for name, of in channels.items() if len(of) > 1 or _NAMED_BY_DAY.fullmatch(name))


def _expected_item(one: BankExpectation, shared: frozenset[str]) -> Item:
    is_batch = one.kind == "batch"
    subject = f"{one.channel}:{one.subject}" if is_batch else one.subject
    return Item(
        id=f"{_PREFIXES[one.kind]}{subject}",
        stream="",
        kind="credit" if one.amount > 0 else "debit",
        gross=one.amount,
        currency=one.currency,
        our_references=() if is_batch else one.references,
        batch=(subject if one.subject in shared else one.subject) if is_batch else "",
        at=one.at,
        # What came back may be paid by the bank, or in another way.
        state="optional" if one.kind == "refund" else "booked",
    )


def _return_of(payout: Payout) -> Item:
    created = payout.created
    return Item(
        id=f"{PAYOUT_RETURN}{created.id}",
        stream=created.id,
        kind="credit",
        gross=created.amount,
        currency=created.currency,
        our_references=(created.id,),
        channel_references=tuple(filter(None, (payout.reference,))),
        at=payout.created_at,
        # Nobody expects it to come back.
        state="optional",
    )


def _items_of_payout(payout: Payout) -> list[Item]:
    """That it was paid, and that it came back; what our books say otherwise of is news."""
    created = payout.created
    paid = Item(
        id=f"{PAYOUT}{created.id}",
        stream=created.id,
        kind="payout",
        gross=-created.amount,
        currency=created.currency,
        our_references=(created.id,),
        channel_references=tuple(filter(None, (payout.reference,))),
        at=payout.created_at,
        # That the channel does not report it yet is no break: the bank will show whether it has left.
        state="optional" if payout.status in (*OPEN_PAYOUT, PAID, RETURNED) else "failed",
    )
    back = msgspec.structs.replace(
        paid,
        id=f"{PAYOUT_RETURN}{created.id}",
        kind="payout_returned",
        gross=created.amount,
        channel_references=payout.returns,
        state="optional" if payout.status == RETURNED else "failed",
    )
    return [paid, back]


def _item_of(item: ReceivableItem) -> Item:
    return Item(
        id=item.id,
        stream=item.stream,
        # What a dispute costs before anything is taken, its channel reports as a dispute over nothing.
        kind="chargeback" if item.kind == "fee" and item.stage else item.kind,
        gross=item.gross,
        currency=item.currency,
        our_references=item.ours,
        channel_references=item.theirs,
        # A fee that is invoiced is not kept; what is kept all the same is settled against the invoice.
        fee=item.fee + item.payable,
        at=item.at,
    )


def _unsure_item(subject: str, payment: Payment | None, channel: str) -> Item | None:
    """The attempt or refund as something that may have happened; None where it is settled or elsewhere."""
    if payment is None:
        return None
    if subject.startswith(REFUND_ID):
        refund = payment.refund(subject)
        if refund is None or refund.channel != channel or refund.status in (SUCCEEDED, FAILED_AFTER_SUCCESS):
            return None
        state: State = "failed" if refund.status == REFUND_FAILED else "unknown"
        amount, at, kind = -refund.by_channel, refund.created_at, "refund"
    else:
        attempt = payment.attempt(subject)
        if attempt is None or attempt.channel != channel or attempt.status in (SUCCEEDED, UNAPPLIED):
            return None
        state = "failed" if attempt.status in (DECLINED, CLOSED) else "unknown"
        amount, at, kind = attempt.amount, payment.created_at, "sale"
    return Item(
        id=f"{UNSURE}{subject}",
        stream=payment.created.id,
        kind="refund" if kind == "refund" else "sale",
        gross=amount,
        currency=payment.created.currency,
        our_references=(subject,),
        at=at,
        state=state,
    )
