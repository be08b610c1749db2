"""Four eyes (P22): no order of calls by one person does what takes two, and whatever is asked for ends once."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations, product
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from commands.accounts import ChangeLimits, OpenAccount
from commands.approval_policy import ChangeApprovalPolicy
from commands.approvals import CancelApproval, GiveApproval, RejectApproval
from commands.entries import PostEntry, ReverseEntry
from commands.envelope import Command, Part
from commands.periods import ClosePeriod, Evidence, Finding, ReopenPeriod
from commands.transfers import PlaceHold, PostTransfer
from ledger.approval_state import CANCELED, EXECUTED, fold
from ledger.events.approvals import ApprovalCanceled, ApprovalGiven, ApprovalRejected, ApprovalRequested
from ledger.events.entries import Adjusting
from ledger.events.event import Recorded
from ledger.events.transfers import TransferPosted
from ledger.journal import Direction, Posting
from ledger.store.connection import Database
from tests.commands.given import NOON, Outcome, given
from tests.writing import Pen, body_of, check_books, envelope, fresh, pen

CLOSED, OPEN = "2026-01", "2025-12"
ACCOUNTS = (
    OpenAccount("cash", "Cash", "asset", "EUR"),
    OpenAccount("owed", "Owed", "liability", "EUR"),
    PostTransfer("ent_0", "cash", "owed", 1_000, "EUR", NOON.replace(month=1)),
    ClosePeriod(CLOSED, "done"),
)
BLOCKED = Evidence(0, {}, {}, (Finding("breaks_open", 1, "Breaks."),))
ANN = (("key_ann_1", "ann"), ("key_ann_2", "ann"))
ALL = (*ANN, ("key_ben", "ben"), ("key_of_a_machine", ""))
STRICT: dict[str, Any] = {"transfers": {}, "entries": {}, "reversals": True, "account_limits": True}
_OF_FEBRUARY = NOON.replace(month=2)


def guarded(number: int) -> list[Command]:
    """One of each kind, each of which would change something; ids are fresh."""
    pair = (Posting("cash", Direction.DEBIT, 7, "EUR"), Posting("owed", Direction.CREDIT, 7, "EUR"))
    late = Adjusting(CLOSED, "late")
    return [
        PostTransfer(f"ent_{number}", "cash", "owed", 7, "EUR"),
        PostTransfer(f"ent_{number}", "cash", "owed", 7, "EUR", _OF_FEBRUARY),
        PlaceHold(f"hold_{number}", "cash", "owed", 7, "EUR"),
        PostEntry(f"ent_{number}", pair),
        PostEntry(f"ent_{number}", pair, adjusting=late),
        ReverseEntry(f"ent_{number}", "ent_0", "mistake"),
        ReverseEntry(f"ent_{number}", "ent_0", "mistake", 5, "original", late),
        ChangeLimits("cash", None, 5_000 + number),
        ClosePeriod(OPEN, "in spite of all", override=("breaks_open",), evidence=BLOCKED),
        ReopenPeriod(CLOSED, "late"),
        ChangeApprovalPolicy("weaker", transfers={"EUR": 1_000_000}),
        ChangeApprovalPolicy("none"),
    ]


KINDS = range(len(guarded(0)))


class OnePerson(RuleBasedStateMachine):
    """Ann has two keys with every scope, all day long, and wants to do something alone."""

    asked_for = 0
    refused = 0
    people: tuple[tuple[str, str], ...] = ANN

    def __init__(self) -> None:
        super().__init__()
        self.story = given(*ACCOUNTS).patiently().by(*ANN[0])
        self.story.when(ChangeApprovalPolicy("auditor", **STRICT)).answered(200)
        self.number = 0
        self.approvals: list[tuple[str, str, tuple[str, str]]] = []
        self.begin = self.seen()

    def seen(self) -> Any:
        """All that something guarded would change."""
        books = self.story.books
        limits = {name: (one.min_balance, one.max_balance) for name, one in self.story.accounts.items()}
        return self.story.turnover(), limits, set(books.closed_periods), books.standing.policy

    def ask(self, who: tuple[str, str], command: Command) -> Outcome:
        return self.story.by(*who).when(command, administrator=True)

    @rule(data=st.data(), kind=st.sampled_from(KINDS), patient=st.booleans())
    def want(self, data: st.DataObject, kind: int, patient: bool) -> None:
        self.number += 1
        who = data.draw(st.sampled_from(self.people))
        self.story.may_wait = patient
        told = self.ask(who, guarded(self.number)[kind])
        self.story.may_wait = True
        if told.decision is not None and told.decision.status == 202:
            waiting = msgspec.to_builtins(told.decision.receipt)
            self.approvals.append((waiting["approval_id"], waiting["digest"], who))
            type(self).asked_for += 1

    @rule(data=st.data(), word=st.sampled_from(("approve", "approve", "other digest", "reject", "cancel")))
    def decide(self, data: st.DataObject, word: str) -> None:
        if not self.approvals:
            return
        name, digest, _ = data.draw(st.sampled_from(self.approvals))
        _, other, _ = data.draw(st.sampled_from(self.approvals))
        command: Command = {
            "approve": GiveApproval(name, digest, BLOCKED),
            "other digest": GiveApproval(name, other, BLOCKED),
            "reject": RejectApproval(name, ""),
            "cancel": CancelApproval(name),
        }[word]
        told = self.ask(data.draw(st.sampled_from(self.people)), command)
        type(self).refused += told.refusal is not None

    @rule(data=st.data(), kind=st.sampled_from(KINDS))
    def want_and_agree(self, data: st.DataObject, kind: int) -> None:
        """From the beginning to the end; one person alone, where there is only one."""
        before = len(self.approvals)
        self.want(data, kind, patient=True)
        if len(self.approvals) > before:
            name, digest, _ = self.approvals[-1]
            told = self.ask(data.draw(st.sampled_from(self.people)), GiveApproval(name, digest, BLOCKED))
            type(self).refused += told.refusal is not None

    @rule(hours=st.sampled_from((1, 1, 1, 200)))
    def wait(self, hours: int) -> None:
        self.story.given(self.story.books.now + timedelta(hours=hours))

    @invariant()
    def nothing_is_done_alone(self) -> None:
        assert self.seen() == self.begin
        assert not any(isinstance(one.event, ApprovalGiven | ApprovalRejected) for one in self.story.log)


class SeveralPeople(OnePerson):
    """Ann, Ben and a key of nobody: what is done was agreed to by two, once, as it was asked for."""

    people = ALL
    carried_out = 0

    def ask(self, who: tuple[str, str], command: Command) -> Outcome:
        before, mark = self.seen(), len(self.story.log)
        told = super().ask(who, command)
        fresh_events = [one.event for one in self.story.log[mark:]]
        agreed = [event for event in fresh_events if isinstance(event, ApprovalGiven)]
        if not agreed:
            assert self.seen()[2] == before[2], "periods take two whatever the policy says"
            if before[3] is not None and before[3].transfers == {}:
                assert self.seen() == before, command
        for given_ in agreed:
            type(self).carried_out += 1
            assert given_.checker == (who[1] or who[0]) != given_.maker
            assert isinstance(command, GiveApproval)
            assert command.digest == given_.digest
        return told

    @invariant()
    def nothing_is_done_alone(self) -> None:
        makers: dict[str, ApprovalRequested] = {}
        over: set[str] = set()
        for one in self.story.log:
            match one.event:
                case ApprovalRequested() as asked:
                    makers[asked.id] = asked
                case ApprovalGiven() | ApprovalRejected() | ApprovalCanceled() as end:
                    assert end.id not in over, "it ends once"
                    over.add(end.id)
                    assert one.recorded_at < makers[end.id].expires_at
                    if not isinstance(end, ApprovalCanceled):
                        assert end.checker != makers[end.id].maker == end.maker


@pytest.mark.parametrize("machine", [OnePerson, SeveralPeople])
def test_nobody_gets_round_a_second_person(machine: type[OnePerson]) -> None:
    machine.asked_for = machine.refused = SeveralPeople.carried_out = 0
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )
    assert machine.asked_for >= 50
    assert machine.refused >= 50
    if machine is SeveralPeople:
        assert SeveralPeople.carried_out >= 10


# --- on PostgreSQL, with two writers


@pytest.fixture
def writers(database: Database, book: str) -> Iterator[tuple[Pen, Pen]]:
    with pen(database, book) as first, pen(database, book) as second:
        for command in (*ACCOUNTS[:2], ChangeApprovalPolicy("auditor", transfers={"EUR": 10})):
            first.do(command)
        yield first, second


def test_whoever_comes_first_ends_it_and_all_others_are_told(
    database: Database, book: str, writers: tuple[Pen, Pen]
) -> None:
    """Every order of two who agree and one who takes it back, at every choice of two writers, all at once."""
    outcomes: dict[str, int] = {}
    moved = 0
    for order, places in product(permutations(("ben", "eve", "ann")), product((0, 1), repeat=3)):
        part = Part(envelope(actor="key_ann", person="ann"), PostTransfer(fresh("ent_"), "cash", "owed", 11, "EUR"))
        (told,) = writers[0].submit([part])()
        asked = body_of(told)
        name, digest = str(asked["approval_id"]), str(asked["digest"])
        commands = {"ben": GiveApproval(name, digest), "eve": GiveApproval(name, digest), "ann": CancelApproval(name)}
        waits = [
            writers[place].submit([Part(envelope(actor=f"key_{who}", person=who), commands[who])])
            for who, place in zip(order, places, strict=True)
        ]
        answers = [wait()[0] for wait in waits]
        done = [answer for answer in answers if answer.refusal is None]
        assert len(done) == 1, answers
        refusals = [answer.refusal for answer in answers if answer.refusal is not None]
        assert {refusal.code() for refusal in refusals} == {"approval_not_pending"}
        status = str(body_of(done[0])["status"])
        outcomes[status] = outcomes.get(status, 0) + 1
        moved += 11 * (status == EXECUTED)
    assert outcomes.keys() == {EXECUTED, CANCELED}, "both ends are reached"
    with database.connect() as connection:
        log = check_books(connection, book)
    states = [fold([one for one in log if one.stream == name]) for name in dict.fromkeys(_approvals_in(log))]
    assert {state.status for state in states if state is not None} == {EXECUTED, CANCELED}
    posted = [one for one in log if isinstance(one.event, TransferPosted) and one.stream != "ent_0"]
    assert sum(one.event.amount for one in posted if isinstance(one.event, TransferPosted)) == moved
    # Each was set in motion by the agreement that stands right before it.
    by_position = {one.position: one for one in log}
    for one in posted:
        agreement = by_position[one.position - 1]
        assert isinstance(agreement.event, ApprovalGiven)
        assert one.metadata.causation == f"{agreement.stream}.{agreement.version}"


def _approvals_in(log: list[Recorded]) -> list[str]:
    return [one.stream for one in log if isinstance(one.event, ApprovalRequested)]


def test_what_one_writer_is_told_to_guard_the_other_guards_too(writers: tuple[Pen, Pen]) -> None:
    """And what it is told to let go, which takes two, the other lets go."""
    first, second = writers

    def pays() -> int:
        return second.ask(PostTransfer(fresh("ent_"), "cash", "owed", 1_000, "EUR")).status

    assert pays() == 202
    asked = body_of(first.do(ChangeApprovalPolicy("enough")))
    assert pays() == 202
    agreed = GiveApproval(str(asked["approval_id"]), str(asked["digest"]))
    (answer,) = first.submit([Part(envelope(actor="key_ben", administrator=True), agreed)])()
    assert answer.status == 200
    assert pays() == 201
    first.do(ChangeApprovalPolicy("again", transfers={}))
    assert pays() == 202


def test_a_batch_that_is_taken_back_leaves_the_policy_as_it_was(database: Database, book: str) -> None:
    with pen(database, book) as writer:
        for command in ACCOUNTS[:2]:
            writer.do(command)
        parts = [
            Part(envelope(), ChangeApprovalPolicy("auditor", transfers={})),
            Part(envelope(), PostTransfer(fresh("ent_"), "nobody", "owed", 1, "EUR")),
        ]
        assert [answer.status for answer in writer.submit(parts, atomic=True)()] == [200, 422]
        assert writer.ask(PostTransfer(fresh("ent_"), "cash", "owed", 11, "EUR")).status == 201
