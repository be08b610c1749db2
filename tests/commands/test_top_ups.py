"""Top-ups: money into a wallet through a channel; each rule, as given, when, then."""

import msgspec
import pytest

from commands.channels.channel import AMOUNT_MISMATCH, PENDING, NotSent, Unknown, Verdict
from commands.customers import CreateCustomer
from commands.top_ups import RecordTopUpResult, RequestTopUp
from ledger.errors import (
    AmountNotPositive,
    CurrencyUnknown,
    CustomerNotFound,
    MethodNotSupported,
    Refusal,
    TopUpNotFound,
    WalletNotFound,
)
from ledger.events.top_ups import (
    TopUpFailed,
    TopUpReceiptUnapplied,
    TopUpRequested,
    TopUpSucceeded,
    TopUpUnanswered,
)
from ledger.payment_views import TopUpView, top_up_view
from tests.commands.given import Story, given
from tests.commands.stories import (
    ANN,
    CARD,
    CHANNEL,
    CHANNEL_FEE,
    DECLINED,
    PARTIES,
    PATIENCE,
    RECEIVABLE,
    UNAPPLIED,
    WALLET,
    charged,
)

ASKED = RequestTopUp("top_1", "ann", 6_000, "EUR", CARD)
SUCCEEDED = TopUpSucceeded("top_1", "ann", CHANNEL, "ch_1", 6_000, "EUR", channel_fee=36)


def said(verdict: Verdict) -> RecordTopUpResult:
    return RecordTopUpResult("top_1-1", CHANNEL, verdict)


def shown(story: Story) -> TopUpView:
    return top_up_view(story.stream("top_1"))


def test_a_top_up_is_an_intent_before_anything_is_sent() -> None:
    outcome = given(*PARTIES).when(ASKED)
    outcome.then(
        TopUpRequested("top_1", "ann", 6_000, "EUR", CHANNEL, "top_1-1", "tok_visa", because="the first of 2 for card")
    )
    outcome.answered(202, id="top_1", status="processing", next_action=PATIENCE, channel=CHANNEL, error=None)
    assert outcome.story.balances() == {}


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"amount": 0}, AmountNotPositive),
        ({"currency": "EURO"}, CurrencyUnknown),
        ({"currency": "USD"}, WalletNotFound),
        ({"customer": "nobody"}, CustomerNotFound),
        ({"customer": "bob"}, WalletNotFound),
        ({"method": WALLET}, MethodNotSupported),
    ],
)
def test_what_makes_no_top_up(changes: dict[str, object], refusal: type[Refusal]) -> None:
    command: RequestTopUp = msgspec.structs.replace(ASKED, **changes)
    given(*PARTIES, CreateCustomer("bob")).when(command).refused(refusal)


def test_a_charge_fills_the_wallet_by_all_of_it_and_the_channel_s_fee_is_ours() -> None:
    outcome = given(*PARTIES, ASKED).when(said(charged())).then(SUCCEEDED).answered(200, effect="recorded")
    assert outcome.story.balances() == {ANN: 6_000, RECEIVABLE: 5_964, CHANNEL_FEE: 36}
    assert shown(outcome.story).status == "succeeded"


@pytest.mark.parametrize(
    ("verdict", "group"), [(DECLINED, "insufficient_funds"), (NotSent("ConnectError"), "try_again")]
)
def test_a_charge_that_is_declined_or_never_sent_moves_nothing(verdict: Verdict, group: str) -> None:
    outcome = given(*PARTIES, ASKED).when(said(verdict))
    message = "ConnectError" if group == "try_again" else "Not enough money."
    outcome.then(TopUpFailed("top_1", group, message))
    error = shown(outcome.story).error
    assert outcome.story.balances() == {}
    assert error is not None
    assert error.code == group


def test_silence_is_recorded_once_and_another_sum_fills_nothing() -> None:
    story = given(*PARTIES, ASKED)
    story.when(said(Unknown("ReadTimeout"))).then(TopUpUnanswered("top_1", "ReadTimeout"))
    story.when(said(PENDING)).then().answered(effect="ignored")
    story.when(said(charged(1))).then(TopUpUnanswered("top_1", AMOUNT_MISMATCH.reason))
    story.when(said(charged(1))).then().answered(effect="ignored")
    assert (shown(story).status, story.balances()) == ("processing", {})
    story.when(said(charged())).then(SUCCEEDED)


def test_the_same_success_again_has_no_second_effect() -> None:
    story = given(*PARTIES, ASKED, said(charged()))
    story.when(said(charged())).then().answered(200, effect="duplicate")
    story.when(said(DECLINED)).then().answered(effect="ignored")
    assert story.balance(ANN) == 6_000


def test_a_success_after_the_failure_still_fills_the_wallet() -> None:
    story = given(*PARTIES, ASKED, said(DECLINED))
    story.when(said(charged())).then(SUCCEEDED)
    assert (shown(story).status, shown(story).error, story.balance(ANN)) == ("succeeded", None, 6_000)


def test_a_second_success_is_kept_apart() -> None:
    story = given(*PARTIES, ASKED, said(charged()))
    story.when(said(charged(reference="ch_2"))).then(
        TopUpReceiptUnapplied("top_1", CHANNEL, "ch_2", 6_000, "EUR", 36, "a second success for one top-up")
    ).answered(effect="unapplied")
    assert (story.balance(ANN), story.balance(UNAPPLIED)) == (6_000, 6_000)
    story.when(said(charged(reference="ch_2"))).then().answered(effect="duplicate")


@pytest.mark.parametrize(
    ("attempt", "channel"), [("top_1-1", "another"), ("top_1-2", CHANNEL), ("top_2-1", CHANNEL), ("pay_1-1", CHANNEL)]
)
def test_a_channel_speaks_for_what_was_sent_to_it_and_for_nothing_else(attempt: str, channel: str) -> None:
    command = RecordTopUpResult(attempt, channel, charged())
    given(*PARTIES, ASKED).when(command).refused(TopUpNotFound, attempt=attempt)
