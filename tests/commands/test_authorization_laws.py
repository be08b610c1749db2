"""Authorization laws: facts in any order and any number of times end in the same payment, and 9010 is what is open."""

from collections.abc import Sequence
from random import Random

from hypothesis import given as sampled
from hypothesis import settings
from hypothesis import strategies as st

from commands.channels.channel import PENDING, NotFound, Unknown, Verdict
from commands.envelope import Command
from ledger.authorization import DONE
from ledger.payment import STATUSES
from tests.commands.given import Happening, Story, given
from tests.commands.held import (
    AUTHORIZED,
    CHANGE_DECLINED,
    CONTRA,
    HELD,
    IN_A_WEEK,
    authorized,
    cancel,
    capture,
    capture_result,
    changed,
    expire,
    extend,
    held_by_card,
    increment,
    increment_result,
    payment_of,
    revoke,
    shown,
    void_result,
)
from tests.commands.stories import (
    CHANNEL_FEE,
    DECLINED,
    IN_TRANSIT,
    MERCHANT,
    MERCHANT_DEBT,
    PARTIES,
    RECEIVABLE,
    SUSPENSE,
    UNAPPLIED,
    attempt_of,
    charged,
    refund,
    refund_result,
    refunded,
)

GRANTED, MORE = 6_000, 1_500
parts = st.lists(st.integers(1, GRANTED // 3), min_size=1, max_size=3)
silences: list[Verdict] = [Unknown("ReadTimeout"), PENDING, NotFound()]


def outcome_of(story: Story) -> tuple[object, ...]:
    """All that must not depend on an order: the state by amounts, and every balance."""
    payment, view = payment_of(story), shown(story)
    held = payment.authorization
    captures = sorted((one.id, one.status, one.amount) for one in payment.captures)
    flags = None if held is None else (held.granted, held.open, held.is_over, held.capture_before)
    return (
        payment.status,
        payment.captured,
        payment.refundable,
        view.amount_capturable,
        captures,
        flags,
        story.balances(),
    )


def keeps_the_laws(story: Story) -> None:
    payment = payment_of(story)
    held = payment.authorization
    still_open = 0 if held is None else held.open
    assert payment.status in STATUSES
    assert story.balance(AUTHORIZED) == -story.balance(CONTRA) == still_open >= 0
    accounts = story.accounts.values()
    assert sum(account.posted_debits - account.posted_credits for account in accounts) == 0
    assert payment.captured == sum(one.amount for one in payment.captures if one.status == DONE)
    assert payment.refundable >= 0
    assert still_open + sum(one.released for one in payment.taken) <= (0 if held is None else held.granted)
    # The sub-ledgers are the sums of what the payment says.
    fees = sum(one.fee for one in payment.taken)
    owed = story.balance(MERCHANT) - story.balance(MERCHANT_DEBT)
    given_away = sum(one.amount for one in payment.refunds if one.status != "failed")
    assert owed == payment.captured - fees - given_away
    going_back = sum(one.amount for one in payment.receipts if one.status == "returning")
    received = story.balance(RECEIVABLE) + story.balance(CHANNEL_FEE) + payment.refunded + story.balance(SUSPENSE)
    assert received == payment.captured + story.balance(UNAPPLIED) + going_back
    assert story.balance(IN_TRANSIT) == given_away - payment.refunded + going_back


@settings(max_examples=200)
@sampled(parts, st.data(), st.randoms(use_true_random=False))
def test_every_order_of_the_same_facts_ends_in_the_same_state(
    amounts: list[int], data: st.DataObject, chance: Random
) -> None:
    final = data.draw(st.booleans())
    asked: list[Command] = [capture(amount) for amount in amounts[:-1]]
    asked += [increment(MORE), capture(amounts[-1], final=final)]
    facts: list[Command] = [attempt_of("pay_1", authorized())]
    for number, amount in enumerate(amounts, 1):
        took = data.draw(st.booleans())
        facts.append(capture_result(number, changed(amount, f"ca_{number}") if took else CHANGE_DECLINED))
    raised: Verdict = changed(MORE) if data.draw(st.booleans()) else CHANGE_DECLINED
    facts.append(increment_result(1, raised))
    if data.draw(st.booleans()):
        facts.append(expire)
    stories = [told([*HELD, *asked, IN_A_WEEK], order) for order in orders(facts, chance)]
    assert all(outcome_of(story) == outcome_of(stories[0]) for story in stories)


def orders(facts: list[Command], chance: Random) -> list[list[Command]]:
    """The facts as they are, backwards, and shuffled with repetitions."""
    found = [list(facts), list(reversed(facts))]
    for _ in range(3):
        again = [*facts, *chance.sample(facts, len(facts) // 2)]
        chance.shuffle(again)
        found.append(again)
    return found


def told(before: Sequence[Happening], facts: Sequence[Command]) -> Story:
    story = given(*before)
    for fact in facts:
        story.when(fact)
        keeps_the_laws(story)
    return story


def test_a_charge_and_its_authorization_in_either_order_are_one_payment() -> None:
    held, took = attempt_of("pay_1", authorized()), attempt_of("pay_1", charged())
    one, other = (told([*PARTIES, held_by_card()], order) for order in ([held, took], [took, held]))
    assert (shown(one).status, shown(one).amount_captured) == (shown(other).status, shown(other).amount_captured)
    assert shown(one).amount_authorized == shown(other).amount_authorized
    assert one.balances() == other.balances()


attempt_words = st.sampled_from([authorized(), authorized(4_500), charged(), DECLINED, *silences])
change_words = st.one_of(
    st.sampled_from([CHANGE_DECLINED, *silences]),
    st.builds(changed, st.sampled_from([1_000, 2_000, 4_000, 6_000]), st.sampled_from(["ca_1", "ca_2"])),
)
numbers = st.integers(1, 3)
happenings: st.SearchStrategy[Command] = st.one_of(
    st.builds(attempt_of, st.just("pay_1"), attempt_words),
    st.builds(lambda amount, final: capture(amount, final=final), st.sampled_from([None, 1_000, 2_000]), st.booleans()),
    st.builds(increment, st.sampled_from([1_000, 2_000])),
    st.sampled_from([cancel, expire, extend, revoke]),
    st.builds(capture_result, numbers, change_words),
    st.builds(void_result, numbers, change_words),
    st.builds(increment_result, numbers, change_words),
    st.builds(refund, st.sampled_from([None, 500])),
    st.builds(lambda number: refund_result(number, refunded(500)), numbers),
)


@settings(max_examples=300)
@sampled(st.lists(happenings, max_size=30), st.integers(0, 30))
def test_whatever_is_asked_and_said_the_books_say_what_the_payment_says(said: list[Command], clock: int) -> None:
    story = given(*PARTIES, held_by_card())
    for number, command in enumerate(said):
        if number == clock:
            story.given(IN_A_WEEK)
        before = story.turnover()
        outcome = story.when(command)
        if outcome.refusal is not None:
            assert story.turnover() == before
        keeps_the_laws(story)
