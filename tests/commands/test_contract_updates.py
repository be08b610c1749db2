"""Contract updates: the card of a contract is replaced, and what waits for it; each rule, as given, when, then."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from commands.channels.channel import (
    ActionRequired,
    ContractDeclined,
    ContractEnded,
    ContractSigned,
    NotFound,
    NotSent,
    Unknown,
    Verdict,
)
from commands.confirmations import ConfirmPayment
from commands.contract_results import RecordContractResult
from commands.contract_updates import RecordContractUpdate, UpdateContractMethod
from commands.contracts import (
    MOST_ANSWERS,
    ConfirmContract,
    ExpireContract,
    ResumeContract,
    SuspendContract,
    TerminateContract,
)
from commands.payment_methods import BindPaymentMethod, DeletePaymentMethod
from commands.scheduled_payments import SendScheduledPayment
from ledger.contract_state import SIGNING_TIME
from ledger.contract_views import ContractAction, payment_method_view
from ledger.errors import (
    ContractMismatch,
    ContractNotActive,
    ContractNotFound,
    ContractStateInvalid,
    MethodNotSupported,
    PaymentMethodInUse,
    PaymentMethodUnknown,
    PaymentNotDue,
    PaymentStateInvalid,
    Refusal,
)
from ledger.events.contracts import (
    ContractActionRequired,
    ContractActivated,
    ContractAnswerRefused,
    ContractChargeReleased,
    ContractDrafted,
    ContractEndingRequested,
    ContractTerminated,
    ContractUnanswered,
    ContractUpdated,
    ContractUpdateFailed,
    ContractUpdateRequested,
)
from ledger.events.event import Event
from ledger.events.payments import (
    Method,
    PaymentAttemptInitiated,
    PaymentCanceled,
    PaymentPostponed,
    PaymentRouted,
)
from tests.commands.contract_stories import (
    BY_USER,
    MANDATE_ENDED,
    REFUSED,
    SIGNED,
    SMS,
    WRONG_CODE,
    active,
    charge,
    counted,
    outcome,
    paid,
    shown,
    status_of,
)
from tests.commands.contract_stories import says as of_contract
from tests.commands.given import NOON, Story
from tests.commands.stories import CHANNEL, charged

NEW = Method("card", "tok_new")
UPDATE = UpdateContractMethod("con_1", NEW)
FIRST, SECOND = "upd_1-1", "upd_1-2"
AGREED = ContractSigned("agr_1", NOON)
REQUESTED = ContractUpdateRequested("con_1", FIRST, FIRST, CHANNEL, "agr_1", "ann", NEW)
UPDATED = ContractUpdated("con_1", FIRST, "agr_1", NEW)
BECAUSE = "the card of the contract is being replaced"


def says(verdict: Verdict, update: str = FIRST) -> RecordContractUpdate:
    return RecordContractUpdate(update, CHANNEL, verdict)


def updating(**terms: Any) -> Story:
    return active(**terms).given(UPDATE)


def card_of(story: Story, payment: str) -> tuple[str | None, str | None]:
    """The token that the first attempt of a payment is to charge, and under which of the channel's references."""
    events = (one.event for one in story.stream(payment))
    attempt = next(event for event in events if isinstance(event, PaymentAttemptInitiated))
    return attempt.token, attempt.contract


# --- the new card ---------------------------------------------------------------------------------------------------


def test_a_card_is_replaced_here_once_the_channel_has_taken_the_new_one() -> None:
    story = active()
    story.when(UPDATE).then(REQUESTED).answered(202, status="updating", method_updated_at=None)
    assert shown(story).next_action == ContractAction("wait")
    story.when(says(AGREED)).then(UPDATED).answered(200, effect="recorded")
    view = shown(story)
    assert (view.status, view.next_action, view.method_updated_at) == ("active", None, NOON)
    story.given(*paid())
    assert card_of(story, "pay_1") == ("tok_new", "agr_1")
    story.when(says(AGREED)).then().answered(200, effect="duplicate")


def test_the_reference_that_the_channel_gives_the_new_card_is_charged_from_then_on() -> None:
    story = updating().given(says(ContractSigned("agr_2", NOON)), charge())
    assert card_of(story, "pay_1") == ("tok_new", "agr_2")
    story.when(TerminateContract("con_1", "moved")).then(
        ContractTerminated("con_1", "merchant", "moved"),
        ContractEndingRequested("con_1", "end_1-1", CHANNEL, "agr_2"),
    )


def test_the_payer_may_have_to_agree_by_a_code_as_when_he_signed() -> None:
    story = updating()
    story.when(says(SMS)).then(ContractActionRequired("con_1", "sms_code", "agr_1"))
    assert (shown(story).status, shown(story).next_action) == ("updating", ContractAction("sms_code"))
    story.when(says(SMS)).then().answered(200, effect="ignored")
    answer = ContractUpdateRequested("con_1", FIRST, SECOND, CHANNEL, "agr_1", "ann", NEW, answer="123456")
    story.when(ConfirmContract("con_1", "123456")).then(answer).answered(202, status="updating")
    assert shown(story).next_action == ContractAction("wait")
    story.when(ConfirmContract("con_1", "123456")).refused(ContractStateInvalid)
    story.when(says(AGREED)).then(UPDATED)


def test_a_wrong_code_may_be_told_again_a_few_times_and_then_the_old_card_stays() -> None:
    story = updating().given(says(SMS))
    for _ in range(MOST_ANSWERS - 1):
        story.given(ConfirmContract("con_1", "000000"))
        story.when(says(WRONG_CODE)).then(
            ContractAnswerRefused("con_1", "authentication_failed", "wrong_code", "The code is wrong.")
        )
        view = shown(story)
        assert (view.status, view.next_action) == ("updating", ContractAction("sms_code"))
        assert view.error is not None
    story.given(ConfirmContract("con_1", "000000"))
    story.when(says(WRONG_CODE)).then(
        ContractUpdateFailed("con_1", FIRST, "authentication_failed", "wrong_code", "The code is wrong.")
    )
    view = shown(story)
    assert (view.status, view.error and view.error.code) == ("active", "authentication_failed")
    story.given(*paid())
    assert card_of(story, "pay_1") == ("tok_sms", "agr_1")


def test_a_later_update_begins_anew() -> None:
    story = updating().given(says(SMS), ConfirmContract("con_1", "000000"), says(WRONG_CODE), says(REFUSED))
    again = ContractUpdateRequested("con_1", "upd_1-3", "upd_1-3", CHANNEL, "agr_1", "ann", NEW)
    story.when(UPDATE).then(again)
    assert (shown(story).error, shown(story).next_action) == (None, ContractAction("wait"))
    story.given(says(SMS, "upd_1-3"))
    for _ in range(MOST_ANSWERS - 1):
        story.given(ConfirmContract("con_1", "000000"), says(WRONG_CODE, "upd_1-3"))
    assert shown(story).status == "updating"


@pytest.mark.parametrize(
    ("verdict", "event", "status"),
    [
        (REFUSED, ContractUpdateFailed("con_1", FIRST, "generic_decline", "05", "The bank does not agree."), "active"),
        (NotSent("refused"), ContractUpdateFailed("con_1", FIRST, "try_again", message="refused"), "active"),
        (Unknown("ReadTimeout"), ContractUnanswered("con_1", "ReadTimeout"), "updating"),
    ],
)
def test_what_the_channel_says_instead_of_yes(verdict: Verdict, event: Event, status: str) -> None:
    story = updating()
    story.when(says(verdict)).then(event)
    assert shown(story).status == status
    story.when(says(verdict)).then().answered(200, effect="ignored")


def test_silence_is_recorded_once_for_each_update() -> None:
    story = updating().given(says(Unknown("ReadTimeout")), says(REFUSED), UPDATE)
    story.when(says(Unknown("ReadTimeout"), SECOND)).then(ContractUnanswered("con_1", "ReadTimeout"))


def test_an_answer_that_never_left_us_may_be_told_again() -> None:
    story = updating().given(says(SMS))
    story.when(says(NotSent("refused"))).then()
    story.given(ConfirmContract("con_1", "123456"))
    story.when(says(NotSent("refused"))).then(
        ContractAnswerRefused("con_1", "try_again", message="refused", counted=False)
    )
    story.when(ConfirmContract("con_1", "123456")).answered(202, status="updating")


def test_what_says_nothing_changes_nothing() -> None:
    updating().when(says(NotFound())).then().answered(200, effect="ignored")


def test_what_the_channel_took_after_we_gave_it_up_is_charged_all_the_same() -> None:
    story = updating().given(says(SMS), NOON + SIGNING_TIME, ExpireContract("con_1"))
    story.when(says(AGREED)).then(UPDATED)
    assert (shown(story).status, shown(story).error) == ("active", None)


def test_what_the_channel_took_late_does_not_end_a_newer_update() -> None:
    story = updating().given(says(REFUSED), UpdateContractMethod("con_1", Method("card", "tok_newer")))
    story.when(says(AGREED)).then(UPDATED)
    assert shown(story).status == "updating"
    story.given(says(ContractSigned("agr_1", NOON), SECOND), *paid())
    assert card_of(story, "pay_1") == ("tok_newer", "agr_1")


def test_only_its_own_channel_speaks_for_an_update_and_only_of_one_that_there_is() -> None:
    story = updating().given(says(SMS), ConfirmContract("con_1", "123456"))
    story.when(RecordContractUpdate(FIRST, "somebody", AGREED)).refused(ContractNotFound)
    for unknown in ("upd_1-7", SECOND, "upd_2-1", "upd_", "con_1"):
        story.when(RecordContractUpdate(unknown, CHANNEL, AGREED)).refused(ContractNotFound)


@pytest.mark.parametrize(
    ("method", "refusal", "pointer"),
    [
        (Method("carrier_pigeon"), MethodNotSupported, "/method/type"),
        (Method("card", None, {"payment_method": "pm_9"}), PaymentMethodUnknown, "/method/payment_method"),
    ],
)
def test_a_method_that_cannot_take_its_place_is_refused(method: Method, refusal: type[Refusal], pointer: str) -> None:
    active().when(UpdateContractMethod("con_1", method)).refused(refusal, pointer)


def test_only_an_active_contract_is_updated() -> None:
    updating().when(UPDATE).refused(ContractStateInvalid, contract_status="updating")
    active().given(SuspendContract("con_1", "why")).when(UPDATE).refused(ContractStateInvalid)
    active().given(TerminateContract("con_1", "why")).when(UPDATE).refused(ContractStateInvalid)
    active().when(UpdateContractMethod("con_2", NEW)).refused(ContractNotFound)
    updating().when(SuspendContract("con_1", "why")).refused(ContractStateInvalid)
    updating().when(ResumeContract("con_1")).refused(ContractStateInvalid)


# --- a bound card takes its place -----------------------------------------------------------------------------------


def test_a_bound_card_may_take_its_place_and_is_then_in_use() -> None:
    card = RecordContractResult("pm_1", CHANNEL, ContractSigned("agr_pm", NOON))
    story = active().given(BindPaymentMethod("pm_1", "ann", Method("card", "tok_bound")), card)
    story.given(UpdateContractMethod("con_1", Method("card", None, {"payment_method": "pm_1"})))
    story.when(DeletePaymentMethod("ann", "pm_1")).refused(PaymentMethodInUse)
    story.given(says(AGREED))
    story.when(DeletePaymentMethod("ann", "pm_1")).refused(PaymentMethodInUse)
    story.given(*paid())
    assert card_of(story, "pay_1") == ("tok_bound", "agr_1")


def test_a_card_that_is_bound_at_another_channel_cannot_take_its_place() -> None:
    elsewhere = ContractDrafted("pm_1", "ann", None, "quick_pay", Method("card", "tok_bound"), "card_simulator_b")
    story = active().given(("pm_1", elsewhere), ("pm_1", ContractActivated("pm_1", "agr_pm")))
    bound = Method("card", None, {"payment_method": "pm_1"})
    story.when(UpdateContractMethod("con_1", bound)).refused(ContractMismatch, "/method/payment_method")


# --- charges meanwhile ----------------------------------------------------------------------------------------------


def test_while_the_card_is_being_replaced_nothing_new_is_charged_at_once() -> None:
    updating().when(charge()).refused(ContractNotActive, contract_status="updating")


def test_a_charge_whose_time_comes_waits_and_goes_to_the_new_card() -> None:
    tomorrow = NOON + timedelta(days=1)
    story = active().given(charge(1_000, at=tomorrow), tomorrow - timedelta(hours=1), UPDATE, says(SMS), tomorrow)
    until = tomorrow - timedelta(hours=1) + SIGNING_TIME
    story.when(SendScheduledPayment("pay_1")).then(PaymentPostponed(until, BECAUSE)).answered(200, status="created")
    story.when(SendScheduledPayment("pay_1")).refused(PaymentNotDue)
    assert counted(story) == {"pay_1": "reserved"}
    decision = story.when(says(AGREED)).decision
    assert decision is not None
    kinds = [type(event) for _, event in decision.events]
    assert kinds == [ContractUpdated, PaymentRouted, PaymentAttemptInitiated]
    assert card_of(story, "pay_1") == ("tok_new", "agr_1")
    story.given(outcome(charged(1_000)))
    assert (status_of(story), counted(story)) == ("succeeded", {"pay_1": "confirmed"})


def test_where_the_card_is_not_replaced_what_waited_goes_to_the_old_one() -> None:
    tomorrow = NOON + timedelta(days=1)
    story = active().given(charge(1_000, at=tomorrow), tomorrow - timedelta(hours=1), UPDATE, tomorrow)
    story.given(SendScheduledPayment("pay_1"), says(REFUSED))
    assert card_of(story, "pay_1") == ("tok_sms", "agr_1")


def test_what_waits_waits_for_the_newest_update() -> None:
    later = NOON + timedelta(hours=1)
    story = updating().given(says(REFUSED), UPDATE, charge(1_000, at=later), later, SendScheduledPayment("pay_1"))
    story.when(says(AGREED)).then(UPDATED)
    assert status_of(story) == "created"


def test_a_charge_that_is_let_go_on_meanwhile_waits_too() -> None:
    story = active().given(replace(charge(), confirm=False), UPDATE)
    story.when(ConfirmPayment("pay_1")).answered(200, status="created")
    story.when(ConfirmPayment("pay_1")).refused(PaymentStateInvalid)
    story.given(says(AGREED))
    assert card_of(story, "pay_1") == ("tok_new", "agr_1")


def test_a_charge_that_is_not_due_yet_is_not_sent_by_the_update() -> None:
    story = updating()
    # What is announced while the card is being replaced is taken: by its time that will be known.
    story.given(charge(1_000, at=NOON + timedelta(days=1)))
    story.when(says(AGREED)).then(UPDATED)
    assert status_of(story) == "created"


def test_nobody_waits_for_a_payer_for_ever() -> None:
    story = active().given(charge(1_000, at=NOON + timedelta(hours=1)), UPDATE, says(SMS), NOON + timedelta(hours=1))
    story.given(SendScheduledPayment("pay_1"), NOON + SIGNING_TIME)
    # Whichever comes first: what is still under way is waited for a little longer.
    story.when(SendScheduledPayment("pay_1")).then(
        PaymentPostponed(NOON + SIGNING_TIME + timedelta(minutes=1), BECAUSE)
    )
    outcome_ = story.when(ExpireContract("con_1"))
    assert outcome_.decision is not None
    assert outcome_.decision.events[0] == ("con_1", ContractUpdateFailed("con_1", FIRST, "session_expired"))
    assert (shown(story).status, status_of(story)) == ("active", "processing")
    assert card_of(story, "pay_1") == ("tok_sms", "agr_1")


def test_the_channels_own_limit_for_an_answer_counts() -> None:
    soon = NOON + timedelta(minutes=5)
    story = updating().given(says(ActionRequired("agr_1", "sms_code", expires_at=soon)), soon)
    story.when(ExpireContract("con_1")).then(ContractUpdateFailed("con_1", FIRST, "session_expired"))


@pytest.mark.parametrize(
    ("end", "by", "reason"),
    [
        (TerminateContract("con_1", "moved"), "merchant", "moved"),
        (of_contract(BY_USER), "user", "the payer ended it at the channel"),
        (
            says(ContractDeclined("mandate_ended", "R1", "Revoked.")),
            "channel",
            "the channel says that it has ended",
        ),
    ],
)
def test_an_end_in_the_middle_of_it_ends_what_waits_too(end: Any, by: str, reason: str) -> None:
    story = active().given(charge(1_000, at=NOON + timedelta(hours=1)), UPDATE, NOON + timedelta(hours=1))
    story.given(SendScheduledPayment("pay_1"))
    told = [ContractEndingRequested("con_1", "end_1-1", CHANNEL, "agr_1")] if by == "merchant" else []
    story.when(end).then(
        ContractUpdateFailed("con_1", FIRST, "mandate_ended"),
        ContractTerminated("con_1", by, reason),
        PaymentCanceled("the contract has ended", "mandate_ended"),
        ContractChargeReleased("con_1", "pay_1", "the contract has ended"),
        *told,
    )
    assert (shown(story).status, shown(story).error, status_of(story)) == ("terminated", None, "canceled")
    story.when(says(AGREED)).then().answered(200, effect="ignored")
    story.when(of_contract(ContractEnded("merchant", NOON))).answered(200)


def test_the_end_that_was_agreed_comes_also_while_the_card_is_being_replaced() -> None:
    story = updating(expires_at=NOON + timedelta(hours=1)).given(NOON + timedelta(hours=1))
    story.given(ExpireContract("con_1"))
    assert (shown(story).status, shown(story).terminated_by) == ("terminated", "expiry")


def test_a_decline_of_a_charge_under_the_former_reference_ends_nothing() -> None:
    story = active().given(charge(), UPDATE, says(ContractSigned("agr_2", NOON)), outcome(MANDATE_ENDED))
    assert (status_of(story), shown(story).status) == ("failed", "active")


# --- the channel has replaced it by itself --------------------------------------------------------------------------


def test_a_card_that_the_channel_replaced_by_itself_is_told_and_charges_go_on() -> None:
    story = active()
    notice = of_contract(ContractSigned("agr_1", NOON, "rep_1"))
    story.when(notice).then(ContractUpdated("con_1", replacement="rep_1"))
    assert (shown(story).status, shown(story).method_updated_at) == ("active", NOON)
    story.when(notice).then().answered(200, effect="duplicate")
    story.when(of_contract(SIGNED)).then().answered(200, effect="duplicate")
    story.when(of_contract(ContractSigned("agr_1", NOON, "rep_2"))).then(ContractUpdated("con_1", replacement="rep_2"))
    story.given(*paid())


def test_it_changes_nothing_about_a_suspension_or_an_update_of_ours() -> None:
    notice = of_contract(ContractSigned("agr_1", NOON, "rep_1"))
    assert shown(active().given(SuspendContract("con_1", "why"), notice)).status == "suspended"
    assert shown(updating().given(notice)).status == "updating"


def test_a_bound_card_is_replaced_by_the_channel_too() -> None:
    card = RecordContractResult("pm_1", CHANNEL, ContractSigned("agr_pm", NOON))
    story = active().given(BindPaymentMethod("pm_1", "ann", Method("card", "tok_bound")), card)
    story.given(RecordContractResult("pm_1", CHANNEL, ContractSigned("agr_pm", NOON, "rep_1")))
    view = payment_method_view(story.stream("pm_1"))
    assert (view.status, view.method_updated_at) == ("active", NOON)
