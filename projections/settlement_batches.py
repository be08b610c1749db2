"""Settlement batches: what did a channel report of a batch, which line of a bank paid it, and what is still due?

What is due is counted by the batch's own movements; that the account of the batch (1120) stands at the same is checked.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, LiteralString

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from ledger.batch_movements import PREFIX, BatchMovement, movements
from ledger.chart import settlement_pending
from ledger.events.event import Recorded
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

LINE = "line"
ROW = "row"
PAYMENT = "payment"

_KEEP_ROWS = """
INSERT INTO {settlement_batch_rows} AS known (account, position, nth, role, item, file, number, state)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::integer[], %b::text[], %b::text[], %b::text[], %b::integer[],
                     %b::bytea[])
    ON CONFLICT DO NOTHING
"""
# The last one that stands: what was undone before, and settled again, is another.
_UNDO = """
UPDATE {settlement_batch_rows} AS r SET undone = %(position)b
  FROM (SELECT account, position, nth FROM {settlement_batch_rows}
         WHERE account = %(account)b AND item = %(item)b AND file = %(file)b AND number = %(number)b AND role = %(role)b
           AND undone = 0 AND position < %(position)b
         ORDER BY position DESC, nth DESC LIMIT 1) AS last
 WHERE (r.account, r.position, r.nth) = (last.account, last.position, last.nth)
"""
_ADD = """
INSERT INTO {settlement_batches} AS known
      (account, channel, currency, batch, position, lines, gross, fee, other, paid, payments, borne_by_merchants,
       borne_by_us, tolerated, fee_difference, claimed, due)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[],
                     %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],
                     %b::bigint[], %b::bigint[], %b::bigint[])
    ON CONFLICT (account) DO UPDATE SET
       batch = CASE WHEN known.batch = '' THEN excluded.batch ELSE known.batch END,
       lines = known.lines + excluded.lines,
       gross = known.gross + excluded.gross,
       fee = known.fee + excluded.fee,
       other = known.other + excluded.other,
       paid = known.paid + excluded.paid,
       payments = known.payments + excluded.payments,
       borne_by_merchants = known.borne_by_merchants + excluded.borne_by_merchants,
       borne_by_us = known.borne_by_us + excluded.borne_by_us,
       tolerated = known.tolerated + excluded.tolerated,
       fee_difference = known.fee_difference + excluded.fee_difference,
       claimed = known.claimed + excluded.claimed,
       due = known.due + excluded.due
"""

# --- writing


class KeptRow(msgspec.Struct, frozen=True):
    """A movement as it is kept, with the event that it is of."""

    movement: BatchMovement
    stream: str
    version: int
    at: datetime


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(KeptRow).decode


class _Sums:
    """What a page adds to a batch."""

    def __init__(self, movement: BatchMovement, position: int) -> None:
        self.channel, self.currency, self.batch = movement.channel, movement.currency, movement.batch
        self.position = position
        self.lines = self.gross = self.fee = self.other = self.paid = self.payments = 0
        self.merchants = self.ours = self.tolerated = self.fee_difference = self.claimed = self.due = 0

    def add(self, one: BatchMovement) -> None:
        sign = -1 if one.undoes else 1
        self.batch = self.batch or one.batch
        self.due += sign * one.net
        match one.role:
            case "line":
                self.lines += sign
                self.gross += sign * one.gross
                self.fee += sign * one.fee
                self.merchants += sign * one.borne_by_merchant
                self.ours += sign * one.borne_by_us
                self.tolerated += sign * one.tolerated
                self.fee_difference += sign * one.fee_difference
                self.claimed += sign * one.claimed
            case "row":
                self.other += sign * one.net
            case "payment":
                self.paid -= sign * one.net
                self.payments += sign


class SettlementBatches(Projection):
    """One row per batch and one per movement of it. `position` of a batch: of the first event about it."""

    name = "settlement_batches"
    version = 1
    tables = ("settlement_batches", "settlement_batch_rows")

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        found = [(recorded, nth, one) for recorded in page for nth, one in enumerate(movements(recorded))]
        if not found:
            return
        standing = [(recorded, nth, one) for recorded, nth, one in found if not one.undoes]
        columns = (
            [one.account for _, _, one in standing],
            [recorded.position for recorded, _, _ in standing],
            [nth for _, nth, _ in standing],
            [one.role for _, _, one in standing],
            [one.item for _, _, one in standing],
            [one.file for _, _, one in standing],
            [one.number for _, _, one in standing],
            [_encode(_kept(recorded, one)) for recorded, _, one in standing],
        )
        cursor.execute(self.statement(_KEEP_ROWS), columns)
        # One by one and in their order, for the same line may be settled and undone again and again.
        for recorded, _, one in found:
            if one.undoes:
                place: dict[str, str | int] = {"account": one.account, "role": one.role, "item": one.item}
                place |= {"file": one.file, "number": one.number, "position": recorded.position}
                cursor.execute(self.statement(_UNDO), place)
        self._add([(recorded, one) for recorded, _, one in found], cursor)

    def _add(self, found: Sequence[tuple[Recorded, BatchMovement]], cursor: Writing) -> None:
        sums: dict[str, _Sums] = {}
        for recorded, one in found:
            sums.setdefault(one.account, _Sums(one, recorded.position)).add(one)
        accounts = sorted(sums)
        batches = [sums[account] for account in accounts]
        columns = (
            accounts,
            [one.channel for one in batches],
            [one.currency for one in batches],
            [one.batch for one in batches],
            [one.position for one in batches],
            [one.lines for one in batches],
            [one.gross for one in batches],
            [one.fee for one in batches],
            [one.other for one in batches],
            [one.paid for one in batches],
            [one.payments for one in batches],
            [one.merchants for one in batches],
            [one.ours for one in batches],
            [one.tolerated for one in batches],
            [one.fee_difference for one in batches],
            [one.claimed for one in batches],
            [one.due for one in batches],
        )
        cursor.execute(self.statement(_ADD), columns)


def _kept(recorded: Recorded, movement: BatchMovement) -> KeptRow:
    return KeptRow(movement, recorded.stream, recorded.version, recorded.recorded_at)


# --- reading

BatchStatus = Literal["due", "paid", "empty"]
NO_BATCH = "~"
"""What stands for the batch of what was settled without one: no batch has such a key."""

_COLUMNS: LiteralString = """
SELECT b.account, b.channel, b.currency, b.batch, b.position, b.lines, b.gross, b.fee, b.other, b.paid, b.payments,
       b.borne_by_merchants, b.borne_by_us, b.tolerated, b.fee_difference, b.claimed, b.due,
       coalesce(a.posted_debits - a.posted_credits, 0) AS balance
  FROM {schema}.settlement_batches AS b LEFT JOIN {schema}.balances AS a USING (account)
"""
_LIST: LiteralString = " WHERE (b.position, b.account) > (%(after)s, %(after_account)s)"
_FILTERS: dict[str, LiteralString] = {
    "channel": " AND b.channel = %(channel)s",
    "currency": " AND b.currency = %(currency)s",
}
_STATUSES: dict[str, LiteralString] = {
    "due": " AND b.due <> 0",
    "paid": " AND b.due = 0 AND b.payments > 0",
    "empty": " AND b.due = 0 AND b.payments <= 0",
}
_IN_ORDER: LiteralString = " ORDER BY b.position, b.account LIMIT %(limit)s"
_ONE: LiteralString = " WHERE b.account = ANY(%s) ORDER BY b.batch = %s DESC LIMIT 1"
_ROWS: LiteralString = """
SELECT position, nth, state FROM {schema}.settlement_batch_rows
 WHERE account = %s AND role = %s AND undone = 0 AND (position, nth) > (%s, %s)
 ORDER BY position, nth LIMIT %s
"""


class BatchSums(msgspec.Struct, frozen=True):
    """A batch and what its movements add up to, beside the balance of its account at the end of the log."""

    account: str
    channel: str
    currency: str
    batch: str
    position: int
    lines: int
    gross: int
    fee: int
    other: int
    paid: int
    payments: int
    borne_by_merchants: int
    borne_by_us: int
    tolerated: int
    fee_difference: int
    claimed: int
    due: int
    balance: int

    @property
    def key(self) -> str:
        """What it is called in addresses."""
        return self.account.removeprefix(PREFIX).rpartition(":")[0].removeprefix(self.channel).lstrip(":") or NO_BATCH

    @property
    def status(self) -> BatchStatus:
        if self.due:
            return "due"
        return "paid" if self.payments > 0 else "empty"


class BatchRow(msgspec.Struct, frozen=True):
    """A movement of a batch, by the position of its event."""

    position: int
    nth: int
    kept: KeptRow


async def batches(
    connection: AsyncConnection[Any],
    book: str,
    filters: dict[str, str | None],
    *,
    after: tuple[int, str] = (0, ""),
    limit: int = 100,
) -> list[BatchSums]:
    """Batches of a channel, a currency and a status, in the order in which they were begun, behind a place."""
    statement = _COLUMNS + _LIST + "".join(text for name, text in _FILTERS.items() if filters.get(name) is not None)
    statement += _STATUSES.get(filters.get("status") or "", "") + _IN_ORDER
    wanted = {**filters, "after": after[0], "after_account": after[1], "limit": limit}
    async with connection.cursor(row_factory=class_row(BatchSums)) as cursor:
        await cursor.execute(in_book(statement, book), wanted)
        return await cursor.fetchall()


async def batch(
    connection: AsyncConnection[Any], book: str, channel: str, currency: str, name: str
) -> BatchSums | None:
    """The batch of this name, as the channel writes it or as it stands in addresses."""
    if name == NO_BATCH:
        accounts = [settlement_pending(channel, currency)]
    else:
        accounts = [settlement_pending(channel, currency, name), f"{PREFIX}{channel}:{name}:{currency.lower()}"]
    async with connection.cursor(row_factory=class_row(BatchSums)) as cursor:
        await cursor.execute(in_book(_COLUMNS + _ONE, book), (accounts, name))
        return await cursor.fetchone()


async def batch_rows(
    connection: AsyncConnection[Any],
    book: str,
    account: str,
    role: str,
    *,
    after: tuple[int, int] = (0, -1),
    limit: int = 100,
) -> list[BatchRow]:
    """What of this role stands in a batch, in the order of the log, behind a place."""
    cursor = await connection.execute(in_book(_ROWS, book), (account, role, *after, limit), binary=True)
    return [BatchRow(position, nth, _decode(state)) for position, nth, state in await cursor.fetchall()]
