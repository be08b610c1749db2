"""Fund releases: what merchants have sold becomes available by itself, once it has waited as long as was agreed."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from commands.envelope import Part, own_envelope
from commands.funds import ReleaseFunds
from commands.processes.timers import ACTOR, Submit
from ledger.errors import ReleaseOvertaken

logger = logging.getLogger(__name__)


class DueReleases(Protocol):
    """Who knows what is due: a view, which may be behind. A decision that it did not know of overtakes it."""

    async def __call__(self, book: str, now: datetime) -> Sequence[ReleaseFunds]:
        """What may be released in this book by now, as many as one round shall take."""


async def no_releases(book: str, now: datetime) -> Sequence[ReleaseFunds]:
    """Where nobody knows of any."""
    return ()


async def release_funds(book: str, due_releases: DueReleases, submit: Submit) -> Sequence[ReleaseFunds]:
    """Release what is due; returns what was looked at."""
    due = await due_releases(book, datetime.now(UTC))
    answers = await asyncio.gather(*(submit(book, _part(release)) for release in due))
    for release, answer in zip(due, answers, strict=True):
        if answer.error is not None:
            raise answer.error
        if answer.refusal is not None and not isinstance(answer.refusal, ReleaseOvertaken):
            logger.warning("the funds of %s of %s are not released: %s", release.merchant, book, answer.refusal.detail)
    return due


def _part(release: ReleaseFunds) -> Part:
    # Known at the same position, it is the same release.
    key = f"release/{release.merchant}/{release.currency}/{release.known_at}/{datetime.now(UTC).date()}"
    return Part(own_envelope(key, actor=ACTOR), release)
