"""Disputes of payments that are owed in another currency, or were collected for a principal: who bears them."""

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from commands.disputes import AcceptDispute, RecordDisputeWord
from commands.envelope import Command
from commands.fx_settlements import SettleExchange
from commands.principals import CreatePrincipal, FundPrincipal
from ledger.errors import (
    DisputeNotFound,
    DisputeStateInvalid,
    ExchangeSettledAlready,
    RefundExceedsPayment,
)
from ledger.events.disputes import DisputeFundsReturned, DisputeFundsTaken, DisputeLossReversed, DisputeLost
from ledger.events.event import Event
from ledger.events.merchants import AfterSaleTerms
from ledger.events.principals import PrincipalFunded
from tests.commands.collection_stories import BALANCE, COLLECTED, PRINCIPAL_PARTIES, collect
from tests.commands.dispute_stories import shown, word
from tests.commands.given import Story, given, postings_of
from tests.commands.product_stories import AMERICAN, PAID_ABROAD
from tests.commands.stories import attempt_of, charged, refund, refund_result, refunded

CHANNEL, SUSPENSE = "sys:1110:card_simulator:eur", "sys:1910:card_simulator:eur"
EUROS, DOLLARS = "sys:1410:card_simulator:eur-usd:eur", "sys:1410:card_simulator:eur-usd:usd"
CLAIM, HOLD = "sys:1230:card_simulator:usd", "sys:2140:usco:usd"
PENDING, DEBT = "sys:2110:usco:usd", "sys:1210:usco:usd"
FEE, LOSS = "sys:4020:usco:usd", "sys:5020:card_simulator:usd"
CLAIM_AT_HOME, WATER_HOLD = "sys:1230:card_simulator:eur", "sys:2140:principal:water:eur"
WATER_DEBT = "sys:1210:principal:water:eur"


def abroad(**terms: Any) -> tuple[Command, ...]:
    """100.00 EUR by a foreign card, for which the merchant is owed 125.00 USD less 2.50; he has these terms."""
    return tuple(replace(one, after_sale=AfterSaleTerms(**terms)) if one is AMERICAN else one for one in PAID_ABROAD)


def said(status: str = "opened", stage: str = "dispute", amount: int = 10_000, **more: Any) -> RecordDisputeWord:
    return word(status, stage, amount, **more)


def opposite(postings: set[tuple[str, str, int]]) -> set[tuple[str, str, int]]:
    return {(account, "C" if side == "D" else "D", amount) for account, side, amount in postings}


# 97.5 % of the sale is pending; the fee was taken of it.
TAKEN = {
    (CLAIM, "D", 12_500),
    (CHANNEL, "C", 10_000),
    (EUROS, "D", 10_000),
    (DOLLARS, "C", 12_500),
    (PENDING, "D", 12_250),
    (DEBT, "D", 250),
    (HOLD, "C", 12_500),
}
BORNE_BY_US = {
    (LOSS, "D", 12_500),
    (HOLD, "D", 12_500),
    (CLAIM, "C", 12_500),
    (PENDING, "C", 12_250),
    (DEBT, "C", 250),
}
# 60.00 less the fee of 0.65 and its tax of 0.13.
COLLECTED_BACK = {
    (CLAIM_AT_HOME, "D", 6_000),
    (CHANNEL, "C", 6_000),
    (BALANCE, "D", 5_922),
    (WATER_DEBT, "D", 78),
    (WATER_HOLD, "C", 6_000),
}

ROWS: dict[str, tuple[tuple[Any, ...], type[Event], set[tuple[str, str, int]]]] = {
    "C2 and I1: a foreign payment": ((*abroad(), said()), DisputeFundsTaken, TAKEN),
    "C2 and I1: a part of it, and the fee": (
        (*abroad(dispute_fee=2_000), said(amount=4_000)),
        DisputeFundsTaken,
        {
            (CLAIM, "D", 5_000),
            (CHANNEL, "C", 4_000),
            (EUROS, "D", 4_000),
            (DOLLARS, "C", 5_000),
            (PENDING, "D", 5_000),
            (HOLD, "C", 5_000),
            (PENDING, "D", 2_000),
            (FEE, "C", 2_000),
        },
    ),
    "C3: won, both sides of the position": ((*abroad(), said(), said("won")), DisputeFundsReturned, opposite(TAKEN)),
    "C4: lost": ((*abroad(), said(), said("lost")), DisputeLost, {(HOLD, "D", 12_500), (CLAIM, "C", 12_500)}),
    "C5: lost, and the platform is liable": (
        (*abroad(dispute_liability="platform"), said(), said("lost")),
        DisputeLost,
        BORNE_BY_US,
    ),
    "C5 the other way round": (
        (*abroad(dispute_liability="platform"), said(), said("lost"), said("won")),
        DisputeLossReversed,
        opposite(BORNE_BY_US),
    ),
    "C2: what was given back already, nobody bears": (
        (*abroad(), refund(6_000), refund_result(1, refunded(6_000)), said()),
        DisputeFundsTaken,
        {
            (CLAIM, "D", 5_000),
            (SUSPENSE, "D", 6_000),
            (CHANNEL, "C", 10_000),
            (EUROS, "D", 4_000),
            (DOLLARS, "C", 5_000),
            (PENDING, "D", 4_750),
            (DEBT, "D", 250),
            (HOLD, "C", 5_000),
        },
    ),
    "C2: collected for a principal": ((*COLLECTED, word()), DisputeFundsTaken, COLLECTED_BACK),
    "C3: collected, and won": ((*COLLECTED, word(), word("won")), DisputeFundsReturned, opposite(COLLECTED_BACK)),
    "C4: collected, and lost": (
        (*COLLECTED, word(), word("lost")),
        DisputeLost,
        {(WATER_HOLD, "D", 6_000), (CLAIM_AT_HOME, "C", 6_000)},
    ),
    "E1: what a principal puts in pays its debt first": (
        (*COLLECTED, word(), word("lost"), FundPrincipal("fnd_1", "water", 1_000, "EUR", "main")),
        PrincipalFunded,
        {("sys:1020:main:eur", "D", 1_000), (BALANCE, "C", 1_000), (BALANCE, "D", 78), (WATER_DEBT, "C", 78)},
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_event_of_the_story_posts_this(row: tuple[Any, type[Event], set[tuple[str, str, int]]]) -> None:
    story, kind, postings = row
    events = [recorded.event for recorded in given(*story).log if type(recorded.event) is kind]
    assert postings_of(events[-1]) == postings


# --- foreign payments -------------------------------------------------------------------------------------------------


def position(story: Story) -> tuple[int, int]:
    return story.balance(EUROS), story.balance(DOLLARS)


def test_a_foreign_dispute_is_shown_in_both_currencies() -> None:
    story = given(*abroad(), said(amount=4_000))
    view = shown(story)
    assert (view.held, view.suspended, view.borne, view.borne_currency) == (4_000, 0, 5_000, "USD")
    assert not view.needs_attention


@pytest.mark.parametrize("end", ["won", "canceled"])
def test_won_leaves_no_trace_of_a_foreign_dispute(end: str) -> None:
    story = given(*abroad())
    before = story.balances()
    story.given(said(), said(end))
    assert story.balances() == before


def test_what_a_lost_dispute_came_to_is_realised_and_the_position_is_zero() -> None:
    story = given(*abroad(), said(), said("lost"), SettleExchange("pay_1", 12_600))
    story.when(SettleExchange("dis_1-1", 12_640)).answered(201, quoted=12_500, settled=12_640, gain=0, loss=140)
    gain, loss = story.balance("sys:4030:card_simulator:usd"), story.balance("sys:5040:card_simulator:usd")
    assert (position(story), gain, loss) == ((0, 0), 100, 140)
    assert story.balance("sys:1120:card_simulator:usd") == -40
    story.when(SettleExchange("dis_1-1", 12_640)).refused(ExchangeSettledAlready)


def test_only_a_lost_dispute_of_what_was_exchanged_is_settled() -> None:
    story = given(*abroad(), said())
    story.when(SettleExchange("dis_1-1", 1)).refused(DisputeStateInvalid, dispute_status="opened")
    story.when(SettleExchange("dis_1-2", 1)).refused(DisputeNotFound)
    story.when(SettleExchange("dis_9-1", 1)).refused(DisputeNotFound)


def test_refunds_and_disputes_of_parts_cost_the_merchant_no_more_than_the_whole() -> None:
    story = given(*abroad())
    story.given(refund(3_333), refund_result(1, refunded(3_333)))
    story.given(said(amount=3_333), said("lost", amount=3_333))
    story.given(refund(3_334), refund_result(2, refunded(3_334, "re_2")))
    story.when(refund(1)).refused(RefundExceedsPayment, refundable=0)
    assert position(story) == (0, 0)
    assert story.balance(PENDING) - story.balance(DEBT) == -250


def test_the_order_of_words_does_not_matter_abroad() -> None:
    words = (said(), said("won"), said(stage="pre_arbitration"), said("lost", "pre_arbitration"))
    ends = set()
    for order in permutations(words):
        story = given(*abroad(dispute_fee=100), *order)
        ends.add((shown(story).status, shown(story).fee, tuple(sorted(story.balances().items()))))
    assert len(ends) == 1


def test_another_currency_than_the_payer_s_still_is_for_people() -> None:
    story = given(*abroad(), said(amount=12_500, currency="USD"))
    assert (shown(story).suspended, position(story)) == (12_500, (-10_000, 12_500))


# --- what was collected for a principal -------------------------------------------------------------------------------


def test_a_principal_with_enough_has_no_debt() -> None:
    story = given(*COLLECTED, FundPrincipal("fnd_1", "water", 500, "EUR", "main"), word())
    assert (story.balance(BALANCE), story.balance(WATER_DEBT), story.balance(WATER_HOLD)) == (422, 0, 6_000)
    # A merchant of the same name bears nothing of it.
    assert "sys:2140:water:eur" not in story.balances()


def test_a_principal_s_debt_is_paid_by_what_it_puts_in_and_is_its_money_when_it_wins_after_all() -> None:
    story = given(*COLLECTED, word())
    story.when(FundPrincipal("fnd_1", "water", 50, "EUR", "main")).answered(201, recovered=50, balance=0)
    story.when(FundPrincipal("fnd_2", "water", 50, "EUR", "main")).answered(201, recovered=28, balance=22)
    story.given(word("won"))
    assert (story.balance(BALANCE), story.balance(WATER_DEBT)) == (6_000 - 78 + 100, 0)


def test_what_a_principal_accepts_is_lost() -> None:
    story = given(*COLLECTED, word(), AcceptDispute("dis_1-1"))
    assert (shown(story).money, story.balance(WATER_HOLD), story.balance(CLAIM_AT_HOME)) == ("lost", 0, 0)
    story.when(refund(1)).refused(RefundExceedsPayment, refundable=0)


def test_a_principal_without_a_fee_bears_exactly_what_it_had() -> None:
    story = given(*PRINCIPAL_PARTIES[:1], CreatePrincipal("water", "Water works"), *PRINCIPAL_PARTIES[2:])
    story.given(collect(), attempt_of("pay_1", charged()), word(), word("lost"))
    assert (story.balance(BALANCE), story.balance(WATER_HOLD), story.balance(SUSPENSE)) == (0, 0, 0)
