"""Payment laws: whatever a channel says and a merchant asks, in any order and any number of times."""

from random import Random

from hypothesis import given as sampled
from hypothesis import strategies as st

from commands.cancellations import CancelPayment, ExpirePayment
from commands.channels.channel import (
    PENDING,
    ActionRequired,
    Changed,
    ChangeDeclined,
    NotFound,
    NotSent,
    Unknown,
    Verdict,
)
from commands.closings import RecordClosingResult
from commands.confirmations import ConfirmPayment, RecordConfirmationResult
from commands.envelope import Command
from commands.top_ups import RecordTopUpResult, RequestTopUp
from ledger.events.refunds import RefundUnapplied
from ledger.payment import CANCELED, EXPIRED, FAILED, SUCCEEDED
from ledger.payment_state import fold
from ledger.payment_views import payment_view
from tests.commands.given import NOON, Story, given
from tests.commands.stories import (
    ANN,
    CARD,
    CHANNEL,
    CHANNEL_FEE,
    DECLINED,
    IN_TRANSIT,
    MERCHANT,
    MERCHANT_DEBT,
    PARTIES,
    RECEIVABLE,
    REFUND_DECLINED,
    SUSPENSE,
    UNAPPLIED,
    attempt_of,
    by_card,
    charged,
    from_wallet,
    refund,
    refund_result,
    refunded,
    topped_up,
)

AMOUNT = 6_000
FINAL = (SUCCEEDED, FAILED, CANCELED, EXPIRED)

silences: list[Verdict] = [Unknown("ReadTimeout"), PENDING, NotFound(), NotSent("ConnectError")]
charge_words = st.one_of(
    st.sampled_from([DECLINED, *silences]),
    st.builds(charged, st.sampled_from([AMOUNT, AMOUNT, AMOUNT, 1]), st.sampled_from(["ch_1", "ch_2"])),
)
refund_amounts = st.sampled_from([None, 1, 1_000, 3_000, AMOUNT])
refund_words = st.one_of(
    st.sampled_from([REFUND_DECLINED, *silences]),
    st.builds(refunded, st.sampled_from([1, 1_000, 3_000, AMOUNT]), st.sampled_from(["re_1", "re_2"])),
)
asked_words = st.sampled_from(
    [ActionRequired("ch_1", "sms_code"), ActionRequired("ch_1", "redirect", "https://bank.example/pay")]
)
closing_words = st.sampled_from(
    [Changed("vo_1", AMOUNT, "EUR", NOON), ChangeDeclined("integration", "paid", "It is paid already."), *silences]
)
what_payers_do: st.SearchStrategy[Command] = st.one_of(
    st.builds(attempt_of, st.just("pay_1"), asked_words),
    st.sampled_from([ConfirmPayment("pay_1", "123456"), CancelPayment("pay_1"), ExpirePayment("pay_1")]),
    st.builds(
        lambda number, said: RecordConfirmationResult(f"cfm_1-{number}", CHANNEL, said),
        st.integers(1, 3),
        st.one_of(asked_words, charge_words),
    ),
    st.builds(
        lambda number, said: RecordClosingResult(f"close_1-{number}", CHANNEL, said), st.integers(1, 2), closing_words
    ),
)
happenings: st.SearchStrategy[Command] = st.one_of(
    what_payers_do,
    st.builds(attempt_of, st.just("pay_1"), charge_words),
    st.builds(lambda verdict: RecordTopUpResult("top_1-1", CHANNEL, verdict), charge_words),
    st.builds(refund, refund_amounts, st.sampled_from(["pay_1", "pay_2"])),
    st.builds(refund_result, st.integers(1, 3), refund_words),
)


def tell(story: Story, told: list[Command]) -> None:
    """Let it all happen; what is refused has no effect, and what is final stays final."""
    for command in told:
        before, balances = fold(story.stream("pay_1")), story.turnover()
        outcome = story.when(command)
        after = fold(story.stream("pay_1"))
        assert before is not None
        assert after is not None
        if outcome.refusal is not None or not (outcome.decision and outcome.decision.events):
            assert story.turnover() == balances
        if before.status in FINAL:
            assert after.status == before.status
        for refund_before, refund_after in zip(before.refunds, after.refunds, strict=False):
            assert refund_before.status not in FINAL or refund_after.status == refund_before.status


@sampled(st.lists(happenings, max_size=25))
def test_in_any_order_the_books_balance_and_nobody_gets_back_more_than_was_captured(told: list[Command]) -> None:
    top_up = RequestTopUp("top_1", "ann", AMOUNT, "EUR", CARD)
    story = given(*PARTIES, *topped_up(AMOUNT), by_card(), from_wallet("pay_2"), top_up)
    tell(story, told)

    accounts = story.accounts.values()
    assert sum(account.posted_debits - account.posted_credits for account in accounts) == 0
    assert all(account.balance >= 0 for account in accounts if account.min_balance == 0)
    payments = [fold(story.stream(name)) for name in ("pay_1", "pay_2")]
    for payment in payments:
        assert payment is not None
        asked = sum(part.amount for part in payment.refunds if part.status != FAILED)
        assert payment.refunded <= asked <= payment.captured <= AMOUNT
        assert payment.refundable >= 0

    # Each sub-ledger is the sum of what its payments say.
    parts = [part for payment in payments if payment for part in payment.refunds if part.channel]
    going_back = sum(one.amount for payment in payments if payment for one in payment.receipts)
    in_transit = sum(part.amount for part in parts if part.status not in FINAL) + going_back
    given_back = sum(part.amount for part in parts if part.status == SUCCEEDED)
    unasked = {(one.subject, one.reference) for payment in payments if payment for one in payment.unasked}
    said = [recorded.event for recorded in story.log if isinstance(recorded.event, RefundUnapplied)]
    suspense = sum(part.amount * len(part.unapplied) for part in parts)
    suspense += sum(one.amount for one in said if (one.id, one.channel_reference) in unasked)
    assert (story.balance(IN_TRANSIT), story.balance(SUSPENSE)) == (in_transit, suspense)
    received = story.balance(RECEIVABLE) + story.balance(CHANNEL_FEE) + given_back + suspense
    assert received % AMOUNT == 0
    taken_by_channel = sum(payment.captured for payment in payments if payment and payment.attempts)
    topped = story.balance(ANN) - sum(part.amount for p in payments if p for part in p.refunds if not part.channel)
    assert received == AMOUNT + taken_by_channel + topped + story.balance(UNAPPLIED) + going_back
    assert story.balance(MERCHANT) >= 0
    assert story.balance(MERCHANT_DEBT) >= 0


@sampled(st.lists(happenings, max_size=15), st.randoms(use_true_random=False))
def test_saying_it_all_a_second_time_in_any_order_has_no_effect(told: list[Command], chance: Random) -> None:
    said = [command for command in told if isinstance(command, type(attempt_of("pay_1", PENDING)))]
    story = given(*PARTIES, by_card(), *said)
    before, seen = story.turnover(), payment_view(story.stream("pay_1"))
    again = list(said)
    chance.shuffle(again)
    for command in again:
        story.when(command)
    assert story.turnover() == before
    assert payment_view(story.stream("pay_1")) == seen
