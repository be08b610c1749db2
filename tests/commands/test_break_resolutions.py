"""Break resolutions: each way to resolve a break posts exactly what was shown, and is undone to the cent, or not."""

from typing import Any

import pytest
from msgspec.structs import replace

from commands.bank_lines import SuspendBankLine
from commands.breaks import SettleBreak, postings_of
from commands.channels.channel import Unknown
from ledger.break_state import BreakStatus
from ledger.errors import (
    AccountUnknown,
    BatchPaidAlready,
    BreakNotUndoable,
    ClaimExceedsOpen,
    CorrectionNotPossible,
    FieldInvalid,
    FieldMissing,
    ItemSettledAlready,
    Refusal,
    SettlementAmountDiffers,
)
from ledger.events.payments import PaymentCaptured, PaymentReceiptUnapplied
from ledger.events.receipts import ReceiptReturnRequested
from tests.commands.break_stories import (
    ANN,
    APPROVE,
    BEN,
    NAME,
    RUN,
    at_bank,
    broken,
    found,
    paid_break,
    propose,
    resolved,
    row,
    shown_break,
    state,
    stranger,
)
from tests.commands.given import Story, given
from tests.commands.settlement_stories import (
    BANK,
    CLAIMS,
    DIFFERENCES,
    PENDING,
    TOO_LITTLE,
    bank_line,
    by_batch,
    cleared,
    item_of,
    items_of,
    line,
    settled,
)
from tests.commands.stories import (
    CHANNEL_FEE,
    DECLINED,
    IN_TRANSIT,
    MERCHANT,
    PAID_BY_CARD,
    PARTIES,
    RECEIVABLE,
    UNAPPLIED,
    attempt_of,
    by_card,
    charged,
    refund,
)
from tests.commands.test_receivable_items import check_log

DECLINED_BY_CARD = (*PARTIES, by_card(), attempt_of("pay_1", DECLINED))
UNKNOWN_BY_CARD = (*PARTIES, by_card(), attempt_of("pay_1", Unknown("ReadTimeout")))
IN_SUSPENSE, OUT_OF_SUSPENSE = "sys:2910:bank:main:eur", "sys:1910:bank:main:eur"


def check_shown_is_made(story: Story, resolution: str, **parameters: str) -> None:
    """What is shown is what is posted; undone, every balance is what it was."""
    before, length = story.balances(), len(story.log)
    story.by(ANN).given(propose(resolution, **parameters))
    assert story.balances() == before, "a proposal posts nothing"
    assert len(story.log) == length + 1
    proposal = state(story).proposed
    assert proposal is not None
    mark = len(story.log)
    story.by(BEN).given(APPROVE)
    assert postings_of(recorded.event for recorded in story.log[mark:]) == proposal.postings
    check_log(story.log)


# --- K3: the amount differs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gross", [5_800, 6_200, 5_999])
@pytest.mark.parametrize(
    ("who", "bearer", "status"), [("merchant", MERCHANT, "resolved"), ("platform", DIFFERENCES, "written_off")]
)
def test_a_difference_is_borne_by_whom_two_people_say_and_undone(
    gross: int, who: str, bearer: str, status: BreakStatus
) -> None:
    story = paid_break(gross=gross)
    before, difference = story.balances(), 6_000 - gross
    check_shown_is_made(story, f"{who}_bears")
    assert (state(story).status, shown_break(story).checker) == (status, BEN)
    assert (story.balance(RECEIVABLE), story.balance(PENDING)) == (0, gross - 36)
    # The merchant's account grows by credits, ours of differences by debits.
    assert story.balance(bearer) == before.get(bearer, 0) - difference * (1 if who == "merchant" else -1)
    resolved(story, "undo")
    assert story.balances() == before
    assert item_of(story, "sale").status == "open"
    assert (state(story).status, state(story).carried_out) == ("reopened", None)


def test_nothing_differs_that_nobody_decided() -> None:
    story = paid_break()
    story.when(propose("settle_with")).refused(SettlementAmountDiffers, "/resolution", difference=200)
    story.when(propose("settle_with", item=item_of(story, "sale").id)).refused(
        SettlementAmountDiffers, "/parameters/item"
    )


# --- K6: the fee differs ----------------------------------------------------------------------------------------------


def test_too_large_a_fee_is_claimed_and_given_up_at_last() -> None:
    story = paid_break("fee", 6_000, 136)
    before = story.balances()
    check_shown_is_made(story, "settle_with")
    assert (story.balance(PENDING), story.balance(CLAIMS), story.balance(CHANNEL_FEE)) == (5_864, 100, 36)
    assert (state(story).status, item_of(story, "sale").claimed) == ("resolved", 100)
    check_shown_is_made(story, "give_up_claim")
    assert (story.balance(CLAIMS), story.balance(CHANNEL_FEE)) == (0, 136)
    assert (state(story).status, item_of(story, "sale").claimed) == ("written_off", 0)
    resolved(story, "undo")
    assert (state(story).status, item_of(story, "sale").claimed) == ("resolved", 100)
    assert (story.balance(CLAIMS), story.balance(CHANNEL_FEE)) == (100, 36)
    resolved(story, "undo")
    assert (state(story).status, item_of(story, "sale").status) == ("reopened", "open")
    assert story.balances() == before


def test_a_claim_is_undone_with_its_line_while_it_stands() -> None:
    story = paid_break("fee", 6_000, 136)
    before = story.balances()
    resolved(story, "settle_with")
    resolved(story, "undo")
    assert story.balances() == before


def test_a_claim_is_paid_back_by_another_row() -> None:
    story = settled(given(*PAID_BY_CARD), fee=136)
    item = item_of(story, "sale")
    back = row(100, 0, kind="adjustment", number=7, batch="2026-03-16", our_reference="")
    story.given(found(broken("unknown_kind", back)))
    story.when(propose("claim_paid")).refused(FieldMissing, "/parameters/item")
    before = story.balances()
    check_shown_is_made(story, "claim_paid", item=item.id)
    assert (story.balance(CLAIMS), item_of(story, "sale").claimed) == (0, 0)
    assert story.balance("sys:1120:card_simulator:2026-03-16:eur") == 100
    resolved(story, "undo")
    assert (story.balances(), item_of(story, "sale").claimed) == (before, 100)


def test_too_small_a_fee_is_owed_until_it_is_given_up() -> None:
    story = paid_break("fee", 6_000, 6)
    resolved(story, "settle_with")
    assert story.balance(TOO_LITTLE) == 30
    resolved(story, "give_up_claim")
    assert (story.balance(TOO_LITTLE), story.balance(CHANNEL_FEE)) == (0, 6)


def test_nothing_is_given_up_that_is_not_claimed() -> None:
    paid_break("fee", 6_000, 136).when(propose("give_up_claim")).refused(ClaimExceedsOpen, "/resolution")


# --- K2: missing there ------------------------------------------------------------------------------------------------


def test_a_sale_that_its_channel_never_had_is_none_and_is_one_again_when_that_is_undone() -> None:
    story = given(*PARTIES)
    empty = story.balances()
    story.given(by_card(), attempt_of("pay_1", charged()))
    before = story.balances()
    story.given(found(broken("missing_there", items=(item_of(story, "sale"),))))
    check_shown_is_made(story, "correct_payment", status="failed")
    assert story.balances() == empty
    assert item_of(story, "sale").status == "offset"
    resolved(story, "undo")
    assert story.balances() == before
    fresh = items_of(story)[-1]
    assert (fresh.status, fresh.gross, fresh.fee, fresh.theirs) == ("open", 6_000, 36, ("ch_1",))
    assert state(story).status == "reopened"


def test_a_payment_is_not_corrected_to_what_it_is() -> None:
    story = given(*PAID_BY_CARD)
    story.given(found(broken("missing_there", items=(item_of(story, "sale"),))))
    story.when(propose("correct_payment", status="succeeded")).refused(FieldInvalid, "/parameters/status")
    story.when(propose("correct_payment", status="expired")).refused(FieldInvalid, "/parameters/status")
    story.given(refund(1_000))
    story.when(propose("correct_payment", status="failed")).refused(CorrectionNotPossible, "/parameters/status")


def test_what_moved_nothing_is_not_undone_by_what_would_move_something() -> None:
    opened = broken("status_behind", row(6_000, 36), items=("unsure:pay_1-1",))
    story = given(*UNKNOWN_BY_CARD, found(opened))
    resolved(story, "correct_payment", status="failed")
    assert state(story).status == "resolved"
    story.when(propose("undo")).refused(BreakNotUndoable)


# --- missing here -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gross", "fee", "account", "balance"),
    [(7_000, 70, "sys:2910:card_simulator:eur", 6_930), (-3_000, 0, "sys:1910:card_simulator:eur", 3_000)],
)
def test_what_nobody_knows_stands_in_suspense_and_is_cleared_later(
    gross: int, fee: int, account: str, balance: int
) -> None:
    story = stranger(gross, fee, kind="sale" if gross > 0 else "refund")
    before = story.balances()
    check_shown_is_made(story, "suspend")
    assert (story.balance(account), story.balance(PENDING)) == (balance, gross - fee)
    suspended = story.balances()
    check_shown_is_made(story, "clear_with", account=MERCHANT if gross > 0 else CHANNEL_FEE)
    assert story.balance(account) == 0
    resolved(story, "undo")
    assert story.balances() == suspended
    assert state(story).status == "resolved"
    resolved(story, "undo")
    assert story.balances() == before
    assert state(story).status == "reopened"


def test_what_is_in_suspense_is_cleared_also_after_its_batch_was_paid_and_then_not_undone_past_that() -> None:
    story = resolved(stranger(), "suspend")
    story.given(cleared(6_930, by_batch()))
    story.when(propose("undo")).refused(BreakNotUndoable, because=BatchPaidAlready.code())
    resolved(story, "clear_with", account=MERCHANT)
    assert story.balance("sys:2910:card_simulator:eur") == 0


def test_late_success_of_a_failed_payment_is_brought_home_and_settled_by_its_row() -> None:
    opened = broken("status_behind", row(6_000, 36, external_id="ch_9"), items=("unsure:pay_1-1",))
    story = given(*DECLINED_BY_CARD, found(opened))
    check_shown_is_made(story, "take_evidence")
    told = [type(recorded.event) for recorded in story.stream("pay_1")]
    # J1, and what the merchant's terms say of what comes late: it is given back.
    assert told[-2:] == [PaymentReceiptUnapplied, ReceiptReturnRequested]
    assert (story.balance(UNAPPLIED), story.balance(IN_TRANSIT)) == (0, 6_000)
    item = item_of(story, "sale")
    assert (item.status, item.ours[0], item.theirs) == ("open", "pay_1-1", ("ch_9",))
    assert state(story).status == "resolved"
    # The next run settles the row, and finds the break no more.
    story.given(line(item, fee=36))
    assert story.balance(PENDING) == 5_964
    story.when(propose("undo")).refused(BreakNotUndoable, resolution="take_evidence")


def test_the_row_of_a_payment_that_nobody_heard_of_makes_it_paid() -> None:
    opened = broken("missing_here", row(6_000, 36, external_id="ch_9"))
    story = resolved(given(*UNKNOWN_BY_CARD, found(opened)), "take_evidence")
    assert any(isinstance(recorded.event, PaymentCaptured) for recorded in story.stream("pay_1"))
    assert story.balance(MERCHANT) == 5_870


def test_the_row_of_a_refund_that_nobody_heard_of_makes_it_succeed() -> None:
    told = row(-1_000, 0, kind="refund", external_id="re_9", our_reference="ref_1-1")
    story = given(*PAID_BY_CARD, refund(1_000), found(broken("missing_here", told)))
    check_shown_is_made(story, "take_evidence")
    assert item_of(story, "refund").gross == -1_000


@pytest.mark.parametrize(
    ("told", "pointer"),
    [
        ({"our_reference": "order-77"}, "/resolution"),
        ({"our_reference": "", "kind": "unknown"}, "/resolution"),
        ({"gross": 5_999}, "/resolution"),
        ({"our_reference": "pay_9-1"}, "/resolution"),
        ({"our_reference": "ref_9-1"}, "/resolution"),
        ({"kind": "refund", "gross": -6_000}, "/resolution"),
    ],
)
def test_a_row_is_no_evidence_of_something_else(told: dict[str, Any], pointer: str) -> None:
    gross = told.pop("gross", 6_000)
    story = given(*DECLINED_BY_CARD, found(broken("missing_here", row(gross, 36, **told))))
    outcome = story.when(propose("take_evidence"))
    assert outcome.refusal is not None
    assert [error.pointer for error in outcome.refusal.errors] == [pointer]


def test_evidence_that_is_known_is_taken_once() -> None:
    opened = broken("missing_here", row(6_000, 36, external_id="ch_1"))
    given(*PAID_BY_CARD, found(opened)).when(propose("take_evidence")).refused(FieldInvalid, "/resolution")


# --- K7: duplicates ---------------------------------------------------------------------------------------------------


def test_a_duplicate_is_ignored_and_moves_nothing_and_stays_so() -> None:
    story = settled(given(*PAID_BY_CARD))
    item, before = item_of(story, "sale"), story.balances()
    copy = broken("duplicate", row(6_000, 36, number=2), related=(item.id,))
    story.given(found(copy))
    story.when(propose("settle_with")).refused(ItemSettledAlready, "/resolution", item=item.id)
    check_shown_is_made(story, "ignore")
    assert story.balances() == before
    story.when(found(copy, 999)).then().answered(200, status="resolved")
    story.given(SettleBreak(NAME, RUN))
    assert state(story).status == "resolved"
    resolved(story, "undo")
    assert (state(story).status, story.balances()) == ("reopened", before)


# --- J5 and J6: lines of a bank ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("amount", "suspense"), [(5_000, IN_SUSPENSE), (-5_000, OUT_OF_SUSPENSE)])
def test_a_line_that_the_run_put_in_suspense_is_cleared_and_again_in_suspense_when_undone(
    amount: int, suspense: str
) -> None:
    story = given(*PAID_BY_CARD).given(found(at_bank(amount)))
    story.given(suspended(amount))
    before = story.balances()
    assert before[suspense] == 5_000
    check_shown_is_made(story, "clear_with", account=MERCHANT)
    assert story.balance(suspense) == 0
    assert story.balance(MERCHANT) == 5_870 + amount
    assert story.balance(BANK) == amount
    resolved(story, "undo")
    assert story.balances() == before
    # And once more, to another account.
    resolved(story, "clear_with", account=CHANNEL_FEE)
    resolved(story, "undo")
    assert story.balances() == before


def suspended(amount: int) -> SuspendBankLine:
    """What the run does with a line that nobody knows."""
    return SuspendBankLine(bank_line(amount), NAME)


def test_a_line_is_not_put_in_suspense_twice() -> None:
    story = given(*PARTIES, found(at_bank(5_000)), suspended(5_000))
    story.when(propose("suspend")).refused(FieldInvalid, "/resolution")


def test_what_a_run_has_found_since_is_not_undone_with_what_somebody_did() -> None:
    story = settled(given(*PAID_BY_CARD))
    story.given(found(at_bank(5_964)))
    resolved(story, "suspend")
    story.given(cleared(5_964, by_batch()))
    story.when(propose("undo")).refused(BreakNotUndoable)
    story.when(found(at_bank(5_964), 999)).then()


@pytest.mark.parametrize(
    ("account", "kind"),
    [
        ("", FieldMissing),
        ("nobody", AccountUnknown),
        (RECEIVABLE, FieldInvalid),
        (BANK, FieldInvalid),
        ("sys:5080:nobody:eur", AccountUnknown),
    ],
)
def test_money_of_a_line_belongs_to_an_account_that_may_have_it(account: str, kind: type[Refusal]) -> None:
    story = given(*PAID_BY_CARD, found(at_bank(5_000)), suspended(5_000))
    story.when(propose("clear_with", account=account)).refused(kind, "/parameters/account")


def test_an_account_of_another_currency_is_named_when_it_is_proposed() -> None:
    opened = at_bank(5_000, currency="USD")
    dollars = replace(opened, rows=(replace(opened.rows[0], currency="USD"),))
    story = given(*PAID_BY_CARD, found(dollars))
    story.when(propose("clear_with", account=MERCHANT)).refused(FieldInvalid, "/parameters/account")
