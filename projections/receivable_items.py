"""Receivable items: what does each channel owe us still, item by item, and does it come to what the books say?

One row per item, open or settled. Runs match what is open up to a time against the channel's report.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.chart import Code, channel_receivable
from ledger.errors import NotCaughtUp
from ledger.posting_rules import movements_for
from ledger.receivable_item import Items, ReceivableItem, opening_stream
from ledger.receivable_items import EVENTS, STANDALONE, changes, concerns
from ledger.store import read
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

_STATES = "SELECT stream, state FROM {receivable_items} WHERE stream = ANY(%b) ORDER BY position, item"
# Set by value and not by change: a fact that were seen twice would change nothing.
_KEEP = """
INSERT INTO {receivable_items} AS known (item, stream, position, channel, currency, at, status, net,
                                         batch_currency, batch, state)
SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::text[], %b::text[], %b::timestamptz[], %b::text[],
                     %b::bigint[], %b::text[], %b::text[], %b::bytea[])
    ON CONFLICT (item)
    DO UPDATE SET status = excluded.status, net = excluded.net, batch_currency = excluded.batch_currency,
                  batch = excluded.batch, state = excluded.state
"""
_FLOWED = """
INSERT INTO {receivable_flows} AS known (account, position, item, amount)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::bigint[])
    ON CONFLICT DO NOTHING
"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ReceivableItem).decode

# --- writing


class ReceivableItems(Projection):
    """One row per item, and one for whatever an event did to what is open of it."""

    name = "receivable_items"
    version = 1
    tables = ("receivable_items", "receivable_flows")
    growing = ("receivable_flows",)

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        facts = [recorded for recorded in page if type(recorded.event) in EVENTS and concerns(recorded.event)]
        if not facts:
            return
        known: defaultdict[str, Items] = defaultdict(dict)
        # Most items are opened by what needs to know of no other.
        self._recall(
            {opening_stream(fact.stream) for fact in facts if type(fact.event) not in STANDALONE}, known, cursor
        )
        changed: Items = {}
        flowed: list[tuple[str, int, str, int]] = []
        for fact in facts:
            before = known[opening_stream(fact.stream)]
            found = {item.id: item for item in changes(before, fact)}
            flowed += _flows(before, found, fact.position)
            before |= found
            changed |= found
        if flowed:
            cursor.execute(self.statement(_FLOWED), tuple(list(column) for column in zip(*flowed, strict=True)))
        if changed:
            items = [changed[name] for name in sorted(changed)]
            cursor.execute(
                self.statement(_KEEP),
                (
                    [item.id for item in items],
                    [item.stream for item in items],
                    [item.position for item in items],
                    [item.channel for item in items],
                    [item.currency for item in items],
                    [item.at for item in items],
                    [item.status for item in items],
                    [item.net for item in items],
                    ["" if item.settled is None else item.settled.currency for item in items],
                    ["" if item.settled is None else item.settled.batch for item in items],
                    [_encode(item) for item in items],
                ),
            )

    def _recall(self, streams: set[str], known: defaultdict[str, Items], cursor: Writing) -> None:
        if streams:
            rows = cursor.execute(self.statement(_STATES), (sorted(streams),), binary=True).fetchall()
            for stream, state in rows:
                item = _decode(state)
                known[stream][item.id] = item


def _flows(before: Items, after: Items, position: int) -> list[tuple[str, int, str, int]]:
    """The account, the position, the item and by how much more of it is open: single-entry."""
    found = [
        (channel_receivable(item.channel, item.currency), position, name, _open(item) - _open(before.get(name)))
        for name, item in after.items()
    ]
    return [flow for flow in found if flow[3]]


def _open(item: ReceivableItem | None) -> int:
    return item.net if item is not None and item.is_open else 0


# --- reading

_OPEN: LiteralString = "SELECT state FROM {schema}.receivable_items WHERE status = 'open' AND channel = %(channel)s"
_IN_CURRENCY: LiteralString = " AND currency = %(currency)s"
_UNTIL: LiteralString = " AND at < %(until)s"
_IN_ORDER: LiteralString = " ORDER BY channel, currency, at, item"
_ITEM = "SELECT state FROM {schema}.receivable_items WHERE item = %s"
_OPEN_OF = "SELECT item FROM {schema}.receivable_items WHERE item = ANY(%s) AND status = 'open'"
_SETTLED_OF = """
SELECT state FROM {schema}.receivable_items WHERE stream = ANY(%s) AND channel = %s AND status = 'settled'
 ORDER BY position, item
"""
_OF_STREAM = "SELECT state FROM {schema}.receivable_items WHERE stream = %s ORDER BY position, item"
_OF_BATCH: LiteralString = """
SELECT state FROM {schema}.receivable_items
 WHERE batch <> '' AND channel = %s AND batch_currency = %s AND batch = %s AND position > %s
 ORDER BY position, item LIMIT %s
"""
_SUMS = """
SELECT channel, currency, count(*), sum(net)::bigint FROM {schema}.receivable_items
 WHERE status = 'open' GROUP BY channel, currency
"""
_BALANCES = """
SELECT account, currency, posted_debits - posted_credits FROM {schema}.balances WHERE account LIKE %s
"""
_POSITIONS = """
SELECT h.position, c.position FROM {schema}.log_head AS h, {schema}.projection_checkpoints AS c
 WHERE c.projection = 'receivable_items'
"""
_FARTHEST_BEHIND = 20_000


class ControlLine(msgspec.Struct, frozen=True):
    """One channel and currency: so many open items, what they come to, and the balance of the receivable."""

    channel: str
    currency: str
    items: int
    open: int
    balance: int

    @property
    def holds(self) -> bool:
        return self.open == self.balance


class ReceivableControl(msgspec.Struct, frozen=True):
    """The sub-ledger beside its control accounts, both as they were at a position of the log."""

    position: int
    lines: list[ControlLine]

    @property
    def holds(self) -> bool:
        return all(line.holds for line in self.lines)


async def open_items(
    connection: AsyncConnection[Any],
    book: str,
    channel: str,
    *,
    currency: str | None = None,
    until: datetime | None = None,
) -> list[ReceivableItem]:
    """What a channel has not reported, in one currency or all of them, of what was recorded before `until`.

    In the order of currency, time and id, so that the same question has the same answer.
    """
    # Only what is asked for: a condition that may be empty would keep PostgreSQL from its index.
    statement: LiteralString = _OPEN
    if currency is not None:
        statement += _IN_CURRENCY
    if until is not None:
        statement += _UNTIL
    wanted = {"channel": channel, "currency": currency, "until": until}
    cursor = await connection.execute(in_book(statement + _IN_ORDER, book), wanted, binary=True)
    return [_decode(state) for (state,) in await cursor.fetchall()]


async def item(connection: AsyncConnection[Any], book: str, name: str) -> ReceivableItem | None:
    """The item of this id, open or not."""
    cursor = await connection.execute(in_book(_ITEM, book), (name,), binary=True)
    row = await cursor.fetchone()
    return None if row is None else _decode(row[0])


async def open_of(connection: AsyncConnection[Any], book: str, names: Sequence[str]) -> frozenset[str]:
    """Which of these items are open."""
    cursor = await connection.execute(in_book(_OPEN_OF, book), (list(names),))
    return frozenset(name for (name,) in await cursor.fetchall())


async def settled_of(
    connection: AsyncConnection[Any], book: str, channel: str, streams: Sequence[str]
) -> list[ReceivableItem]:
    """What a channel has reported of these streams already."""
    cursor = await connection.execute(in_book(_SETTLED_OF, book), (list(streams), channel), binary=True)
    return [_decode(state) for (state,) in await cursor.fetchall()]


async def items_of_stream(connection: AsyncConnection[Any], book: str, stream: str) -> list[ReceivableItem]:
    """All items that a stream has opened, in its order."""
    cursor = await connection.execute(in_book(_OF_STREAM, book), (stream,), binary=True)
    return [_decode(state) for (state,) in await cursor.fetchall()]


async def items_of_batch(
    connection: AsyncConnection[Any],
    book: str,
    channel: str,
    currency: str,
    batch: str,
    *,
    after: int = 0,
    limit: int = 100,
) -> list[ReceivableItem]:
    """What was settled in a batch, by when it was opened, behind a position; `currency` is the batch's."""
    wanted = (channel, currency, batch, after, limit)
    cursor = await connection.execute(in_book(_OF_BATCH, book), wanted, binary=True)
    return [_decode(state) for (state,) in await cursor.fetchall()]


async def control(connection: AsyncConnection[Any], book: str) -> ReceivableControl:
    """Whether the open items come to the balances of 1110, channel by channel; raises NotCaughtUp.

    The balances are those of the log's end, so what the view has not seen is taken off them.
    """
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        places = await (await connection.execute(in_book(_POSITIONS, book))).fetchone()
        head, seen = places or (0, 0)
        if head - seen > _FARTHEST_BEHIND:
            raise NotCaughtUp(position=seen, head=head)
        prefix = f"sys:{Code.CHANNEL_RECEIVABLE.number}:"
        rows = await (await connection.execute(in_book(_BALANCES, book), (prefix + "%",))).fetchall()
        balances = {account: (currency, balance) for account, currency, balance in rows}
        unseen, _ = await read.log(connection, book, after=seen, limit=_FARTHEST_BEHIND)
        for recorded in unseen:
            for movement in movements_for(recorded.event):
                if movement.account in balances:
                    currency, balance = balances[movement.account]
                    balances[movement.account] = currency, balance - movement.debit + movement.credit
        sums = await (await connection.execute(in_book(_SUMS, book))).fetchall()
    counted = {channel_receivable(channel, currency): (count, net) for channel, currency, count, net in sums}
    names = {channel_receivable(channel, currency): (channel, currency) for channel, currency, _, _ in sums}
    names |= {account: (_channel_of(account, prefix), currency) for account, (currency, _) in balances.items()}
    lines = [
        ControlLine(*names[account], *counted.get(account, (0, 0)), balances.get(account, ("", 0))[1])
        for account in sorted(names)
    ]
    return ReceivableControl(seen, lines)


def _channel_of(account: str, prefix: str) -> str:
    return account.removeprefix(prefix).rpartition(":")[0]
