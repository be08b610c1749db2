"""Break approvals: no order of what people and runs do lets one person decide above the limit, or leaves a trace.

Two people and a run do whatever they like with one break, with its row and with the item that it is about. A plain
model knows who proposed what; the books are looked at after each step.
"""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from commands.breaks import SettleBreak, postings_of
from commands.envelope import Command
from commands.policies.reconciliation import limit_of
from commands.settlements import UndoSettlement
from ledger.break_state import Break, fold
from ledger.errors import SecondPersonRequired
from ledger.events.breaks import BreakProposed, BreakResolved
from ledger.journal import opposite
from tests.commands.break_stories import (
    ANN,
    APPROVE,
    ASSIGN,
    BEN,
    NAME,
    REJECT,
    REOPEN,
    RUN,
    broken,
    found,
    propose,
    row,
)
from tests.commands.given import Story, given
from tests.commands.settlement_stories import item_of, line
from tests.commands.stories import CHANNEL_FEE, MERCHANT, PARTIES, attempt_of, by_card, charged
from tests.commands.test_receivable_items import check_log

LARGE, SMALL = 20_000, 5_000
_PEOPLE = (ANN, BEN)
_PROPOSALS: tuple[tuple[str, dict[str, str]], ...] = (
    ("merchant_bears", {}),
    ("platform_bears", {}),
    ("settle_with", {}),
    ("suspend", {}),
    ("clear_with", {"account": MERCHANT}),
    ("clear_with", {"account": CHANNEL_FEE}),
    ("correct_payment", {"status": "failed"}),
    ("correct_payment", {"status": "succeeded"}),
    ("take_evidence", {}),
    ("give_up_claim", {}),
    ("offset", {"against": "pay_1.1"}),
    ("ignore", {}),
    ("undo", {}),
)

# What may come to something, by what the break is about.
_FITTING: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "amount": (("merchant_bears", {}), ("platform_bears", {})),
    "fee": (("settle_with", {}), ("give_up_claim", {})),
    "missing_there": (("correct_payment", {"status": "failed"}),),
    "row": (("suspend", {}), ("clear_with", {"account": MERCHANT})),
}

people = st.sampled_from(_PEOPLE)


class Approvals(RuleBasedStateMachine):
    """A break over a sale; what differs is the amount, the fee, or whether it is there at all."""

    story: Story
    carried_out = 0
    undone = 0
    refused_alone = 0

    @initialize(
        amount=st.sampled_from((LARGE, SMALL)), about=st.sampled_from(("amount", "fee", "missing_there", "row"))
    )
    def begin(self, amount: int, about: str) -> None:
        self.story = given(*PARTIES, by_card(amount=amount), attempt_of("pay_1", charged(amount)))
        item = item_of(self.story, "sale")
        match about:
            case "amount":
                opened = broken("amount_ours_more", row(amount - 300, item.fee), items=(item,))
            case "fee":
                opened = broken("fee", row(amount, item.fee + 90), items=(item,), at_risk=90)
            case "missing_there":
                opened = broken("missing_there", items=(item,))
            case _:
                opened = broken("missing_here", row(amount, 90, our_reference="order-7", external_id="ch_7"))
        self.opened, self.fitting = opened, _FITTING[about]
        self.story.given(found(opened))
        # What the balances were before each of the resolutions that stand, and who proposed and approved.
        self.before: list[dict[str, int]] = []
        self.others_moved = False

    # --- what people do

    def ask(self, who: str, command: Command) -> bool:
        """Whether it was carried out; who asks is who is recorded."""
        told = self.story.by(who).when(command)
        return told.refusal is None

    @rule(who=people, what=st.sampled_from(_PROPOSALS))
    def propose(self, who: str, what: tuple[str, dict[str, str]]) -> None:
        balances, name = self.story.balances(), what[0]
        done = self.state.carried_out
        self.ask(who, propose(name, **what[1]))
        assert self.story.balances() == balances, "a proposal posts nothing"
        proposed = self.state.proposed
        if name == "undo" and proposed is not None and proposed.resolution == "undo" and done is not None:
            assert _by_account(proposed.postings) == _by_account(opposite(done.postings))

    @rule(who=people)
    def approve(self, who: str) -> None:
        balances, proposed, mark = self.story.balances(), self.state.proposed, len(self.story.log)
        told = self.story.by(who).when(APPROVE)
        if told.refusal is not None:
            assert self.story.balances() == balances
            if isinstance(told.refusal, SecondPersonRequired):
                assert proposed is not None
                assert proposed.four_eyes
                assert proposed.maker == who
                type(self).refused_alone += 1
            return
        assert proposed is not None
        made = postings_of(recorded.event for recorded in self.story.log[mark:])
        assert made == proposed.postings, "what is shown is what is posted"
        if proposed.resolution == "undo":
            type(self).undone += 1
            before = self.before.pop()
            if not self.others_moved:
                assert self.story.balances() == before, "books are exactly as before"
        else:
            type(self).carried_out += 1
            self.before.append(balances)

    @rule(maker=people, checker=people, index=st.integers(0, 1), undo=st.booleans())
    def decide(self, maker: str, checker: str, index: int, undo: bool) -> None:
        """From the beginning to the end; one person alone, where they are the same."""
        self.ask(maker, REJECT)
        self.propose(maker, ("undo", {}) if undo and self.state.standing else self.fitting[index % len(self.fitting)])
        self.approve(checker)

    @rule(who=people, command=st.sampled_from((ASSIGN, REJECT, REOPEN)))
    def say_something_else(self, who: str, command: Command) -> None:
        balances = self.story.balances()
        self.ask(who, command)
        assert self.story.balances() == balances

    # --- what runs do, and others

    @rule(known=st.booleans())
    def find_it_again(self, known: bool) -> None:
        standing = self.state.standing
        self.ask("reconciliation", found(self.opened, self.story.books.position + 1_000 if known else 0))
        if standing and not self.state.standing:
            self.before.clear()

    @rule()
    def agree_with_it(self) -> None:
        standing = self.state.standing
        self.ask("reconciliation", SettleBreak(NAME, RUN))
        assert self.state.standing == standing, "what somebody did is why it agrees"

    @rule(undo=st.booleans())
    def settle_or_undo_it_elsewhere(self, undo: bool) -> None:
        item = item_of(self.story, "sale")
        if self.ask("reconciliation", UndoSettlement(item.id) if undo else line(item)):
            self.others_moved = True

    # --- what always holds

    @property
    def state(self) -> Break:
        told = fold(self.story.stream(NAME))
        assert told is not None
        return told

    @invariant()
    def nobody_decides_alone_above_the_limit(self) -> None:
        if not hasattr(self, "story"):
            return
        proposals: dict[int, BreakProposed] = {}
        for recorded in self.story.stream(NAME):
            match recorded.event:
                case BreakProposed() as proposed:
                    proposals[proposed.number] = proposed
                case BreakResolved() as resolved:
                    maker = proposals[resolved.number].maker
                    moved = sum(one.amount for one in proposals[resolved.number].postings if one.direction == "debit")
                    above = max(moved, self.opened.at_risk) > limit_of("EUR")
                    assert (resolved.maker, resolved.checker) == (maker, recorded.metadata.actor)
                    assert resolved.maker != resolved.checker or not above, resolved

    @invariant()
    def the_sub_ledger_agrees(self) -> None:
        if hasattr(self, "story"):
            check_log(self.story.log)


def _by_account(postings: Any) -> set[tuple[str, str, int]]:
    return {(one.account, str(one.direction), one.amount) for one in postings}


def test_no_order_of_events_lets_one_person_decide_or_leaves_a_trace() -> None:
    Approvals.carried_out = Approvals.undone = Approvals.refused_alone = 0
    run_state_machine_as_test(
        Approvals,
        settings=settings(
            max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert Approvals.carried_out >= 50
    assert Approvals.undone >= 10
    assert Approvals.refused_alone >= 20
