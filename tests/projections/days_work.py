"""A day's work: books with a bit of everything, dated back in all ways, so that the past is worth asking about."""

import random
from datetime import UTC, datetime, timedelta

from commands.accounts import OpenAccount
from commands.entries import PostEntry, ReverseEntry
from commands.envelope import Command
from commands.holds import CaptureHold, ReleaseHold
from commands.transfers import PlaceHold, PostTransfer
from ledger.ids import ENTRY, HOLD, new_id, new_ids
from ledger.journal import credit, debit
from tests.writing import Pen, part

KINDS = {"cash": "asset", "costs": "expense", "ann": "liability", "bob": "liability", "fees": "revenue"}
ACCOUNTS = {name: (kind, "EUR") for name, kind in KINDS.items()} | {
    "till": ("asset", "USD"),
    "carl": ("liability", "USD"),
}


def open_accounts(held: Pen) -> None:
    commands = [OpenAccount(name, f"The {name}", kind, currency) for name, (kind, currency) in ACCOUNTS.items()]
    answers = held.submit([part(command) for command in commands])()
    assert all(answer.refusal is None for answer in answers)


class DaysWork:
    """Random commands of one seed; some of them are refused, which is nobody's harm."""

    def __init__(self, held: Pen, seed: int) -> None:
        self._held, self._random = held, random.Random(seed)
        self._entries: list[str] = []
        self._holds: list[str] = []
        self._moments: list[datetime] = []

    def do(self, commands: int) -> None:
        """Carry them out in batches, whose events share one recorded time."""
        while commands > 0:
            batch = [self._command() for _ in range(self._random.choice((1, 1, 2, 5, 9)))]
            answers = self._held.submit([part(command) for command in batch])()
            assert not any(answer.error for answer in answers), answers
            commands -= len(batch)
            self._moments.append(datetime.now(UTC))

    def _command(self) -> Command:
        draw = self._random.random()
        if draw < 0.5 or not self._entries:
            return self._transfer()
        if draw < 0.65:
            return self._entry()
        if draw < 0.75:
            entry = self._random.choice(self._entries)
            amount = self._random.choice((None, None, 1, 5))
            if self._random.random() < 0.4:
                return ReverseEntry(new_id(ENTRY), entry, "by mistake", amount, "original")
            return ReverseEntry(new_id(ENTRY), entry, "by mistake", amount, self._moment())
        if draw < 0.88 or not self._holds:
            return self._hold()
        hold = self._random.choice(self._holds)
        if self._random.random() < 0.3:
            return ReleaseHold(hold, "not needed")
        return CaptureHold(hold, self._random.choice((None, 1, 3)), self._random.random() < 0.3)

    def _pair(self) -> tuple[str, str, str]:
        currency = self._random.choice(("EUR", "EUR", "EUR", "USD"))
        one, other = self._random.sample([name for name, (_, unit) in ACCOUNTS.items() if unit == currency], 2)
        return one, other, currency

    def _transfer(self) -> Command:
        one, other, currency = self._pair()
        name = new_id(ENTRY)
        self._entries.append(name)
        reference = f"ref-{name}" if self._random.random() < 0.2 else None
        return PostTransfer(name, one, other, self._random.randint(1, 99), currency, self._moment(), reference, "moved")

    def _entry(self) -> Command:
        name = new_id(ENTRY)
        self._entries.append(name)
        amounts = [self._random.randint(1, 50) for _ in range(self._random.randint(1, 4))]
        # One account may stand in several legs.
        sides = [self._random.choice(list(KINDS)) for _ in amounts]
        postings = (debit("cash", sum(amounts), "EUR"), *map(credit, sides, amounts, ("EUR",) * len(amounts)))
        return PostEntry(name, postings, self._moment())

    def _hold(self) -> Command:
        one, other, currency = self._pair()
        name = new_id(HOLD)
        self._holds.append(name)
        expires_at = self._random.choice((None, datetime.now(UTC) + timedelta(hours=1)))
        return PlaceHold(name, one, other, self._random.randint(1, 30), currency, expires_at, f"for-{name}")

    def _moment(self) -> datetime | None:
        """Mostly now; else a little, a lot, or exactly as long ago as something else."""
        draw = self._random.random()
        if draw < 0.6:
            return None
        if draw < 0.8 and self._moments:
            return self._random.choice(self._moments)
        # From another month, too: what is reported by month is restated.
        ages = (timedelta(microseconds=700), timedelta(milliseconds=40), timedelta(days=3), timedelta(days=45))
        ago = self._random.choice(ages)
        moment = datetime.now(UTC) - ago
        self._moments.append(moment)
        return moment


def transfers(seed: int, size: int) -> list[Command]:
    """So many transfers between the accounts in EUR, for those who need load."""
    draw, commands = random.Random(seed), list[Command]()
    for name in new_ids(ENTRY, size):
        one, other = draw.sample(list(KINDS), 2)
        commands.append(PostTransfer(name, one, other, draw.randint(1, 99), "EUR"))
    return commands
