"""Declines: every group tells the payer in two languages what happened, whether money moved, and what to do next."""

from typing import get_args

import pytest

from commands.channels.channel import DeclineReason
from ledger.declines import GROUPS, failure_of, refund_failure_of

NEXT_ACTIONS = {
    "other_method",
    "correct_details",
    "step_up",
    "contact_bank",
    "retry",
    "sign_again",
    "show_first",
    "restart",
    "developer",
}
TELLS_OF_FRAUD = ("fraud", "stolen", "lost", "risk", "blacklist", "blocked", "suspicious", "欺诈", "风险", "黑名单")


def test_every_reason_that_a_channel_may_give_has_a_text() -> None:
    assert set(get_args(DeclineReason)) <= GROUPS


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_a_text_says_it_in_two_languages_and_whether_money_moved(group: str) -> None:
    failure = failure_of(group)
    assert failure.message == failure.texts.en
    assert failure.next_action in NEXT_ACTIONS
    assert failure.texts.en.isascii()
    assert any("\u4e00" <= character <= "\u9fff" for character in failure.texts.zh)
    assert not failure.money_moved
    if group != "duplicate":
        assert "charged" in failure.texts.en
        assert "未扣款" in failure.texts.zh
    assert group not in failure.message  # No codes.


def test_why_fraud_control_said_no_is_never_told() -> None:
    told = failure_of("blocked")
    for word in TELLS_OF_FRAUD:
        assert word not in told.texts.en.lower()
        assert word not in told.texts.zh


def test_what_is_not_known_reads_as_a_decline_without_a_reason() -> None:
    assert failure_of("something_new").texts == failure_of("generic_decline").texts


def test_a_refund_that_failed_does_not_say_that_nothing_was_charged() -> None:
    told = refund_failure_of("account_invalid")
    assert "charged" not in told.message
    assert told.next_action == "contact_merchant"
