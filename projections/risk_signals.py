"""Risk signals: how often and how much was paid, declined or tried with this card, by this customer, from this address?

Each counted event leaves a row with the running count and sum for each of its keys; a window that slides is the
difference of two rows, whatever its length and however much lies in it. Asked about any moment of the log.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.events.authorizations import PaymentAuthorized, PaymentFrozenInWallet
from ledger.events.coins import PaymentPaidInCoins
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
    keys_of,
    place_of,
)
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
    "disputes.opened.v1": DISPUTES,
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
_COPY_MARKS = "COPY {risk_marks} (kind, key, what, at, position, nth, currency, amount, total) FROM STDIN"
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
    at: datetime
    position: int
    currency: str
    amount: int


class RiskSignals(Projection):
    """Running counts and sums by key, and where customers were."""

    name = "risk_signals"
    version = 1
    tables = ("risk_marks", "risk_payments", "risk_places")

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
                keys = keys_of(event.customer, event.method, event.client)
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
        rows = cursor.execute(self.statement(_PAYMENTS), (sorted(streams),), binary=True).fetchall()
        return {
            payment: _Known(position, currency, amount, _keys_in(keys), is_paid)
            for payment, position, currency, amount, keys, is_paid in rows
        }

    def _keep(self, payments: dict[str, _Known], cursor: Writing) -> None:
        kept = sorted(payments.items())
        cursor.execute(
            self.statement(_KEEP_PAYMENTS),
            (
                [payment for payment, _ in kept],
                [known.position for _, known in kept],
                [known.currency for _, known in kept],
                [known.amount for _, known in kept],
                [_encode(known.keys) for _, known in kept],
                [known.is_paid for _, known in kept],
            ),
        )

    def _write_marks(self, marks: list[_Mark], cursor: Writing) -> None:
        if not marks:
            return
        counted = sorted({(mark.kind, mark.key, mark.what) for mark in marks})
        columns = [list(column) for column in zip(*counted, strict=True)]
        rows = cursor.execute(self.statement(_LAST_COUNTS), columns, binary=True).fetchall()
        counts = {(kind, key, what): nth for kind, key, what, nth in rows}
        summed = sorted({(mark.kind, mark.key, mark.what, mark.currency) for mark in marks})
        columns = [list(column) for column in zip(*summed, strict=True)]
        rows = cursor.execute(self.statement(_LAST_TOTALS), columns, binary=True).fetchall()
        totals = {(kind, key, what, currency): int(total) for kind, key, what, currency, total in rows}
        with cursor.copy(self.statement(_COPY_MARKS)) as sink:
            for mark in marks:
                counter = (mark.kind, mark.key, mark.what)
                counts[counter] = nth = counts.get(counter, 0) + 1
                sum_ = (*counter, mark.currency)
                totals[sum_] = total = totals.get(sum_, 0) + mark.amount
                sink.write_row((*counter, mark.at, mark.position, nth, mark.currency, mark.amount, total))


def _marks(payment: _Known, fact: Recorded) -> list[_Mark]:
    what, amount = _COUNTED_AS[fact.event.topic], payment.amount
    if what == DECLINES and _is_nobodys_fault(fact.event):
        return []
    if what == SUCCESSES:
        if payment.is_paid:
            return []
        payment.is_paid = True
    if what == REFUNDS:
        amount = getattr(fact.event, "amount", amount)
    return [
        _Mark(kind, key, what, fact.recorded_at, fact.position, payment.currency, amount)
        for kind, key in payment.keys.items()
    ]


def _is_nobodys_fault(event: Event) -> bool:
    return isinstance(event, PaymentFailed) and event.group in _NOBODYS_FAULT


def _places(event: PaymentCreated, fact: Recorded) -> list[tuple[Any, ...]]:
    place = place_of(event.client)
    if event.customer is None or place is None:
        return []
    return [(event.customer, fact.recorded_at, fact.position, place.country, place.latitude, place.longitude)]


# --- reading

_WINDOWS_OF_ALL: LiteralString = """
SELECT wanted.name, coalesce(upto.nth, 0) - coalesce(before.nth, 0)
  FROM unnest(%(names)s::text[], %(kinds)s::text[], %(keys)s::text[], %(whats)s::text[], %(seconds)s::bigint[])
       AS wanted (name, kind, key, what, seconds)
  LEFT JOIN LATERAL (
       SELECT nth FROM {schema}.risk_marks AS m
        WHERE m.kind = wanted.kind AND m.key = wanted.key AND m.what = wanted.what
          AND m.at <= %(at)s AND m.position <= %(position)s
        ORDER BY at DESC, position DESC LIMIT 1) AS upto ON true
  LEFT JOIN LATERAL (
       SELECT nth FROM {schema}.risk_marks AS m
        WHERE m.kind = wanted.kind AND m.key = wanted.key AND m.what = wanted.what
          AND m.at <= %(at)s - make_interval(secs => wanted.seconds) AND m.position <= %(position)s
        ORDER BY at DESC, position DESC LIMIT 1) AS before ON true
"""
_SUMS: LiteralString = """
SELECT wanted.name, coalesce(upto.total, 0) - coalesce(before.total, 0)
  FROM unnest(%(names)s::text[], %(kinds)s::text[], %(keys)s::text[], %(whats)s::text[], %(seconds)s::bigint[])
       AS wanted (name, kind, key, what, seconds)
  LEFT JOIN LATERAL (
       SELECT total FROM {schema}.risk_marks AS m
        WHERE m.kind = wanted.kind AND m.key = wanted.key AND m.what = wanted.what AND m.currency = %(currency)s
          AND m.at <= %(at)s AND m.position <= %(position)s
        ORDER BY at DESC, position DESC LIMIT 1) AS upto ON true
  LEFT JOIN LATERAL (
       SELECT total FROM {schema}.risk_marks AS m
        WHERE m.kind = wanted.kind AND m.key = wanted.key AND m.what = wanted.what AND m.currency = %(currency)s
          AND m.at <= %(at)s - make_interval(secs => wanted.seconds) AND m.position <= %(position)s
        ORDER BY at DESC, position DESC LIMIT 1) AS before ON true
"""
MEDIAN_OF = 100
_MEDIAN: LiteralString = """
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY amount)
  FROM (SELECT amount FROM {schema}.risk_marks
         WHERE kind = 'customer' AND key = %(customer)s AND what = 'successes' AND currency = %(currency)s
           AND at <= %(at)s AND position <= %(position)s
         ORDER BY at DESC, position DESC LIMIT %(limit)s) AS latest
"""
_LAST_PLACE: LiteralString = """
SELECT country, latitude, longitude, at FROM {schema}.risk_places
 WHERE customer = %(customer)s AND at <= %(at)s AND position <= %(position)s
 ORDER BY at DESC, position DESC LIMIT 1
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


async def counts(
    connection: AsyncConnection[Any],
    book: str,
    keys: Mapping[str, str],
    names: Collection[str],
    currency: str,
    moment: Moment,
) -> dict[str, int]:
    """Velocities and histories by name, for the values of one payment by kind. A window ends with the moment.

    What happened exactly one window ago lies outside of it. Sums are of this currency, at most 2^63-1.
    """
    windows, sums = list[tuple[str, str, str, str, int]](), list[tuple[str, str, str, str, int]]()
    for name in sorted(names):
        if name in HISTORY:
            windows.append((name, "customer", keys["customer"], HISTORY[name], _FOR_EVER_S))
            continue
        velocity = VELOCITIES[name]
        seconds = int(WINDOWS[velocity.window].total_seconds())
        wanted = (name, velocity.kind, keys[velocity.kind], velocity.what, seconds)
        (sums if velocity.is_sum else windows).append(wanted)
    found: dict[str, int] = {}
    for statement, asked in ((_WINDOWS_OF_ALL, windows), (_SUMS, sums)):
        if not asked:
            continue
        columns = [list(column) for column in zip(*asked, strict=True)]
        values = dict(zip(("names", "kinds", "keys", "whats", "seconds"), columns, strict=True))
        moment_values = {"at": moment.at, "position": moment.position, "currency": currency}
        cursor = await connection.execute(in_book(statement, book), {**values, **moment_values})
        found |= {name: min(LARGEST, int(value)) for name, value in await cursor.fetchall()}
    return found


async def median(connection: AsyncConnection[Any], book: str, customer: str, currency: str, moment: Moment) -> int:
    """The lower median of the customer's last successful payments in this currency, in minor units; 0 for none."""
    asked = {
        "customer": customer,
        "currency": currency,
        "at": moment.at,
        "position": moment.position,
        "limit": MEDIAN_OF,
    }
    row = await (await connection.execute(in_book(_MEDIAN, book), asked)).fetchone()
    return 0 if row is None or row[0] is None else int(row[0])


async def last_place(
    connection: AsyncConnection[Any], book: str, customer: str, moment: Moment
) -> tuple[Place, datetime] | None:
    """Where the customer last tried to pay from, and when."""
    asked = {"customer": customer, "at": moment.at, "position": moment.position}
    row = await (await connection.execute(in_book(_LAST_PLACE, book), asked)).fetchone()
    return None if row is None else (Place(row[0], row[1], row[2]), row[3])


async def payments_between(
    connection: AsyncConnection[Any], book: str, after: int, until: int, limit: int
) -> list[tuple[str, int]]:
    """Payments that were created behind one position and not behind another, with the position of their creation."""
    rows = await (await connection.execute(in_book(_PAYMENTS_OF_A_RANGE, book), (after, until, limit))).fetchall()
    return [(payment, position) for payment, position in rows]
