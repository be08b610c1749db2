"""Open orders: where one attempt has paid after all, no other asks the payer, and no word about it changes that."""

import pytest

from commands.cancellations import CancelPayment
from commands.changes import RecordChangeResult
from commands.channels.channel import ActionRequired, Changed, ChangeDeclined, Declined, Unknown, Verdict
from commands.closings import RecordClosingResult
from commands.confirmations import ConfirmPayment, RecordConfirmationResult
from commands.envelope import Command
from commands.payments import RecordAttemptResult
from ledger.events.payments import PaymentCaptured, PaymentReceiptUnapplied
from ledger.events.voids import AuthorizationVoided, VoidRequested
from ledger.payment_views import payment_view
from tests.commands.given import NOON, Story, given
from tests.commands.stories import CHANNEL, OTHER_CHANNEL, PARTIES, by_card, charged

NO = Declined("try_again", "91", "Try again later.", hard=False)
AT_THE_BANK = ActionRequired("ch_2", "three_ds", "https://bank.example/2", {}, None)
A_CODE = ActionRequired("ch_2", "sms_code", None, {"tries_left": "2"}, None)
CLOSED = Changed("vo_1", 6_000, "EUR", NOON)
NOT_CLOSED = ChangeDeclined("generic_decline", "charge_not_voidable", "It is paid.")


def first(verdict: Verdict) -> RecordAttemptResult:
    return RecordAttemptResult("pay_1-1", CHANNEL, verdict)


def second(verdict: Verdict) -> RecordAttemptResult:
    return RecordAttemptResult("pay_1-2", OTHER_CHANNEL, verdict)


LATE_SUCCESS = first(charged(reference="ch_1"))


def asked(action: ActionRequired, *commands: Command) -> Story:
    """The first channel said no, the second asks the payer; and then these."""
    return given(*PARTIES, by_card(), first(NO), second(action), *commands)


def status(story: Story) -> str:
    return payment_view(story.stream("pay_1")).status


def found(story: Story, kind: type) -> list[object]:
    return [fact.event for fact in story.stream("pay_1") if isinstance(fact.event, kind)]


def test_the_order_that_waits_for_its_payer_is_closed_when_another_attempt_has_paid() -> None:
    story = asked(AT_THE_BANK, LATE_SUCCESS)
    (closing,) = found(story, VoidRequested)
    assert isinstance(closing, VoidRequested)
    assert (closing.attempt, closing.channel, closing.channel_reference) == ("pay_1-2", OTHER_CHANNEL, "ch_2")
    assert (closing.amount, closing.surplus, status(story)) == (6_000, True, "succeeded")
    closed = asked(AT_THE_BANK, LATE_SUCCESS, RecordChangeResult("void_1-1", OTHER_CHANNEL, CLOSED), second(NO))
    (let_go,) = found(closed, AuthorizationVoided)
    assert isinstance(let_go, AuthorizationVoided)
    assert (let_go.amount, status(closed)) == (0, "succeeded")


def test_an_order_that_is_opened_only_after_another_attempt_has_paid_is_closed_once() -> None:
    story = given(*PARTIES, by_card(), first(NO), second(Unknown("ReadTimeout")), LATE_SUCCESS)
    assert found(story, VoidRequested) == []
    opened = (*PARTIES, by_card(), first(NO), second(Unknown("ReadTimeout")), LATE_SUCCESS, second(AT_THE_BANK))
    for commands in (opened, (*opened, second(AT_THE_BANK))):
        story = given(*commands)
        assert len(found(story, VoidRequested)) == 1
        assert status(story) == "succeeded"


def test_who_pays_before_it_is_closed_has_his_money_back() -> None:
    declined = RecordChangeResult("void_1-1", OTHER_CHANNEL, NOT_CLOSED)
    story = asked(AT_THE_BANK, LATE_SUCCESS, declined, second(charged(reference="ch_2")))
    assert (len(found(story, PaymentCaptured)), len(found(story, PaymentReceiptUnapplied))) == (1, 1)
    assert status(story) == "succeeded"


@pytest.mark.parametrize(
    "words",
    [
        (RecordClosingResult("close_1-1", OTHER_CHANNEL, CLOSED),),
        (RecordClosingResult("close_1-1", OTHER_CHANNEL, CLOSED), second(NO)),
        (second(NO), RecordClosingResult("close_1-1", OTHER_CHANNEL, CLOSED)),
        (RecordClosingResult("close_1-1", OTHER_CHANNEL, NOT_CLOSED),),
        (RecordClosingResult("close_1-1", OTHER_CHANNEL, NOT_CLOSED), second(AT_THE_BANK)),
    ],
)
def test_what_is_paid_while_it_is_given_up_stays_paid_whatever_the_closing_says(words: tuple[Command, ...]) -> None:
    story = asked(AT_THE_BANK, CancelPayment("pay_1"), LATE_SUCCESS, *words)
    assert (status(story), len(found(story, PaymentCaptured))) == ("succeeded", 1)


@pytest.mark.parametrize("verdict", [A_CODE, NO, charged(reference="ch_2")])
def test_what_is_paid_while_its_payer_tells_a_code_stays_paid_whatever_is_said_to_it(verdict: Verdict) -> None:
    word = RecordConfirmationResult("cfm_1-1", OTHER_CHANNEL, verdict)
    story = asked(A_CODE, ConfirmPayment("pay_1", "123456"), LATE_SUCCESS, word)
    assert (status(story), len(found(story, PaymentCaptured))) == ("succeeded", 1)
