"""Timers: what happens because time has passed. A hold whose time has run out is let go."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from commands.envelope import Answer, Part, own_envelope
from commands.holds import ExpireHold
from ledger.errors import HoldNotActive

logger = logging.getLogger(__name__)

ACTOR = "timer"


class DueHolds(Protocol):
    """Who knows which holds are due: a view, which may be behind. The decision looks again."""

    async def __call__(self, book: str, now: datetime) -> Sequence[str]:
        """The ids of active holds of this book whose time has run out by now; as many as one round shall take."""


async def expire_holds(
    book: str, due_holds: DueHolds, submit: Callable[[str, Part], Awaitable[Answer]]
) -> Sequence[str]:
    """Let go of what is due; returns the holds that were looked at."""
    due = await due_holds(book, datetime.now(UTC))
    answers = await asyncio.gather(*(submit(book, _part(hold)) for hold in due))
    for hold, answer in zip(due, answers, strict=True):
        if answer.error is not None:
            raise answer.error
        # Captured or released in between, or the view is behind; anything else is tried again in the next round.
        if answer.refusal is not None and not isinstance(answer.refusal, HoldNotActive):
            logger.warning("the hold %s of %s does not expire: %s", hold, book, answer.refusal.detail)
    return due


def _part(hold: str) -> Part:
    return Part(own_envelope(f"expire/{hold}", actor=ACTOR), ExpireHold(hold))
