"""Breaks: their life, from being found to being found again; who may approve; and what is refused, by its place."""

import pytest

from commands.approval_policy import ChangeApprovalPolicy
from commands.break_resolutions import place_of
from commands.breaks import SettleBreak
from commands.policies.reconciliation import limit_of, needs_four_eyes, policy_of
from commands.policies.settlements import DEFAULT
from commands.settlement_batches import UndoBatchRow
from commands.settlements import UndoSettlement
from ledger.errors import (
    BreakNotFound,
    BreakNotUndoable,
    BreakStateInvalid,
    FieldInvalid,
    FieldMissing,
    ItemSettledAlready,
    ItemsNotOpposite,
    ProposalOutdated,
    ReceivableItemNotFound,
    Refusal,
    SecondPersonRequired,
    SettlementAmountDiffers,
    SettlementMismatch,
    UnknownField,
)
from ledger.events.breaks import BreakReopened, BreakResolved, BreakSettled
from ledger.events.entries import EntryPosted
from ledger.events.event import Event
from ledger.events.settlements import LineSettled
from ledger.journal import credit, debit
from ledger.matching.matcher import match
from ledger.matching.sides import Item, Row
from tests.commands.break_stories import (
    ANN,
    APPROVE,
    ASSIGN,
    BEN,
    NAME,
    REJECT,
    REOPEN,
    RUN,
    at_bank,
    broken,
    found,
    paid_break,
    propose,
    resolved,
    row,
    state,
    stranger,
)
from tests.commands.given import NOON, given
from tests.commands.settlement_stories import (
    DIFFERENCES,
    PENDING,
    item_of,
    line,
)
from tests.commands.stories import (
    CHANNEL,
    CHANNEL_FEE,
    MERCHANT,
    MERCHANT_DEBT,
    PAID_BY_CARD,
    PARTIES,
    attempt_of,
    by_card,
    charged,
    refund,
    refund_result,
    refunded,
)


def test_evidence_ends_a_break_and_its_proposal() -> None:
    story = paid_break()
    story.given(ASSIGN).by(ANN).given(propose("merchant_bears"))
    story.when(SettleBreak(NAME, RUN)).then(BreakSettled(NAME, RUN)).answered(200, status="auto_resolved")
    story.when(SettleBreak(NAME, RUN)).then()
    for command in (APPROVE, REJECT, propose("merchant_bears"), propose("undo"), ASSIGN):
        story.when(command).refused(BreakStateInvalid, break_status="auto_resolved")
    story.when(REOPEN).answered(200, status="reopened", proposal=None)
    story.given(propose("merchant_bears"))


def test_a_run_does_not_end_what_somebody_has_resolved_or_wants_to_undo() -> None:
    story = resolved(paid_break(), "merchant_bears")
    story.given(SettleBreak(NAME, RUN)).by(ANN).given(propose("undo"), SettleBreak(NAME, RUN))
    assert state(story).status == "proposed"
    story.when(REJECT).answered(200, status="resolved", proposal=None)
    story.given(propose("undo")).by(BEN).when(APPROVE).answered(200, status="reopened", resolved_by=None)


def test_a_break_that_is_found_again_is_open_again() -> None:
    story = paid_break()
    opened = state(story).opened
    story.when(found(opened)).then()
    story.given(SettleBreak(NAME, RUN))
    story.when(found(opened)).then(BreakReopened(NAME, "found again", RUN)).answered(200, status="reopened")


def test_what_was_resolved_and_undone_by_somebody_else_is_found_again() -> None:
    story = resolved(paid_break(), "merchant_bears")
    opened, at = state(story).opened, state(story).resolved_at
    story.when(found(opened, at - 1)).then()  # A run that had looked before that.
    story.given(UndoSettlement(item_of(story, "sale").id))
    story.by(ANN).when(propose("undo")).refused(BreakNotUndoable)
    story.when(found(opened, at + 9)).then(BreakReopened(NAME, "found again", RUN))
    assert (state(story).status, state(story).standing) == ("reopened", ())
    resolved(story, "platform_bears")
    assert state(story).status == "written_off"


def test_what_left_suspense_by_somebody_else_is_found_again_and_a_line_in_suspense_is_not() -> None:
    story = resolved(stranger(), "suspend")
    opened, row_ = state(story).opened, state(story).opened.rows[0]
    story.given(UndoBatchRow(CHANNEL, "EUR", row_.batch, place_of(row_)))
    story.when(found(opened, 999)).then(BreakReopened(NAME, "found again", RUN))
    line_ = given(*PARTIES, found(at_bank(5_000)))
    resolved(line_, "suspend")
    line_.when(found(at_bank(5_000), 999)).then().answered(200, status="resolved")


def test_what_was_approved_is_not_approved_again() -> None:
    story = resolved(paid_break(), "merchant_bears")
    before = story.balances()
    story.when(APPROVE).refused(BreakStateInvalid, break_status="resolved")
    assert story.balances() == before


def test_what_was_settled_otherwise_since_is_not_undone_for_the_break() -> None:
    story = resolved(paid_break(), "merchant_bears")
    item = item_of(story, "sale")
    story.given(UndoSettlement(item.id), line(item, gross=5_800, bears="merchant"))
    story.when(propose("undo")).refused(BreakNotUndoable)


def test_a_proposal_is_outdated_once_the_books_have_moved() -> None:
    story = paid_break().by(ANN).given(propose("merchant_bears"))
    item = item_of(story, "sale")
    story.given(line(item, gross=5_800, bears="platform")).by(BEN)
    story.when(APPROVE).refused(ProposalOutdated, proposal=1, because=ItemSettledAlready.code())
    story.given(UndoSettlement(item.id)).when(APPROVE).answered(200, status="resolved")


def test_a_proposal_is_outdated_where_something_else_would_be_posted() -> None:
    story = given(*PAID_BY_CARD)
    story.given(found(broken("missing_there", items=(item_of(story, "sale"),))))
    story.by(ANN).given(propose("correct_payment", status="failed"))
    # The merchant has had his money meanwhile: now it would be his debt.
    paid_out = EntryPosted((debit(MERCHANT, 5_870, "EUR"), credit(CHANNEL_FEE, 5_870, "EUR")))
    story.given(("ent_1", paid_out)).by(BEN)
    story.when(APPROVE).refused(ProposalOutdated, proposal=1, because=None)
    story.given(REJECT)
    resolved(story, "correct_payment", status="failed")
    assert story.balance(MERCHANT_DEBT) == 5_870
    # Made again it would be the merchant's money, and not his debt: that is not the opposite.
    story.when(propose("undo")).refused(BreakNotUndoable)


def test_two_people_above_the_limit_one_below_and_the_same_to_undo() -> None:
    small = given(*PARTIES, by_card(amount=10_000), attempt_of("pay_1", charged(10_000)))
    item = item_of(small, "sale")
    small.given(found(broken("amount_ours_more", row(9_900, item.fee), items=(item,)))).by(ANN)
    assert item.net <= limit_of("EUR")
    small.given(propose("merchant_bears"), APPROVE, propose("undo")).when(APPROVE).answered(200, status="reopened")
    large = given(*PARTIES, by_card(amount=20_000), attempt_of("pay_1", charged(20_000)))
    item = item_of(large, "sale")
    large.given(found(broken("amount_ours_more", row(9_900, item.fee), items=(item,)))).by(ANN)
    large.given(propose("merchant_bears"))
    large.when(APPROVE).refused(SecondPersonRequired, maker=ANN)
    assert large.balance(PENDING) == 0
    large.by(BEN).given(APPROVE, propose("undo"))
    large.when(APPROVE).refused(SecondPersonRequired, maker=BEN)
    large.given(REJECT).by(ANN).given(propose("undo")).by(BEN).when(APPROVE).answered(200, status="reopened")


@pytest.mark.parametrize(
    ("at_risk", "currency", "needs"),
    [(10_000, "EUR", False), (10_001, "EUR", True), (100, "JPY", False), (101, "JPY", True), (1, "BTC", True)],
)
def test_the_limit_is_told_in_whole_units(at_risk: int, currency: str, needs: bool) -> None:
    opened = broken("missing_here", row(at_risk), at_risk=at_risk, currency=currency)
    assert needs_four_eyes(opened, ()) is needs


def test_what_would_be_moved_counts_whatever_is_at_risk() -> None:
    story = given(*PARTIES, by_card(amount=20_000), attempt_of("pay_1", charged(20_000)))
    item = item_of(story, "sale")
    story.given(found(broken("fee", row(20_000, item.fee + 3), items=(item,), at_risk=3)))
    story.when(propose("settle_with")).answered(200, status="proposed")
    proposed = state(story).proposed
    assert proposed is not None
    assert proposed.four_eyes


def test_states_that_allow_nothing_are_named() -> None:
    given(*PARTIES).when(APPROVE).refused(BreakNotFound, id=NAME)
    given(*PARTIES).when(propose("ignore")).refused(BreakNotFound, id=NAME)
    story = paid_break()
    story.when(APPROVE).refused(BreakStateInvalid, break_status="open")
    story.when(REJECT).refused(BreakStateInvalid, break_status="open")
    story.when(REOPEN).refused(BreakStateInvalid, break_status="open")
    story.when(propose("undo")).refused(BreakStateInvalid, break_status="open")
    story.given(ASSIGN).by(ANN).given(propose("merchant_bears"))
    story.when(propose("platform_bears")).refused(BreakStateInvalid, break_status="proposed")
    story.when(REJECT).answered(200, status="investigating", proposal=None)
    resolved(story, "merchant_bears")
    for command in (propose("platform_bears"), propose("clear_with", account=MERCHANT), REOPEN, ASSIGN):
        story.when(command).refused(BreakStateInvalid, break_status="resolved")


@pytest.mark.parametrize(
    ("resolution", "parameters", "kind", "pointer"),
    [
        ("forget", {}, FieldInvalid, "/resolution"),
        ("merchant_bears", {"account": "x"}, UnknownField, "/parameters/account"),
        ("ignore", {"item": "x"}, UnknownField, "/parameters/item"),
        ("merchant_bears", {"item": "pay_9.1"}, ReceivableItemNotFound, "/parameters/item"),
        ("offset", {}, FieldMissing, "/parameters/against"),
        ("correct_payment", {}, FieldInvalid, "/parameters/status"),
        ("clear_with", {"account": MERCHANT}, FieldInvalid, "/resolution"),
    ],
)
def test_what_is_wrong_with_a_proposal_is_pointed_at(
    resolution: str, parameters: dict[str, str], kind: type[Refusal], pointer: str
) -> None:
    paid_break().when(propose(resolution, **parameters)).refused(kind, pointer)


def test_rows_and_items_that_do_not_fit_are_pointed_at() -> None:
    story = given(*PAID_BY_CARD, refund(1_000), refund_result(1, refunded(1_000)))
    sale, back = item_of(story, "sale"), item_of(story, "refund")
    story.given(found(broken("split", row(5_000), items=(sale, back))))
    story.when(propose("merchant_bears")).refused(FieldMissing, "/parameters/item")
    story.when(propose("merchant_bears", item=back.id)).refused(SettlementMismatch, "/parameters/item")
    story.when(propose("offset", against=back.id)).refused(FieldMissing, "/parameters/item")


def test_items_that_are_not_opposite_are_pointed_at() -> None:
    story = given(*PAID_BY_CARD, refund(1_000), refund_result(1, refunded(1_000)))
    sale, back = item_of(story, "sale"), item_of(story, "refund")
    story.given(found(broken("missing_there", items=(sale,))))
    story.when(propose("offset", against=back.id)).refused(ItemsNotOpposite, "/parameters/against")
    story.when(propose("suspend")).refused(FieldInvalid, "/resolution")
    story.when(propose("merchant_bears")).refused(FieldInvalid, "/resolution")
    story.when(propose("take_evidence")).refused(FieldInvalid, "/resolution")


def test_the_break_and_its_line_tell_of_each_other() -> None:
    story = resolved(paid_break(), "merchant_bears")
    events: list[Event] = [recorded.event for recorded in story.log]
    (told,) = [event for event in events if isinstance(event, LineSettled)]
    assert told.reason == NAME
    (done,) = [event for event in events if isinstance(event, BreakResolved)]
    assert (done.maker, done.checker, done.resolution) == (ANN, BEN, "merchant_bears")


# --- K4: within the tolerance -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("difference", "is_match"), [(2, True), (-2, True), (3, False), (-3, False)])
def test_what_a_line_tolerates_is_no_break(difference: int, is_match: bool) -> None:
    rows = [Row("r", "sale", 6_000 - difference, "EUR", external_id="ch_1", fee=36)]
    items = [Item("i", "pay_1", "sale", 6_000, "EUR", channel_references=("ch_1",), fee=36)]
    outcome = match(rows, items, policy_of("channel_csv"), NOON)
    assert (len(outcome.matches), len(outcome.breaks)) == ((1, 0) if is_match else (0, 1))
    told = line(item_of(given(*PAID_BY_CARD), "sale"), gross=6_000 - difference)
    if is_match:
        story = given(*PAID_BY_CARD, told)
        assert story.balance(DIFFERENCES) == difference
    else:
        given(*PAID_BY_CARD).when(told).refused(SettlementAmountDiffers)


def test_what_is_tolerated_in_a_day_is_capped_and_then_a_break() -> None:
    cap = DEFAULT.amount_per_day // 2
    rows = [Row(f"r{n}", "sale", 998, "EUR", external_id=f"ch_{n}") for n in range(cap + 1)]
    items = [
        Item(f"i{n}", f"pay_{n}", "sale", 1_000, "EUR", channel_references=(f"ch_{n}",), fee=0) for n in range(cap + 1)
    ]
    outcome = match(rows, items, policy_of("channel_csv"), NOON)
    assert (len(outcome.matches), [one.type for one in outcome.breaks]) == (cap, ["amount_ours_more"])


@pytest.mark.parametrize(
    ("policy", "resolution", "needs"),
    [
        (ChangeApprovalPolicy("auditor", reversals=True), "merchant_bears", False),
        (ChangeApprovalPolicy("auditor", entries={"EUR": 20_000}), "merchant_bears", False),
        (ChangeApprovalPolicy("auditor", entries={"EUR": 9_000}), "merchant_bears", True),
        (ChangeApprovalPolicy("auditor", entries={}), "merchant_bears", True),
        (ChangeApprovalPolicy("auditor", entries={"EUR": 20_000}), "undo", False),
        (ChangeApprovalPolicy("auditor", reversals=True), "undo", True),
    ],
    ids=str,
)
def test_what_a_book_wants_two_for_nobody_does_alone_as_a_resolution(
    policy: ChangeApprovalPolicy, resolution: str, needs: bool
) -> None:
    story = given(*PARTIES, by_card(amount=10_000), attempt_of("pay_1", charged(10_000)))
    item = item_of(story, "sale")
    story.given(found(broken("amount_ours_more", row(9_900, item.fee), items=(item,)))).by(ANN)
    if resolution == "undo":
        story.given(propose("merchant_bears"), APPROVE)
    told = story.given(policy, propose(resolution)).when(APPROVE)
    assert isinstance(told.refusal, SecondPersonRequired) is needs
    agreed = told if not needs else story.by(BEN).when(APPROVE)
    assert agreed.decision is not None
    assert agreed.decision.first_causes_the_rest
