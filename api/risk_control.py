"""Risk control: asks the view of signals for a payment that is to be judged, and hands codes over to be sent."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from commands.challenges import ONE_TIME_CODE, Codes, recipient_of
from commands.notifying import OneTimeCode, put_into_outbox
from commands.policies.risk import Lists, RuleSet, SignalValue
from commands.policies.risk_language import AGE
from commands.risk_lists import listed_values, lists_in
from commands.risk_rules import rules_after
from commands.risk_signals import (
    ASKED_AT,
    SEEN_UNTIL,
    Order,
    Past,
    Question,
    RiskSignals,
    Visit,
    age_in_hours,
    answered,
    asks_for_age,
    in_time,
    question_of,
)
from commands.rounds import Rounds
from ledger.events.customers import CustomerCreated, customer_stream
from ledger.events.event import Recorded
from ledger.events.risk import RULES_STREAM, list_stream
from ledger.payment import REQUIRES_ACTION
from ledger.payment_state import fold
from ledger.store import positions, read
from ledger.store.vault import Vault
from projections import risk_signals
from projections.freshness import Freshness, seen_by
from projections.risk_signals import Moment

VIEWS = (risk_signals.RiskSignals.name,)
_RULES_ARE_FRESH_S = 0.05


async def remembered(
    connection: AsyncConnection[Any], book: str, asked: Sequence[tuple[Question, Moment]]
) -> list[Past]:
    """What the view remembers for each of these questions, at its moment."""
    told = await risk_signals.tell(connection, book, [_in_words_of_the_view(*one) for one in asked])
    return [_past(one) for one in told]


def _in_words_of_the_view(question: Question, moment: Moment) -> risk_signals.Asked:
    return risk_signals.Asked(
        moment,
        question.currency,
        question.customer or "",
        question.keys,
        question.counted,
        question.asks_for_median,
        question.asks_for_last_visit,
    )


def _past(told: risk_signals.Told) -> Past:
    return Past(told.counts, told.median, None if told.last_place is None else Visit(*told.last_place))


class _Present:
    """What many payments of one book ask at once is asked together."""

    def __init__(self, pool: AsyncConnectionPool, book: str) -> None:
        self._pool, self._book = pool, book
        self.head: Rounds[None, int] = Rounds(self._head)
        """Where the log ends, not earlier than when it was asked."""
        self.past: Rounds[tuple[Question, Moment], Past] = Rounds(self._remembered)

    async def _head(self, asked: Sequence[None]) -> Sequence[int]:
        async with self._pool.connection() as connection:
            position, _ = await read.head(connection, self._book)
        return [position] * len(asked)

    async def _remembered(self, asked: Sequence[tuple[Question, Moment]]) -> Sequence[Past]:
        async with self._pool.connection() as connection:
            return await remembered(connection, self._book, asked)


class RiskControl:
    """One for a process and its event loop."""

    def __init__(self, pool: AsyncConnectionPool, freshness: Freshness, pepper: bytes, vault: Vault) -> None:
        self._pool, self._freshness, self._vault = pool, freshness, vault
        # book -> its rules, and until when on the loop's clock they are taken for the ones of now
        self._known_rules: dict[str, tuple[RuleSet, float]] = {}
        self._present: dict[str, _Present] = {}
        self.codes = Codes(pepper)

    async def rules(self, book: str) -> RuleSet:
        """The rules that are asked now; where another process has changed them, a moment later.

        They only say what is asked of the view. Those that a payment is judged by are read in the deciding transaction.
        """
        now = asyncio.get_running_loop().time()
        known = self._known_rules.get(book)
        if known is not None and now < known[1]:
            return known[0]
        if known is not None:
            # Whoever comes while this one looks goes by what was known.
            self._known_rules[book] = known[0], now + _RULES_ARE_FRESH_S
        async with self._pool.connection() as connection:
            changed = await read.last(connection, book, RULES_STREAM)
        rules = rules_after([] if changed is None else [changed.event])
        self._known_rules[book] = rules, now + _RULES_ARE_FRESH_S
        return rules

    def forget_rules(self, book: str) -> None:
        """They were changed here."""
        self._known_rules.pop(book, None)

    async def signals(self, book: str, payment: str, order: Order) -> RiskSignals:
        """What is known of the past of a payment that is to be created or begun, within the time that rules allow."""
        signals = await self.signals_for(book, order, await self.rules(book))
        return msgspec.structs.replace(signals, proof=self.codes.proof_of(payment, self.codes.code_for(payment)))

    async def signals_for(self, book: str, order: Order, rules: RuleSet) -> RiskSignals:
        """What these rules ask about such a payment."""
        question = question_of(rules, order).marked(partial(self._vault.mark, book))
        if not question.asked:
            return RiskSignals()
        patience_s = rules.policy.patience_ms / 1_000
        return await in_time(lambda: self._ask(book, question, patience_s), patience_s)

    async def _ask(self, book: str, question: Question, patience_s: float) -> dict[str, SignalValue]:
        present = self._present.get(book)
        if present is None:
            present = self._present[book] = _Present(self._pool, book)
        if question.needs_the_present:
            seen = await present.head.ask(None)
            await self._freshness.wait(book, VIEWS, seen, patience_s)
        else:
            async with self._pool.connection() as connection:
                seen = await seen_by(connection, book, VIEWS, None)
        now = datetime.now(UTC)
        values = answered(question, await present.past.ask((question, Moment(now, seen))), now)
        return values | {ASKED_AT: now.isoformat(), SEEN_UNTIL: seen}

    async def lists(self, book: str, order: Order) -> Lists:
        """On which lists the values of such a payment stand."""
        values = listed_values(order.customer, order.method, order.client)
        async with self._pool.connection() as connection:
            found = await positions.streams(connection, book, [list_stream(*value) for value in values])
        histories = {value: [recorded.event for recorded in found[list_stream(*value)]] for value in values}
        return lists_in(histories, datetime.now(UTC))

    async def age(self, book: str, order: Order, rules: RuleSet) -> dict[str, SignalValue]:
        """How old the customer's account is, if the rules ask."""
        if not asks_for_age(rules, order.product):
            return {}
        async with self._pool.connection() as connection:
            customer = await read.event(connection, book, customer_stream(order.customer or ""), 1)
        return {AGE: age_in_hours(None if customer is None else customer.recorded_at, datetime.now(UTC))}

    async def hand_over_code(self, book: str, payment: str) -> None:
        """Have the payer sent his code, if he is asked for one of ours; as often as it is called he gets it once."""
        async with self._pool.connection() as connection:
            found = fold(await read.stream(connection, book, payment))
            if found is None or found.challenge is None or found.status != REQUIRES_ACTION:
                return
            created = found.created
            stream = customer_stream(created.customer) if created.customer else ""
            customer = await read.event(connection, book, stream, 1) if stream else None
            # In its seal, where there is one: whoever sends the code opens it.
            recipient = recipient_of(created.client, _metadata(customer))
            code = OneTimeCode(payment, recipient, self.codes.code_for(payment), found.challenge.expires_at)
            await put_into_outbox(connection, book, code)


def _metadata(customer: Recorded | None) -> dict[str, str]:
    return customer.event.metadata if customer is not None and isinstance(customer.event, CustomerCreated) else {}


class _Shown(msgspec.Struct):
    """What is looked for in the body of an answer."""

    class Action(msgspec.Struct):
        type: str

    id: str
    next_action: Action | None = None


_shown_in = msgspec.json.Decoder(_Shown).decode


def asks_for_a_code(body: bytes) -> str | None:
    """The payment of this body, if its payer is asked for a code of ours."""
    shown = _shown_in(body)
    return shown.id if shown.next_action is not None and shown.next_action.type == ONE_TIME_CODE else None
