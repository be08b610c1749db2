"""Disputes: stages, evidence, and where the money of a payment is while its bank decides, and afterwards."""

from itertools import permutations

import pytest

from commands.disputes import AcceptDispute, RecordDisputeWord
from commands.revocations import RevokePayment
from ledger.errors import (
    DisputeNotFound,
    DisputeOpen,
    DisputeStateInvalid,
    EvidenceTooLate,
    PaymentNotFound,
    RefundExceedsPayment,
)
from ledger.payment_views import PaymentView, payment_view
from tests.commands.dispute_stories import (
    CLAIM,
    DISPUTE_COSTS,
    DISPUTE_FEES,
    DUE,
    EVIDENCE,
    HOLD,
    LOSSES,
    accept,
    challenge,
    paid,
    parties,
    shown,
    word,
)
from tests.commands.given import Story, given
from tests.commands.stories import (
    DECLINED,
    MERCHANT,
    MERCHANT_DEBT,
    RECEIVABLE,
    REFUND_DECLINED,
    SUSPENSE,
    attempt_of,
    by_card,
    charged,
    refund,
    refund_result,
    refunded,
)


def payment(story: Story) -> PaymentView:
    return payment_view(story.stream("pay_1"))


def money(story: Story, *accounts: str) -> list[int]:
    return [story.balance(account) for account in accounts]


# --- stages and words -----------------------------------------------------------------------------------------------


def test_an_inquiry_moves_no_money() -> None:
    story = given(*paid())
    before = story.balances()
    story.when(word(stage="pre_dispute")).answered(effect="recorded", id="dis_1-1")
    assert story.balances() == before
    assert (payment(story).dispute_status, shown(story).money) == ("inquiry", "none")
    story.when(word("won", "pre_dispute"))
    assert (payment(story).dispute_status, shown(story).status) == ("won", "won")


def test_a_chargeback_takes_the_money_and_holds_it() -> None:
    story = given(*paid(dispute_fee=2_000), word(fee=1_500))
    # 58.70 of pending sales cover most of it; the rest of it and the fee are a debt.
    assert money(story, CLAIM, HOLD, MERCHANT, MERCHANT_DEBT) == [6_000, 6_000, 0, 130 + 2_000]
    assert money(story, DISPUTE_FEES, DISPUTE_COSTS, RECEIVABLE) == [2_000, 1_500, 6_000 - 36 - 6_000 - 1_500]
    view = shown(story)
    assert (view.status, view.stage, view.money, view.held, view.fee) == ("opened", "dispute", "taken", 6_000, 2_000)
    assert (view.reason, view.evidence_due_at, view.needs_attention) == ("fraudulent", DUE, False)
    assert payment(story).dispute_status == "open"
    assert [one.id for one in payment(story).disputes] == ["dis_1-1"]


def test_won_the_merchant_has_all_back_but_the_fees() -> None:
    story = given(*paid(dispute_fee=2_000))
    story.given(word(fee=1_500), word("won"))
    assert money(story, CLAIM, HOLD, MERCHANT, MERCHANT_DEBT) == [0, 0, 5_870, 2_000]
    assert money(story, DISPUTE_FEES, DISPUTE_COSTS) == [2_000, 1_500]
    assert (payment(story).dispute_status, payment(story).status) == ("won", "succeeded")


@pytest.mark.parametrize("end", [word("lost"), word("accepted"), accept()], ids=["lost", "accepted", "accept"])
def test_lost_or_accepted_the_hold_is_gone_and_the_merchant_has_paid(end: RecordDisputeWord | AcceptDispute) -> None:
    story = given(*paid(), word(), end)
    assert money(story, CLAIM, HOLD, MERCHANT, MERCHANT_DEBT) == [0, 0, 0, 130]
    assert (shown(story).money, payment(story).dispute_status) == ("lost", "lost")
    story.when(refund(1)).refused(RefundExceedsPayment, refundable=0)


def test_a_platform_that_is_liable_bears_the_loss() -> None:
    story = given(*paid(dispute_liability="platform"), word(), word("lost"))
    assert money(story, CLAIM, HOLD, MERCHANT, MERCHANT_DEBT, LOSSES) == [0, 0, 5_870, 0, 6_000]
    # The payer has it back all the same: it is not given back once more.
    story.when(refund(1)).refused(RefundExceedsPayment, refundable=0)


def test_a_second_chargeback_after_a_win_takes_it_again_and_costs_the_merchant_one_fee() -> None:
    story = given(*paid(dispute_fee=500), word(), word("won"), word(stage="pre_arbitration"))
    assert money(story, CLAIM, HOLD, MERCHANT, MERCHANT_DEBT) == [6_000, 6_000, 0, 130 + 500]
    assert (shown(story).stage, shown(story).status, shown(story).fee) == ("pre_arbitration", "opened", 500)
    story.given(word("won", "arbitration"))
    assert money(story, CLAIM, HOLD, MERCHANT, MERCHANT_DEBT) == [0, 0, 5_870, 500]


def test_stages_only_rise() -> None:
    story = given(*paid(), word(stage="pre_arbitration"))
    before = story.balances()
    story.when(word()).answered(effect="recorded")
    story.when(word("won")).answered(effect="recorded")
    assert (shown(story).stage, shown(story).status, story.balances()) == ("pre_arbitration", "opened", before)


def test_a_reversal_before_its_chargeback_is_kept_and_gives_nothing() -> None:
    story = given(*paid())
    before = story.balances()
    story.when(word("won")).answered(effect="recorded")
    assert (story.balances(), shown(story).status, payment(story).dispute_status) == (before, "unopened", "none")
    story.when(word()).answered(effect="recorded")
    assert (story.balances(), shown(story).status) == (before, "won")


def test_the_same_word_again_has_no_effect() -> None:
    story = given(*paid(), word(fee=1_500))
    before = story.balances()
    story.when(word(fee=1_500)).then().answered(effect="duplicate")
    assert story.balances() == before


def test_another_sum_than_at_first_moves_nothing_and_is_marked() -> None:
    story = given(*paid(), word())
    before = story.balances()
    story.when(word("won", amount=5_999)).answered(effect="unapplied")
    story.when(word("won", amount=5_999)).then().answered(effect="duplicate")
    assert (story.balances(), shown(story).money, shown(story).needs_attention) == (before, "taken", True)
    assert shown(story).contradictions == ("dispute won over 5999 EUR",)


@pytest.mark.parametrize(
    "words",
    [
        (word(fee=1_500), word("won"), word(stage="pre_arbitration", fee=700), word("lost", "pre_arbitration")),
        (word(stage="pre_dispute"), word(fee=1_500), word("lost"), word("won")),
        (word(fee=1_500), word("challenged"), word("expired"), word("lost", fee=10)),
        (word(), word("canceled"), word(stage="arbitration"), word("won", "arbitration")),
    ],
    ids=["second chargeback", "reversed loss", "expired", "arbitration"],
)
@pytest.mark.parametrize("liable", ["merchant", "platform"])
def test_the_order_of_words_does_not_matter(words: tuple[RecordDisputeWord, ...], liable: str) -> None:
    ends = set()
    for order in permutations(words):
        story = given(*paid(dispute_liability=liable, dispute_fee=200), *order)
        view = shown(story)
        ends.add((view.status, view.stage, view.money, view.fee, tuple(sorted(story.balances().items()))))
    assert len(ends) == 1


def test_a_channel_speaks_only_for_what_was_sent_to_it() -> None:
    story = given(*paid())
    story.when(RecordDisputeWord("pay_1-1", "card_simulator_b", word().verdict)).refused(PaymentNotFound)
    story.when(RecordDisputeWord("pay_9-1", "card_simulator", word().verdict)).refused(PaymentNotFound)
    story.when(RecordDisputeWord("top_9-1", "card_simulator", word().verdict)).refused(PaymentNotFound)


# --- what the merchant says -----------------------------------------------------------------------------------------


def test_evidence_is_taken_until_its_deadline() -> None:
    story = given(*paid(), word())
    story.when(challenge()).answered(200, status="challenged", position=None)
    story.when(challenge()).answered(200, status="challenged")
    assert [one.fields for one in shown(story).evidence] == [EVIDENCE, EVIDENCE]
    story.given(DUE).when(challenge()).refused(EvidenceTooLate, dispute="dis_1-1", evidence_due_at=DUE.isoformat())
    # What was held stays held: only the bank decides.
    assert money(story, CLAIM, HOLD) == [6_000, 6_000]


def test_the_channel_may_say_the_same_as_the_merchant_did() -> None:
    story = given(*paid(), word(), accept())
    before = story.balances()
    story.when(word("accepted", fee=300)).answered(effect="recorded")
    assert money(story, DISPUTE_COSTS) == [300]
    assert {**story.balances(), RECEIVABLE: 0, DISPUTE_COSTS: 0} == {**before, RECEIVABLE: 0, DISPUTE_COSTS: 0}


def test_what_is_decided_is_neither_accepted_nor_challenged() -> None:
    story = given(*paid(), word(), word("lost"))
    for command in (accept(), challenge()):
        story.when(command).refused(DisputeStateInvalid, dispute_status="lost", stage="dispute")
    for command in (accept(2), challenge(2), AcceptDispute("dis_x"), AcceptDispute("pay_1-1")):
        story.when(command).refused(DisputeNotFound)


def test_what_was_accepted_may_be_won_after_all() -> None:
    story = given(*paid())
    before = story.balances()
    story.given(word(), accept(), word("won"))
    assert (story.balances(), shown(story).money) == (before, "none")


# --- refunds beside disputes ----------------------------------------------------------------------------------------


def test_nothing_is_given_back_while_a_bank_decides() -> None:
    story = given(*paid(), word(amount=1_000))
    story.when(refund(1_000)).refused(DisputeOpen, payment="pay_1")
    story.when(RevokePayment("pay_1")).refused(DisputeOpen, payment="pay_1")
    story.given(word("lost", amount=1_000))
    story.when(refund(5_001)).refused(RefundExceedsPayment, refundable=5_000)
    story.when(refund(5_000)).answered(202)


def test_an_inquiry_does_not_keep_a_merchant_from_giving_back() -> None:
    given(*paid(), word(stage="pre_dispute")).when(refund()).answered(202)


def test_after_a_full_refund_the_merchant_is_not_charged_twice() -> None:
    story = given(*paid(dispute_fee=500), refund(), refund_result(1, refunded()))
    before = story.balances()
    story.given(word())
    assert money(story, SUSPENSE, CLAIM, HOLD, MERCHANT, MERCHANT_DEBT) == [6_000, 0, 0, 0, before[MERCHANT_DEBT]]
    assert (shown(story).suspended, shown(story).held, shown(story).fee) == (6_000, 0, 0)
    assert shown(story).needs_attention
    story.given(word("won"))
    assert story.balances() == before
    assert not shown(story).needs_attention


def test_after_a_refund_of_a_part_the_merchant_bears_the_rest() -> None:
    story = given(*paid(), refund(2_000), refund_result(1, refunded(2_000)), word())
    assert money(story, CLAIM, HOLD, SUSPENSE) == [4_000, 4_000, 2_000]


def test_a_refund_that_fails_during_a_dispute_leaves_the_merchant_its_part() -> None:
    story = given(*paid(), refund(2_000), word())
    assert money(story, HOLD, SUSPENSE) == [4_000, 2_000]
    story.given(refund_result(1, REFUND_DECLINED))
    assert money(story, HOLD, CLAIM, SUSPENSE, MERCHANT, MERCHANT_DEBT) == [6_000, 6_000, 0, 0, 130]


def test_a_refund_that_fails_after_a_loss_leaves_the_merchant_its_part() -> None:
    story = given(*paid(), refund(2_000), word(), word("lost"), refund_result(1, REFUND_DECLINED))
    assert money(story, HOLD, CLAIM, SUSPENSE, MERCHANT, MERCHANT_DEBT) == [0, 0, 0, 0, 130]


# --- other sums and currencies --------------------------------------------------------------------------------------


def test_disputes_of_parts_add_up_to_no_more_than_the_payment() -> None:
    story = given(*paid())
    story.given(word(amount=4_000), word(amount=4_000, reference="dp_2"))
    assert money(story, CLAIM, HOLD, SUSPENSE) == [6_000, 6_000, 2_000]
    assert [shown(story, number).held for number in (1, 2)] == [4_000, 2_000]
    story.given(word("won", amount=4_000), word("lost", amount=4_000, reference="dp_2"))
    assert money(story, CLAIM, HOLD) == [0, 0]
    # The first one is won: now the merchant bears all of the second.
    assert (shown(story, 2).held, money(story, SUSPENSE)) == (4_000, [0])
    assert payment(story).dispute_status == "lost"


def test_another_currency_is_never_mixed_with_the_payments() -> None:
    story = given(*paid(dispute_fee=500))
    before = story.balances()
    story.given(word(amount=6_600, currency="USD", fee=15))
    assert money(story, "sys:1910:card_simulator:usd", "sys:1110:card_simulator:usd") == [6_600, -6_615]
    assert {name: amount for name, amount in story.balances().items() if name.endswith(":eur")} == before
    assert (shown(story).suspended, shown(story).currency, shown(story).needs_attention) == (6_600, "USD", True)
    story.given(word("lost", amount=6_600, currency="USD"))
    story.when(refund(1)).refused(RefundExceedsPayment, refundable=0)


def test_a_chargeback_before_the_capture_is_known() -> None:
    early = given(*parties(dispute_fee=500), by_card(), word(), attempt_of("pay_1", charged()))
    late = given(*paid(dispute_fee=500), word())
    assert early.balances() == late.balances()
    assert shown(early).held == 6_000


def test_a_chargeback_of_what_was_never_paid_is_nobodys() -> None:
    story = given(*parties(), by_card(), attempt_of("pay_1", DECLINED), word())
    assert (shown(story).held, shown(story).suspended) == (0, 6_000)
    assert money(story, MERCHANT, HOLD, SUSPENSE) == [0, 0, 6_000]
