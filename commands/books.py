"""Books: what a decision may look at while a batch is decided, and what it has changed so far.

Deciders read and never write; what they decide is recorded here by the handler, so that the next decision sees it.
A value that was not read from the database yet raises NotLoaded: the handler reads it and asks the decider again,
which is harmless, because a decider is pure.
"""

from collections.abc import Callable, KeysView
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from ledger.accounts import Account, Movement, Status
from ledger.audit.leaf import sealed_entry
from ledger.errors import AccountUnknown, CurrencyMismatch, Unavailable
from ledger.events.accounts import AccountClosed, AccountFrozen, AccountLimitsChanged, AccountOpened, AccountUnfrozen
from ledger.events.approvals import ApprovalPolicyChanged
from ledger.events.customers import CustomerErased
from ledger.events.entries import EntryPosted
from ledger.events.event import Event, Metadata, Recorded
from ledger.events.holds import HoldPlaced
from ledger.events.periods import PeriodClosed, PeriodReopened
from ledger.events.transfers import TransferPosted
from ledger.personal import PERSONAL, personal_values, sealed, subject_of, with_marks
from ledger.posting_rules import movements_for
from ledger.store import codec
from ledger.store.append import Draft
from ledger.store.vault import Keeper
from ledger.tokens import masked, subjects_in

Value = TypeVar("Value")

_NOBODY = Metadata("")


class NotLoaded(Exception):
    """Something that a decider asked for has to be read first."""

    def __init__(
        self,
        *,
        account: str | None = None,
        stream: str | None = None,
        reference: str | None = None,
        end_of: str | None = None,
        behind: int | None = None,
        subject: str | None = None,
    ) -> None:
        super().__init__(account or stream or reference or end_of or behind or subject)
        self.account, self.stream, self.reference, self.end_of = account, stream, reference, end_of
        self.behind, self.subject = behind, subject


class Standing(msgspec.Struct):
    """What the writer remembers between batches beside accounts and closed periods."""

    policy: ApprovalPolicyChanged | None = None
    """What a second person has to agree to, if there is anything."""


class Books:
    """The working state of one batch, over the accounts that the writer remembers."""

    def __init__(
        self,
        accounts: dict[str, Account],
        closed_periods: set[str],
        position: int,
        now: datetime,
        standing: Standing | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.now = now
        self.keeper = keeper
        # Personal values that this decision has sealed, and their tokens: its answer is kept with these.
        self.tokens: dict[str, str] = {}
        self.standing = standing or Standing()
        self.draft = Draft()
        self.position = position
        self.closed_periods = closed_periods
        self._known = accounts
        self._missing: set[str] = set()
        self._streams: dict[str, list[Recorded]] = {}
        self._latest: dict[str, Recorded | None] = {}
        self._unread: dict[str, list[Recorded]] = {}
        self._references: dict[str, str | None] = {}
        # What the log holds behind a position; nothing is held behind its end.
        self._tail_behind = position
        self._tail: list[Recorded] | None = []
        # What takes each change back, as a function and its arguments: cheaper than closures, and there are many.
        self._undo: list[tuple[Any, ...]] = []

    # --- what deciders read

    def find_account(self, account: str) -> Account | None:
        """The account as it stands, or None if there is none."""
        found = self._known.get(account)
        if found is not None:
            return found
        if account in self._missing:
            return None
        raise NotLoaded(account=account)

    def account(self, account: str, pointer: str | None = None) -> Account:
        """The account as it stands; raises AccountUnknown."""
        found = self._known.get(account) or self.find_account(account)
        if found is None:
            raise AccountUnknown(f"There is no account {account} in this book.", pointer=pointer, account=account)
        return found

    def recorded(self, stream: str) -> list[Recorded]:
        """All that was recorded in a stream, oldest first."""
        if stream not in self._streams:
            raise NotLoaded(stream=stream)
        return self._streams[stream]

    def history(self, stream: str) -> list[Event]:
        """All events of a stream, oldest first."""
        return [recorded.event for recorded in self.recorded(stream)]

    def latest(self, stream: str) -> Recorded | None:
        """The last event of a stream whose events each tell the whole state; None if it has none."""
        known = self._streams.get(stream) or self._unread.get(stream)
        if known:
            return known[-1]
        if stream in self._streams:
            return None
        if stream not in self._latest:
            raise NotLoaded(end_of=stream)
        return self._latest[stream]

    def reference_holder(self, reference: str) -> str | None:
        """The entry that carries this reference, if one does."""
        if reference not in self._references:
            raise NotLoaded(reference=reference)
        return self._references[reference]

    def recorded_behind(self, position: int) -> list[Recorded]:
        """Everything that was recorded behind this position, in its order; raises Unavailable where that is much."""
        if position < self._tail_behind:
            raise NotLoaded(behind=position)
        if self._tail is None:
            raise Unavailable("Too much was recorded in the meantime.")
        draft = self.draft
        columns = zip(draft.streams, draft.versions, draft.topics, draft.states, strict=True)
        decided = [
            Recorded(stream, version, self.position + number, self.now, codec.decode(topic, state), _NOBODY)
            for number, (stream, version, topic, state) in enumerate(columns, 1)
        ]
        return [recorded for recorded in (*self._tail, *decided) if recorded.position > position]

    def opened(self, value: Value) -> Value:
        """A recorded event, or a part of one, with every personal value in it as it was told to us."""
        if self.keeper is None:
            return value
        for subject in subjects_in(msgspec.json.encode(value)):
            self._know_key_of(subject)
        return self.keeper.opened(value)

    def is_sealed(self, subject: str) -> bool:
        """Whether there is a key that opens what was recorded of this subject."""
        self._know_key_of(subject)
        return self.keeper is not None and self.keeper.known[subject] is not None

    def stand_in(self, kind: str, value: str) -> str:
        """What stands for a personal value where only sameness matters; the value itself where nothing is sealed."""
        return value if self.keeper is None else self.keeper.vault.mark(self.keeper.book, kind, value)

    def _know_key_of(self, subject: str) -> None:
        if self.keeper is not None and subject not in self.keeper.known:
            raise NotLoaded(subject=subject)

    # --- what the handler reads for them

    @property
    def known_accounts(self) -> KeysView[str]:
        return self._known.keys()

    def load_accounts(self, found: dict[str, Account | None]) -> None:
        for name, account in found.items():
            if account is not None:
                self._known[name] = account
            else:
                self._missing.add(name)

    def load_streams(self, found: dict[str, list[Recorded]]) -> None:
        for stream, events in found.items():
            known = self._streams[stream] = self._unread.pop(stream, [])
            known[:0] = events  # The same list as before, from which a refusal takes back what was recorded.

    def load_tail(self, behind: int, found: list[Recorded] | None) -> None:
        self._tail_behind, self._tail = behind, found

    def load_latest(self, found: dict[str, Recorded | None]) -> None:
        self._latest |= found

    def load_references(self, found: dict[str, str | None]) -> None:
        self._references = found | self._references

    # --- what was decided

    def mark(self) -> int:
        """A point to come back to with `undo_to`."""
        return len(self._undo)

    def undo_to(self, mark: int) -> None:
        """Take back everything that was recorded since the mark, latest first."""
        while len(self._undo) > mark:
            take_back, *arguments = self._undo.pop()
            take_back(*arguments)

    def settle(self) -> None:
        """Let everything that was recorded so far stand: nothing before this point can be taken back."""
        self._undo.clear()

    def record(self, stream: str, event: Event, metadata: Metadata, stored_metadata: bytes) -> int:
        """Take a decided event into the state and the draft, and return its position. Raises what a limit refuses."""
        if type(event) in PERSONAL and self.keeper is not None:
            event = self._sealed(stream, event, self.keeper)
        self._move(event)
        self._regulate(stream, event)
        draft = self.draft
        known = self._streams.get(stream)
        if known is None and not stream.startswith("ent_"):
            known = self._unread.setdefault(stream, [])
        version = 1 if known is None else len(known) + 1
        if known is not None and stream not in self._streams and (last := self._latest.get(stream)) is not None:
            version += last.version  # Only its end was read.
        draft.streams.append(stream)
        draft.versions.append(version)
        draft.topics.append(event.topic)
        draft.states.append(codec.encode(event))
        draft.metadata.append(stored_metadata)
        draft.entries.append(sealed_entry(event, self.now))
        position = self.position + len(draft.streams)
        if known is not None:
            known.append(Recorded(stream, version, position, self.now, event, metadata))
        self._undo.append((self._unrecord, known))
        return position

    def _sealed(self, stream: str, event: Event, keeper: Keeper) -> Event:
        """The event with its personal values under the key of their subject, which is made where there is none."""
        values = personal_values(event)
        if not values:
            return event
        history = (self._streams.get(stream) or self._unread.get(stream) or [])[:1]
        subject = subject_of(stream, event, [recorded.event for recorded in history])
        if subject == stream and not history:
            keeper.known.setdefault(subject, None)
        self._know_key_of(subject)
        if keeper.known[subject] is None:
            self._undo.append((keeper.unmake, subject))
        cipher = keeper.cipher(subject)
        tokens = {value: cipher.close(value) for value in values}
        self.tokens |= tokens | {masked(value): masked(token) for value, token in tokens.items()}
        return sealed(with_marks(event, self.stand_in), tokens.__getitem__)

    def _unrecord(self, known: list[Recorded] | None) -> None:
        draft = self.draft
        for column in (draft.streams, draft.versions, draft.topics, draft.states, draft.metadata, draft.entries):
            column.pop()
        if known is not None:
            known.pop()

    def _move(self, event: Event) -> None:
        """Judge the event's effect on every account, then apply it: all or nothing."""
        known = self._known
        moves = []
        for movement in movements_for(event):
            account = known.get(movement.account) or self.account(movement.account)
            if account.currency != movement.currency:
                raise CurrencyMismatch(
                    f"{account.id} is kept in {account.currency}.", account=account.id, currency=account.currency
                )
            account.judge(movement)
            moves.append((account, movement))
        moved = self.draft.moved
        for account, movement in moves:
            first = movement.account not in moved
            if first:
                moved[movement.account] = account.turnover()
            self._undo.append((self._unmove, account, movement, account.outside, first))
            account.apply(movement)

    def _unmove(self, account: Account, movement: Movement, outside: bool, first: bool) -> None:
        account.undo(movement, outside)
        if first:
            del self.draft.moved[account.id]

    def _regulate(self, stream: str, event: Event) -> None:
        """What the event changes beside balances: accounts, references, periods."""
        if isinstance(event, (TransferPosted, EntryPosted, HoldPlaced)):  # by far the most, so not left to the match
            if event.reference is not None:
                self._claim(event.reference, stream)
            return
        draft = self.draft
        match event:
            case AccountOpened():
                account = Account(
                    event.id,
                    event.kind,
                    event.currency,
                    event.min_balance,
                    event.max_balance,
                    protected=event.protected,
                )
                self._known[account.id] = draft.opened[account.id] = account
                account.outside = account.breaks_limits()
                self._missing.discard(account.id)
                self._undo.append((self._unopen, account.id))
            case AccountLimitsChanged():
                self._change(event.id, min_balance=event.min_balance, max_balance=event.max_balance)
            case AccountFrozen():
                self._change(event.id, status=Status.FROZEN)
            case AccountUnfrozen():
                self._change(event.id, status=Status.OPEN)
            case AccountClosed():
                self._change(event.id, status=Status.CLOSED)
            case PeriodClosed():
                self._turn(event.period, self.closed_periods.add, self.closed_periods.discard)
                self._turn_in_draft(event.period, draft.periods_closed, draft.periods_reopened)
            case ApprovalPolicyChanged():
                self._undo.append((setattr, self.standing, "policy", self.standing.policy))
                self.standing.policy = event if event.asks_for_anything else None
            case CustomerErased() if self.keeper is not None:
                self._know_key_of(stream)
                self._undo.append((self.keeper.unerase, stream, self.keeper.known[stream]))
                self.keeper.erase(stream)
            case PeriodReopened():
                self._turn(event.period, self.closed_periods.discard, self.closed_periods.add)
                self._turn_in_draft(event.period, draft.periods_reopened, draft.periods_closed)

    def _turn(self, period: str, there: Callable[[str], object], back: Callable[[str], object]) -> None:
        there(period)
        self._undo.append((back, period))

    def _turn_in_draft(self, period: str, wanted: set[str], opposite: set[str]) -> None:
        # What one batch opens and closes again has not changed in the database.
        if period in opposite:
            self._turn(period, opposite.discard, opposite.add)
        else:
            self._turn(period, wanted.add, wanted.discard)

    def _claim(self, reference: str, entry: str) -> None:
        self._references[reference] = entry
        self.draft.references[reference] = entry
        self._undo.append((self._unclaim, reference))

    def _unclaim(self, reference: str) -> None:
        self._references[reference] = None
        del self.draft.references[reference]

    def _unopen(self, account: str) -> None:
        del self._known[account], self.draft.opened[account]
        self._missing.add(account)

    def _change(self, name: str, **rules: object) -> None:
        account = self.account(name)
        before = msgspec.structs.asdict(account)
        newly = name not in self.draft.rules_changed
        for rule, value in rules.items():
            setattr(account, rule, value)
        account.outside = account.breaks_limits()
        self.draft.rules_changed[name] = account
        self._undo.append((self._unchange, account, before, newly))

    def _unchange(self, account: Account, before: dict[str, object], newly: bool) -> None:
        for field in ("min_balance", "max_balance", "status", "outside"):
            setattr(account, field, before[field])
        if newly:
            del self.draft.rules_changed[account.id]
