"""Contracts: how one is signed and how it ends; each rule, as given, when, then."""

from datetime import timedelta

import pytest

from commands.channels.channel import (
    ActionRequired,
    ContractDeclined,
    ContractEnded,
    NotSent,
    Unknown,
    Verdict,
)
from commands.contract_results import RecordContractResult
from commands.contracts import (
    MOST_ANSWERS,
    ConfirmContract,
    CreateContract,
    ExpireContract,
    TerminateContract,
)
from ledger.contract_state import SIGNING_TIME
from ledger.contract_views import ContractAction
from ledger.errors import (
    ContractAlreadyEnded,
    ContractNotActive,
    ContractNotDue,
    ContractNotFound,
    ContractStateInvalid,
    CurrencyMismatch,
    CurrencyUnknown,
    CustomerUnknown,
    ExpiryInPast,
    FieldInvalid,
    MerchantUnknown,
    MethodNotSupported,
    ProductNotSupported,
    Refusal,
)
from ledger.events.contracts import (
    ContractActionRequired,
    ContractActivated,
    ContractAnswerRefused,
    ContractChargeReleased,
    ContractDrafted,
    ContractEndConfirmed,
    ContractEndingRequested,
    ContractExpired,
    ContractFailed,
    ContractSignedTooLate,
    ContractSigningRequested,
    ContractTerminated,
    ContractUnanswered,
    Limits,
    PeriodLimit,
)
from ledger.events.customers import CustomerContractAdded
from ledger.events.event import Event
from ledger.events.payments import Method, PaymentCanceled
from tests.commands.contract_stories import (
    BY_USER,
    LIMITS,
    MANDATE_ENDED,
    REFUSED,
    SIGNED,
    SMS,
    WRONG_CODE,
    active,
    asked,
    charge,
    contract,
    counted,
    outcome,
    says,
    shown,
    status_of,
)
from tests.commands.given import NOON, given
from tests.commands.stories import CHANNEL, PARTIES, charged

# --- signing --------------------------------------------------------------------------------------------------------


def test_the_intent_to_sign_is_in_the_log_before_the_channel_is_asked() -> None:
    outcome = given(*PARTIES).when(contract())
    method = Method("card", "tok_sms")
    decision = outcome.decision
    assert decision is not None
    drafted = decision.events[1][1]
    assert isinstance(drafted, ContractDrafted)
    assert (drafted.channel, drafted.limits, drafted.method) == (CHANNEL, LIMITS, method)
    outcome.then(
        CustomerContractAdded("ann", "con_1"),
        drafted,
        ContractSigningRequested("con_1", "sig_1-1", CHANNEL, "ann", "card", {"token": "tok_sms"}),
    )
    outcome.answered(202, id="con_1", status="draft", customer="ann", merchant="acme", single_use=False)


def test_a_contract_is_signed_by_the_code_that_the_payer_was_sent() -> None:
    story = given(*PARTIES, contract())
    story.when(says(SMS)).then(ContractActionRequired("con_1", "sms_code", "agr_1"))
    assert (shown(story).status, shown(story).next_action) == ("pending_user", ContractAction("sms_code"))
    story.when(ConfirmContract("con_1", "123456")).then(
        ContractSigningRequested("con_1", "sig_1-2", CHANNEL, "ann", "card", {"token": "tok_sms"}, answer="123456")
    ).answered(202, status="confirming", next_action={"type": "wait", "url": None, "data": {}, "expires_at": None})
    story.when(says(SIGNED)).then(ContractActivated("con_1", "agr_1"))
    assert (shown(story).status, shown(story).next_action) == ("active", None)
    story.when(says(SIGNED)).then().answered(200, effect="duplicate")
    story.when(says(SMS)).then().answered(200, effect="ignored")


def test_who_agrees_at_the_channel_has_no_code_to_tell() -> None:
    story = given(*PARTIES, contract(), says(ActionRequired("agr_1", "redirect", "https://bank.example/sign")))
    action = shown(story).next_action
    assert action is not None
    assert (action.type, action.url) == ("redirect", "https://bank.example/sign")
    story.when(ConfirmContract("con_1", "123456")).refused(ContractStateInvalid, contract_status="pending_user")
    story.when(says(SIGNED)).then(ContractActivated("con_1", "agr_1"))


def test_a_contract_may_be_signed_without_another_word() -> None:
    given(*PARTIES, contract()).when(says(SIGNED)).then(ContractActivated("con_1", "agr_1"))


def test_a_wrong_code_may_be_told_again_a_few_times() -> None:
    story = asked()
    for _ in range(MOST_ANSWERS - 1):
        story.given(ConfirmContract("con_1", "000000"))
        story.when(says(WRONG_CODE)).then(
            ContractAnswerRefused("con_1", "authentication_failed", "wrong_code", "The code is wrong.")
        )
        view = shown(story)
        assert (view.status, view.error and view.error.code) == ("pending_user", "authentication_failed")
    story.given(ConfirmContract("con_1", "000000"))
    story.when(says(WRONG_CODE)).then(
        ContractFailed("con_1", "authentication_failed", "wrong_code", "The code is wrong.")
    )
    story.when(ConfirmContract("con_1", "123456")).refused(ContractStateInvalid, contract_status="failed")


def test_an_answer_that_never_left_us_does_not_count() -> None:
    story = asked().given(ConfirmContract("con_1", "123456"))
    story.when(says(NotSent("refused"))).then(
        ContractAnswerRefused("con_1", "try_again", message="refused", counted=False)
    )
    story.when(ConfirmContract("con_1", "123456")).answered(202, status="confirming")


@pytest.mark.parametrize(
    ("verdict", "event"),
    [
        (REFUSED, ContractFailed("con_1", "generic_decline", "05", "The bank does not agree.")),
        (ContractDeclined("session_expired", "late", ""), ContractExpired("con_1")),
        (NotSent("refused"), ContractFailed("con_1", "try_again", message="refused")),
        (Unknown("ReadTimeout"), ContractUnanswered("con_1", "ReadTimeout")),
        (BY_USER, ContractTerminated("con_1", "user", "the payer ended it at the channel")),
    ],
)
def test_what_the_channel_says_instead_of_yes(verdict: Verdict, event: Event) -> None:
    story = given(*PARTIES, contract())
    story.when(says(verdict)).then(event)
    story.when(charge()).refused(ContractNotActive)


def test_silence_is_recorded_once() -> None:
    story = given(*PARTIES, contract(), says(Unknown("ReadTimeout")))
    story.when(says(Unknown("ReadTimeout"))).then().answered(200, effect="ignored")
    assert shown(story).status == "draft"


def test_only_its_own_channel_speaks_for_a_contract() -> None:
    asked().when(RecordContractResult("con_1", "somebody", SIGNED)).refused(ContractNotFound)
    asked().when(RecordContractResult("con_2", CHANNEL, SIGNED)).refused(ContractNotFound)


def test_who_does_not_sign_in_time_has_not_signed() -> None:
    story = asked()
    story.given(NOON + SIGNING_TIME - timedelta(seconds=1))
    story.when(ExpireContract("con_1")).refused(ContractNotDue)
    story.given(NOON + SIGNING_TIME)
    story.when(ExpireContract("con_1")).then(ContractExpired("con_1"))
    story.when(says(SIGNED)).then(
        ContractSignedTooLate("con_1", "agr_1"), ContractEndingRequested("con_1", "end_1-1", CHANNEL, "agr_1")
    ).answered(200, effect="unapplied")
    story.when(says(SIGNED)).then().answered(200, effect="duplicate")
    story.when(says(ContractEnded("merchant", NOON))).then(ContractEndConfirmed("con_1", "end_1-1"))


@pytest.mark.parametrize(
    ("change", "refusal", "pointer"),
    [
        ({"customer": "nobody"}, CustomerUnknown, "/customer"),
        ({"merchant": "nobody"}, MerchantUnknown, "/merchant"),
        ({"product": "quick_pay"}, ProductNotSupported, "/product"),
        ({"method": Method("carrier_pigeon")}, MethodNotSupported, "/method/type"),
        ({"limits": Limits("XXX")}, CurrencyUnknown, "/limits/currency"),
        ({"limits": Limits("USD")}, CurrencyMismatch, "/limits/currency"),
        ({"limits": Limits("EUR", None, PeriodLimit(1, "year"))}, FieldInvalid, "/limits/per_period/period"),
        ({"expires_at": NOON}, ExpiryInPast, "/expires_at"),
    ],
)
def test_a_contract_that_makes_no_sense_is_refused(
    change: dict[str, object], refusal: type[Refusal], pointer: str
) -> None:
    command = contract()
    fields = {name: getattr(command, name) for name in command.__struct_fields__} | change
    given(*PARTIES).when(CreateContract(**fields)).refused(refusal, pointer)


# --- the end --------------------------------------------------------------------------------------------------------


def test_the_merchant_ends_it_here_at_once_and_then_at_the_channel() -> None:
    story = active()
    story.when(TerminateContract("con_1", "moved")).then(
        ContractTerminated("con_1", "merchant", "moved"),
        ContractEndingRequested("con_1", "end_1-1", CHANNEL, "agr_1"),
    ).answered(200, status="terminated", terminated_by="merchant", reason="moved")
    story.when(charge()).refused(ContractNotActive, contract_status="terminated")
    story.when(TerminateContract("con_1", "again")).refused(
        ContractAlreadyEnded, contract_status="terminated", terminated_by="merchant"
    )
    story.when(says(ContractEnded("merchant", NOON))).then(ContractEndConfirmed("con_1", "end_1-1"))
    story.when(says(ContractEnded("merchant", NOON))).then().answered(200, effect="duplicate")


def test_what_was_never_signed_needs_no_end_at_the_channel() -> None:
    asked().when(TerminateContract("con_1", "changed my mind")).then(
        ContractTerminated("con_1", "merchant", "changed my mind")
    )


def test_the_user_ends_it_at_the_channel_and_the_queued_charge_is_canceled() -> None:
    """Scenario 61."""
    story = active().given(charge(1_000, at=NOON + timedelta(days=1)), charge(2_000, "pay_2"))
    story.when(says(BY_USER)).then(
        ContractTerminated("con_1", "user", "the payer ended it at the channel"),
        PaymentCanceled("the contract has ended", "mandate_ended"),
        ContractChargeReleased("con_1", "pay_1", "the contract has ended"),
    )
    assert (shown(story).terminated_by, status_of(story)) == ("user", "canceled")
    # What is at the channel already stays there, and what becomes of it is a fact.
    assert status_of(story, "pay_2") == "processing"
    story.given(outcome(charged(2_000), "pay_2"))
    assert counted(story) == {"pay_1": "released", "pay_2": "confirmed"}
    story.when(says(BY_USER)).then().answered(200, effect="duplicate")


def test_a_decline_because_the_agreement_has_ended_ends_the_contract() -> None:
    story = active().given(charge(1_000, "pay_2", at=NOON + timedelta(days=1)), charge())
    story.given(outcome(MANDATE_ENDED))
    assert (shown(story).status, shown(story).terminated_by) == ("terminated", "channel")
    assert (status_of(story), status_of(story, "pay_2")) == ("failed", "canceled")
    assert counted(story) == {"pay_2": "released", "pay_1": "released"}


def test_a_contract_ends_by_the_clock() -> None:
    story = active(expires_at=NOON + timedelta(days=2))
    story.when(charge(at=NOON + timedelta(days=2))).refused(ContractNotActive)
    story.given(NOON + timedelta(days=2))
    # The clock has the last word, not the timer.
    story.when(charge()).refused(ContractNotActive, contract_status="expired")
    story.when(ExpireContract("con_1")).then(
        ContractTerminated("con_1", "expiry", "it was agreed until now"),
        ContractEndingRequested("con_1", "end_1-1", CHANNEL, "agr_1"),
    )
    story.when(ExpireContract("con_1")).refused(ContractNotDue)
