"""Safeguarding: do client money and claims cover what we owe to customers, merchants and principals, in each currency?

What is missing has to be paid in out of our own money (1010 to 1020).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from ledger.accounts import SYSTEM_PREFIX
from ledger.chart import Code
from ledger.store.connection import in_book
from projections.freshness import KnownAt
from projections.trial_balance import trial_balance

CLAIMS = (
    Code.BANK_CLIENT,
    Code.CHANNEL_RECEIVABLE,
    Code.CHANNEL_SETTLEMENT_PENDING,
    Code.CHANNEL_RESERVE,
    Code.CHANNEL_PREFUNDED,
    Code.DISPUTE_RECEIVABLE,
    # Coins are kept by ourselves: what we owe in one is covered by those of its kind, and by nothing else.
    Code.COIN_CUSTODY,
)
OBLIGATIONS = (
    Code.WALLET_AVAILABLE,
    Code.WALLET_FROZEN,
    Code.MERCHANT_PENDING,
    Code.MERCHANT_AVAILABLE,
    Code.MERCHANT_RESERVE,
    Code.MERCHANT_DISPUTE_HOLD,
    Code.REFUND_IN_TRANSIT,
    Code.PAYOUT_IN_TRANSIT,
    Code.AGENCY_IN_TRANSIT,
    Code.AGENCY_BALANCE,
    Code.UNAPPLIED_RECEIPTS,
)
_CODES = {code.number: code for code in (*CLAIMS, *OBLIGATIONS)}

# One statement, so that all balances are those of one position.
_NOW = """
SELECT h.position, substr(b.account, 5, 4), b.currency,
       sum(b.posted_debits)::numeric - sum(b.posted_credits)::numeric
  FROM {schema}.log_head AS h
  LEFT JOIN {schema}.balances AS b ON b.account >= 'sys:' AND b.account < 'sys;'
 GROUP BY 1, 2, 3
"""


class SafeguardingLine(msgspec.Struct, frozen=True):
    """All accounts of one code, on their normal side, in minor units."""

    code: str
    name: str
    balance: int


class SafeguardedCurrency(msgspec.Struct, frozen=True):
    """Client money and claims against obligations; below 0, the `difference` is what we have to pay in."""

    currency: str
    claims: int
    obligations: int
    difference: int
    holds: bool
    assets: list[SafeguardingLine]
    owed: list[SafeguardingLine]


class Safeguarding(msgspec.Struct, frozen=True):
    """Every currency in which somebody has money with us, as it is known at `position`."""

    holds: bool
    currencies: list[SafeguardedCurrency]
    position: int


async def safeguarding(
    connection: AsyncConnection[Any], book: str, *, as_of: datetime | None = None, known_at: KnownAt = None
) -> Safeguarding:
    """With what took effect until `as_of` (and at it), as it was known at `known_at`; refuses as the trial balance."""
    if as_of is None and known_at is None:
        rows = await (await connection.execute(in_book(_NOW, book))).fetchall()
        found = [(code, currency, int(net)) for _, code, currency, net in rows if code in _CODES]
        return _drawn_up(found, rows[0][0])
    drawn = await trial_balance(connection, book, as_of=as_of, known_at=known_at)
    system = (row for row in drawn.accounts if row.account.startswith(SYSTEM_PREFIX))
    nets = ((row.account[4:8], row.currency, row.debits - row.credits) for row in system)
    return _drawn_up((net for net in nets if net[0] in _CODES), drawn.position)


def _drawn_up(nets: Iterable[tuple[str, str, int]], position: int) -> Safeguarding:
    """Of debits less credits by code and currency."""
    sums: dict[str, dict[Code, int]] = {}
    for number, currency, net in nets:
        by_code = sums.setdefault(currency, {})
        by_code[_CODES[number]] = by_code.get(_CODES[number], 0) + net
    currencies = [_currency(currency, by_code) for currency, by_code in sorted(sums.items())]
    return Safeguarding(all(one.holds for one in currencies), currencies, position)


def _currency(currency: str, nets: dict[Code, int]) -> SafeguardedCurrency:
    assets = [SafeguardingLine(code.number, code.title, nets[code]) for code in CLAIMS if code in nets]
    owed = [SafeguardingLine(code.number, code.title, -nets[code]) for code in OBLIGATIONS if code in nets]
    claims, obligations = sum(line.balance for line in assets), sum(line.balance for line in owed)
    difference = claims - obligations
    return SafeguardedCurrency(currency, claims, obligations, difference, difference >= 0, assets, owed)
