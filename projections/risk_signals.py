"""Risk signals: how often and how much was paid, declined or tried with this card, by this customer, from this address?

Each counted event leaves a row with the running count and sum for each of its keys; a window that slides is the
difference of two rows, whatever its length and however much lies in it. Asked about any moment of the log.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.dispute import OPENED
from ledger.events.authorizations import PaymentAuthorized, PaymentFrozenInWallet
from ledger.events.coins import PaymentPaidInCoins
from ledger.events.disputes import DisputeMoved
from ledger.events.event import Event, Recorded
from ledger.events.payments import (
    PaymentCaptured,
    PaymentCreated,
    PaymentFailed,
    PaymentPaidFromWallet,
    PaymentPaidOnCredit,
)
from ledger.events.refunds import RefundPaidToCredit, RefundPaidToWallet, RefundSucceeded
from ledger.ids import PAYMENT
from ledger.money import LARGEST
from ledger.risk_keys import (
    ATTEMPTS,
    DECLINES,
    DISPUTES,
    HISTORY,
    REFUNDS,
    SUCCESSES,
    VELOCITIES,
    WINDOWS,
    Place,
    keys_of_order,
    place_of,
)
from ledger.store.arrays import Bigints, Bytes, Flags, Texts
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

# What the events of a payment's stream are counted as: once for each payment, whatever attempts it took.
_COUNTED_AS: dict[str, str] = {
    PaymentCreated.topic: ATTEMPTS,
    PaymentFailed.topic: DECLINES,
    PaymentAuthorized.topic: SUCCESSES,
    PaymentFrozenInWallet.topic: SUCCESSES,
    PaymentCaptured.topic: SUCCESSES,
    PaymentPaidFromWallet.topic: SUCCESSES,
    PaymentPaidOnCredit.topic: SUCCESSES,
    PaymentPaidInCoins.topic: SUCCESSES,
    RefundSucceeded.topic: REFUNDS,
    RefundPaidToWallet.topic: REFUNDS,
    RefundPaidToCredit.topic: REFUNDS,
    DisputeMoved.topic: DISPUTES,
}
# Failures that say nothing about who pays, but that we or the channel were in trouble.
_NOBODYS_FAULT = frozenset({"try_again", "configuration", "integration"})

_PAYMENTS = "SELECT payment, position, currency, amount, keys, is_paid FROM {risk_payments} WHERE payment = ANY(%b)"
_KEEP_PAYMENTS = """
INSERT INTO {risk_payments} (payment, position, currency, amount, keys, is_paid)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::bigint[], %b::bytea[], %b::boolean[])
    ON CONFLICT (payment) DO UPDATE SET is_paid = excluded.is_paid
"""
_LAST_COUNTS = """
SELECT wanted.kind, wanted.key, wanted.what, last.nth
  FROM unnest(%b::text[], %b::text[], %b::text[]) AS wanted (kind, key, what)
 CROSS JOIN LATERAL (
       SELECT nth FROM {risk_marks} AS m
        WHERE m.kind = wanted.kind AND m.key = wanted.key AND m.what = wanted.what
        ORDER BY at DESC, position DESC LIMIT 1) AS last
"""
_LAST_TOTALS = """
SELECT wanted.kind, wanted.key, wanted.what, wanted.currency, last.total
  FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[]) AS wanted (kind, key, what, currency)
 CROSS JOIN LATERAL (
       SELECT total FROM {risk_marks} AS m
        WHERE m.kind = wanted.kind AND m.key = wanted.key AND m.what = wanted.what AND m.currency = wanted.currency
        ORDER BY at DESC, position DESC LIMIT 1) AS last
"""
_INSERT_MARKS = """
INSERT INTO {risk_marks} (kind, key, what, at, position, nth, currency, amount, total)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[]::timestamptz[], %b::bigint[], %b::bigint[],
                     %b::text[], %b::bigint[], %b::text[]::numeric[])
"""
_COPY_PLACES = "COPY {risk_places} (customer, at, position, country, latitude, longitude) FROM STDIN"

_encode = msgspec.json.Encoder().encode
_keys_in = msgspec.json.Decoder(dict[str, str]).decode

# --- writing


class _Known(msgspec.Struct):
    """What has to be known of a payment to count its later events."""

    position: int
    currency: str
    amount: int
    keys: dict[str, str]
    is_paid: bool = False


class _Mark(msgspec.Struct, frozen=True):
    kind: str
    key: str
    what: str
    at: str
    position: int
    currency: str
    amount: int


class RiskSignals(Projection):
    """Running counts and sums by key, and where customers were."""

    name = "risk_signals"
    version = 1
    tables = ("risk_marks", "risk_payments", "risk_places")
    growing = ("risk_marks", "risk_places")

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        facts = [
            recorded for recorded in page if recorded.event.topic in _COUNTED_AS and recorded.stream.startswith(PAYMENT)
        ]
        if not facts:
            return
        payments = self._recall({fact.stream for fact in facts}, cursor)
        marks, places = list[_Mark](), list[tuple[Any, ...]]()
        for fact in facts:
            event = fact.event
            if isinstance(event, PaymentCreated):
                keys = keys_of_order(event)
                payments[fact.stream] = _Known(fact.position, event.currency, event.amount, keys)
                places += _places(event, fact)
            marks += _marks(payments[fact.stream], fact)
        self._keep(payments, cursor)
        self._write_marks(marks, cursor)
        if places:
            with cursor.copy(self.statement(_COPY_PLACES)) as sink:
                for place in places:
                    sink.write_row(place)

    def _recall(self, streams: set[str], cursor: Writing) -> dict[str, _Known]:
        rows = cursor.execute(self.statement(_PAYMENTS), (Texts(sorted(streams)),), binary=True).fetchall()
        return {
            payment: _Known(position, currency, amount, _keys_in(keys), is_paid)
            for payment, position, currency, amount, keys, is_paid in rows
        }

    def _keep(self, payments: dict[str, _Known], cursor: Writing) -> None:
        kept = sorted(payments.items())
        cursor.execute(
            self.statement(_KEEP_PAYMENTS),
            (
                Texts([payment for payment, _ in kept]),
                Bigints([known.position for _, known in kept]),
                Texts([known.currency for _, known in kept]),
                Bigints([known.amount for _, known in kept]),
                Bytes([_encode(known.keys) for _, known in kept]),
                Flags([known.is_paid for _, known in kept]),
            ),
            prepare=True,
        )

    def _write_marks(self, marks: list[_Mark], cursor: Writing) -> None:
        if not marks:
            return
        counted = sorted({(mark.kind, mark.key, mark.what) for mark in marks})
        rows = cursor.execute(self.statement(_LAST_COUNTS), _columns(counted), binary=True).fetchall()
        counts = {(kind, key, what): nth for kind, key, what, nth in rows}
        summed = sorted({(mark.kind, mark.key, mark.what, mark.currency) for mark in marks})
        rows = cursor.execute(self.statement(_LAST_TOTALS), _columns(summed), binary=True).fetchall()
        totals = {(kind, key, what, currency): int(total) for kind, key, what, currency, total in rows}
        new = list[tuple[Any, ...]]()
        for mark in marks:
            counter = (mark.kind, mark.key, mark.what)
            counts[counter] = nth = counts.get(counter, 0) + 1
            sum_ = (*counter, mark.currency)
            totals[sum_] = total = totals.get(sum_, 0) + mark.amount
            new.append((*counter, mark.at, mark.position, nth, mark.currency, mark.amount, str(total)))
        cursor.execute(self.statement(_INSERT_MARKS), _columns(new), prepare=True)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[Texts | Bigints]:
    """Rows of texts and whole numbers, of which there is one at least, as columns."""
    return [Texts(column) if isinstance(column[0], str) else Bigints(column) for column in zip(*rows, strict=True)]


def _marks(payment: _Known, fact: Recorded) -> list[_Mark]:
    what, amount = _COUNTED_AS[fact.event.topic], payment.amount
    if what == DECLINES and _is_nobodys_fault(fact.event):
        return []
    if what == DISPUTES and not _is_charged_back(fact.event):
        return []
    if what == SUCCESSES:
        if payment.is_paid:
            return []
        payment.is_paid = True
    if what == REFUNDS:
        amount = getattr(fact.event, "amount", amount)
    at = fact.recorded_at.isoformat()
    return [_Mark(kind, key, what, at, fact.position, payment.currency, amount) for kind, key in payment.keys.items()]


def _is_nobodys_fault(event: Event) -> bool:
    return isinstance(event, PaymentFailed) and event.group in _NOBODYS_FAULT


def _is_charged_back(event: Event) -> bool:
    """The one word of a dispute that says so: an inquiry is none, and what follows it is the same dispute."""
    return isinstance(event, DisputeMoved) and (event.stage, event.status) == ("dispute", OPENED)


def _places(event: PaymentCreated, fact: Recorded) -> list[tuple[Any, ...]]:
    place = place_of(event.client)
    if event.customer is None or place is None:
        return []
    return [(event.customer, fact.recorded_at, fact.position, place.country, place.latitude, place.longitude)]


# --- reading

# Of many payments at once, each at a moment of its own: `number` says whose it is.
_WINDOWS_OF_ALL: LiteralString = """
SELECT wanted.number, wanted.name, coalesce(upto.nth, 0) - coalesce(before.nth, 0)
  FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::text[]::timestamptz[],
              %b::bigint[])
       AS wanted (number, name, kind, key, what, seconds, at, position)
  LEFT JOIN LATERAL (
       SELECT nth FROM {schema}.risk_marks AS m
        WHERE m.kind = wanted.kind AND m.key = wanted.key AND m.what = wanted.what
          AND m.at <= wanted.at AND m.position <= wanted.position
        ORDER BY at DESC, position DESC LIMIT 1) AS upto ON true
  LEFT JOIN LATERAL (
       SELECT nth FROM {schema}.risk_marks AS m
        WHERE m.kind = wanted.kind AND m.key = wanted.key AND m.what = wanted.what
          AND m.at <= wanted.at - make_interval(secs => wanted.seconds) AND m.position <= wanted.position
        ORDER BY at DESC, position DESC LIMIT 1) AS before ON true
"""
_SUMS_OF_ALL: LiteralString = """
SELECT wanted.number, wanted.name, coalesce(upto.total, 0) - coalesce(before.total, 0)
  FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::text[]::timestamptz[],
              %b::bigint[], %b::text[])
       AS wanted (number, name, kind, key, what, seconds, at, position, currency)
  LEFT JOIN LATERAL (
       SELECT total FROM {schema}.risk_marks AS m
        WHERE m.kind = wanted.kind AND m.key = wanted.key AND m.what = wanted.what AND m.currency = wanted.currency
          AND m.at <= wanted.at AND m.position <= wanted.position
        ORDER BY at DESC, position DESC LIMIT 1) AS upto ON true
  LEFT JOIN LATERAL (
       SELECT total FROM {schema}.risk_marks AS m
        WHERE m.kind = wanted.kind AND m.key = wanted.key AND m.what = wanted.what AND m.currency = wanted.currency
          AND m.at <= wanted.at - make_interval(secs => wanted.seconds) AND m.position <= wanted.position
        ORDER BY at DESC, position DESC LIMIT 1) AS before ON true
"""
MEDIAN_OF = 100
_MEDIANS: LiteralString = """
SELECT wanted.number, middle.amount
  FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::text[]::timestamptz[], %b::bigint[], %b::bigint[])
       AS wanted (number, customer, currency, at, position, most)
 CROSS JOIN LATERAL (
       SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY latest.amount) AS amount
         FROM (SELECT m.amount FROM {schema}.risk_marks AS m
                WHERE m.kind = 'customer' AND m.key = wanted.customer AND m.what = 'successes'
                  AND m.currency = wanted.currency AND m.at <= wanted.at AND m.position <= wanted.position
                ORDER BY m.at DESC, m.position DESC LIMIT wanted.most) AS latest) AS middle
 WHERE middle.amount IS NOT NULL
"""
_LAST_PLACES: LiteralString = """
SELECT wanted.number, last.country, last.latitude, last.longitude, last.at
  FROM unnest(%b::bigint[], %b::text[], %b::text[]::timestamptz[], %b::bigint[])
       AS wanted (number, customer, at, position)
 CROSS JOIN LATERAL (
       SELECT p.country, p.latitude, p.longitude, p.at FROM {schema}.risk_places AS p
        WHERE p.customer = wanted.customer AND p.at <= wanted.at AND p.position <= wanted.position
        ORDER BY p.at DESC, p.position DESC LIMIT 1) AS last
"""
_PAYMENTS_OF_A_RANGE: LiteralString = """
SELECT payment, position FROM {schema}.risk_payments
 WHERE position > %s AND position <= %s
 ORDER BY position LIMIT %s
"""
# Longer than any log: a history is a window without an end.
_FOR_EVER_S = 1_000 * 365 * 86_400


class Moment(msgspec.Struct, frozen=True):
    """When is asked, and up to which position the log is looked at."""

    at: datetime
    position: int = LARGEST


class Asked(msgspec.Struct, frozen=True):
    """What is asked about one payment: counts of these names, for its values by kind; the median; the last place."""

    moment: Moment
    currency: str
    customer: str = ""
    keys: Mapping[str, str] = {}
    counts: Collection[str] = ()
    median: bool = False
    last_place: bool = False


class Told(msgspec.Struct):
    """What the view says to it. Counts by name; the median is 0 where there is none."""

    counts: dict[str, int] = {}
    median: int = 0
    last_place: tuple[Place, datetime] | None = None


async def tell(connection: AsyncConnection[Any], book: str, asked: Sequence[Asked]) -> list[Told]:
    """What is known to each, in one question of each kind for all of them.

    A window ends with the moment; what happened exactly one window ago lies outside of it. Sums are of the currency
    and at most 2^63-1. The median is the lower one of the customer's last successful payments in the currency.
    """
    told = [Told() for _ in asked]
    await _tell_counts(connection, book, asked, told)
    await _tell_medians(connection, book, asked, told)
    await _tell_last_places(connection, book, asked, told)
    return told


async def _tell_counts(connection: AsyncConnection[Any], book: str, asked: Sequence[Asked], told: list[Told]) -> None:
    windows, sums = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for number, one in enumerate(asked):
        at, position = one.moment.at.isoformat(), one.moment.position
        for name in sorted(one.counts):
            if name in HISTORY:
                windows.append(
                    (number, name, "customer", one.keys["customer"], HISTORY[name], _FOR_EVER_S, at, position)
                )
                continue
            velocity = VELOCITIES[name]
            key, seconds = one.keys[velocity.kind], int(WINDOWS[velocity.window].total_seconds())
            wanted = (number, name, velocity.kind, key, velocity.what, seconds, at, position)
            if velocity.is_sum:
                sums.append((*wanted, one.currency))
            else:
                windows.append(wanted)
    for statement, rows in ((_WINDOWS_OF_ALL, windows), (_SUMS_OF_ALL, sums)):
        for number, name, value in await _answers(connection, book, statement, rows):
            told[number].counts[name] = min(LARGEST, int(value))


async def _tell_medians(connection: AsyncConnection[Any], book: str, asked: Sequence[Asked], told: list[Told]) -> None:
    rows = [
        (number, one.customer, one.currency, one.moment.at.isoformat(), one.moment.position, MEDIAN_OF)
        for number, one in enumerate(asked)
        if one.median
    ]
    for number, median in await _answers(connection, book, _MEDIANS, rows):
        told[number].median = median


async def _tell_last_places(
    connection: AsyncConnection[Any], book: str, asked: Sequence[Asked], told: list[Told]
) -> None:
    rows = [
        (number, one.customer, one.moment.at.isoformat(), one.moment.position)
        for number, one in enumerate(asked)
        if one.last_place
    ]
    for number, country, latitude, longitude, at in await _answers(connection, book, _LAST_PLACES, rows):
        told[number].last_place = Place(country, latitude, longitude), at


async def _answers(
    connection: AsyncConnection[Any], book: str, statement: LiteralString, rows: Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    if not rows:
        return []
    cursor = await connection.execute(in_book(statement, book), _columns(rows), prepare=True, binary=True)
    return await cursor.fetchall()


async def payments_between(
    connection: AsyncConnection[Any], book: str, after: int, until: int, limit: int
) -> list[tuple[str, int]]:
    """Payments that were created behind one position and not behind another, with the position of their creation."""
    rows = await (await connection.execute(in_book(_PAYMENTS_OF_A_RANGE, book), (after, until, limit))).fetchall()
    return [(payment, position) for payment, position in rows]
