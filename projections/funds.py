"""Funds: how much of what a merchant has sold, and of what is kept in reserve, has waited long enough by today?

What goes out is taken from what came in first. A sale's own fee is netted with it; a refund, a share or a payout of a
later day makes less of what is due, and never more.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.chart import Code
from ledger.events.event import Recorded
from ledger.events.merchants import MerchantCreated
from ledger.events.transfers import TransferPosted
from ledger.posting_rules import movements_for
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

_FUNDS = {f"sys:{Code.MERCHANT_PENDING.number}:": "pending", f"sys:{Code.MERCHANT_RESERVE.number}:": "reserve"}
_PREFIXES = tuple(_FUNDS)
_PREFIX_LENGTH = len(_PREFIXES[0])

_ADD = """
INSERT INTO {merchant_funds} AS known (merchant, currency, fund, day, inflow, outflow)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::date[], %b::bigint[], %b::bigint[])
    ON CONFLICT (merchant, currency, fund, day)
    DO UPDATE SET inflow = known.inflow + excluded.inflow, outflow = known.outflow + excluded.outflow
"""
_KEEP_TERMS = """
INSERT INTO {merchant_terms} (merchant, settlement_days, reserve_days)
SELECT * FROM unnest(%b::text[], %b::integer[], %b::integer[])
"""

# --- writing


class Funds(Projection):
    """What came in and went out by merchant and day, and how many days each of them waits."""

    name = "funds"
    version = 1
    tables = ("merchant_funds", "merchant_terms")

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        terms = [recorded.event for recorded in page if isinstance(recorded.event, MerchantCreated)]
        if terms:
            days = [event.settlement.days for event in terms]
            reserve_days = [event.settlement.reserve_days for event in terms]
            cursor.execute(self.statement(_KEEP_TERMS), ([event.id for event in terms], days, reserve_days))
        flows: defaultdict[tuple[str, str, str, date], list[int]] = defaultdict(lambda: [0, 0])
        for recorded in page:
            day = recorded.recorded_at.astimezone(UTC).date()
            for merchant, currency, fund, net in _changes(recorded):
                flows[merchant, currency, fund, day][net < 0] += abs(net)
        if flows:
            keys = sorted(flows)
            columns = [list(column) for column in zip(*keys, strict=True)]
            flows_in, flows_out = [flows[key][0] for key in keys], [flows[key][1] for key in keys]
            cursor.execute(self.statement(_ADD), (*columns, flows_in, flows_out))


def _changes(recorded: Recorded) -> Iterator[tuple[str, str, str, int]]:
    """Merchant, currency, fund, and by how much the event changes it, in minor units."""
    event = recorded.event
    # The commonest event by far, and hardly ever about these accounts.
    if isinstance(event, TransferPosted) and not (
        event.debit_account.startswith(_PREFIXES) or event.credit_account.startswith(_PREFIXES)
    ):
        return
    for movement in movements_for(event):
        net = movement.credit - movement.debit
        if net and movement.account.startswith(_PREFIXES):
            fund = _FUNDS[movement.account[:_PREFIX_LENGTH]]
            yield movement.account[_PREFIX_LENGTH:].rpartition(":")[0], movement.currency, fund, net


# --- reading

_DUE: LiteralString = """
SELECT merchant, currency, pending_due, reserve_due,
       (SELECT position FROM {schema}.projection_checkpoints WHERE projection = 'funds')
  FROM (SELECT f.merchant, f.currency,
               greatest(0, coalesce(sum(f.inflow) FILTER (
                   WHERE f.fund = 'pending' AND f.day <= %(today)s::date - t.settlement_days), 0)
                   - coalesce(sum(f.outflow) FILTER (WHERE f.fund = 'pending'), 0))::bigint AS pending_due,
               greatest(0, coalesce(sum(f.inflow) FILTER (
                   WHERE f.fund = 'reserve' AND f.day <= %(today)s::date - t.reserve_days), 0)
                   - coalesce(sum(f.outflow) FILTER (WHERE f.fund = 'reserve'), 0))::bigint AS reserve_due
          FROM {schema}.merchant_funds AS f JOIN {schema}.merchant_terms AS t USING (merchant)
         WHERE f.merchant = %(merchant)s OR %(merchant)s IS NULL
         GROUP BY f.merchant, f.currency) AS known
 WHERE (pending_due > 0 OR reserve_due > 0)
   -- A view that is far behind could name again what was released since.
   AND NOT EXISTS (
       SELECT FROM {schema}.projection_checkpoints AS c
         JOIN {schema}.events AS e ON e.notification_id = c.position + 1
        WHERE c.projection = 'funds' AND e.recorded_at < now() - interval '12 hours')
 ORDER BY merchant, currency
 LIMIT %(limit)s
"""


class DueFunds(msgspec.Struct, frozen=True):
    """What a merchant may be released, in minor units, as it was known at a position of the log."""

    merchant: str
    currency: str
    pending_due: int
    reserve_due: int
    known_at: int


async def due_funds(
    connection: AsyncConnection[Any], book: str, now: datetime, *, merchant: str | None = None, limit: int = 500
) -> list[DueFunds]:
    """What is due by the day (UTC) of `now`, of one merchant or of all of them."""
    wanted = {"today": now.astimezone(UTC).date(), "merchant": merchant, "limit": limit}
    cursor = await connection.execute(in_book(_DUE, book), wanted)
    return [DueFunds(*row) for row in await cursor.fetchall()]
