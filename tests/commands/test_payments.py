"""Payments: the order, and what its channel says became of it; each rule, as given, when, then."""

import itertools

import msgspec
import pytest

from commands.accounts import FreezeAccount
from commands.channel_facts import LARGEST_ORDER
from commands.channels.channel import AMOUNT_MISMATCH, PENDING, NotFound, NotSent, Unknown, Verdict
from commands.customers import CreateCustomer
from commands.merchants import CreateMerchant
from commands.payments import CreatePayment, RecordAttemptResult
from commands.policies.routing_rules import RoutingRules
from commands.routing_rules import ActivateRoutingRules
from ledger.errors import (
    AccountFrozen,
    AmountNotPositive,
    AmountOverflow,
    CaptureNotSupported,
    CurrencyMismatch,
    CurrencyUnknown,
    CustomerUnknown,
    FeeExceedsAmount,
    FieldMissing,
    IdExistsDifferent,
    InsufficientFunds,
    MerchantUnknown,
    MethodNotSupported,
    PaymentNotFound,
    ProductNotSupported,
    Refusal,
    WalletUnknown,
)
from ledger.events.merchants import FeeTerms
from ledger.events.payments import (
    Method,
    PaymentAttemptDeclined,
    PaymentAttemptInitiated,
    PaymentAttemptUnanswered,
    PaymentCaptured,
    PaymentCreated,
    PaymentFailed,
    PaymentPaidFromWallet,
    PaymentReceiptUnapplied,
    PaymentRiskAssessed,
)
from ledger.payment_views import PaymentView, payment_view, routing_view
from tests.commands.given import NOON, Story, given
from tests.commands.stories import (
    ANN,
    CARD,
    CHANNEL,
    DECLINED,
    IN_TRANSIT,
    MERCHANT,
    PAID_BY_CARD,
    PARTIES,
    PATIENCE,
    RECEIVABLE,
    ROUTED,
    WALLET,
    attempt_of,
    by_card,
    charged,
    from_wallet,
    going_back,
    topped_up,
)

TIMEOUT = Unknown("ReadTimeout")
CAPTURED = PaymentCaptured("pay_1-1", CHANNEL, "ch_1", "acme", "quick_pay", 6_000, "EUR", fee=130, channel_fee=36)


def shown(story: Story, payment: str = "pay_1") -> PaymentView:
    return payment_view(story.stream(payment))


# --- the order ------------------------------------------------------------------------------------------------------


def test_a_payment_from_a_wallet_is_final_in_the_one_commit() -> None:
    outcome = given(*PARTIES, *topped_up(10_000)).when(from_wallet())
    outcome.then(
        PaymentCreated("pay_1", "acme", "ann", 6_000, "EUR", "balance_pay", WALLET, order_reference="order-1", fee=130),
        PaymentRiskAssessed("accept", 0, rules="default-1"),
        PaymentPaidFromWallet("ann", "acme", "balance_pay", 6_000, "EUR", fee=130),
    )
    outcome.answered(201, id="pay_1", status="succeeded", amount_captured=6_000, attempts=[], routing=None)
    assert (outcome.story.balance(ANN), outcome.story.balance(MERCHANT)) == (4_000, 5_870)


def test_a_payment_by_card_is_an_intent_before_anything_is_sent() -> None:
    outcome = given(*PARTIES).when(by_card())
    outcome.then(
        PaymentCreated("pay_1", "acme", None, 6_000, "EUR", "quick_pay", CARD, order_reference="order-1", fee=130),
        PaymentRiskAssessed("accept", 0, rules="default-1"),
        ROUTED,
        PaymentAttemptInitiated("pay_1-1", CHANNEL, 6_000, "EUR", "tok_visa", "acme", "order-1"),
    )
    outcome.answered(
        202,
        status="processing",
        next_action=PATIENCE,
        amount_captured=0,
        attempts=[{"id": "pay_1-1", "channel": CHANNEL, "status": "processing", "error": None}],
        risk={"decision": "accept", "score": 0, "reasons": [], "flagged": False},
        routing=msgspec.json.decode(msgspec.json.encode(routing_view(ROUTED))),
        error=None,
        created_at="2026-03-15T12:00:00Z",
    )
    assert outcome.story.balances() == {}


def test_the_answer_is_what_a_reader_of_the_log_will_see() -> None:
    story = given(*PARTIES)
    told = story.when(by_card()).receipt(PaymentView)
    assert told.position is None
    assert msgspec.structs.replace(told, position=shown(story).position) == shown(story)


def test_several_payments_may_carry_one_order_reference() -> None:
    given(*PARTIES, by_card("pay_1")).when(by_card("pay_2")).answered(202, order_reference="order-1")


@pytest.mark.parametrize(
    ("changes", "refusal", "pointer"),
    [
        ({"amount": 0}, AmountNotPositive, "/amount"),
        ({"amount": -1}, AmountNotPositive, "/amount"),
        ({"amount": LARGEST_ORDER + 1}, AmountOverflow, "/amount"),
        ({"currency": "EURO"}, CurrencyUnknown, "/currency"),
        ({"currency": "USD"}, CurrencyMismatch, "/currency"),
        ({"product": "barter"}, ProductNotSupported, "/product"),
        ({"product": "nonsense"}, ProductNotSupported, "/product"),
        ({"method": Method("wallet")}, MethodNotSupported, "/method/type"),
        ({"capture": "later"}, CaptureNotSupported, "/capture"),
        ({"merchant": "nobody"}, MerchantUnknown, "/merchant"),
        ({"customer": "nobody"}, CustomerUnknown, "/customer"),
        ({"amount": 9}, FeeExceedsAmount, "/amount"),
        ({"product": "balance_pay", "method": WALLET}, FieldMissing, "/customer"),
        ({"product": "balance_pay", "method": WALLET, "customer": "bob"}, WalletUnknown, "/customer"),
        ({"product": "balance_pay", "method": WALLET, "customer": "ann"}, InsufficientFunds, None),
        ({"id": "pay_0"}, IdExistsDifferent, "/id"),
    ],
)
def test_what_makes_no_payment(changes: dict[str, object], refusal: type[Refusal], pointer: str | None) -> None:
    story = given(*PARTIES, CreateCustomer("bob"), by_card("pay_0"))
    command: CreatePayment = msgspec.structs.replace(by_card(), **changes)
    story.when(command).refused(refusal, pointer)
    assert story.balances() == {}


def test_all_that_the_product_does_not_take_is_said_at_once() -> None:
    command: CreatePayment = msgspec.structs.replace(
        from_wallet(), method=CARD, capture="later", customer=None, currency="EURO"
    )
    outcome = given(*PARTIES).when(command).refused(FieldMissing)
    assert outcome.refusal is not None
    assert [(error.pointer, error.code) for error in outcome.refusal.errors] == [
        ("/customer", "field_missing"),
        ("/method/type", "method_not_supported"),
        ("/capture", "capture_not_supported"),
        ("/currency", "currency_unknown"),
    ]


def test_a_fee_may_take_the_whole_amount_and_not_more() -> None:
    dear = CreateMerchant("dear", "Dear", FeeTerms(0, 10), "EUR")
    whole: CreatePayment = msgspec.structs.replace(from_wallet(amount=10), merchant="dear")
    outcome = given(*PARTIES, dear, *topped_up(10)).when(whole).answered(201)
    assert outcome.story.balance("sys:2110:dear:eur") == 0
    less: CreatePayment = msgspec.structs.replace(from_wallet(amount=9), merchant="dear")
    given(*PARTIES, dear, *topped_up(10)).when(less).refused(FeeExceedsAmount, amount=9, fee=10)


def test_a_frozen_wallet_pays_nothing() -> None:
    story = given(*PARTIES, *topped_up(10_000))
    story.when(FreezeAccount(ANN, "suspicion"), administrator=True).answered(200)
    story.when(from_wallet()).refused(AccountFrozen, account=ANN)


def test_a_hundred_payments_of_ten_on_five_hundred_are_fifty() -> None:
    story = given(*PARTIES, *topped_up(500))
    cheap = CreateMerchant("cheap", "Cheap", FeeTerms(0, 0), "EUR")
    story.given(cheap)
    orders: list[CreatePayment] = [
        msgspec.structs.replace(from_wallet(f"pay_{n}", 10), merchant="cheap") for n in range(100)
    ]
    outcomes = [story.when(order) for order in orders]
    assert sum(outcome.refusal is None for outcome in outcomes) == 50
    assert {type(outcome.refusal) for outcome in outcomes[50:]} == {InsufficientFunds}
    assert story.balance(ANN) == 0


# --- what became of it ----------------------------------------------------------------------------------------------


def test_a_charge_pays_the_merchant() -> None:
    outcome = given(*PARTIES, by_card()).when(attempt_of("pay_1", charged())).then(CAPTURED)
    outcome.answered(200, id="pay_1", effect="recorded")
    view = shown(outcome.story)
    assert (view.status, view.amount_captured, view.attempts[0].status, view.error) == (
        "succeeded",
        6_000,
        "succeeded",
        None,
    )


def test_a_declined_charge_fails_the_payment_in_words_for_the_payer() -> None:
    outcome = given(*PARTIES, by_card()).when(attempt_of("pay_1", DECLINED))
    outcome.then(
        PaymentAttemptDeclined("pay_1-1", "insufficient_funds", "51", "Not enough money."),
        PaymentFailed("insufficient_funds", "Not enough money."),
    )
    view = shown(outcome.story)
    assert view.status == "failed"
    assert view.error is not None
    assert (view.error.code, view.error.next_action) == ("insufficient_funds", "other_method")
    assert "another one" in view.error.message
    assert msgspec.to_builtins(view.attempts[0].error) == {
        "code": "insufficient_funds",
        "channel_code": "51",
        "message": "Not enough money.",
    }


def test_a_charge_that_was_never_sent_fails_the_payment_and_may_be_tried_again() -> None:
    only_here = ActivateRoutingRules(RoutingRules(max_attempts=1))
    outcome = given(*PARTIES, only_here, by_card()).when(attempt_of("pay_1", NotSent("ConnectError")))
    outcome.then(
        PaymentAttemptDeclined("pay_1-1", "try_again", message="ConnectError", sent=False),
        PaymentFailed("try_again", "ConnectError"),
    )
    assert shown(outcome.story).error is not None


def test_silence_is_recorded_once_and_the_payment_goes_on_processing() -> None:
    story = given(*PARTIES, by_card())
    story.when(attempt_of("pay_1", TIMEOUT)).then(PaymentAttemptUnanswered("pay_1-1", "ReadTimeout"))
    story.when(attempt_of("pay_1", PENDING)).then().answered(effect="ignored")
    view = shown(story)
    assert (view.status, view.attempts[0].status, view.error) == ("processing", "unknown", None)
    story.when(attempt_of("pay_1", charged())).then(CAPTURED)
    assert shown(story).status == "succeeded"


@pytest.mark.parametrize("verdict", [charged(5_999), charged(6_001), charged(currency="USD")])
def test_a_charge_of_another_sum_pays_nothing(verdict: Verdict) -> None:
    story = given(*PARTIES, by_card(), attempt_of("pay_1", TIMEOUT))
    story.when(attempt_of("pay_1", verdict)).then(PaymentAttemptUnanswered("pay_1-1", AMOUNT_MISMATCH.reason))
    story.when(attempt_of("pay_1", verdict)).then().answered(effect="ignored")
    assert (shown(story).status, story.balances()) == ("processing", {})
    story.when(attempt_of("pay_1", charged())).answered(effect="recorded")


def test_a_charge_of_another_sum_is_recorded_on_a_failed_payment_too_and_changes_nothing() -> None:
    story = given(*PARTIES, by_card(), attempt_of("pay_1", DECLINED))
    story.when(attempt_of("pay_1", charged(1))).then(PaymentAttemptUnanswered("pay_1-1", AMOUNT_MISMATCH.reason))
    assert (shown(story).status, shown(story).attempts[0].status, story.balances()) == ("failed", "declined", {})


def test_the_same_success_again_has_no_second_effect() -> None:
    story = given(*PAID_BY_CARD)
    before = story.turnover()
    position = shown(story).position
    story.when(attempt_of("pay_1", charged())).then().answered(200, effect="duplicate", position=position)
    assert story.turnover() == before


def test_a_success_after_the_failure_is_kept_apart() -> None:
    story = given(*PARTIES, by_card(), attempt_of("pay_1", DECLINED))
    story.when(attempt_of("pay_1", charged())).then(
        PaymentReceiptUnapplied("pay_1-1", CHANNEL, "ch_1", 6_000, "EUR", 36, "the payment is failed already"),
        going_back(),
    ).answered(effect="unapplied")
    assert (story.balance(IN_TRANSIT), story.balance(RECEIVABLE), story.balance(MERCHANT)) == (6_000, 5_964, 0)
    assert (shown(story).status, shown(story).attempts[0].status) == ("failed", "unapplied")
    story.when(attempt_of("pay_1", charged())).then().answered(effect="duplicate")
    story.when(attempt_of("pay_1", DECLINED)).then().answered(effect="ignored")


def test_a_second_success_is_kept_apart() -> None:
    story = given(*PAID_BY_CARD)
    story.when(attempt_of("pay_1", charged(reference="ch_2"))).then(
        PaymentReceiptUnapplied("pay_1-1", CHANNEL, "ch_2", 6_000, "EUR", 36, "the payment is paid already"),
        going_back(reference="ch_2", because="the payment is paid already"),
    ).answered(effect="unapplied")
    assert (story.balance(IN_TRANSIT), story.balance(MERCHANT)) == (6_000, 5_870)
    assert (shown(story).status, shown(story).amount_captured) == ("succeeded", 6_000)
    story.when(attempt_of("pay_1", charged(reference="ch_2"))).then().answered(effect="duplicate")


@pytest.mark.parametrize("late", [DECLINED, NotSent("ConnectError"), TIMEOUT, PENDING, NotFound()])
@pytest.mark.parametrize("outcome", [charged(), DECLINED])
def test_what_comes_after_the_outcome_changes_nothing(outcome: Verdict, late: Verdict) -> None:
    story = given(*PARTIES, by_card(), attempt_of("pay_1", outcome))
    before = shown(story)
    story.when(attempt_of("pay_1", late)).then().answered(200, effect="ignored")
    assert shown(story) == before


FACTS: tuple[Verdict, ...] = (TIMEOUT, charged(), charged(), charged(7_000), PENDING)


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(FACTS)))))
def test_facts_about_a_success_end_alike_in_every_order(order: tuple[int, ...]) -> None:
    story = given(*PARTIES, by_card(), *(attempt_of("pay_1", FACTS[place]) for place in order))
    assert (shown(story).status, shown(story).amount_captured) == ("succeeded", 6_000)
    assert story.balances() == given(*PAID_BY_CARD).balances()


@pytest.mark.parametrize(
    ("attempt", "channel"),
    [
        ("pay_1-1", "another_channel"),
        ("pay_1-2", CHANNEL),
        ("pay_2-1", CHANNEL),
        ("pay_1", CHANNEL),
        ("pay_1-x", CHANNEL),
        ("merchant/acme-1", CHANNEL),
        ("", CHANNEL),
    ],
)
def test_a_channel_speaks_for_what_was_sent_to_it_and_for_nothing_else(attempt: str, channel: str) -> None:
    story = given(*PARTIES, by_card())
    story.when(RecordAttemptResult(attempt, channel, charged())).refused(PaymentNotFound, attempt=attempt)
    assert story.balances() == {}


def test_the_channel_s_fee_is_what_the_contract_says_and_not_what_it_says_itself() -> None:
    greedy = msgspec.structs.replace(charged(), channel_fee=5_000)
    outcome = given(*PARTIES, by_card()).when(attempt_of("pay_1", greedy)).then(CAPTURED)
    assert outcome.story.balance(RECEIVABLE) == 6_000 - 36


def test_times_in_views_are_those_of_the_log() -> None:
    story = given(*PARTIES, by_card(), NOON.replace(hour=13), attempt_of("pay_1", charged()))
    assert shown(story).created_at == NOON


def test_the_largest_order_can_be_posted() -> None:
    largest = by_card(amount=LARGEST_ORDER)
    outcome = given(*PARTIES, largest).when(attempt_of("pay_1", charged(LARGEST_ORDER))).answered(200)
    assert shown(outcome.story).amount_captured == LARGEST_ORDER
