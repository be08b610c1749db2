"""Control accounts: does what is open in each sub-ledger come to the balance of the accounts that control it?

1110  open items of channels (receivable_items)      1120  batches that channels pay (settlement_batches)
1230, 2020, 2140, 2210, 2220, 2230                   what is open by events alone (sub_ledgers)
"""

from collections import defaultdict
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.accounts import DEBIT_NORMAL
from ledger.chart import Code, code_of
from ledger.errors import NotCaughtUp
from ledger.posting_rules import movements_for
from ledger.store import read
from ledger.store.connection import in_book
from ledger.sub_ledgers import CONTROLS
from projections.receivable_items import ReceivableItems
from projections.settlement_batches import SettlementBatches
from projections.sub_ledgers import SubLedgers

VIEWS = (ReceivableItems.name, SettlementBatches.name, SubLedgers.name)
_FARTHEST_BEHIND = 20_000
_MOST_SHOWN = 100

# Each gives: account, currency, how much is open, in how many items. `codes` are the prefixes of its accounts.
_RECEIVABLE: LiteralString = """
SELECT 'sys:1110:' || channel || ':' || lower(currency), currency, sum(net)::bigint, count(*)
  FROM {schema}.receivable_items WHERE status = 'open' GROUP BY channel, currency
"""
_BATCHES: LiteralString = """
SELECT account, currency, due, (due <> 0)::integer::bigint FROM {schema}.settlement_batches
"""
_ITEMS: LiteralString = """
SELECT account, currency, sum(amount)::bigint, count(*) FROM {schema}.sub_ledger_items
 WHERE amount <> 0 GROUP BY account, currency
"""
_POSITIONS = """
SELECT h.position, coalesce(c.position, 0)
  FROM {schema}.log_head AS h LEFT JOIN {schema}.projection_checkpoints AS c ON c.projection = %s AND c.version > 0
"""
_COMPARED: LiteralString = """
WITH open (account, currency, amount, items) AS ({source}),
     held AS (SELECT b.account, b.currency, CASE WHEN b.kind IN ('asset', 'expense', 'memo')
                     THEN b.posted_debits - b.posted_credits ELSE b.posted_credits - b.posted_debits END AS balance
                FROM unnest(%(from)s::text[], %(until)s::text[]) AS p (lowest, beyond)
                JOIN {schema}.balances AS b ON b.account >= p.lowest AND b.account < p.beyond),
     both_sides AS (SELECT coalesce(h.account, o.account) AS account, coalesce(h.currency, o.currency) AS currency,
                     coalesce(o.items, 0) AS items, coalesce(o.amount, 0) AS amount, coalesce(h.balance, 0) AS balance
                FROM held AS h FULL JOIN open AS o ON o.account = h.account)
SELECT substr(account, 5, 4), currency, account, items, amount, balance
  FROM both_sides WHERE amount <> balance OR account = ANY(%(touched)s)
 UNION ALL
SELECT substr(account, 5, 4), currency, '', sum(items)::bigint, sum(amount)::bigint, sum(balance)::bigint
  FROM both_sides GROUP BY 1, 2
"""


class AccountDifference(msgspec.Struct, frozen=True):
    """An account whose balance is not what is open behind it."""

    account: str
    currency: str
    open: int
    balance: int


class ControlAccount(msgspec.Struct):
    """All accounts of one code in one currency, on their normal side: `open` items and the journal's `balance`.

    `differences` are the accounts that do not agree, the first hundred of `different`.
    """

    code: str
    name: str
    currency: str
    items: int
    open: int
    balance: int
    different: int
    differences: list[AccountDifference]
    holds: bool


class ControlAccounts(msgspec.Struct, frozen=True):
    """Every sub-ledger beside its control account; `position`: how far the views had come that are the farthest behind.

    What they have not seen yet is not held against them.
    """

    holds: bool
    position: int
    controls: list[ControlAccount]


async def control_accounts(connection: AsyncConnection[Any], book: str) -> ControlAccounts:
    """All of them, each as far as its view has come; raises NotCaughtUp where one is far behind the log.

    The connection shows one moment in all of its statements.
    """
    seen: list[int] = []
    found: list[ControlAccount] = []
    for view, source, codes in (
        (ReceivableItems.name, _RECEIVABLE, (Code.CHANNEL_RECEIVABLE,)),
        (SettlementBatches.name, _BATCHES, (Code.CHANNEL_SETTLEMENT_PENDING,)),
        (SubLedgers.name, _ITEMS, CONTROLS),
    ):
        position, lines = await _compared(connection, book, view, source, codes)
        seen.append(position)
        found += lines
    found.sort(key=lambda one: (one.code, one.currency))
    return ControlAccounts(all(one.holds for one in found), min(seen), found)


async def _compared(
    connection: AsyncConnection[Any], book: str, view: str, source: LiteralString, codes: tuple[Code, ...]
) -> tuple[int, list[ControlAccount]]:
    head, seen = (await (await connection.execute(in_book(_POSITIONS, book), (view,))).fetchall())[0]
    if head - seen > _FARTHEST_BEHIND:
        raise NotCaughtUp(position=seen, head=head)
    prefixes = [f"sys:{code.number}:" for code in codes]
    unseen = await _unseen(connection, book, seen, tuple(prefixes))
    wanted = {
        "from": prefixes,
        "until": [f"sys:{code.number};" for code in codes],  # Behind all that goes on with a colon.
        "touched": list(unseen),
    }
    statement = in_book(_COMPARED.replace("{source}", source), book)
    rows = await (await connection.execute(statement, wanted)).fetchall()
    sums = {
        (code, currency): [items, amount, balance]
        for code, currency, account, items, amount, balance in rows
        if not account
    }
    different: list[tuple[str, AccountDifference]] = []
    for code, currency, account, _, amount, balance in rows:
        if account:
            # The balances are those of the log's end.
            later = unseen.get(account, 0)
            sums[code, currency][2] -= later
            if amount != balance - later:
                different.append((code, AccountDifference(account, currency, amount, balance - later)))
    return seen, [_control(*place, figures, different) for place, figures in sorted(sums.items())]


def _control(
    number: str, currency: str, figures: list[int], different: list[tuple[str, AccountDifference]]
) -> ControlAccount:
    items, amount, balance = figures
    differences = [one for code, one in different if (code, one.currency) == (number, currency)]
    differences.sort(key=lambda one: one.account)
    name = code_of(f"sys:{number}:").title
    shown = differences[:_MOST_SHOWN]
    return ControlAccount(number, name, currency, items, amount, balance, len(differences), shown, not differences)


async def _unseen(connection: AsyncConnection[Any], book: str, seen: int, prefixes: tuple[str, ...]) -> dict[str, int]:
    """What the log has moved behind a position, by account, on the normal side of it."""
    moved: defaultdict[str, int] = defaultdict(int)
    unseen, _ = await read.log(connection, book, after=seen, limit=_FARTHEST_BEHIND)
    for recorded in unseen:
        for move in movements_for(recorded.event):
            if move.account.startswith(prefixes):
                net = move.debit - move.credit
                debit_normal = code_of(move.account).kind in DEBIT_NORMAL
                moved[move.account] += net if debit_normal else -net
    return moved
