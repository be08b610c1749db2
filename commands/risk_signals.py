"""Risk signals: what the write side asks about the past of a payment, and the values that come with the command.

A decider looks nothing up: what a view knows is asked for before, under a time limit, and recorded with the decision.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import cached_property
from typing import Protocol

import msgspec

from commands.policies.risk import RuleSet, SignalValue, signals_of
from commands.policies.risk_language import AGE, MEDIAN, PAST, TRAVEL
from commands.policies.travel import NOT_KNOWN, distance_km, speed_kmh
from ledger.events.payments import Method
from ledger.risk_keys import HISTORY, MARKED, VELOCITIES, Place, keys_of, place_of

logger = logging.getLogger(__name__)

# When the view was asked, and up to which position it had read: with them the same can be asked again later.
ASKED_AT = "asked_at"
SEEN_UNTIL = "seen_until"
_COUNTED = frozenset({*VELOCITIES, *HISTORY})
_OF_THE_PRESENT = frozenset({*VELOCITIES, *TRAVEL})


class RiskSignals(msgspec.Struct, frozen=True):
    """What comes with a command about the past. `trouble`: why signals that the rules ask for are not there.

    `proof` is that of the code which the payer will be sent if he is challenged.
    """

    values: dict[str, SignalValue] = {}
    trouble: str = ""
    proof: str = ""


class Visit(msgspec.Struct, frozen=True):
    """Where the customer paid from last, and when."""

    place: Place
    at: datetime


class Past(msgspec.Struct, frozen=True):
    """What a view, asked about one moment, remembers for a question. Counts and sums by name.

    `median`: of the customer's last successful payments, in minor units; 0 where there is none.
    """

    counts: dict[str, int] = {}
    median: int = 0
    last_visit: Visit | None = None


class Question(msgspec.Struct, frozen=True, dict=True):
    """What is asked about a payment that is to be judged. Amount in minor units."""

    names: frozenset[str]
    customer: str | None
    method: Method
    amount: int
    currency: str
    client: dict[str, str]
    marks: dict[str, str] = {}
    """What a view knows values by that are sealed, by kind."""

    @cached_property
    def keys(self) -> dict[str, str]:
        """The value of each kind that the payment has, or its mark."""
        return keys_of(self.customer, self.method, self.client) | self.marks

    def marked(self, stand_in: Callable[[str, str], str]) -> "Question":
        """The same question, with what stands for values of the payer: of kind and value."""
        if self.marks:
            return self
        return msgspec.structs.replace(
            self, marks={kind: stand_in(kind, value) for kind, value in self.keys.items() if kind in MARKED}
        )

    @cached_property
    def place(self) -> Place | None:
        """Where the payer says to be."""
        return place_of(self.client)

    @cached_property
    def asked(self) -> frozenset[str]:
        """The names that somebody has to look up: a payment without an address made no attempts from one either."""
        return frozenset(self.names - self.certain.keys())

    @cached_property
    def certain(self) -> dict[str, SignalValue]:
        """The values that nobody has to be asked for, because the payment does not have what they are about."""
        values: dict[str, SignalValue] = {
            name: 0 for name in self.names & VELOCITIES.keys() if VELOCITIES[name].kind not in self.keys
        }
        if self.customer is None:
            values |= dict.fromkeys(self.names & (HISTORY.keys() | MEDIAN), 0)
        if self.customer is None or self.place is None:
            values |= dict.fromkeys(self.names & TRAVEL, NOT_KNOWN)
        return values

    @property
    def counted(self) -> frozenset[str]:
        """The velocities and histories among what is asked."""
        return self.asked & _COUNTED

    @property
    def asks_for_median(self) -> bool:
        return bool(self.asked & MEDIAN)

    @property
    def asks_for_last_visit(self) -> bool:
        return bool(self.asked & TRAVEL)

    @property
    def needs_the_present(self) -> bool:
        """Whether the view has to have read the whole log: what happened a second ago counts in a velocity."""
        return bool(self.asked & _OF_THE_PRESENT)


class Order(Protocol):
    """What asks to be judged: a payment that was created, or the command to create one."""

    @property
    def product(self) -> str:
        """The name of the product."""

    @property
    def customer(self) -> str | None:
        """Who pays, if that is known."""

    @property
    def method(self) -> Method:
        """How it is paid."""

    @property
    def amount(self) -> int:
        """Minor units."""

    @property
    def currency(self) -> str:
        """Of the amount."""

    @property
    def client(self) -> dict[str, str]:
        """What is told of the payer's end of the line."""


def question_of(rules: RuleSet, order: Order) -> Question:
    """What these rules ask about such a payment."""
    names = signals_of(rules, order.product) & PAST
    marks: dict[str, str] = getattr(order, "marks", {})
    return Question(names, order.customer, order.method, order.amount, order.currency, order.client, marks)


def answered(question: Question, past: Past, now: datetime) -> dict[str, SignalValue]:
    """A value for each name that is asked."""
    values: dict[str, SignalValue] = dict(past.counts)
    if question.asks_for_median:
        median = past.median
        values |= {"customer_median": median, "amount_ratio": question.amount * 100 // median if median else 0}
    if question.asks_for_last_visit and question.place is not None:
        values |= _travelled(question.place, past.last_visit, now)
    return {name: value for name, value in values.items() if name in question.asked}


def _travelled(here: Place, last: Visit | None, now: datetime) -> dict[str, int]:
    distance = NOT_KNOWN if last is None else distance_km(last.place, here)
    return {"distance_km": distance, "speed_kmh": NOT_KNOWN if last is None else speed_kmh(distance, last.at, now)}


async def in_time(asking: Callable[[], Awaitable[dict[str, SignalValue]]], patience_s: float) -> RiskSignals:
    """What is answered within this time; what takes longer, or fails, is told as trouble and keeps nobody waiting.

    Not with `asyncio.timeout`: a question that is cancelled asks the database to stop, and waits for that as well.
    """
    task = asyncio.ensure_future(asking())
    try:
        await asyncio.wait((task,), timeout=patience_s)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not task.done():
        task.cancel()
        task.add_done_callback(lambda late: late.cancelled() or late.exception())
        return RiskSignals(trouble="no answer in time")
    error = task.exception()
    if error is None:
        return RiskSignals(task.result())
    logger.info("risk signals are not there: %r", error)
    return RiskSignals(trouble="no answer")


def age_in_hours(created_at: datetime | None, now: datetime) -> int:
    """Whole hours since then; NOT_KNOWN without a time."""
    return NOT_KNOWN if created_at is None else int((now - created_at).total_seconds()) // 3_600


def asks_for_age(rules: RuleSet, product: str) -> bool:
    return AGE in signals_of(rules, product)
