"""Dispute answers: what a merchant says counts at once, is told to the channel, and what the channel makes of that."""

from datetime import timedelta

import pytest

from commands.channels.channel import NOT_SUPPORTED, DisputeAnswerDeclined, DisputeAnswered, NotSent, Unknown, Verdict
from commands.channels.requests import AcceptDispute, ChallengeDispute
from commands.dispute_answers import RecordDisputeAnswer
from commands.envelope import Command
from commands.processes.intents import closed_by, intent_of
from ledger.errors import DisputeNotFound, DisputeStateInvalid, EvidenceTooLate
from ledger.events.disputes import DisputeAccepted, DisputeChallenged
from tests.commands.dispute_stories import (
    CLAIM,
    DUE,
    EVIDENCE,
    HOLD,
    LOSSES,
    accept,
    challenge,
    heard,
    paid,
    shown,
    word,
)
from tests.commands.given import NOON, Story, given
from tests.commands.stories import CHANNEL, MERCHANT, MERCHANT_DEBT

TAKEN = DisputeAnswered("an_1", NOON)
TOO_LATE = DisputeAnswerDeclined("session_expired", "evidence_too_late", "The time for evidence is over.")
SILENCE = Unknown("ReadTimeout")


def said(story: Story) -> list[tuple[str, str]]:
    return [(answer.says, answer.status) for answer in shown(story).answers]


def money(story: Story) -> list[int]:
    return [story.balance(account) for account in (CLAIM, HOLD, MERCHANT, MERCHANT_DEBT, LOSSES)]


@pytest.mark.parametrize(
    ("command", "errand"),
    [
        (accept(), AcceptDispute("ans_1-1", "pay_1-1", "dp_1", "dispute")),
        (challenge(), ChallengeDispute("ans_1-1", "pay_1-1", "dp_1", "dispute", EVIDENCE)),
    ],
    ids=["accept", "challenge"],
)
def test_an_answer_is_an_errand_to_the_channel_of_the_dispute(
    command: Command, errand: AcceptDispute | ChallengeDispute
) -> None:
    story = given(*paid(), word(), command)
    (intent,) = [found for one in story.log if (found := intent_of(one.event)) if one.event.topic.startswith("disp")]
    assert (intent.channel, intent.errand) == (CHANNEL, errand)
    assert said(story)[-1][1] == "processing"


@pytest.mark.parametrize(
    ("verdict", "status"), [(TAKEN, "delivered"), (TOO_LATE, "declined"), (NOT_SUPPORTED, "by_hand")]
)
def test_what_became_of_it_is_recorded_once_and_ends_the_errand(verdict: Verdict, status: str) -> None:
    story = given(*paid(), word(), challenge())
    story.when(heard(verdict)).answered(effect="recorded", id="ans_1-1")
    assert [closed_by(one.event) for one in story.log][-1] == "ans_1-1"
    assert said(story) == [("challenge", status)]
    for late in (verdict, TAKEN, TOO_LATE, SILENCE):
        story.when(heard(late)).then().answered(effect="ignored")
    assert said(story) == [("challenge", status)]


def test_a_silence_is_told_once_and_may_end_either_way() -> None:
    story = given(*paid(), word(), challenge())
    story.when(heard(SILENCE)).answered(effect="recorded")
    story.when(heard(SILENCE)).then().answered(effect="ignored")
    story.when(heard(NotSent("ConnectError"))).then().answered(effect="ignored")
    assert (said(story), shown(story).status) == ([("challenge", "unknown")], "challenged")
    story.given(heard(TAKEN))
    assert said(story) == [("challenge", "delivered")]


def test_evidence_that_the_channel_does_not_take_counts_as_never_given() -> None:
    story = given(*paid(), word(), challenge())
    held = money(story)
    story.given(heard(TOO_LATE))
    view = shown(story)
    assert (view.status, view.needs_attention, money(story)) == ("opened", True, held)
    (answer,) = view.answers
    assert (answer.group, answer.message) == ("session_expired", "The time for evidence is over.")
    # What was said stays on record, and more may be said.
    assert [one.fields for one in view.evidence] == [EVIDENCE]
    story.given(challenge(), heard(TAKEN, 2))
    assert (said(story), shown(story).needs_attention) == (
        [("challenge", "declined"), ("challenge", "delivered")],
        False,
    )


def test_of_two_answers_the_one_that_was_heard_counts() -> None:
    story = given(*paid(), word(), challenge(), challenge(), heard(TAKEN, 1), heard(TOO_LATE, 2))
    assert (shown(story).status, said(story)) == (
        "challenged",
        [("challenge", "delivered"), ("challenge", "declined")],
    )


@pytest.mark.parametrize("liable", ["merchant", "platform"])
def test_giving_up_what_the_channel_has_decided_meanwhile_is_taken_back_with_its_money(liable: str) -> None:
    story = given(*paid(dispute_liability=liable), word())
    held = money(story)
    story.given(accept())
    assert (shown(story).status, shown(story).money) == ("accepted", "lost")
    decided = DisputeAnswerDeclined("session_expired", "dispute_decided", "The dispute is won.")
    story.given(heard(decided))
    assert (shown(story).status, shown(story).money, money(story)) == ("opened", "taken", held)
    # The merchant may still say something else, until the bank's own word comes.
    story.given(word("won"))
    assert (shown(story).status, shown(story).money, shown(story).needs_attention) == ("won", "none", False)


@pytest.mark.parametrize("verdict", [TAKEN, NOT_SUPPORTED])
def test_giving_up_stands_once_it_is_heard_or_told_by_hand(verdict: Verdict) -> None:
    story = given(*paid(), word(), accept(), heard(verdict))
    assert (shown(story).status, shown(story).money) == ("accepted", "lost")
    story.when(accept()).refused(DisputeStateInvalid, dispute_status="accepted")


def test_the_bank_decides_by_its_own_words_afterwards() -> None:
    story = given(*paid())
    before = story.balances()
    story.given(word(), challenge(), heard(TAKEN), word("challenged"), word("won"))
    assert (shown(story).status, story.balances()) == ("won", before)


def test_after_the_deadline_nothing_is_sent() -> None:
    story = given(*paid(), word()).given(DUE + timedelta(seconds=1))
    story.when(challenge()).refused(EvidenceTooLate)
    assert said(story) == []


def test_a_channel_speaks_only_for_what_it_was_sent() -> None:
    story = given(*paid(), word(), challenge())
    for command in (
        RecordDisputeAnswer("ans_1-1", "card_simulator_b", TAKEN),
        RecordDisputeAnswer("ans_1-2", CHANNEL, TAKEN),
        RecordDisputeAnswer("ans_9-1", CHANNEL, TAKEN),
        RecordDisputeAnswer("ans_x", CHANNEL, TAKEN),
    ):
        story.when(command).refused(DisputeNotFound)


def test_what_was_recorded_before_channels_were_told_stands_as_told_by_hand() -> None:
    for event in (DisputeAccepted("dis_1-1", "dispute"), DisputeChallenged("dis_1-1", "dispute", EVIDENCE)):
        assert intent_of(event) is None
