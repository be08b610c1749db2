"""Receivable flows: what did each event do to what a channel owes us, by its items and by the journal?

Single-entry beside double-entry, position by position: the items' view counts by the events, the journal by its rules.
"""

from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.chart import Code, channel_receivable
from ledger.events.event import entry_id_of
from ledger.store.connection import in_book
from projections.freshness import seen_by
from projections.postings import Postings
from projections.receivable_items import ControlLine, ReceivableItems, control

VIEWS = (Postings.name, ReceivableItems.name)

_ACCOUNTS = """
SELECT account FROM {schema}.balances WHERE account >= %s AND account < %s
 UNION SELECT DISTINCT 'sys:1110:' || channel || ':' || lower(currency)
  FROM {schema}.receivable_items WHERE channel = %s AND status = 'open'
"""
# The first so many of each side: whatever is among the first of both together is among them.
_FLOWS: LiteralString = """
SELECT f.position, f.account, coalesce(f.journal, 0), coalesce(f.flow, 0), f.items, f.amounts,
       e.originator_id, e.originator_version, e.topic, e.recorded_at
  FROM unnest(%(accounts)s::text[]) AS a (account)
 CROSS JOIN LATERAL (
       SELECT a.account, position, j.amount AS journal, i.amount AS flow, i.items, i.amounts
         FROM (SELECT position, sum(CASE WHEN is_debit THEN amount ELSE -amount END)::bigint AS amount
                 FROM {schema}.postings
                WHERE account = a.account AND position >= %(after)s AND position <= %(until)s
                GROUP BY position ORDER BY position LIMIT %(limit)s + 1) AS j
         FULL JOIN
              (SELECT position, sum(amount)::bigint AS amount, array_agg(item ORDER BY item) AS items,
                      array_agg(amount ORDER BY item) AS amounts
                 FROM {schema}.receivable_flows
                WHERE account = a.account AND position >= %(after)s AND position <= %(until)s
                GROUP BY position ORDER BY position LIMIT %(limit)s + 1) AS i
        USING (position)) AS f
  JOIN {schema}.events AS e ON e.notification_id = f.position
 WHERE (f.position, f.account) > (%(after)s, %(after_account)s)
 ORDER BY f.position, f.account LIMIT %(limit)s
"""


class ItemFlow(msgspec.Struct, frozen=True):
    """By `amount` minor units more is open of an item, below 0 less."""

    item: str
    amount: int


class ReceivableFlow(msgspec.Struct, frozen=True):
    """What one event did: `flow` by the items, `journal` by its postings (debits less credits); both are the same."""

    position: int
    account: str
    entry_id: str
    topic: str
    recorded_at: datetime
    flow: int
    journal: int
    holds: bool
    items: list[ItemFlow]


class CheckedControl(msgspec.Struct, frozen=True):
    """A channel's receivable in one currency: so many open items, what they come to, and the balance of the account."""

    channel: str
    currency: str
    items: int
    open: int
    balance: int
    holds: bool


class ReceivableFlows(msgspec.Struct, frozen=True):
    """The flows of a channel's receivable, a page of them in the order of the log, and its cross-check as a whole.

    `holds`: open items come to the balance in each currency, and on this page items and journal agree in each line.
    """

    channel: str
    holds: bool
    control: list[CheckedControl]
    position: int
    data: list[ReceivableFlow]
    next_cursor: str | None = None


async def receivable_control(connection: AsyncConnection[Any], book: str, channel: str) -> list[CheckedControl]:
    """The cross-check of one channel; raises NotCaughtUp. Not inside of a transaction: it begins its own."""
    lines: list[ControlLine] = (await control(connection, book)).lines
    return [
        CheckedControl(one.channel, one.currency, one.items, one.open, one.balance, one.holds)
        for one in lines
        if one.channel == channel
    ]


async def receivable_flows(
    connection: AsyncConnection[Any],
    book: str,
    channel: str,
    *,
    currency: str | None = None,
    after: tuple[int, str] = (0, ""),
    limit: int = 100,
) -> tuple[int, list[ReceivableFlow]]:
    """How far both views have come, and what was done to the receivable up to there, behind a place."""
    seen = await seen_by(connection, book, VIEWS, None)
    if currency is not None:
        accounts = [channel_receivable(channel, currency)]
    else:
        prefix = f"sys:{Code.CHANNEL_RECEIVABLE.number}:{channel}"
        rows = await connection.execute(in_book(_ACCOUNTS, book), (f"{prefix}:", f"{prefix};", channel))
        accounts = [account for (account,) in await rows.fetchall()]
    wanted = {"accounts": accounts, "after": after[0], "after_account": after[1], "until": seen, "limit": limit}
    cursor = await connection.execute(in_book(_FLOWS, book), wanted)
    return seen, [
        ReceivableFlow(
            position,
            account,
            entry_id_of(stream, version),
            topic,
            at,
            flow,
            journal,
            flow == journal,
            [ItemFlow(item, amount) for item, amount in zip(items or (), amounts or (), strict=True)],
        )
        for position, account, journal, flow, items, amounts, stream, version, topic, at in await cursor.fetchall()
    ]
