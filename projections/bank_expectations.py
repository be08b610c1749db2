"""Bank expectations: what are the statements of our banks to show, and have not shown yet?

Runs match the lines of a statement against it: batches that channels pay, payouts, refunds, and what was told by hand.
"""

from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.bank_expectations import BankExpectation, after, steps
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

_STATES = "SELECT state FROM {bank_expectations} WHERE expectation = ANY(%b)"
# Set by value and not by change: a fact that were seen twice would change nothing.
_KEEP = """
INSERT INTO {bank_expectations} AS known (expectation, position, currency, at, is_open, state)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::timestamptz[], %b::boolean[], %b::bytea[])
    ON CONFLICT (expectation) DO UPDATE SET is_open = excluded.is_open, state = excluded.state
"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(BankExpectation).decode

# --- writing


class BankExpectations(Projection):
    """One row per expectation."""

    name = "bank_expectations"
    version = 1
    tables = ("bank_expectations",)

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        facts = [(fact, names) for fact in page if (names := [step.id for step in steps(fact)])]
        if not facts:
            return
        wanted = sorted({name for _, names in facts for name in names})
        rows = cursor.execute(self.statement(_STATES), (wanted,), binary=True).fetchall()
        known = {one.id: one for one in (_decode(state) for (state,) in rows)}
        changed: dict[str, BankExpectation] = {}
        for fact, _ in facts:
            now = after(known, fact)
            known |= now
            changed |= now
        if changed:
            kept = [changed[name] for name in sorted(changed)]
            cursor.execute(
                self.statement(_KEEP),
                (
                    [one.id for one in kept],
                    [one.position for one in kept],
                    [one.currency for one in kept],
                    [one.at for one in kept],
                    [one.status == "open" and one.amount != 0 for one in kept],
                    [_encode(one) for one in kept],
                ),
            )


# --- reading

_OPEN: LiteralString = "SELECT state FROM {schema}.bank_expectations WHERE is_open"
_IN_CURRENCY: LiteralString = " AND currency = %(currency)s"
_UNTIL: LiteralString = " AND at < %(until)s"
_IN_ORDER: LiteralString = " ORDER BY currency, at, expectation"


async def expected(
    connection: AsyncConnection[Any],
    book: str,
    *,
    currency: str | None = None,
    until: datetime | None = None,
    bank_account: str | None = None,
    own: bool = False,
) -> list[BankExpectation]:
    """What is to be seen at a bank, or at this account of it, of what was recorded before `until`.

    In the order of currency, time and id, so that the same question has the same answer.
    """
    # Only what is asked for: a condition that may be empty would keep PostgreSQL from its index.
    statement: LiteralString = _OPEN
    if currency is not None:
        statement += _IN_CURRENCY
    if until is not None:
        statement += _UNTIL
    cursor = await connection.execute(
        in_book(statement + _IN_ORDER, book), {"currency": currency, "until": until}, binary=True
    )
    found = [_decode(state) for (state,) in await cursor.fetchall()]
    if bank_account is None:
        return found
    there = [one for one in found if one.bank_account in ("", bank_account)]
    # Batches and payouts are our clients' money, wherever it is.
    return [one for one in there if one.own == own]
