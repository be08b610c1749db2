"""Timers: what happens because time has passed. Holds are let go, and orders that nobody paid in time are closed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from commands.cancellations import ExpirePayment
from commands.contracts import ExpireContract
from commands.envelope import Answer, Command, Part, own_envelope
from commands.holds import ExpireHold
from commands.reviews import CloseOverdueReview
from commands.scheduled_payments import SendScheduledPayment
from ledger.errors import ContractNotDue, HoldNotActive, PaymentNotDue, PaymentStateInvalid, Refusal, ReviewNotDue
from ledger.ids import PAYMENT, REVIEW

logger = logging.getLogger(__name__)

ACTOR = "timer"
Submit = Callable[[str, Part], Awaitable[Answer]]


class DueHolds(Protocol):
    """Who knows which holds are due: a view, which may be behind. The decision looks again."""

    async def __call__(self, book: str, now: datetime) -> Sequence[str]:
        """The ids of active holds of this book whose time has run out by now; as many as one round shall take."""


class DuePayments(Protocol):
    """Who knows which payments are due: a view, which may be behind. The decision looks again."""

    async def __call__(self, book: str, now: datetime) -> Sequence[str]:
        """The ids of payments of this book that were not paid in time; as many as one round shall take."""


async def no_payments(book: str, now: datetime) -> Sequence[str]:
    """Where nobody knows of any."""
    return ()


async def expire_holds(book: str, due_holds: DueHolds, submit: Submit) -> Sequence[str]:
    """Let go of what is due; returns the holds that were looked at."""
    return await _let_expire(book, await due_holds(book, datetime.now(UTC)), ExpireHold, submit, HoldNotActive)


async def expire_payments(book: str, due_payments: DuePayments, submit: Submit) -> Sequence[str]:
    """Give up what nobody has paid in time; returns the payments that were looked at."""
    due = await due_payments(book, datetime.now(UTC))
    # Of one payment first the order may expire, and later what is held for it: so the key says when.
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}"
    return await _let_expire(book, due, ExpirePayment, submit, PaymentStateInvalid, moment)


async def keep_dates(book: str, due_subjects: DuePayments, submit: Submit) -> Sequence[str]:
    """Send the payments whose time has come, and end the contracts whose time is over; returns what was looked at."""
    due = await due_subjects(book, datetime.now(UTC))
    # What was postponed, or was updated, falls due once more: so the key says when.
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}"
    parts = [Part(own_envelope(f"due/{name}/{moment}", actor=ACTOR), _due(name)) for name in due]
    answers = await asyncio.gather(*(submit(book, part) for part in parts))
    for name, answer in zip(due, answers, strict=True):
        if answer.error is not None:
            raise answer.error
        if answer.refusal is not None and not isinstance(answer.refusal, ContractNotDue | PaymentNotDue | ReviewNotDue):
            logger.warning("the date of %s of %s is not kept: %s", name, book, answer.refusal.detail)
    return due


def _due(name: str) -> Command:
    if name.startswith(REVIEW):
        return CloseOverdueReview(name)
    return SendScheduledPayment(name) if name.startswith(PAYMENT) else ExpireContract(name)


async def _let_expire(
    book: str,
    due: Sequence[str],
    expire: Callable[[str], Command],
    submit: Submit,
    over: type[Refusal],
    moment: str = "",
) -> Sequence[str]:
    """Have each of these expire. `over`: the refusal of what is over already."""
    answers = await asyncio.gather(*(submit(book, _part(name, expire, moment)) for name in due))
    for name, answer in zip(due, answers, strict=True):
        if answer.error is not None:
            raise answer.error
        # Something came in between, or the view is behind; anything else is tried again in the next round.
        if answer.refusal is not None and not isinstance(answer.refusal, over):
            logger.warning("%s of %s does not expire: %s", name, book, answer.refusal.detail)
    return due


def _part(name: str, expire: Callable[[str], Command], moment: str) -> Part:
    key = f"expire/{name}/{moment}" if moment else f"expire/{name}"
    return Part(own_envelope(key, actor=ACTOR), expire(name))
