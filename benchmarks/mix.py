"""Mix: what is asked of the ledger. Every transfer with a key of its own, 5 % refused for want of funds, 1 % repeated.

Keys are random, as callers make them, and not in the order of time, which would be kinder to their index.
"""

import random
from collections.abc import Callable, Iterator
from uuid import UUID

import msgspec

REFUSED = 0.05
REPLAYED = 0.01
POOR = "poor"
"""The account that has nothing and may not go below zero."""
CURRENCY = "EUR"
FLOOR = -(10**15)


class Transfer(msgspec.Struct, frozen=True):
    """One transfer to ask for."""

    key: str
    debit_account: str
    credit_account: str
    amount: int


class Pattern(msgspec.Struct, frozen=True):
    """Between which accounts money moves: uniformly between `accounts` of them, or all through one of them."""

    accounts: int
    hot: bool = False

    @property
    def names(self) -> list[str]:
        return [f"wallet:{number:06}" for number in range(self.accounts)]


class Expected(msgspec.Struct):
    """How many of what was asked for must have come out how."""

    created: int = 0
    refused: int = 0
    replayed: int = 0

    @property
    def total(self) -> int:
        return self.created + self.refused + self.replayed


class Mix:
    """Draws transfers, and counts what must become of them. The same seed draws the same."""

    def __init__(self, pattern: Pattern, seed: int) -> None:
        self._names = pattern.names
        self._hot = pattern.hot
        self._random = random.Random(seed)
        self.expected = Expected()

    def batches(self, count: int, size: int) -> list[list[Transfer]]:
        """Batches of transfers; what is repeated stood in an earlier batch, because twice in one is a mistake."""
        found: list[list[Transfer]] = []
        for _ in range(count):
            earlier = found[-1] if found else []
            found.append(list(self._batch(size, earlier)))
        return found

    def _batch(self, size: int, earlier: list[Transfer]) -> Iterator[Transfer]:
        draw = self._random.random
        # Each of the batch before is repeated at most once, so that no key stands twice in a batch.
        repeatable = [transfer for transfer in earlier if transfer.debit_account != POOR]
        again = iter(self._random.sample(repeatable, min(len(repeatable), size)))
        for _ in range(size):
            chance = draw()
            if chance < REPLAYED and (repeated := next(again, None)):
                self.expected.replayed += 1
                yield repeated
            elif chance < REPLAYED + REFUSED:
                self.expected.refused += 1
                yield self._transfer(POOR)
            else:
                self.expected.created += 1
                yield self._transfer(None)

    def one_by_one(self) -> Callable[[], Transfer]:
        """A function that draws the next transfer of one caller, who repeats what it sent some time before."""
        sent: list[Transfer] = []

        def following() -> Transfer:
            (transfer,) = self._batch(1, sent[-1:])
            sent[:] = [transfer]
            return transfer

        return following

    def _transfer(self, debit_account: str | None) -> Transfer:
        names, choose = self._names, self._random
        first = names[0] if self._hot else choose.choice(names)
        second = choose.choice(names)
        while second == first:
            second = choose.choice(names)
        if self._hot and choose.random() < 0.5:
            first, second = second, first
        key = str(UUID(int=choose.getrandbits(128), version=4))
        return Transfer(key, debit_account or first, second, choose.randint(1, 10_000))
