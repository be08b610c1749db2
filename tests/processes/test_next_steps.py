"""Next steps: what each answer of a channel leads to."""

import msgspec
import pytest

from commands.channels.channel import (
    AMOUNT_MISMATCH,
    PENDING,
    Charged,
    Declined,
    NotFound,
    NotSent,
    RefundDeclined,
    Refunded,
    Unknown,
    Verdict,
)
from commands.channels.requests import Charge, QueryCharge, QueryRefund, RefundCharge
from commands.processes.next_steps import PAUSES_S, Call, Step, pause_s, question_of, step_after
from tests.commands.given import NOON

CHARGE = Charge("pay_1-1", 6_000, "EUR", "tok", "order-1", "acme")
REFUND = RefundCharge("ref_1-1", "pay_1-1", "ch_1", 6_000, "EUR")
CHARGED = Charged("ch_1", 6_000, "EUR", 36, NOON)
REFUNDED = Refunded("re_1", 6_000, "EUR", 0, NOON)
DECLINED = Declined("insufficient_funds", "51", "", hard=False)
REFUND_DECLINED = RefundDeclined("account_invalid", "14", "", hard=True)
NOT_SENT = NotSent("ConnectError")
SILENCE = Unknown("ReadTimeout")

FIRST = Call("pay_1-1", "c", CHARGE, was="due", sends=1, tries=0, not_found=0, last_answer=None)
ASKED = Call("pay_1-1", "c", CHARGE, was="sent", sends=1, tries=2, not_found=0, last_answer="ReadTimeout")
FIRST_REFUND = msgspec.structs.replace(FIRST, id="ref_1-1", request=REFUND)
ASKED_REFUND = msgspec.structs.replace(ASKED, id="ref_1-1", request=REFUND)


def test_what_was_never_sent_is_sent_and_everything_else_is_asked_about() -> None:
    assert question_of(FIRST) == CHARGE
    assert question_of(FIRST_REFUND) == REFUND
    assert question_of(ASKED) == QueryCharge("pay_1-1")
    assert question_of(ASKED_REFUND) == QueryRefund("ref_1-1")


@pytest.mark.parametrize(
    ("call", "verdict"),
    [
        (FIRST, CHARGED),
        (FIRST, DECLINED),
        (ASKED, CHARGED),
        (ASKED, DECLINED),
        (FIRST_REFUND, REFUNDED),
        (FIRST_REFUND, REFUND_DECLINED),
        (ASKED_REFUND, REFUNDED),
    ],
)
def test_an_outcome_is_recorded_and_ends_it(call: Call, verdict: Verdict) -> None:
    assert step_after(call, verdict) == Step("done", tries=call.tries, record=verdict)


@pytest.mark.parametrize("silence", [SILENCE, PENDING, Unknown("http 500")])
@pytest.mark.parametrize("call", [FIRST, FIRST_REFUND, ASKED, ASKED_REFUND])
def test_after_silence_it_is_asked_about_and_never_sent_again(call: Call, silence: Unknown) -> None:
    step = step_after(call, silence)
    assert (step.state, step.pause_s, step.tries) == ("sent", PAUSES_S[call.tries], call.tries + 1)
    assert step.record == (None if call.last_answer == silence.reason else silence)


def test_the_pauses_grow_and_the_last_one_goes_on_for_ever() -> None:
    assert [pause_s(tries) for tries in range(8)] == [0.5, 1, 2, 5, 15, 60, 60, 60]
    assert step_after(msgspec.structs.replace(ASKED, tries=10_000), SILENCE).state == "sent"


def test_another_sum_than_ours_is_no_outcome() -> None:
    other: Charged = msgspec.structs.replace(CHARGED, amount=6_001)
    step = step_after(ASKED, other)
    assert (step.state, step.record) == ("sent", AMOUNT_MISMATCH)
    foreign: Refunded = msgspec.structs.replace(REFUNDED, currency="USD")
    assert step_after(ASKED_REFUND, foreign).record == AMOUNT_MISMATCH


def test_that_the_channel_knows_nothing_is_believed_the_second_time() -> None:
    for call in (ASKED, ASKED_REFUND):
        once = step_after(call, NotFound())
        assert (once.state, once.not_found, once.record) == ("sent", 1, None)
        assert once.pause_s >= 0.5
        again = msgspec.structs.replace(call, not_found=once.not_found, tries=once.tries)
        twice = step_after(again, NotFound())
        assert (twice.state, twice.not_found, twice.record) == ("due", 0, None)
        assert twice.pause_s >= 0.5


def test_an_answer_in_between_takes_back_that_the_channel_knows_nothing() -> None:
    once: Call = msgspec.structs.replace(ASKED, not_found=1)
    assert step_after(once, PENDING).not_found == 0
    # Nothing was heard, so nothing is taken back.
    assert step_after(once, NOT_SENT).not_found == 1


@pytest.mark.parametrize(
    ("call", "state", "record"),
    [
        (FIRST, "done", NOT_SENT),  # it surely did not happen: the payer may try again
        (FIRST_REFUND, "due", None),  # we owe it: it is sent when the channel is back
        (msgspec.structs.replace(FIRST, sends=2), "due", None),  # an earlier sending may have happened after all
        (ASKED, "sent", None),  # only the question was not sent
        (ASKED_REFUND, "sent", None),
    ],
)
def test_what_was_never_sent(call: Call, state: str, record: Verdict | None) -> None:
    step = step_after(call, NOT_SENT)
    assert (step.state, step.record) == (state, record)
    assert state == "done" or step.pause_s >= 0.5
