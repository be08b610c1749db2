"""Payer letters: a merchant's payers are written to only once that is wished; and what of a payment is news to them."""

from commands.payer_letters import SwitchPayerLetters, are_wanted
from commands.payments import CreatePayment
from commands.processes.letters_owed import news
from commands.refunds import RecordRefundResult
from ledger.errors import MerchantNotFound
from ledger.events.event import Recorded
from ledger.events.merchants import PayerLettersSwitched
from ledger.payment import Payment
from ledger.payment_state import evolve
from tests.commands.given import Story, given
from tests.commands.stories import CHANNEL, PAID_BY_CARD, PARTIES, attempt_of, by_card, charged, refund, refunded

ON, OFF = SwitchPayerLetters("acme", True), SwitchPayerLetters("acme", False)


def test_letters_are_off_until_they_are_switched_on_and_a_switch_is_recorded_once() -> None:
    story = given(*PARTIES)
    assert not are_wanted(story.stream("merchant/acme"))
    story.when(OFF).then().answered(200, to_payers=False)
    story.when(ON).then(PayerLettersSwitched("acme", True)).answered(200, merchant="acme", to_payers=True)
    assert are_wanted(story.stream("merchant/acme"))
    story.when(ON).then().answered(200, to_payers=True)
    story.when(OFF).then(PayerLettersSwitched("acme", False)).answered(200, to_payers=False)


def test_a_merchant_that_is_not_there_wishes_nothing() -> None:
    given(*PARTIES).when(SwitchPayerLetters("nobody", True)).refused(MerchantNotFound, merchant="nobody")


def test_a_merchant_that_wishes_letters_sells_as_before() -> None:
    given(*PARTIES, ON).when(by_card()).answered(202, status="processing")


def told(story: Story) -> list[str]:
    """What each event of the payment tells its payer, one after another."""
    found: list[str] = []
    payment: Payment | None = None
    history: list[Recorded] = story.stream("pay_1")
    for recorded in history:
        before, payment = payment, evolve(payment, recorded)
        found += news(before, payment)
    return found


def test_a_success_is_news_once_and_so_is_each_refund_that_succeeded() -> None:
    story = given(*PAID_BY_CARD)
    assert told(story) == ["pay_1"]
    story.given(refund(2_000), refund(1_000))
    assert told(story) == ["pay_1"]
    story.given(RecordRefundResult("ref_1-2", CHANNEL, refunded(1_000, "rf_2")))
    assert told(story) == ["pay_1", "ref_1-2"]
    story.given(RecordRefundResult("ref_1-1", CHANNEL, refunded(2_000, "rf_1")))
    assert told(story) == ["pay_1", "ref_1-2", "ref_1-1"]
    # A success that comes again, and money that is kept apart, is no news.
    story.given(attempt_of("pay_1", charged()), attempt_of("pay_1", charged(reference="ch_2")))
    assert told(story) == ["pay_1", "ref_1-2", "ref_1-1"]


def test_what_is_not_paid_is_no_news() -> None:
    waiting: CreatePayment = by_card()
    assert told(given(*PARTIES, waiting)) == []
