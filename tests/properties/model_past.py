"""What the model remembers of the past: how every account stood after each position, and what took effect when."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tests.properties.model_state import Change, Turnover


@dataclass(frozen=True)
class _Effect:
    """One account's part of an entry; `effective_at` is None where it took effect when it was recorded."""

    position: int
    effective_at: datetime | None
    change: Change


class Past:
    """Grows at its end only, and can be cut back to a mark."""

    def __init__(self) -> None:
        self._turnovers: list[tuple[int, str, Turnover]] = []
        self._effects: list[_Effect] = []

    def stood(self, position: int, account: str, turnover: Turnover) -> None:
        """From this position on, until it stands otherwise."""
        self._turnovers.append((position, account, turnover))

    def took_effect(self, position: int, effective_at: datetime | None, changes: list[Change]) -> None:
        self._effects += [_Effect(position, effective_at, change) for change in changes]

    def mark(self) -> Callable[[], None]:
        """A way to forget all that comes from here on."""
        turnovers, effects = len(self._turnovers), len(self._effects)

        def forget() -> None:
            del self._turnovers[turnovers:], self._effects[effects:]

        return forget

    def turnover_at(self, account: str, position: int, as_of: datetime | None = None) -> Turnover:
        """What an account's turnover was after this position; of what had taken effect until a past date, if given.

        Holds count from when they are placed, which is after every such date.
        """
        if as_of is None:
            known = [turnover for at, name, turnover in self._turnovers if name == account and at <= position]
            return known[-1] if known else (0, 0, 0, 0)
        changes = [
            effect.change
            for effect in self._effects
            if effect.position <= position and effect.effective_at is not None and effect.effective_at <= as_of
        ]
        own = [change for change in changes if change.account == account]
        return sum(change.debit for change in own), sum(change.credit for change in own), 0, 0
