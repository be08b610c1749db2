"""Given, when, then: a decision tried without a database.

    given(OPENED, PAID).when(Refund(…)).then(Event(…), …)
    given(…).when(…).refused(RefundExceedsPayment, refundable=0)

A story is made of commands, which are decided and recorded, of events in their streams `("pay_1", Event(…))`, which are
only recorded, and of times: a datetime moves the clock. Every event goes through the same books as in production, with
its postings judged by every account, so a story that could not have happened cannot be told.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self, TypeVar

import msgspec

from commands.books import Books, NotLoaded
from commands.deciders import DECIDERS
from commands.envelope import Command, Decision, Envelope, Told
from ledger.accounts import Account
from ledger.errors import JsonValue, Refusal
from ledger.events.accounts import AccountOpened
from ledger.events.event import Event, Metadata, Recorded
from ledger.journal import Direction
from ledger.posting_rules import entry_for

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)

Happening = Command | tuple[str, Event] | datetime
# account -> its normal-side balance in minor units
Balances = dict[str, int]
_Shape = TypeVar("_Shape")


def caller(
    administrator: bool = False, actor: str = "key_tests", person: str = "", key: str = "key", may_wait: bool = False
) -> Envelope:
    return Envelope(key, b"fingerprint", actor, administrator=administrator, person=person, may_wait=may_wait)


class Story:
    """What has happened so far, and the books that it made."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.books = Books(self.accounts, set(), 0, NOON)
        self.log: list[Recorded] = []
        self.actor = "key_tests"
        self.person = ""
        self.may_wait = False
        self._asked = 0

    def given(self, *happenings: Happening) -> Self:
        for happening in happenings:
            match happening:
                case datetime():
                    self.books.now = happening
                case Command():
                    self.carry_out(happening)
                case (stream, event):
                    self.record(stream, event)
        return self

    def by(self, actor: str, person: str = "") -> Self:
        """From here on somebody else asks: with this key, which is in these hands."""
        self.actor, self.person = actor, person
        return self

    def patiently(self) -> Self:
        """From here on who asks can be told that a second person has to agree."""
        self.may_wait = True
        return self

    def _envelope(self, administrator: bool) -> Envelope:
        self._asked += 1
        return caller(administrator, self.actor, self.person, f"key-{self._asked}", self.may_wait)

    def when(self, command: Command, administrator: bool = False) -> "Outcome":
        """Decide the command; the books stay as they are if it is refused, and take its events if it is not."""
        try:
            decision = self.carry_out(command, administrator)
        except Refusal as refusal:
            return Outcome(self, command, None, refusal)
        return Outcome(self, command, decision, None)

    def carry_out(self, command: Command, administrator: bool = False) -> Decision:
        """Decide and record, as the handler does it; raises the refusal, with nothing recorded."""
        books, mark, length = self.books, self.books.mark(), len(self.log)
        envelope = self._envelope(administrator)
        while True:
            try:
                decision = DECIDERS[type(command)].decide(books, command, envelope)
                for stream, event in decision.events:
                    self.record(stream, event)
            except NotLoaded as missing:
                self._load(missing)
            except Refusal:
                books.undo_to(mark)
                del self.log[length:]
                raise
            else:
                return decision
            books.undo_to(mark)
            del self.log[length:]

    def record(self, stream: str, event: Event) -> Recorded:
        """Take one event into the books, as the handler does it."""
        self._know(stream)
        metadata = Metadata(self.actor, person=self.person)
        while True:
            try:
                position = self.books.record(stream, event, metadata, b"{}")
            except NotLoaded as missing:
                self._load(missing)
            else:
                version = 1 + sum(recorded.stream == stream for recorded in self.log)
                recorded = Recorded(stream, version, position, self.books.now, event, metadata)
                self.log.append(recorded)
                return recorded

    def _know(self, stream: str) -> None:
        try:
            self.books.recorded(stream)
        except NotLoaded as missing:
            self._load(missing)

    def _load(self, missing: NotLoaded) -> None:
        """Nothing is stored anywhere: what is not in the books yet does not exist."""
        if missing.account is not None:
            self.books.load_accounts({missing.account: None})
        if missing.stream is not None:
            self.books.load_streams({missing.stream: [r for r in self.log if r.stream == missing.stream]})
        if missing.reference is not None:
            self.books.load_references({missing.reference: None})
        if missing.end_of is not None:
            stream = self.stream(missing.end_of)
            self.books.load_latest({missing.end_of: stream[-1] if stream else None})
        if missing.behind is not None:
            self.books.load_tail(missing.behind, [])  # All of it stands in the draft.

    # --- what the books say

    def balance(self, account: str) -> int:
        return self.accounts[account].balance if account in self.accounts else 0

    def balances(self) -> Balances:
        """Every balance that is not zero."""
        return {name: account.balance for name, account in self.accounts.items() if account.balance}

    def turnover(self) -> dict[str, tuple[int, int, int, int]]:
        return {
            name: (account.posted_debits, account.posted_credits, account.pending_debits, account.pending_credits)
            for name, account in self.accounts.items()
        }

    def stream(self, name: str) -> list[Recorded]:
        return [recorded for recorded in self.log if recorded.stream == name]


@dataclass
class Outcome:
    """What became of the command of a story."""

    story: Story
    command: Command
    decision: Decision | None
    refusal: Refusal | None

    def then(self, *events: Event) -> Self:
        """Exactly these events were recorded, in this order, beside openings of system accounts."""
        assert [event for _, event in self._decided().events if not _is_system(event)] == list(events)
        return self

    def answered(self, http_status: int | None = None, /, **fields: object) -> Self:
        """The receipt has these fields, and the decision this status."""
        decision = self._decided()
        assert http_status in (None, decision.status), decision
        told = _told(decision.receipt)
        assert {name: told.get(name) for name in fields} == fields
        return self

    def receipt(self, shape: type[_Shape]) -> _Shape:
        found = self._decided().receipt
        assert isinstance(found, shape), found
        return found

    def refused(self, kind: type[Refusal], pointer: str | None = None, **facts: JsonValue) -> Self:
        """The command was refused with this refusal, which names these facts and this field."""
        assert self.refusal is not None, f"{self.command} was carried out: {self.decision}"
        assert type(self.refusal) is kind, repr(self.refusal)
        assert {name: self.refusal.facts.get(name) for name in facts} == facts
        assert pointer is None or pointer in [error.pointer for error in self.refusal.errors], self.refusal.errors
        return self

    def _decided(self) -> Decision:
        if self.refusal is not None:
            raise AssertionError(f"{self.command} was refused") from self.refusal
        assert self.decision is not None
        return self.decision


def given(*happenings: Happening) -> Story:
    """A story that begins at noon in an empty book."""
    return Story().given(*happenings)


def _is_system(event: Event) -> bool:
    return isinstance(event, AccountOpened) and event.protected


def _told(receipt: Told) -> dict[str, object]:
    return msgspec.json.decode(msgspec.json.encode(receipt), type=dict[str, object])


def postings_of(event: Event) -> set[tuple[str, str, int]]:
    """The postings of an event as a table of MONEY: (account, D or C, amount)."""
    entry = entry_for(event)
    if entry is None:
        return set()
    return {
        (posting.account, "D" if posting.direction == Direction.DEBIT else "C", posting.amount)
        for posting in entry.postings
    }
