"""Interest: once a month has ended, every credit line with a debt is charged for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from commands.credit_lines import ChargeInterest
from commands.envelope import Answer, Part, own_envelope
from ledger.errors import InterestChargedAlready, InterestNotDue, Refusal
from ledger.store.connection import in_book

logger = logging.getLogger(__name__)

ACTOR = "timer"
_AT_ONCE = 100
# Accounts of one code lie side by side in the index.
_OWING = """
SELECT account FROM {schema}.balances
 WHERE account > 'sys:1220:' AND account < 'sys:1220;' AND posted_debits > posted_credits
"""


async def owing(connection: AsyncConnection[Any], book: str) -> list[tuple[str, str]]:
    """Customer and currency of every credit line of the book with a debt."""
    rows = await (await connection.execute(in_book(_OWING, book))).fetchall()
    return [_line(account) for (account,) in rows]


async def charge_interest(
    book: str, lines: Sequence[tuple[str, str]], submit: Callable[[str, Part], Awaitable[Answer]], now: datetime
) -> bool:
    """Charge these lines for the month before this one; returns whether none of them has to wait.

    As often as it is asked: each line is charged once for each month, and a line that was opened since is not.
    """
    period = f"{now.astimezone(UTC).replace(day=1) - timedelta(days=1):%Y-%m}"
    waits = False
    for at in range(0, len(lines), _AT_ONCE):
        some = lines[at : at + _AT_ONCE]
        answers = await asyncio.gather(*(submit(book, _part(*line, period)) for line in some))
        for line, answer in zip(some, answers, strict=True):
            if answer.error is not None:
                raise answer.error
            if answer.refusal is not None and not _is_settled(answer.refusal, period):
                logger.warning("the interest of %s in %s waits: %s", line, book, answer.refusal.detail)
                waits = True
    return not waits


def _is_settled(refusal: Refusal, period: str) -> bool:
    """Whether nothing is left to be charged. By the log's clock, which may be behind ours, it may be too early."""
    ahead = isinstance(refusal, InterestNotDue) and refusal.facts.get("last") == period
    return isinstance(refusal, InterestChargedAlready | InterestNotDue) and not ahead


def _line(account: str) -> tuple[str, str]:
    """Customer and currency of a principal's account."""
    _, _, customer, currency = account.split(":")
    return customer, currency.upper()


def _part(customer: str, currency: str, period: str) -> Part:
    key = f"interest/{customer}/{currency}/{period}"
    return Part(own_envelope(key, actor=ACTOR), ChargeInterest(customer, currency, period, over=True))
