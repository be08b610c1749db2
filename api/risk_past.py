"""Risk of the past: judges payments again with what was known when they were judged, by other rules than then."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from api.risk_control import remembered
from commands.policies.risk import Assessment, Lists, RuleSet, SignalValue
from commands.policies.risk_language import AGE
from commands.risk_decisions import judge
from commands.risk_signals import ASKED_AT, SEEN_UNTIL, age_in_hours, answered, asks_for_age, question_of
from ledger.events.customers import customer_stream
from ledger.events.event import Recorded
from ledger.events.payments import PaymentCreated, PaymentRiskAssessed
from ledger.store import positions, read
from ledger.store.vault import Vault
from projections.moments import just_after
from projections.risk_signals import Moment, payments_between

MOST_AT_ONCE = 1_000
DECISIONS = ("accept", "challenge", "review", "reject")
_RECORDED = ("recorded with the decision",)


class Judgement(msgspec.Struct, frozen=True):
    """A payment of the past: how it began, where it was judged, what was decided then, and what these rules say."""

    created: PaymentCreated
    position: int
    then: PaymentRiskAssessed
    now: Assessment


class JudgedAgain(msgspec.Struct, frozen=True):
    """A payment about which these rules decide: what was decided then, and the score and reasons of now."""

    payment: str
    was: str
    score: int
    reasons: tuple[str, ...]


class BacktestReport(msgspec.Struct, frozen=True):
    """How many payments were judged again, and which of them these rules would not simply have accepted.

    `next_position`: where it goes on; null at the end.
    """

    version: str
    judged: int
    challenged: tuple[JudgedAgain, ...]
    reviewed: tuple[JudgedAgain, ...]
    rejected: tuple[JudgedAgain, ...]
    next_position: int | None


async def back_test(
    connection: AsyncConnection[Any],
    book: str,
    rules: RuleSet,
    since: datetime,
    until: datetime | None,
    *,
    vault: Vault,
    after: int = 0,
    limit: int = MOST_AT_ONCE,
) -> BacktestReport:
    """Judge the payments that were created from one moment until another, behind a position."""
    first = max(after, await positions.position_before(connection, book, since))
    end = just_after(until) if until is not None else just_after(datetime.now(UTC))
    last = await positions.position_before(connection, book, end)
    judgements, next_position = await judged_again(connection, book, rules, first, last, limit, vault)
    by_decision: dict[str, list[JudgedAgain]] = {decision: [] for decision in DECISIONS}
    for one in judgements:
        told = JudgedAgain(one.created.id, one.then.decision, one.now.score, one.now.reasons)
        by_decision[one.now.decision].append(told)
    return BacktestReport(
        rules.version,
        len(judgements),
        tuple(by_decision["challenge"]),
        tuple(by_decision["review"]),
        tuple(by_decision["reject"]),
        next_position,
    )


async def judged_again(
    connection: AsyncConnection[Any],
    book: str,
    rules: RuleSet,
    first: int,
    last: int,
    limit: int = MOST_AT_ONCE,
    vault: Vault | None = None,
) -> tuple[list[Judgement], int | None]:
    """Judge payments again that were created behind one position and not behind another, and say where to go on.

    Those that never were judged are left out. Without a vault the rules do not see what the payer was and had.
    """
    found = await payments_between(connection, book, first, last, limit + 1)
    more, found = len(found) > limit, found[:limit]
    histories = await positions.streams(connection, book, [payment for payment, _ in found])
    judgements = []
    for payment, _ in found:
        case = _case(histories[payment])
        if case is not None:
            created, recorded, assessed = case
            if vault is not None:
                created = await vault.opened_value(connection, book, created)
            now = await _judged_again(connection, book, rules, created, recorded, assessed)
            judgements.append(Judgement(created, recorded.position, assessed, now))
    return judgements, found[-1][1] if more else None


def _case(history: list[Recorded]) -> tuple[PaymentCreated, Recorded, PaymentRiskAssessed] | None:
    """How a payment began, and its judgement; None for one that never was judged."""
    created = history[0].event if history else None
    for recorded in history:
        if isinstance(recorded.event, PaymentRiskAssessed) and isinstance(created, PaymentCreated):
            return created, recorded, recorded.event
    return None


async def _judged_again(
    connection: AsyncConnection[Any],
    book: str,
    rules: RuleSet,
    created: PaymentCreated,
    recorded: Recorded,
    assessed: PaymentRiskAssessed,
) -> Assessment:
    values: dict[str, SignalValue] = dict(assessed.signals)
    lists = Lists(
        allow=_RECORDED if values.pop("on_allow_list", False) else (),
        block=_RECORDED if values.pop("on_block_list", False) else (),
        review=_RECORDED if values.pop("on_review_list", False) else (),
    )
    question = question_of(rules, created)
    missing = question.asked - values.keys()
    if missing:
        asked = msgspec.structs.replace(question, names=frozenset(missing))
        moment = _moment(recorded, values)
        (past,) = await remembered(connection, book, [(asked, moment)])
        values |= answered(asked, past, moment.at)
    if AGE not in values and asks_for_age(rules, created.product):
        values[AGE] = await _age(connection, book, created.customer, recorded.recorded_at)
    return judge(rules, created, recorded.recorded_at.hour, values, lists)


def _moment(recorded: Recorded, values: dict[str, SignalValue]) -> Moment:
    """When it was judged, and what of the log was seen then."""
    asked_at, seen_until = values.get(ASKED_AT), values.get(SEEN_UNTIL)
    if isinstance(asked_at, str) and isinstance(seen_until, int):
        return Moment(datetime.fromisoformat(asked_at), seen_until)
    # Judged in the decision that created it, or else later: in front of that, it is no part of its own past.
    return Moment(recorded.recorded_at, recorded.position - (2 if recorded.version == 2 else 1))


async def _age(connection: AsyncConnection[Any], book: str, customer: str | None, then: datetime) -> int:
    created = await read.event(connection, book, customer_stream(customer), 1) if customer is not None else None
    return age_in_hours(None if created is None else created.recorded_at, then)
