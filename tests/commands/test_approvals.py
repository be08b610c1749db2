"""Approvals: nobody does alone what takes two, two keys of one person are one person, and what is agreed to is done."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from commands.accounts import ChangeLimits, OpenAccount
from commands.approval_policy import ChangeApprovalPolicy
from commands.approvals import CancelApproval, GiveApproval, PreviewApproval, RejectApproval
from commands.entries import PostEntry, ReverseEntry
from commands.envelope import Command
from commands.guarding import BY_KIND, GUARDS
from commands.periods import ClosePeriod, ReopenPeriod
from commands.transfers import PlaceHold, PostTransfer
from ledger.approval_state import digest_of
from ledger.errors import (
    AccountProtected,
    ApprovalExpired,
    ApprovalMismatch,
    ApprovalNotFound,
    ApprovalNotPending,
    ApprovalRequired,
    CurrencyUnknown,
    InsufficientFunds,
    MakerOnly,
    PersonRequired,
    ScopeMissing,
    SelfApproval,
)
from ledger.events import approvals as events
from ledger.events.entries import Adjusting, EntryPosted
from ledger.events.transfers import TransferPosted
from ledger.journal import Direction, Posting
from tests.commands.given import NOON, Story, given

ACCOUNTS = (
    OpenAccount("cash", "Cash", "asset", "EUR", min_balance=0),
    OpenAccount("bank", "Bank", "asset", "EUR"),
    OpenAccount("usd", "Dollars", "asset", "USD"),
    OpenAccount("usd2", "Dollars", "asset", "USD"),
)
ANN, ANNS_OTHER, BEN = ("key_ann", "ann"), ("key_ann_2", "ann"), ("key_ben", "ben")
JANUARY = NOON.replace(month=1)


def entry(amount: int, name: str = "ent_big", currency: str = "EUR", **more: Any) -> PostEntry:
    debit, credit = ("cash", "bank") if currency == "EUR" else ("usd", "usd2")
    postings = (
        Posting(debit, Direction.DEBIT, amount, currency),
        Posting(credit, Direction.CREDIT, amount, currency),
    )
    return PostEntry(name, postings, **more)


def under(**policy: Any) -> Story:
    """A book in which this policy is in force; Ann asks."""
    story = given(*ACCOUNTS).patiently().by(*ANN)
    story.when(ChangeApprovalPolicy("auditor", **policy)).answered(200, version=1)
    return story


def asked(story: Story, command: Command, administrator: bool = False) -> tuple[str, str]:
    """The id and the digest of the approval that the command waits for."""
    told = story.when(command, administrator).answered(202, status="pending")
    body = msgspec.to_builtins(told.receipt(msgspec.Struct))
    return body["approval_id"], body["digest"]


@pytest.mark.parametrize(
    ("policy", "command", "waits"),
    [
        ({}, entry(1_000_000), False),
        ({"entries": {"EUR": 100}}, entry(100), False),
        ({"entries": {"EUR": 100}}, entry(101), True),
        ({"entries": {"EUR": 100}}, entry(1, currency="USD"), True),
        ({"entries": {}}, entry(1), True),
        ({"transfers": {"EUR": 100}}, entry(101), False),
        ({"transfers": {"EUR": 100}}, PostTransfer("ent_t", "cash", "bank", 100, "EUR"), False),
        ({"transfers": {"EUR": 100}}, PostTransfer("ent_t", "cash", "bank", 101, "EUR"), True),
        ({"transfers": {"EUR": 100}}, PlaceHold("hold_t", "bank", "cash", 101, "EUR"), True),
        ({"reversals": True}, ReverseEntry("ent_r", "ent_0", "mistake"), True),
        ({"entries": {"EUR": 100}}, ReverseEntry("ent_r", "ent_0", "mistake"), False),
        ({"account_limits": True}, ChangeLimits("cash", None, 5_000), True),
        ({"reversals": True}, ChangeLimits("cash", None, 5_000), False),
        ({"reversals": True}, ChangeApprovalPolicy("no more"), True),
        ({}, ChangeApprovalPolicy("from here on", reversals=True), False),
        ({}, ReopenPeriod("2026-01", "an invoice"), True),
        ({}, entry(1, adjusting=Adjusting("2026-01", "an invoice")), True),
        ({}, ReverseEntry("ent_r", "ent_0", "mistake", adjusting=Adjusting("2026-01", "mistake")), True),
        ({}, ClosePeriod("2025-12", "late"), False),
        ({}, ClosePeriod("2025-12", "late", override=("breaks_open",)), True),
    ],
    ids=str,
)
def test_what_waits_for_a_second_person(policy: dict[str, Any], command: Command, waits: bool) -> None:
    story = given(*ACCOUNTS, PostTransfer("ent_0", "cash", "bank", 50, "EUR", JANUARY), ClosePeriod("2026-01", "done"))
    story.when(ChangeApprovalPolicy("auditor", **policy))
    balances = story.balances()
    told = story.patiently().by(*ANN).when(command)
    if not waits:
        assert told.decision is not None, told.refusal
        assert told.decision.status in (200, 201)
        return
    told.answered(202, status="pending")
    assert story.balances() == balances, "what waits has moved nothing"
    (requested,) = [one.event for one in story.log if isinstance(one.event, events.ApprovalRequested)]
    assert (requested.maker, requested.digest) == ("ann", digest_of(requested.kind, requested.command))


def test_what_was_agreed_to_is_carried_out_as_it_was_asked_for() -> None:
    story = under(entries={"EUR": 100})
    name, digest = asked(story, entry(500, description="Correction"))
    told = story.by(*BEN).when(GiveApproval(name, digest)).answered(200, status="executed", maker="ann", checker="ben")
    decision = told.decision
    assert decision is not None
    assert decision.first_causes_the_rest
    assert [event for _, event in decision.events] == [
        events.ApprovalGiven(name, "entries.post", digest, "ann", "ben"),
        EntryPosted(entry(500).postings, description="Correction"),
    ]
    assert decision.events[1][0] == "ent_big"
    assert story.balances() == {"cash": 500, "bank": -500}


@pytest.mark.parametrize("who", [ANN, ANNS_OTHER], ids=str)
@pytest.mark.parametrize(
    "decide", [lambda name, digest: GiveApproval(name, digest), lambda name, _: RejectApproval(name, "")]
)
def test_nobody_decides_what_they_asked_for_themselves(
    who: tuple[str, str], decide: Callable[[str, str], Command]
) -> None:
    story = under(entries={})
    name, digest = asked(story, entry(5))
    story.by(*who).when(decide(name, digest), administrator=True).refused(SelfApproval, approval=name)
    assert story.balances() == {}


def test_where_no_person_is_known_a_key_is_one() -> None:
    story = under(entries={}).by("key_1")
    name, digest = asked(story, entry(5))
    story.when(GiveApproval(name, digest)).refused(SelfApproval)
    story.by("key_2").when(GiveApproval(name, digest)).answered(200, maker="key_1", checker="key_2")


def test_a_key_that_was_a_persons_when_it_asked_is_refused_by_its_id_as_well() -> None:
    """Whatever a key's person may be by then."""
    story = under(entries={}).by("key_1", "ann")
    name, digest = asked(story, entry(5))
    story.by("key_1", "somebody").when(GiveApproval(name, digest)).refused(SelfApproval)


def test_only_what_was_shown_is_agreed_to() -> None:
    story = under(entries={})
    name, digest = asked(story, entry(5))
    other = digest_of("entries.post", entry(6).id)
    story.by(*BEN).when(GiveApproval(name, other)).refused(ApprovalMismatch, "/digest", digest=digest)


def test_what_somebody_put_in_the_place_of_the_command_is_not_carried_out() -> None:
    story = under(entries={})
    name, digest = asked(story, entry(5))
    (recorded,) = story.stream(name)
    assert isinstance(recorded.event, events.ApprovalRequested)
    tampered = msgspec.structs.replace(recorded.event, command=recorded.event.command.replace(":5,", ":5000,"))
    assert tampered.command != recorded.event.command
    story.books.load_streams({name: [msgspec.structs.replace(recorded, event=tampered)]})
    story.by(*BEN).when(GiveApproval(name, digest)).refused(ApprovalMismatch)


def test_an_approval_expires() -> None:
    story = under(entries={}, expire_after_s=3_600)
    name, digest = asked(story, entry(5))
    story.given(NOON + timedelta(seconds=3_600)).by(*BEN)
    story.when(GiveApproval(name, digest)).refused(ApprovalExpired)
    story.when(RejectApproval(name, "")).refused(ApprovalExpired)
    story.given(NOON + timedelta(seconds=3_599)).when(GiveApproval(name, digest)).answered(200, status="executed")


def test_an_approval_is_decided_once() -> None:
    story = under(entries={})
    name, digest = asked(story, entry(5))
    story.by(*BEN).when(GiveApproval(name, digest)).answered(200)
    for again in (GiveApproval(name, digest), RejectApproval(name, "")):
        story.when(again).refused(ApprovalNotPending, approval_status="executed")
    story.by(*ANN).when(CancelApproval(name)).refused(ApprovalNotPending)
    assert story.balances() == {"cash": 5, "bank": -5}


def test_its_maker_takes_it_back_with_any_of_their_keys_and_nobody_else_does() -> None:
    story = under(entries={})
    name, digest = asked(story, entry(5))
    story.by(*BEN).when(CancelApproval(name)).refused(MakerOnly)
    story.by(*ANNS_OTHER).when(CancelApproval(name, "otherwise")).answered(200, status="canceled")
    story.by(*BEN).when(GiveApproval(name, digest)).refused(ApprovalNotPending, approval_status="canceled")


def test_the_other_one_rejects_it() -> None:
    story = under(entries={})
    name, digest = asked(story, entry(5))
    rejected = events.ApprovalRejected(name, "ann", "ben", "no")
    story.by(*BEN).when(RejectApproval(name, "no")).then(rejected).answered(200, status="rejected", checker="ben")
    story.when(GiveApproval(name, digest)).refused(ApprovalNotPending)


def test_there_is_nothing_to_agree_to_where_nothing_was_asked() -> None:
    given().by(*BEN).when(GiveApproval("apr_none", "0" * 64)).refused(ApprovalNotFound)
    given().by(*BEN).when(GiveApproval("ent_1", "0" * 64)).refused(ApprovalNotFound)


def test_balances_are_those_of_the_moment_when_it_is_carried_out() -> None:
    """A refusal is an answer; the approval waits on."""
    story = under(transfers={"EUR": 100})
    story.given(PostTransfer("ent_1", "cash", "bank", 100, "EUR"))
    name, digest = asked(story, PostTransfer("ent_2", "bank", "cash", 101, "EUR"))
    story.by(*BEN).when(GiveApproval(name, digest)).refused(InsufficientFunds)
    story.given(PostTransfer("ent_3", "cash", "bank", 1, "EUR"))
    told = story.when(GiveApproval(name, digest)).answered(200, status="executed")
    assert isinstance(told.decision and told.decision.events[1][1], TransferPosted)
    assert story.balances() == {}


def test_what_takes_an_administrator_takes_two_of_them() -> None:
    story = given(ClosePeriod("2026-01", "done")).patiently().by(*ANN)
    name, digest = asked(story, ReopenPeriod("2026-01", "an invoice"), administrator=True)
    story.by(*BEN).when(GiveApproval(name, digest)).refused(ScopeMissing, scope="admin")
    story.when(GiveApproval(name, digest), administrator=True).answered(200)


def test_an_account_of_the_house_is_moved_by_two_administrators() -> None:
    story = given(OpenAccount("sys:1010:main:eur", "Bank", "asset", "EUR")).patiently().by(*ANN)
    story.accounts["sys:1010:main:eur"].protected = True
    story.given(*ACCOUNTS, ChangeApprovalPolicy("auditor", transfers={}))
    moved = PostTransfer("ent_1", "sys:1010:main:eur", "bank", 5, "EUR")
    story.when(moved).refused(AccountProtected)
    name, digest = asked(story, moved, administrator=True)
    story.by(*BEN).when(GiveApproval(name, digest)).refused(AccountProtected)
    story.when(GiveApproval(name, digest), administrator=True).answered(200)


def test_who_cannot_be_told_to_wait_is_refused() -> None:
    """In batches and imports, where one answer of many would be of another kind."""
    story = under(entries={})
    story.may_wait = False
    told = story.when(entry(5)).refused(ApprovalRequired)
    assert told.refusal is not None
    assert told.refusal.facts == {"kind": "entries.post"}


def test_where_only_persons_decide_a_key_of_nobody_neither_asks_nor_agrees() -> None:
    story = under(entries={}, only_persons=True)
    name, digest = asked(story, entry(5))
    story.by("key_of_a_machine").when(GiveApproval(name, digest)).refused(PersonRequired)
    story.when(entry(6)).refused(PersonRequired)
    story.by(*BEN).when(GiveApproval(name, digest)).answered(200)


def test_a_policy_is_changed_by_two_while_it_guards_anything() -> None:
    story = under(reversals=True)
    name, digest = asked(story, ChangeApprovalPolicy("enough"), administrator=True)
    story.when(entry(5)).answered(201)
    story.by(*BEN).when(GiveApproval(name, digest), administrator=True).answered(200)
    assert story.books.standing.policy is None
    story.by(*ANN).when(ChangeApprovalPolicy("again", entries={})).answered(200, version=3)
    story.when(ChangeApprovalPolicy("?", entries={"XXX": 1})).refused(CurrencyUnknown)


def test_a_preview_tells_what_would_be_posted_and_is_never_for_good() -> None:
    story = under(entries={})
    name, _ = asked(story, entry(5))
    with pytest.raises(AssertionError):
        story.by(*BEN).when(PreviewApproval(name))


_TIMES = (None, datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC))
FROZEN: list[Command] = [
    *(PostTransfer("ent_1", "a", "b", 1, "EUR", time, "ref", "Müller & Söhne", {"k": "v"}) for time in _TIMES),
    *(PlaceHold("hold_1", "a", "b", 2**62, "EUR", time) for time in _TIMES),
    *(entry(7, effective_at=time, adjusting=Adjusting("2026-02", "why")) for time in _TIMES),
    *(ReverseEntry("ent_2", "ent_1", "why", 3, time, Adjusting("2026-02", "why")) for time in _TIMES),
    ReverseEntry("ent_2", "ent_1", "why", None, "original"),
    ChangeLimits("a", None, -5),
    ClosePeriod("2026-02", "why", None, ("breaks_open",), "ent_3"),
    ReopenPeriod("2026-02", "why"),
    ChangeApprovalPolicy("why", {"EUR": 0}, {}, None, True),
]


@pytest.mark.parametrize("command", FROZEN, ids=lambda command: type(command).__name__)
def test_what_is_frozen_thaws_to_the_same(command: Command) -> None:
    (guard,) = [guard for guard in GUARDS if guard.command is type(command)]
    frozen = guard.frozen(command)
    assert guard.thawed(frozen) == command
    assert guard.frozen(guard.thawed(frozen)) == frozen, "canonical"


def test_every_kind_that_is_guarded_is_in_that_table() -> None:
    assert {type(command) for command in FROZEN} == {guard.command for guard in BY_KIND.values()}
