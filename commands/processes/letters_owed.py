"""Letters owed: the list of letters to payers, one row for each payment that succeeded and each refund that did.

The log sets it in motion: `follow` reads it by position and commits its rows with its checkpoint, and a row stays for
ever, so nothing is owed twice. `claim` gives a letter to one sender; one that nobody settles is claimed again later.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.chart import AGENCY_PAY
from ledger.events.event import Recorded
from ledger.events.merchants import PayerLettersSwitched
from ledger.ids import PAYMENT
from ledger.payment import SUCCEEDED, Payment
from ledger.payment_state import evolve
from ledger.store import read
from ledger.store.append import recorded
from ledger.store.connection import in_book

# In positions of the log.
PAGE = 2_000
FARTHEST_BEHIND = 20_000

FRESH_FOR = timedelta(days=1)
"""What happened longer ago is no news: when the service that sends letters is set up late, nothing old is told."""
# After the n-th try that failed: about a day in all.
PAUSES_S = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 36_000)

_POSITIONS = """
SELECT c.position, h.position
  FROM {schema}.process_checkpoints AS c, {schema}.log_head AS h
 WHERE c.process = 'payer_letters'
"""
_LOCK_CHECKPOINT = "SELECT position FROM {schema}.process_checkpoints WHERE process = 'payer_letters' FOR UPDATE"
_MOVE_CHECKPOINT = "UPDATE {schema}.process_checkpoints SET position = %s WHERE process = 'payer_letters'"
_WISHES = "SELECT merchant FROM {schema}.letter_wishes"
_WISH = "INSERT INTO {schema}.letter_wishes (merchant) VALUES (%s) ON CONFLICT DO NOTHING"
_WISH_NO_MORE = "DELETE FROM {schema}.letter_wishes WHERE merchant = %s"
_READ = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE notification_id > %(after)s AND notification_id <= %(until)s
   AND (topic = %(switched)s OR (%(wished)s AND originator_id LIKE %(payments)s))
 ORDER BY notification_id
"""
_OWE = """
INSERT INTO {schema}.payer_letters (subject, payment)
SELECT * FROM unnest(%s::text[], %s::text[])
    ON CONFLICT DO NOTHING
"""
_CLAIM = """
UPDATE {schema}.payer_letters AS l
   SET claimed_at = clock_timestamp(), tries = l.tries + 1, next_at = now() + %(lease_s)s * interval '1 second'
  FROM (SELECT subject FROM {schema}.payer_letters
         WHERE state = 'due' AND next_at <= now()
         ORDER BY next_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS chosen
 WHERE l.subject = chosen.subject
RETURNING l.subject, l.payment, l.tries, l.claimed_at
"""
_SETTLE = """
UPDATE {schema}.payer_letters
   SET state = %(state)s, next_at = now() + %(pause_s)s * interval '1 second',
       sent_at = CASE WHEN %(state)s = 'sent' THEN now() END
 WHERE subject = %(subject)s AND claimed_at = %(claimed_at)s
"""

Outcome = Literal["sent", "nowhere", "not_taken"]


class Owed(msgspec.Struct, frozen=True):
    """A letter in the hands of one sender: about a payment or a refund of it; `tries` counts this one."""

    subject: str
    payment: str
    tries: int
    claimed_at: datetime


class Page(msgspec.Struct, frozen=True):
    """How far the log was read, and whether it goes on."""

    position: int
    more: bool


async def follow(connection: AsyncConnection[Any], book: str, after: int = 0) -> Page:
    """Take one page of the log into the list. `after`: how far this process has read already."""
    checkpoint, head = await _one(connection, _POSITIONS, book)
    start = after if checkpoint <= after <= head else checkpoint
    until = min(head, start + PAGE)
    if until <= start:
        return Page(start, more=False)
    wishes = {name for (name,) in await (await connection.execute(in_book(_WISHES, book))).fetchall()}
    wanted = {
        "after": start,
        "until": until,
        "switched": PayerLettersSwitched.topic,
        "wished": bool(wishes),
        "payments": PAYMENT.replace("_", r"\_") + "%",
    }
    cursor = await connection.execute(in_book(_READ, book), wanted, binary=True)
    facts = [recorded(row) for row in await cursor.fetchall()]
    if not facts and until - checkpoint < FARTHEST_BEHIND:
        return Page(until, more=until < head)
    switched = next((fact for fact in facts if isinstance(fact.event, PayerLettersSwitched)), None)
    if switched is not None:
        # From there on other payments are looked at: read up to it, and then on with it.
        until = switched.position
        facts = [fact for fact in facts if fact.position < until]
    letters = await _letters(connection, book, facts, wishes, start)
    async with connection.transaction():
        (stands,) = await _one(connection, _LOCK_CHECKPOINT, book)
        if stands != checkpoint:
            return Page(start, more=True)  # another worker was quicker: look again
        if letters:
            await connection.execute(in_book(_OWE, book), [list(column) for column in zip(*letters, strict=True)])
        if switched is not None and isinstance(switched.event, PayerLettersSwitched):
            statement = _WISH if switched.event.to_payers else _WISH_NO_MORE
            await connection.execute(in_book(statement, book), (switched.event.merchant,))
        await connection.execute(in_book(_MOVE_CHECKPOINT, book), (until,))
    return Page(until, more=until < head)


async def _letters(
    connection: AsyncConnection[Any], book: str, facts: list[Recorded], wishes: set[str], after: int
) -> list[tuple[str, str]]:
    """What these facts tell payers of, as subject and payment."""
    payments: dict[str, Payment | None] = {}
    histories = await read.beyond(connection, book, {fact.stream: 0 for fact in facts})
    for stream, history in histories.items():
        before: Payment | None = None
        for earlier in history:
            before = before if earlier.position > after else evolve(before, earlier)
        payments[stream] = before
    letters: list[tuple[str, str]] = []
    for fact in facts:
        before = payments[fact.stream]
        now = payments[fact.stream] = evolve(before, fact)
        # The money of agency pay is collected for a principal, who may be named like a merchant.
        wished = now.created.merchant in wishes and now.created.product != AGENCY_PAY
        if wished and datetime.now(UTC) - fact.recorded_at < FRESH_FOR:
            letters += [(subject, fact.stream) for subject in news(before, now)]
    return letters


def news(before: Payment | None, now: Payment) -> Iterator[str]:
    """What has succeeded by one event: the payment, or refunds of it, by their ids."""
    if now.status == SUCCEEDED and (before is None or before.status != SUCCEEDED):
        yield now.created.id
    known = () if before is None else before.refunds
    told = {refund.id for refund in known if refund.status == SUCCEEDED}
    yield from (refund.id for refund in now.refunds if refund.status == SUCCEEDED and refund.id not in told)


async def claim(connection: AsyncConnection[Any], book: str, *, limit: int, lease_s: float) -> list[Owed]:
    """Take at most `limit` letters whose time has come."""
    cursor = await connection.execute(in_book(_CLAIM, book), {"limit": limit, "lease_s": lease_s})
    return [Owed(*row) for row in await cursor.fetchall()]


async def settle(connection: AsyncConnection[Any], book: str, owed: Owed, outcome: Outcome) -> None:
    """Note what came of a try: sent, nowhere to go, due again later, or given up."""
    state: str = outcome
    pause_s = 0
    if outcome == "not_taken":
        again = owed.tries <= len(PAUSES_S)
        state, pause_s = ("due", PAUSES_S[owed.tries - 1]) if again else ("dead", 0)
    values = {"subject": owed.subject, "claimed_at": owed.claimed_at, "state": state, "pause_s": pause_s}
    await connection.execute(in_book(_SETTLE, book), values)


async def _one(connection: AsyncConnection[Any], statement: LiteralString, book: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await (await connection.execute(in_book(statement, book))).fetchone()
    if row is None:
        raise AssertionError(f"no row in {book}: {statement}")
    return row
