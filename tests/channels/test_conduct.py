"""Conduct: what a token says of a charge, and of what is done with it later."""

import pytest

from commands.channels.simulator.conduct import ANSWER_FAULTS, CALLBACK_FAULTS, DECLINES, About, Conduct, conduct_for
from commands.channels.simulator.faults import Match, Rule, operation_of
from tests.channels.conformance import EVERYTHING

USUAL = Conduct()


@pytest.mark.parametrize(
    ("token", "about", "conduct"),
    [
        ("tok_visa", "charge", USUAL),
        ("stolen_card", "charge", USUAL),
        ("tok_stolen_card", "charge", Conduct(decline="stolen_card")),
        ("tok_stolen_card", "refund", USUAL),
        ("tok_refund_stolen_card", "charge", USUAL),
        ("tok_refund_stolen_card", "refund", Conduct(decline="stolen_card")),
        ("tok_capture_timeout_after", "capture", Conduct(answer="timeout_after")),
        ("tok_void_late", "void", Conduct(late_ms=1_000)),
        ("tok_refund_returned", "refund", Conduct(returned_ms=1_000)),
        ("tok_sms", "charge", Conduct(action="sms_code")),
        ("tok_partial_75", "charge", Conduct(partial=75)),
        ("tok_expires_2", "charge", Conduct(expires_ms=2_000)),
        ("tok_sms+tok_expires_2", "charge", Conduct(action="sms_code", expires_ms=2_000)),
        ("tok_sms+tok_refund_late", "charge", Conduct(action="sms_code")),
        ("tok_sms+tok_refund_late", "refund", Conduct(late_ms=1_000)),
        ("tok_late_decline", "charge", Conduct(late_ms=1_000, decline="generic_decline")),
    ],
)
def test_a_token_says_how_it_goes(token: str, about: About, conduct: Conduct) -> None:
    assert conduct_for(token, about) == conduct


def test_every_word_is_a_token() -> None:
    for word in (*DECLINES, *ANSWER_FAULTS, *CALLBACK_FAULTS):
        assert conduct_for(f"tok_{word}") != USUAL, word
        assert conduct_for(f"tok_refund_{word}", "refund") != USUAL, word


def test_the_plan_has_a_word_for_everything_that_a_channel_is_asked() -> None:
    words = {operation_of(request) for request in EVERYTHING}
    assert len(words) == len(EVERYTHING)
    for word in words:
        Rule(Match(word), "timeout_after")
