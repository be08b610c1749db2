"""Contract updates: the card of a contract is replaced, and what waits for it; each rule, as given, when, then."""

import pytest

from commands.channels.channel import (
    ContractSigned,
    NotFound,
    NotSent,
    Unknown,
    Verdict,
)
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
from ledger.contract_state import SIGNING_TIME
from ledger.contract_views import ContractAction, payment_method_view
from ledger.errors import (
    ContractMismatch,
    ContractNotFound,
    ContractStateInvalid,
    MethodNotSupported,
    PaymentMethodInUse,
    PaymentMethodUnknown,
    Refusal,
)
from ledger.events.contracts import (
    ContractActionRequired,
    ContractActivated,
    ContractAnswerRefused,
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
)
from tests.commands.contract_stories import (
    AGREED,
    FIRST,
    NEW,
    REFUSED,
    REQUESTED,
    SECOND,
    SIGNED,
    SMS,
    UPDATE,
    UPDATED,
    WRONG_CODE,
    active,
    card_of,
    charge,
    of_update,
    paid,
    says,
    shown,
    updating,
)
from tests.commands.given import NOON
from tests.commands.stories import CHANNEL

# --- the new card ---------------------------------------------------------------------------------------------------


def test_a_card_is_replaced_here_once_the_channel_has_taken_the_new_one() -> None:
    story = active()
    story.when(UPDATE).then(REQUESTED).answered(202, status="updating", method_updated_at=None)
    assert shown(story).next_action == ContractAction("wait")
    story.when(of_update(AGREED)).then(UPDATED).answered(200, effect="recorded")
    view = shown(story)
    assert (view.status, view.next_action, view.method_updated_at) == ("active", None, NOON)
    story.given(*paid())
    assert card_of(story, "pay_1") == ("tok_new", "agr_1")
    story.when(of_update(AGREED)).then().answered(200, effect="duplicate")


def test_the_reference_that_the_channel_gives_the_new_card_is_charged_from_then_on() -> None:
    story = updating().given(of_update(ContractSigned("agr_2", NOON)), charge())
    assert card_of(story, "pay_1") == ("tok_new", "agr_2")
    story.when(TerminateContract("con_1", "moved")).then(
        ContractTerminated("con_1", "merchant", "moved"),
        ContractEndingRequested("con_1", "end_1-1", CHANNEL, "agr_2"),
    )


def test_the_payer_may_have_to_agree_by_a_code_as_when_he_signed() -> None:
    story = updating()
    story.when(of_update(SMS)).then(ContractActionRequired("con_1", "sms_code", "agr_1"))
    assert (shown(story).status, shown(story).next_action) == ("updating", ContractAction("sms_code"))
    story.when(of_update(SMS)).then().answered(200, effect="ignored")
    answer = ContractUpdateRequested("con_1", FIRST, SECOND, CHANNEL, "agr_1", "ann", NEW, answer="123456")
    story.when(ConfirmContract("con_1", "123456")).then(answer).answered(202, status="updating")
    assert shown(story).next_action == ContractAction("wait")
    story.when(ConfirmContract("con_1", "123456")).refused(ContractStateInvalid)
    story.when(of_update(AGREED)).then(UPDATED)


def test_a_wrong_code_may_be_told_again_a_few_times_and_then_the_old_card_stays() -> None:
    story = updating().given(of_update(SMS))
    for _ in range(MOST_ANSWERS - 1):
        story.given(ConfirmContract("con_1", "000000"))
        story.when(of_update(WRONG_CODE)).then(
            ContractAnswerRefused("con_1", "authentication_failed", "wrong_code", "The code is wrong.")
        )
        view = shown(story)
        assert (view.status, view.next_action) == ("updating", ContractAction("sms_code"))
        assert view.error is not None
    story.given(ConfirmContract("con_1", "000000"))
    story.when(of_update(WRONG_CODE)).then(
        ContractUpdateFailed("con_1", FIRST, "authentication_failed", "wrong_code", "The code is wrong.")
    )
    view = shown(story)
    assert (view.status, view.error and view.error.code) == ("active", "authentication_failed")
    story.given(*paid())
    assert card_of(story, "pay_1") == ("tok_sms", "agr_1")


def test_a_later_update_begins_anew() -> None:
    story = updating().given(
        of_update(SMS), ConfirmContract("con_1", "000000"), of_update(WRONG_CODE), of_update(REFUSED)
    )
    again = ContractUpdateRequested("con_1", "upd_1-3", "upd_1-3", CHANNEL, "agr_1", "ann", NEW)
    story.when(UPDATE).then(again)
    assert (shown(story).error, shown(story).next_action) == (None, ContractAction("wait"))
    story.given(of_update(SMS, "upd_1-3"))
    for _ in range(MOST_ANSWERS - 1):
        story.given(ConfirmContract("con_1", "000000"), of_update(WRONG_CODE, "upd_1-3"))
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
    story.when(of_update(verdict)).then(event)
    assert shown(story).status == status
    story.when(of_update(verdict)).then().answered(200, effect="ignored")


def test_silence_is_recorded_once_for_each_update() -> None:
    story = updating().given(of_update(Unknown("ReadTimeout")), of_update(REFUSED), UPDATE)
    story.when(of_update(Unknown("ReadTimeout"), SECOND)).then(ContractUnanswered("con_1", "ReadTimeout"))


def test_an_answer_that_never_left_us_may_be_told_again() -> None:
    story = updating().given(of_update(SMS))
    story.when(of_update(NotSent("refused"))).then()
    story.given(ConfirmContract("con_1", "123456"))
    story.when(of_update(NotSent("refused"))).then(
        ContractAnswerRefused("con_1", "try_again", message="refused", counted=False)
    )
    story.when(ConfirmContract("con_1", "123456")).answered(202, status="updating")


def test_what_says_nothing_changes_nothing() -> None:
    updating().when(of_update(NotFound())).then().answered(200, effect="ignored")


def test_what_the_channel_took_after_we_gave_it_up_is_charged_all_the_same() -> None:
    story = updating().given(of_update(SMS), NOON + SIGNING_TIME, ExpireContract("con_1"))
    story.when(of_update(AGREED)).then(UPDATED)
    assert (shown(story).status, shown(story).error) == ("active", None)


def test_what_the_channel_took_late_does_not_end_a_newer_update() -> None:
    story = updating().given(of_update(REFUSED), UpdateContractMethod("con_1", Method("card", "tok_newer")))
    story.when(of_update(AGREED)).then(UPDATED)
    assert shown(story).status == "updating"
    story.given(of_update(ContractSigned("agr_1", NOON), SECOND), *paid())
    assert card_of(story, "pay_1") == ("tok_newer", "agr_1")


def test_only_its_own_channel_speaks_for_an_update_and_only_of_one_that_there_is() -> None:
    story = updating().given(of_update(SMS), ConfirmContract("con_1", "123456"))
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
    story.given(of_update(AGREED))
    story.when(DeletePaymentMethod("ann", "pm_1")).refused(PaymentMethodInUse)
    story.given(*paid())
    assert card_of(story, "pay_1") == ("tok_bound", "agr_1")


def test_a_card_that_is_bound_at_another_channel_cannot_take_its_place() -> None:
    elsewhere = ContractDrafted("pm_1", "ann", None, "quick_pay", Method("card", "tok_bound"), "card_simulator_b")
    story = active().given(("pm_1", elsewhere), ("pm_1", ContractActivated("pm_1", "agr_pm")))
    bound = Method("card", None, {"payment_method": "pm_1"})
    story.when(UpdateContractMethod("con_1", bound)).refused(ContractMismatch, "/method/payment_method")


# --- the channel has replaced it by itself --------------------------------------------------------------------------


def test_a_card_that_the_channel_replaced_by_itself_is_told_and_charges_go_on() -> None:
    story = active()
    notice = says(ContractSigned("agr_1", NOON, "rep_1"))
    story.when(notice).then(ContractUpdated("con_1", replacement="rep_1"))
    assert (shown(story).status, shown(story).method_updated_at) == ("active", NOON)
    story.when(notice).then().answered(200, effect="duplicate")
    story.when(says(SIGNED)).then().answered(200, effect="duplicate")
    story.when(says(ContractSigned("agr_1", NOON, "rep_2"))).then(ContractUpdated("con_1", replacement="rep_2"))
    story.given(*paid())


def test_it_changes_nothing_about_a_suspension_or_an_update_of_ours() -> None:
    notice = says(ContractSigned("agr_1", NOON, "rep_1"))
    assert shown(active().given(SuspendContract("con_1", "why"), notice)).status == "suspended"
    assert shown(updating().given(notice)).status == "updating"


def test_a_bound_card_is_replaced_by_the_channel_too() -> None:
    card = RecordContractResult("pm_1", CHANNEL, ContractSigned("agr_pm", NOON))
    story = active().given(BindPaymentMethod("pm_1", "ann", Method("card", "tok_bound")), card)
    story.given(RecordContractResult("pm_1", CHANNEL, ContractSigned("agr_pm", NOON, "rep_1")))
    view = payment_method_view(story.stream("pm_1"))
    assert (view.status, view.method_updated_at) == ("active", NOON)
