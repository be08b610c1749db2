"""Bank lines: what a line of a bank's statement was about, one stream for each line.

    new ──▶ cleared | suspended ──▶ cleared        undone: new

A line is cleared by what it pays. Where nobody knows, it stands in suspense until somebody does.
"""

from hashlib import sha256
from typing import ClassVar

import msgspec

from ledger.events.event import Event
from ledger.events.settlements import RowPlace

# What a line may be cleared by.
BATCHES = "batches"
PAYOUT = "payout"
PAYOUT_RETURN = "payout_return"
REFUND = "refund"
ENTRY = "entry"
ACCOUNT = "account"


def bank_line_stream(bank_account: str, key: str) -> str:
    """The stream of one line. `key` is what tells it from every other line of the account, in whichever file it comes:
    the fingerprint of its row."""
    return f"bank_line/{bank_account}/{sha256(key.encode()).hexdigest()[:32]}"


def entry_stream(entry: str, account: str) -> str:
    """Where it is recorded which line an entry was seen by: a sweep is seen at each of the two accounts it moved."""
    return f"at_bank/{entry}/{account}"


class BankLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a bank's statement: `amount` minor units came, or below 0 left. `own`: on an account of our own money,
    not of our clients'."""

    bank_account: str
    key: str
    amount: int
    currency: str
    row: RowPlace
    own: bool = False
    reference: str = ""

    @property
    def stream(self) -> str:
        return bank_line_stream(self.bank_account, self.key)


class BatchShare(msgspec.Struct, frozen=True):
    """What a line pays of one batch: all that stood there, in minor units."""

    channel: str
    batch: str
    amount: int


class BankLineCleared(Event, frozen=True, omit_defaults=True):
    """It is known what the line was about, and the books say so.

    By batches, or by an account that somebody named, it moves money itself; by payouts, the return of one or a refund
    their own events do, and an entry had moved it before. `bank_fee` is what the bank kept of it, in any case.
    """

    topic: ClassVar[str] = "bank_lines.cleared.v1"

    line: BankLine
    by: str
    subjects: tuple[str, ...] = ()
    """The payouts, the refund, the entry or the account."""
    batches: tuple[BatchShare, ...] = ()
    bank_fee: int = 0
    reason: str = ""


class BankLineReopened(Event, frozen=True, omit_defaults=True):
    """The exact opposite of a cleared line: it was about something else."""

    topic: ClassVar[str] = "bank_lines.reopened.v1"

    cleared: BankLineCleared
    reason: str = ""


class BankLineSuspended(Event, frozen=True, omit_defaults=True):
    """Nobody knows what the line is about: it stands in suspense."""

    topic: ClassVar[str] = "bank_lines.suspended.v1"

    line: BankLine
    reason: str = ""


class BankLineRecognized(Event, frozen=True, omit_defaults=True):
    """The exact opposite of a line's suspense: what it is about follows."""

    topic: ClassVar[str] = "bank_lines.recognized.v1"

    line: BankLine
    reason: str = ""


class EntrySeenAtBank(Event, frozen=True, omit_defaults=True):
    """The bank's statement shows what this entry had moved on `account`: no other line can be about it."""

    topic: ClassVar[str] = "bank_lines.entry_seen.v1"

    entry: str
    account: str
    bank_line: str


class EntryUnseenAtBank(Event, frozen=True, omit_defaults=True):
    """The line was about something else."""

    topic: ClassVar[str] = "bank_lines.entry_unseen.v1"

    entry: str
    account: str
    bank_line: str
