"""What-if of decisions: each choice of a channel, or each judgement of risk, of the real history made by other rules.

Each is made where it was made, with what was known there; what would have followed from another one is not guessed.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from psycopg import Connection, sql

from api.risk_past import judged_again
from commands.policies.risk import RuleSet
from commands.policies.routing_rules import CompiledRules
from commands.routing_replay import replayed
from ledger.events.event import Recorded
from ledger.events.payments import PaymentCreated, PaymentRouted
from ledger.store import follow
from ledger.store.connection import Database, in_book
from ledger.store.vault import Vault
from projections.replay import PAGE, PositionNotThere, Progress
from projections.risk_signals import RiskSignals
from projections.scratch_schemas import Scratch, scratch_schema

EXAMPLES = 10
NO_CHANNEL = "no channel"

_HEAD = "SELECT position FROM {schema}.log_head"
_SEEN = """
SELECT h.position, coalesce(c.position, 0)
  FROM {schema}.log_head AS h LEFT JOIN {schema}.projection_checkpoints AS c ON c.projection = %s
"""
_TABLE = """
CREATE TABLE {}.decided_otherwise (
    payment      text   NOT NULL,
    position     bigint NOT NULL,
    was          text   NOT NULL,
    now          text   NOT NULL,
    because_then text[] NOT NULL,
    because_now  text[] NOT NULL,
    amount       bigint NOT NULL,
    currency     text   NOT NULL,
    CONSTRAINT decided_otherwise_pkey PRIMARY KEY (position)
)
"""
_COPY = "COPY {}.decided_otherwise FROM STDIN"
_WRITTEN_AT_ONCE = 1_000


class DecidedOtherwise(msgspec.Struct, frozen=True):
    """One decision that other rules would have taken otherwise, with the reasons of both. Amount in minor units."""

    payment: str
    position: int
    was: str
    now: str
    because_then: tuple[str, ...]
    because_now: tuple[str, ...]
    amount: int
    currency: str


class DecisionsReport(msgspec.Struct, frozen=True):
    """What the rules of `version` would have decided of the history up to `position`.

    `matrix`: what was decided → what would have been → how often. `money`: the amounts of the payments that are decided
    otherwise, each payment once, by currency.
    """

    book: str
    position: int
    rules: str
    version: str
    decided: int
    otherwise: int
    matrix: dict[str, dict[str, int]]
    money: dict[str, int]
    examples: list[DecidedOtherwise]
    schema: str | None = None


class _Decisions:
    """What was found so far; what differs goes to the table of the scratch schema."""

    def __init__(self, scratch: Scratch) -> None:
        self._connection, self._copy = scratch.connection, sql.SQL(_COPY).format(sql.Identifier(scratch.schema))
        self._decided = self._otherwise = 0
        self._matrix: dict[str, dict[str, int]] = {}
        self._money: dict[str, int] = {}
        self._payments: set[str] = set()
        self._examples: list[DecidedOtherwise] = []
        self._waiting: list[DecidedOtherwise] = []

    def add(self, one: DecidedOtherwise) -> None:
        """Take a decision, also one that is the same."""
        self._decided += 1
        row = self._matrix.setdefault(one.was, {})
        row[one.now] = row.get(one.now, 0) + 1
        if one.was == one.now:
            return
        self._otherwise += 1
        if one.payment not in self._payments:
            self._payments.add(one.payment)
            self._money[one.currency] = self._money.get(one.currency, 0) + one.amount
        if len(self._examples) < EXAMPLES:
            self._examples.append(one)
        self._waiting.append(one)
        if len(self._waiting) >= _WRITTEN_AT_ONCE:
            self._write()

    def _write(self) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor, cursor.copy(self._copy) as sink:
            for one in self._waiting:
                sink.write_row(
                    msgspec.structs.astuple(
                        msgspec.structs.replace(
                            one, because_then=list(one.because_then), because_now=list(one.because_now)
                        )
                    )
                )
        self._waiting.clear()

    def report(self, book: str, position: int, rules: str, version: str, keep: str | None) -> DecisionsReport:
        self._write()
        matrix = {was: dict(sorted(row.items())) for was, row in sorted(self._matrix.items())}
        money = dict(sorted(self._money.items()))
        return DecisionsReport(
            book, position, rules, version, self._decided, self._otherwise, matrix, money, self._examples, keep
        )


def _make(connection: Connection, schema: str) -> None:
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    connection.execute(sql.SQL(_TABLE).format(sql.Identifier(schema)))


@contextmanager
def _deciding(database: Database, book: str, keep: str | None) -> Iterator[_Decisions]:
    with scratch_schema(database, book, keep, make=_make) as scratch:
        yield _Decisions(scratch)


def reroute(
    database: Database,
    book: str,
    rules: CompiledRules,
    *,
    to: int | None = None,
    keep: str | None = None,
    progress: Progress = lambda done, total: None,
) -> DecisionsReport:
    """Choose each channel again by these rules, among the circuits and with the statistics that stood in the log then.

    A payment that no channel could take left no choice, and is not among them. Raises PositionNotThere, BadSchemaName.
    """
    with _deciding(database, book, keep) as decisions, database.connect() as connection:
        ((head,),) = connection.execute(in_book(_HEAD, book)).fetchall()
        until = _until(book, to, head)
        created: dict[str, PaymentCreated] = {}

        def seen() -> Iterator[Recorded]:
            for recorded in _log(connection, book, until, progress):
                if isinstance(recorded.event, PaymentCreated):
                    created[recorded.stream] = recorded.event
                yield recorded

        for recorded, now in replayed(seen(), rules):
            then, order = recorded.event, created[recorded.stream]
            if isinstance(then, PaymentRouted):
                decisions.add(
                    DecidedOtherwise(
                        recorded.stream,
                        recorded.position,
                        then.channel,
                        NO_CHANNEL if now is None else now.channel,
                        (then.because,),
                        () if now is None else (now.because,),
                        order.amount,
                        order.currency,
                    )
                )
        return decisions.report(book, until, "routing", rules.version, keep)


def rejudge(
    database: Database,
    book: str,
    rules: RuleSet,
    vault: Vault,
    *,
    to: int | None = None,
    keep: str | None = None,
    progress: Progress = lambda done, total: None,
) -> DecisionsReport:
    """Judge each payment again by these rules, with the signals that were recorded with the judgement.

    What these rules ask beside those is asked of the view of signals, as of that moment. What is sealed of the payer is
    opened, and of one who was erased it is told as erased. Raises PositionNotThere where the view has not come so far,
    BadSchemaName, WrongPepper.
    """

    async def judged(decisions: _Decisions) -> DecisionsReport:
        async with await database.connect_async() as connection:
            found = await (await connection.execute(in_book(_SEEN, book), (RiskSignals.name,))).fetchall()
            head, seen = found[0]
            until = _until(book, to, head)
            if seen < until:
                raise PositionNotThere(f"the view {RiskSignals.name} of {book} has come to {seen}, and not to {until}")
            after: int | None = 0
            while after is not None:
                judgements, after = await judged_again(connection, book, rules, after, until, vault=vault)
                for one in judgements:
                    decisions.add(
                        DecidedOtherwise(
                            one.created.id,
                            one.position,
                            one.then.decision,
                            one.now.decision,
                            one.then.reasons,
                            one.now.reasons,
                            one.created.amount,
                            one.created.currency,
                        )
                    )
                progress(until if after is None else after, until)
            return decisions.report(book, until, "risk", rules.version, keep)

    with _deciding(database, book, keep) as decisions:
        return asyncio.run(judged(decisions))


def _until(book: str, to: int | None, head: int) -> int:
    if to is not None and to > head:
        raise PositionNotThere(f"the log of {book} ends at {head}, and there is no position {to}")
    return head if to is None else to


def _log(connection: Connection, book: str, until: int, progress: Progress) -> Iterator[Recorded]:
    position = 0
    with connection.cursor() as cursor:
        while position < until:
            page = follow.page(cursor, book, after=position, limit=min(PAGE, until - position))
            yield from page
            position = page[-1].position
            progress(position, until)
