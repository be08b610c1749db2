"""Next steps: what each answer of a channel leads to."""

import msgspec
import pytest

from commands.channels.channel import (
    AMOUNT_MISMATCH,
    NOT_SUPPORTED,
    PENDING,
    ActionRequired,
    Authorized,
    Changed,
    ChangeDeclined,
    Charged,
    Declined,
    DisputeAnswerDeclined,
    DisputeAnswered,
    NotFound,
    NotSent,
    RefundDeclined,
    Refunded,
    Unknown,
    Verdict,
)
from commands.channels.requests import (
    AcceptDispute,
    CaptureCharge,
    ChallengeDispute,
    Charge,
    ConfirmCharge,
    QueryChange,
    QueryCharge,
    QueryDisputeAnswer,
    QueryRefund,
    RefundCharge,
    VoidCharge,
)
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
    assert question_of(ASKED_REFUND) == QueryRefund("ref_1-1", "pay_1-1")


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


# --- what is held first ---------------------------------------------------------------------------------------------

HELD = Authorized("au_1", 6_000, "EUR", None, NOON)
MANUAL = msgspec.structs.replace(FIRST, request=msgspec.structs.replace(CHARGE, capture=False))
CAPTURE = msgspec.structs.replace(FIRST, request=CaptureCharge("cap_1-1", "pay_1-1", "au_1", 2_000, "EUR"))
VOID = msgspec.structs.replace(FIRST, request=VoidCharge("void_1-1", "pay_1-1", "au_1", 6_000, "EUR"))


def test_a_hold_that_we_asked_for_is_an_outcome() -> None:
    assert step_after(MANUAL, HELD) == Step("done", record=HELD)


def test_what_a_channel_holds_before_it_charges_is_told_once_and_asked_about_further() -> None:
    step = step_after(FIRST, HELD)
    assert (step.state, step.record) == ("sent", HELD)
    told = msgspec.structs.replace(ASKED, last_answer="Authorized")
    assert (step_after(told, HELD).state, step_after(told, HELD).record) == ("sent", None)
    assert step_after(told, CHARGED) == Step("done", tries=2, record=CHARGED)


def test_a_change_is_asked_about_by_its_own_id() -> None:
    asked = msgspec.structs.replace(CAPTURE, was="sent")
    assert question_of(asked) == QueryChange("cap_1-1", "pay_1-1")
    done, other = Changed("ca_1", 2_000, "EUR", NOON), Changed("ca_1", 2_001, "EUR", NOON)
    assert step_after(asked, done) == Step("done", record=done)
    assert step_after(asked, other).record == AMOUNT_MISMATCH
    no = ChangeDeclined("generic_decline", "05", "")
    assert step_after(CAPTURE, no) == Step("done", record=no)


def test_a_capture_that_never_left_us_is_given_up_and_a_void_is_sent_again() -> None:
    assert step_after(CAPTURE, NOT_SENT) == Step("done", record=NOT_SENT)
    assert step_after(VOID, NOT_SENT).state == "due"


def test_the_payers_turn_is_told_once_and_his_channel_is_asked_whether_he_is_done() -> None:
    asked = ActionRequired("ch_1", "sms_code")
    step = step_after(FIRST, asked)
    assert (step.state, step.record) == ("sent", asked)
    again: Call = msgspec.structs.replace(ASKED, last_answer="ActionRequired")
    assert (step_after(again, asked).state, step_after(again, asked).record) == ("sent", None)


def test_a_wrong_answer_ends_its_call_but_only_where_the_channel_said_so_to_the_answer_itself() -> None:
    answer = ConfirmCharge("cfm_1-1", "pay_1-1", "ch_1", "123456", 6_000, "EUR")
    asked = ActionRequired("ch_1", "sms_code")
    told: Call = msgspec.structs.replace(FIRST, id=answer.id, request=answer)
    assert step_after(told, asked) == Step("done", record=asked)
    unsure: Call = msgspec.structs.replace(ASKED, id=answer.id, request=answer)
    assert question_of(unsure) == QueryCharge("pay_1-1")
    step = step_after(unsure, asked)
    assert (step.state, step.record) == ("due", None)


# --- what a merchant says in a dispute --------------------------------------------------------------------------------

EVIDENCE = ChallengeDispute("ans_1-1", "pay_1-1", "dp_1", "dispute", {"delivery": "signed for"})
ANSWERS = [
    msgspec.structs.replace(FIRST, id=said.id, request=said)
    for said in (EVIDENCE, AcceptDispute("ans_1-1", "pay_1-1", "dp_1", "dispute"))
]


@pytest.mark.parametrize("call", ANSWERS, ids=["challenge", "accept"])
def test_an_answer_to_a_dispute_is_sent_until_it_is_heard_or_refused(call: Call) -> None:
    for outcome in (DisputeAnswered("an_1", NOON), DisputeAnswerDeclined("session_expired", "evidence_too_late", "")):
        assert step_after(call, outcome) == Step("done", record=outcome)
    asked: Call = msgspec.structs.replace(call, was="sent")
    assert question_of(asked) == QueryDisputeAnswer("ans_1-1", "pay_1-1", "dp_1")
    assert (step_after(call, SILENCE).state, step_after(call, NOT_SENT).state) == ("sent", "due")
    assert step_after(msgspec.structs.replace(asked, not_found=1), NotFound()).state == "due"


@pytest.mark.parametrize("call", ANSWERS, ids=["challenge", "accept"])
def test_an_answer_that_the_channel_has_no_way_for_is_told_by_hand(call: Call) -> None:
    assert step_after(call, NOT_SUPPORTED) == Step("done", record=NOT_SUPPORTED)
    # Only the question is unknown there: the answer itself finds out, and is taken once for its id.
    assert step_after(msgspec.structs.replace(call, was="sent"), NOT_SUPPORTED).state == "due"
    # What we owe is never given up for that.
    assert step_after(FIRST_REFUND, NOT_SUPPORTED).state == "due"
