"""Guarding: which commands a second person has to agree to, and how they are kept until then.

A guarded command is decided as ever; then, instead of what was decided, its request is recorded: frozen in canonical
JSON, with its digest. What is agreed to later is exactly that, decided again on the books as they are by then.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from commands.accounts import ChangeLimits
from commands.approval_policy import ChangeApprovalPolicy
from commands.books import Books
from commands.entries import PostEntry, ReverseEntry
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider
from commands.periods import ClosePeriod, ReopenPeriod
from commands.transfers import PlaceHold, PostTransfer
from ledger.approval_state import PENDING, digest_of
from ledger.errors import ApprovalRequired, PersonRequired
from ledger.events.approvals import DEFAULT_EXPIRY_S, ApprovalPolicyChanged, ApprovalRequested
from ledger.events.entries import Adjusting
from ledger.ids import APPROVAL
from ledger.journal import Direction
from ledger.periods import period_of


class ApprovalPending(Receipt):
    """Nothing was carried out: somebody else has to agree to `digest` until `expires_at`."""

    approval_id: str = ""
    status: str = PENDING
    kind: str = ""
    digest: str = ""
    expires_at: datetime | None = None


class Guard(msgspec.Struct, frozen=True):
    """What is known of one kind of command that may need a second person.

    `always`: whatever the policy says. `by_policy`: where a policy is in force. `administrator`: only one may agree.
    """

    kind: str
    command: type[Command]
    by_policy: Callable[[ApprovalPolicyChanged, Any], bool] = lambda policy, command: False
    always: Callable[[Any], bool] = lambda command: False
    administrator: bool = False
    period: Callable[[Any], str] = lambda command: ""
    freeze: Callable[[Any], Any] = lambda command: command
    thaw: Callable[[str], Command] | None = None

    def frozen(self, command: Command) -> str:
        """The command in canonical JSON."""
        return msgspec.json.encode(self.freeze(command)).decode()

    def thawed(self, frozen: str) -> Command:
        """The command that was frozen so; raises msgspec.ValidationError for what is none."""
        return msgspec.json.decode(frozen, type=self.command) if self.thaw is None else self.thaw(frozen)


def _exceeds(limits: dict[str, int] | None, currency: str, amount: int) -> bool:
    return limits is not None and amount > limits.get(currency, 0)


def _moves_much(policy: ApprovalPolicyChanged, command: PostTransfer | PlaceHold) -> bool:
    return _exceeds(policy.transfers, command.currency, command.amount)


def _posts_much(policy: ApprovalPolicyChanged, command: PostEntry) -> bool:
    debits: dict[str, int] = {}
    for posting in command.postings:
        if posting.direction == Direction.DEBIT:
            debits[posting.currency] = debits.get(posting.currency, 0) + posting.amount
    return any(_exceeds(policy.entries, currency, amount) for currency, amount in debits.items())


def _period_at(stated: datetime | None) -> str:
    return "" if stated is None else period_of(stated)


def _period_of_entry(command: PostEntry | ReverseEntry) -> str:
    if command.adjusting is not None:
        return command.adjusting.period
    return _period_at(command.effective_at if isinstance(command.effective_at, datetime) else None)


class _FrozenReversal(msgspec.Struct):
    """A reversal as JSON has it: there a time and the word `original` are both texts."""

    id: str
    entry: str
    reason: str
    amount: int | None = None
    effective_at: str | None = None
    adjusting: dict[str, str] | None = None


def _thaw_reversal(frozen: str) -> Command:
    stored = msgspec.json.decode(frozen, type=_FrozenReversal)
    values = msgspec.structs.asdict(stored)
    if stored.effective_at not in (None, "original"):
        values["effective_at"] = msgspec.convert(stored.effective_at, datetime)
    if stored.adjusting is not None:
        values["adjusting"] = msgspec.convert(stored.adjusting, Adjusting)
    return ReverseEntry(**values)


GUARDS: tuple[Guard, ...] = (
    Guard("transfers.post", PostTransfer, _moves_much, period=lambda command: _period_at(command.effective_at)),
    Guard("holds.place", PlaceHold, _moves_much),
    Guard(
        "entries.post",
        PostEntry,
        _posts_much,
        always=lambda command: command.adjusting is not None,
        period=_period_of_entry,
    ),
    Guard(
        "entries.reverse",
        ReverseEntry,
        lambda policy, command: policy.reversals,
        always=lambda command: command.adjusting is not None,
        period=_period_of_entry,
        thaw=_thaw_reversal,
    ),
    Guard("accounts.change_limits", ChangeLimits, lambda policy, command: policy.account_limits),
    Guard(
        "periods.close",
        ClosePeriod,
        always=lambda command: bool(command.override),
        administrator=True,
        # What it goes by is looked up anew when it is carried out.
        freeze=lambda command: replace(command, evidence=None),
    ),
    Guard("periods.reopen", ReopenPeriod, always=lambda command: True, administrator=True),
    Guard("approvals.change_policy", ChangeApprovalPolicy, lambda policy, command: True, administrator=True),
)
BY_KIND = {guard.kind: guard for guard in GUARDS}


def guarded(deciders: dict[type[Command], Decider]) -> dict[type[Command], Decider]:
    """The deciders of what may need a second person, each with its guard before it."""
    found = {guard.command: (deciders[guard.command], guard) for guard in GUARDS}
    return {command: replace(decider, decide=_behind(guard, decider)) for command, (decider, guard) in found.items()}


def _behind(guard: Guard, decider: Decider) -> Callable[[Books, Any, Envelope], Decision]:
    decide, always, by_policy = decider.decide, guard.always, guard.by_policy

    def decide_or_ask(books: Books, command: Any, envelope: Envelope) -> Decision:
        decision = decide(books, command, envelope)
        policy = books.standing.policy
        if not always(command) and (policy is None or not by_policy(policy, command)):
            return decision
        # Who rehearses sees what it would do once somebody has agreed.
        return decision if envelope.dry_run else _requested(books, guard, command, envelope)

    return decide_or_ask


def _requested(books: Books, guard: Guard, command: Command, envelope: Envelope) -> Decision:
    if not envelope.may_wait:
        raise ApprovalRequired(kind=guard.kind)
    policy = books.standing.policy
    if policy is not None and policy.only_persons and not envelope.person:
        raise PersonRequired
    # A key stands for one request in a book, for ever.
    name = APPROVAL + hashlib.sha256(f"approval\0{envelope.key}".encode()).hexdigest()[:32]
    frozen = guard.frozen(command)
    lasts_s = DEFAULT_EXPIRY_S if policy is None else policy.expire_after_s
    requested = ApprovalRequested(
        id=name,
        kind=guard.kind,
        command=frozen,
        digest=digest_of(guard.kind, frozen),
        maker=envelope.who,
        expires_at=books.now + timedelta(seconds=lasts_s),
        administrator=envelope.administrator,
        period=guard.period(command),
    )
    receipt = ApprovalPending(
        approval_id=name, kind=guard.kind, digest=requested.digest, expires_at=requested.expires_at
    )
    return Decision([(name, requested)], receipt, status=202)
