"""Held charges: what is charged under a contract while its card is being replaced; each rule, as given, when, then."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from commands.channels.channel import (
    ActionRequired,
    ContractDeclined,
    ContractEnded,
    ContractSigned,
)
from commands.confirmations import ConfirmPayment
from commands.contracts import (
    ExpireContract,
    TerminateContract,
)
from commands.scheduled_payments import SendScheduledPayment
from ledger.contract_state import SIGNING_TIME
from ledger.errors import (
    ContractNotActive,
    PaymentNotDue,
    PaymentStateInvalid,
)
from ledger.events.contracts import (
    ContractChargeReleased,
    ContractEndingRequested,
    ContractTerminated,
    ContractUpdated,
    ContractUpdateFailed,
)
from ledger.events.payments import (
    PaymentAttemptInitiated,
    PaymentCanceled,
    PaymentPostponed,
    PaymentRouted,
)
from tests.commands.contract_stories import (
    AGREED,
    BECAUSE,
    BY_USER,
    FIRST,
    MANDATE_ENDED,
    REFUSED,
    SMS,
    UPDATE,
    UPDATED,
    active,
    card_of,
    charge,
    counted,
    of_update,
    outcome,
    says,
    shown,
    status_of,
    updating,
)
from tests.commands.given import NOON
from tests.commands.stories import CHANNEL, charged


def test_while_the_card_is_being_replaced_nothing_new_is_charged_at_once() -> None:
    updating().when(charge()).refused(ContractNotActive, contract_status="updating")


def test_a_charge_whose_time_comes_waits_and_goes_to_the_new_card() -> None:
    tomorrow = NOON + timedelta(days=1)
    story = active().given(charge(1_000, at=tomorrow), tomorrow - timedelta(hours=1), UPDATE, of_update(SMS), tomorrow)
    until = tomorrow - timedelta(hours=1) + SIGNING_TIME
    story.when(SendScheduledPayment("pay_1")).then(PaymentPostponed(until, BECAUSE)).answered(200, status="created")
    story.when(SendScheduledPayment("pay_1")).refused(PaymentNotDue)
    assert counted(story) == {"pay_1": "reserved"}
    decision = story.when(of_update(AGREED)).decision
    assert decision is not None
    kinds = [type(event) for _, event in decision.events]
    assert kinds == [ContractUpdated, PaymentRouted, PaymentAttemptInitiated]
    assert card_of(story, "pay_1") == ("tok_new", "agr_1")
    story.given(outcome(charged(1_000)))
    assert (status_of(story), counted(story)) == ("succeeded", {"pay_1": "confirmed"})


def test_where_the_card_is_not_replaced_what_waited_goes_to_the_old_one() -> None:
    tomorrow = NOON + timedelta(days=1)
    story = active().given(charge(1_000, at=tomorrow), tomorrow - timedelta(hours=1), UPDATE, tomorrow)
    story.given(SendScheduledPayment("pay_1"), of_update(REFUSED))
    assert card_of(story, "pay_1") == ("tok_sms", "agr_1")


def test_what_waits_waits_for_the_newest_update() -> None:
    later = NOON + timedelta(hours=1)
    story = updating().given(of_update(REFUSED), UPDATE, charge(1_000, at=later), later, SendScheduledPayment("pay_1"))
    story.when(of_update(AGREED)).then(UPDATED)
    assert status_of(story) == "created"


def test_a_charge_that_is_let_go_on_meanwhile_waits_too() -> None:
    story = active().given(replace(charge(), confirm=False), UPDATE)
    story.when(ConfirmPayment("pay_1")).answered(200, status="created")
    story.when(ConfirmPayment("pay_1")).refused(PaymentStateInvalid)
    story.given(of_update(AGREED))
    assert card_of(story, "pay_1") == ("tok_new", "agr_1")


def test_a_charge_that_is_not_due_yet_is_not_sent_by_the_update() -> None:
    story = updating()
    # What is announced while the card is being replaced is taken: by its time that will be known.
    story.given(charge(1_000, at=NOON + timedelta(days=1)))
    story.when(of_update(AGREED)).then(UPDATED)
    assert status_of(story) == "created"


def test_nobody_waits_for_a_payer_for_ever() -> None:
    story = active().given(
        charge(1_000, at=NOON + timedelta(hours=1)), UPDATE, of_update(SMS), NOON + timedelta(hours=1)
    )
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
    story = updating().given(of_update(ActionRequired("agr_1", "sms_code", expires_at=soon)), soon)
    story.when(ExpireContract("con_1")).then(ContractUpdateFailed("con_1", FIRST, "session_expired"))


@pytest.mark.parametrize(
    ("end", "by", "reason"),
    [
        (TerminateContract("con_1", "moved"), "merchant", "moved"),
        (says(BY_USER), "user", "the payer ended it at the channel"),
        (
            of_update(ContractDeclined("mandate_ended", "R1", "Revoked.")),
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
    story.when(of_update(AGREED)).then().answered(200, effect="ignored")
    story.when(says(ContractEnded("merchant", NOON))).answered(200)


def test_the_end_that_was_agreed_comes_also_while_the_card_is_being_replaced() -> None:
    story = updating(expires_at=NOON + timedelta(hours=1)).given(NOON + timedelta(hours=1))
    story.given(ExpireContract("con_1"))
    assert (shown(story).status, shown(story).terminated_by) == ("terminated", "expiry")


def test_a_decline_of_a_charge_under_the_former_reference_ends_nothing() -> None:
    story = active().given(charge(), UPDATE, of_update(ContractSigned("agr_2", NOON)), outcome(MANDATE_ENDED))
    assert (status_of(story), shown(story).status) == ("failed", "active")
