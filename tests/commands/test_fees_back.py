"""Fees back (B8): with each refund, to where it was taken from, and never more than the merchant had paid."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from commands.envelope import Command
from commands.funds import ReleaseFunds
from commands.merchants import CreateMerchant
from ledger.events.event import Event
from ledger.events.merchants import AfterSaleTerms
from ledger.events.refunds import RefundPaidToCredit, RefundPaidToWallet, RefundSucceeded
from ledger.payment_state import fold
from ledger.posting_rules import entry_for
from tests.commands.collection_stories import COLLECTED, INVOICED, order
from tests.commands.given import Happening, Story, given, postings_of
from tests.commands.product_stories import (
    PAID_ABROAD,
    WITH_A_WALLET,
    WITH_CREDIT,
    coins,
    mixed,
    on_credit,
    waiting_for_coins,
)
from tests.commands.stories import (
    CHANNEL,
    MERCHANT,
    MERCHANT_DEBT,
    PAID_BY_CARD,
    PAID_FROM_WALLET,
    PARTIES,
    attempt_of,
    by_card,
    charged,
    refund,
    refund_result,
    refunded,
    topped_up,
)

PENDING, AVAILABLE, DEBT = MERCHANT, "sys:2120:acme:eur", MERCHANT_DEBT
QUICK, BALANCE, CREDIT, COINS = (
    f"sys:4010:{product}:eur" for product in ("quick_pay", "balance_pay", "credit_pay", "virtual_currency")
)
RETURNS = AfterSaleTerms(returns_fee=True)
RELEASED = ReleaseFunds("acme", "EUR", 5_870, 0, 1_000_000)

Rows = set[tuple[str, str, int]]


def kind(story: tuple[Happening, ...]) -> tuple[Happening, ...]:
    """The same story with merchants who have a part of their fee back with each refund."""
    return tuple(replace(one, after_sale=RETURNS) if isinstance(one, CreateMerchant) else one for one in story)


def back(amount: int, number: int = 1) -> tuple[Command, ...]:
    return (refund(amount), refund_result(number, refunded(amount, f"re_{number}")))


# 60.00 with a fee of 1.30; of the foreign one, 100.00 EUR for 125.00 USD, it is 2.50 USD.
ROWS: dict[str, tuple[tuple[Happening, ...], type[Event], Rows]] = {
    "out of pending sales": (
        (*PAID_BY_CARD, *back(3_000)),
        RefundSucceeded,
        {(QUICK, "D", 65), (PENDING, "C", 65)},
    ),
    "out of what was released": (
        (*PAID_BY_CARD, RELEASED, *back(3_000)),
        RefundSucceeded,
        {(QUICK, "D", 65), (AVAILABLE, "C", 65)},
    ),
    "what became a debt is paid first": (
        (*PAID_BY_CARD, RELEASED, *back(6_000)),
        RefundSucceeded,
        {(QUICK, "D", 130), (DEBT, "C", 130)},
    ),
    "a debt that sales have paid meanwhile": (
        (
            *PAID_BY_CARD,
            RELEASED,
            refund(6_000),
            by_card("pay_2"),
            attempt_of("pay_2", charged(reference="ch_2")),
            RELEASED,
            refund_result(1, refunded()),
        ),
        RefundSucceeded,
        {(QUICK, "D", 130), (AVAILABLE, "C", 130)},
    ),
    "paid from a wallet": (
        (*PAID_FROM_WALLET, refund(3_000)),
        RefundPaidToWallet,
        {(BALANCE, "D", 65), (PENDING, "C", 65)},
    ),
    "paid from a wallet, out of what was released": (
        (*PAID_FROM_WALLET, RELEASED, refund(3_000)),
        RefundPaidToWallet,
        {(BALANCE, "D", 65), (AVAILABLE, "C", 65)},
    ),
    "paid from a wallet, and all of it goes back": (
        (*PAID_FROM_WALLET, refund()),
        RefundPaidToWallet,
        {(BALANCE, "D", 130), (DEBT, "C", 130)},
    ),
    "bought on credit": (
        (*WITH_CREDIT, on_credit(), refund(3_000)),
        RefundPaidToCredit,
        {(CREDIT, "D", 65), (PENDING, "C", 65)},
    ),
    "paid in coins": (
        (*PARTIES, *waiting_for_coins(), coins(), refund(3_000)),
        RefundPaidToWallet,
        {(COINS, "D", 65), (PENDING, "C", 65)},
    ),
    "from a card and a wallet": (
        (*WITH_A_WALLET, mixed(), attempt_of("pay_1", charged(4_000)), *back(3_000)),
        RefundSucceeded,
        {(QUICK, "D", 65), (PENDING, "C", 65)},
    ),
    "from a card and a wallet, the wallet's part": (
        (*WITH_A_WALLET, mixed(), attempt_of("pay_1", charged(4_000)), *back(4_000), refund(1_000)),
        RefundPaidToWallet,
        {(QUICK, "D", 22), (PENDING, "C", 22)},
    ),
    "foreign, in the currency of its merchant": (
        (*PAID_ABROAD, *back(4_000)),
        RefundSucceeded,
        {("sys:4010:foreign_card:usd", "D", 100), ("sys:2110:usco:usd", "C", 100)},
    ),
    "foreign, and all of it": (
        (*PAID_ABROAD, *back(10_000)),
        RefundSucceeded,
        {("sys:4010:foreign_card:usd", "D", 250), ("sys:1210:usco:usd", "C", 250)},
    ),
    "invoiced": (
        (INVOICED, order("gross"), attempt_of("pay_1", charged()), *back(3_000)),
        RefundSucceeded,
        {(QUICK, "D", 65), ("sys:1210:invoice:gross:eur", "C", 65)},
    ),
    "invoiced, and paid from a wallet": (
        (INVOICED, *PARTIES, *topped_up(6_000), order("gross", product="balance_pay"), refund(3_000)),
        RefundPaidToWallet,
        {(BALANCE, "D", 65), ("sys:1210:invoice:gross:eur", "C", 65)},
    ),
}


def of_fee(event: Event) -> Rows:
    """What it posts beside what it would post if nothing of the fee went back."""
    assert isinstance(event, RefundSucceeded | RefundPaidToWallet | RefundPaidToCredit)
    without = entry_for(replace(event, returned=None))
    assert without is not None
    left = [(p.account, "D" if p.direction == "debit" else "C", p.amount) for p in without.postings]
    return {posting for posting in postings_of(event) if posting not in left}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_refund_posts_the_fee_back_like_this(row: tuple[tuple[Happening, ...], type[Event], Rows]) -> None:
    story, wanted, postings = row
    found = [one.event for one in given(*kind(story)).log if type(one.event) is wanted]
    assert of_fee(found[-1]) == postings


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_without_such_terms_nothing_of_it_goes_back(row: tuple[tuple[Happening, ...], type[Event], Rows]) -> None:
    story, wanted, _ = row
    found = [one.event for one in given(*story).log if type(one.event) is wanted]
    assert of_fee(found[-1]) == set()


WAYS: dict[str, tuple[tuple[Happening, ...], int, str]] = {
    "card": (PAID_BY_CARD, 6_000, QUICK),
    "wallet": (PAID_FROM_WALLET, 6_000, BALANCE),
    "credit": ((*WITH_CREDIT, on_credit()), 6_000, CREDIT),
    "mixed": ((*WITH_A_WALLET, mixed(), attempt_of("pay_1", charged(4_000))), 6_000, QUICK),
    "foreign": (PAID_ABROAD, 10_000, "sys:4010:foreign_card:usd"),
    "invoiced": ((INVOICED, order("gross"), attempt_of("pay_1", charged())), 6_000, QUICK),
}


@pytest.mark.parametrize("cuts", [(1_999, 2_000, 5_000), (1,), (3_333, 3_334), ()])
@pytest.mark.parametrize("way", WAYS)
def test_all_parts_together_are_the_fee_and_the_last_refund_takes_the_rest(way: str, cuts: tuple[int, ...]) -> None:
    before, whole, account = WAYS[way]
    story = given(*kind(before))
    fee = story.balance(account)
    parts = [after - first for first, after in pairwise((0, *cuts, whole))]
    for number, amount in enumerate(parts, 1):
        _refund(story, number, amount)
        assert 0 <= story.balance(account) <= fee
    payment = fold(story.stream("pay_1"))
    assert payment is not None
    assert (sum(one.fee_back for one in payment.refunds), story.balance(account)) == (fee, 0)


def _refund(story: Story, number: int, amount: int) -> None:
    story.given(refund(amount))
    payment = fold(story.stream("pay_1"))
    assert payment is not None
    by_channel = payment.refunds[-1].by_channel
    if by_channel:
        story.given(refund_result(number, refunded(by_channel, f"re_{number}")))


def test_what_was_collected_for_a_principal_costs_it_its_fee() -> None:
    # Also where a merchant of the same name has it back.
    story = given(*kind(COLLECTED))
    fee = story.balance("sys:4010:agency_pay:eur")
    story.given(*back(3_000))
    assert story.balance("sys:4010:agency_pay:eur") == fee > 0


def test_an_event_from_before_goes_back_to_pending_sales_as_it_was_posted() -> None:
    event = RefundSucceeded("ref_1-1", "acme", CHANNEL, "re_1", 3_000, "EUR", product="quick_pay", fee_back=65)
    assert {(QUICK, "D", 65), (PENDING, "C", 65)} <= set(postings_of(event))
