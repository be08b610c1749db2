"""Fees and discounts: tax on fees, fees that are invoiced apart, discounts and who pays them (A5, A13, A14, B10)."""

import pytest
from msgspec.structs import replace

from commands.envelope import Command
from commands.merchants import CreateMerchant
from commands.policies.fees import Fee, merchant_fee, next_fee
from commands.shares import SharePayment
from ledger.errors import (
    DiscountNotSupported,
    FeeExceedsAmount,
    FieldInvalid,
    RefundExceedsPayment,
    Refusal,
    ShareExceedsPayment,
)
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Discount, Method
from ledger.payment_views import payment_view
from tests.commands.collection_stories import INVOICED, TAXED, order
from tests.commands.given import Happening, Story, given, postings_of
from tests.commands.held import authorized, cancel, captured, changed, revoke, void_result
from tests.commands.product_stories import WITH_CREDIT
from tests.commands.stories import (
    CARD,
    PARTIES,
    REFUND_DECLINED,
    attempt_of,
    charged,
    refund,
    refund_result,
    refunded,
    topped_up,
)

Rows = set[tuple[str, str, int]]

BY_US = Discount(500, "platform")
BY_MERCHANT = Discount(500, "merchant")
BY_CHANNEL = Discount(500, "channel")
CHANNEL_FEE_OF_6000: Rows = {("sys:5010:card_simulator:eur", "D", 36), ("sys:1110:card_simulator:eur", "C", 36)}
CHANNEL_FEE_OF_5500: Rows = {("sys:5010:card_simulator:eur", "D", 33), ("sys:1110:card_simulator:eur", "C", 33)}
# The fee on 6,000 is 130, and the tax on that is 26.
TAXED_LEGS: Rows = {
    ("sys:2110:taxed:eur", "C", 6_000),
    ("sys:2110:taxed:eur", "D", 156),
    ("sys:4010:quick_pay:eur", "C", 130),
    ("sys:2410:home:eur", "C", 26),
}
PAID_WITH_TAX: tuple[Command, ...] = (TAXED, order("taxed"), attempt_of("pay_1", charged()))
PAID_BY_INVOICE: tuple[Command, ...] = (INVOICED, order("gross"), attempt_of("pay_1", charged()))
SUBSIDIZED: tuple[Command, ...] = (TAXED, order("taxed", discount=BY_US), attempt_of("pay_1", charged(5_500)))
HELD: tuple[Command, ...] = (TAXED, order("taxed", capture="manual"), attempt_of("pay_1", authorized()))
HELD_SUBSIDIZED: tuple[Command, ...] = (
    TAXED,
    order("taxed", discount=BY_US, capture="manual"),
    attempt_of("pay_1", authorized(5_500)),
)
WITH_WALLET: tuple[Command, ...] = (TAXED, INVOICED, *PARTIES, *topped_up(10_000))


def of(rows: Rows, old: str, new: str) -> Rows:
    return {(account.replace(old, new), side, amount) for account, side, amount in rows}


def opposite(rows: Rows) -> Rows:
    return {(account, "C" if side == "D" else "D", amount) for account, side, amount in rows}


ROWS: dict[str, tuple[tuple[Happening, ...], Rows]] = {
    "A5 with tax": (
        PAID_WITH_TAX,
        {("sys:1110:card_simulator:eur", "D", 6_000), *TAXED_LEGS, *CHANNEL_FEE_OF_6000},
    ),
    "A5 with tax, a part of what was held": (
        (*HELD, *captured(4_000)),
        {
            ("sys:1110:card_simulator:eur", "D", 4_000),
            ("sys:2110:taxed:eur", "C", 4_000),
            ("sys:2110:taxed:eur", "D", 108),
            ("sys:4010:quick_pay:eur", "C", 90),
            ("sys:2410:home:eur", "C", 18),
            ("sys:5010:card_simulator:eur", "D", 24),
            ("sys:1110:card_simulator:eur", "C", 24),
            ("sys:9019:card_simulator:eur", "D", 4_000),
            ("sys:9010:card_simulator:eur", "C", 4_000),
        },
    ),
    "A13": (
        PAID_BY_INVOICE,
        {
            ("sys:1110:card_simulator:eur", "D", 6_000),
            ("sys:2110:gross:eur", "C", 6_000),
            ("sys:1210:invoice:gross:eur", "D", 156),
            ("sys:4010:quick_pay:eur", "C", 130),
            ("sys:2410:home:eur", "C", 26),
            *CHANNEL_FEE_OF_6000,
        },
    ),
    "A14, paid by the platform": (
        SUBSIDIZED,
        {
            ("sys:1110:card_simulator:eur", "D", 5_500),
            ("sys:5070:discount:eur", "D", 500),
            *TAXED_LEGS,
            *CHANNEL_FEE_OF_5500,
        },
    ),
    "A14, paid by the channel": (
        (TAXED, order("taxed", discount=BY_CHANNEL), attempt_of("pay_1", charged())),
        {("sys:1110:card_simulator:eur", "D", 6_000), *TAXED_LEGS, *CHANNEL_FEE_OF_6000},
    ),
    "A14, paid by the merchant": (
        (TAXED, order("taxed", discount=BY_MERCHANT), attempt_of("pay_1", charged(5_500))),
        {
            ("sys:1110:card_simulator:eur", "D", 5_500),
            ("sys:2110:taxed:eur", "C", 5_500),
            ("sys:2110:taxed:eur", "D", 144),
            ("sys:4010:quick_pay:eur", "C", 120),
            ("sys:2410:home:eur", "C", 24),
            *CHANNEL_FEE_OF_5500,
        },
    ),
    "B10 with tax": (
        (*PAID_WITH_TAX, revoke, void_result(1, changed(6_000))),
        opposite({("sys:1110:card_simulator:eur", "D", 6_000), *TAXED_LEGS, *CHANNEL_FEE_OF_6000}),
    ),
    "B10 of an invoiced fee": (
        (*PAID_BY_INVOICE, revoke, void_result(1, changed(6_000))),
        {
            ("sys:1110:card_simulator:eur", "C", 6_000),
            ("sys:2110:gross:eur", "D", 6_000),
            ("sys:1210:invoice:gross:eur", "C", 156),
            ("sys:4010:quick_pay:eur", "D", 130),
            ("sys:2410:home:eur", "D", 26),
            *opposite(CHANNEL_FEE_OF_6000),
        },
    ),
    "B10 of what we paid a part of": (
        (*SUBSIDIZED, revoke, void_result(1, changed(5_500))),
        {
            ("sys:1110:card_simulator:eur", "C", 5_500),
            ("sys:5070:discount:eur", "C", 500),
            *opposite(TAXED_LEGS),
            *opposite(CHANNEL_FEE_OF_5500),
        },
    ),
    "F3 with tax and a discount of ours": (
        (*WITH_WALLET, order("taxed", discount=BY_US, product="balance_pay")),
        {
            ("sys:2010:ann:eur", "D", 5_500),
            ("sys:5070:discount:eur", "D", 500),
            *of(TAXED_LEGS, "quick_pay", "balance_pay"),
        },
    ),
    "F3 of an invoiced fee": (
        (*WITH_WALLET, order("gross", product="balance_pay")),
        {
            ("sys:2010:ann:eur", "D", 6_000),
            ("sys:2110:gross:eur", "C", 6_000),
            ("sys:1210:invoice:gross:eur", "D", 156),
            ("sys:4010:balance_pay:eur", "C", 130),
            ("sys:2410:home:eur", "C", 26),
        },
    ),
    "G1 with tax and a discount of ours": (
        (*WITH_CREDIT, TAXED, order("taxed", discount=BY_US, product="credit_pay")),
        {
            ("sys:1220:ann:eur", "D", 5_500),
            ("sys:5070:discount:eur", "D", 500),
            *of(TAXED_LEGS, "quick_pay", "credit_pay"),
        },
    ),
    "B1 of what we paid a part of": (
        (*SUBSIDIZED, refund(1_100)),
        {
            ("sys:2110:taxed:eur", "D", 1_200),
            ("sys:2210:taxed:eur", "C", 1_100),
            ("sys:5070:discount:eur", "C", 100),
        },
    ),
    "B2 of what we paid a part of": (
        (*SUBSIDIZED, refund()),
        {
            ("sys:2110:taxed:eur", "D", 6_000 - 156),
            ("sys:1210:taxed:eur", "D", 156),
            ("sys:2210:taxed:eur", "C", 5_500),
            ("sys:5070:discount:eur", "C", 500),
        },
    ),
    "B3 of what we paid a part of": (
        (*SUBSIDIZED, refund(), refund_result(1, refunded(5_500))),
        {("sys:2210:taxed:eur", "D", 5_500), ("sys:1110:card_simulator:eur", "C", 5_500)},
    ),
    "B5 of what we paid a part of": (
        (*SUBSIDIZED, refund(), refund_result(1, REFUND_DECLINED)),
        {
            ("sys:2210:taxed:eur", "D", 5_500),
            ("sys:5070:discount:eur", "D", 500),
            ("sys:2110:taxed:eur", "C", 6_000 - 156),
            ("sys:1210:taxed:eur", "C", 156),
        },
    ),
    "F5 of what we paid a part of": (
        (*WITH_WALLET, order("taxed", discount=BY_US, product="balance_pay"), refund(550)),
        {
            ("sys:2110:taxed:eur", "D", 600),
            ("sys:2010:ann:eur", "C", 550),
            ("sys:5070:discount:eur", "C", 50),
        },
    ),
    "G4 of what we paid a part of": (
        (*WITH_CREDIT, TAXED, order("taxed", discount=BY_US, product="credit_pay"), refund(550)),
        {
            ("sys:2110:taxed:eur", "D", 600),
            ("sys:1220:ann:eur", "C", 550),
            ("sys:5070:discount:eur", "C", 50),
        },
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_last_event_of_the_story_posts_this(row: str) -> None:
    story, postings = ROWS[row]
    assert postings_of(given(*story).log[-1].event) == postings


# Invariant 8: a reversal restores every balance that was touched, exactly.
UNDONE: dict[str, tuple[tuple[Command, ...], tuple[Command, ...]]] = {
    "B10 with tax": ((TAXED,), (*PAID_WITH_TAX[1:], revoke, void_result(1, changed(6_000)))),
    "B10 of an invoiced fee": ((INVOICED,), (*PAID_BY_INVOICE[1:], revoke, void_result(1, changed(6_000)))),
    "B10 of what we paid a part of": ((TAXED,), (*SUBSIDIZED[1:], revoke, void_result(1, changed(5_500)))),
    "B10 of a captured part": (HELD_SUBSIDIZED, (*captured(2_000), revoke, void_result(1, changed(2_000)))),
    "B1 and B5": (SUBSIDIZED, (refund(), refund_result(1, REFUND_DECLINED))),
}


@pytest.mark.parametrize("rows", UNDONE)
def test_what_is_undone_leaves_every_balance_as_it_was(rows: str) -> None:
    before, undone = UNDONE[rows]
    story = given(*before)
    balances = story.balances()
    assert story.given(*undone).balances() == balances


# --- parts add up to the whole --------------------------------------------------------------------------------------

WHOLE = {"sys:2110:taxed:eur": 6_000 - 156, "sys:4010:quick_pay:eur": 130, "sys:2410:home:eur": 26}


@pytest.mark.parametrize("parts", [(6_000,), (1, 5_999), (3, 7, 5_990), (2_999, 1, 3_000), (1_999, 2_001, 2_000)])
def test_captures_in_parts_cost_what_one_over_the_whole_would(parts: tuple[int, ...]) -> None:
    story = given(*HELD)
    for number, part in enumerate(parts, 1):
        story.given(*captured(part, number))
    assert story.balances().items() >= WHOLE.items()


@pytest.mark.parametrize("parts", [(5_500,), (1, 5_499), (3, 7, 5_490), (1_999, 1_501, 2_000)])
def test_captures_in_parts_take_the_whole_discount(parts: tuple[int, ...]) -> None:
    story = given(*HELD_SUBSIDIZED)
    for number, part in enumerate(parts, 1):
        story.given(*captured(part, number))
    assert story.balances().items() >= {**WHOLE, "sys:5070:discount:eur": 500}.items()


def test_a_discount_goes_with_the_part_that_is_captured() -> None:
    story = given(*HELD_SUBSIDIZED, *captured(2_750), cancel, void_result(1, changed(2_750)))
    assert story.balance("sys:5070:discount:eur") == 250


@pytest.mark.parametrize("parts", [(5_500,), (1, 5_499), (1_833, 1_833, 1_834)])
def test_refunds_in_parts_bring_the_whole_discount_back(parts: tuple[int, ...]) -> None:
    story = given(*SUBSIDIZED)
    for number, part in enumerate(parts, 1):
        story.given(refund(part), refund_result(number, refunded(part, f"re_{number}")))
    assert story.balance("sys:5070:discount:eur") == 0
    assert story.balance("sys:2110:taxed:eur") - story.balance("sys:1210:taxed:eur") == -156
    story.when(refund(1)).refused(RefundExceedsPayment, refundable=0)


def test_a_capture_smaller_than_its_fee_and_tax_leaves_the_rest_to_the_next() -> None:
    terms = FeeTerms(0, 100, tax_bps=2_000)
    first = next_fee(terms, (), 0, 60)
    assert (first.amount, first.tax) == (50, 10)
    second = next_fee(terms, (first,), 60, 1_000)
    assert (second.amount, second.tax) == (50, 10)


@pytest.mark.parametrize("amount", range(1, 200))
def test_no_fee_that_is_taken_from_a_part_is_more_than_it(amount: int) -> None:
    fee = next_fee(FeeTerms(9_000, 7, tax_bps=1_900), (Fee(3, 1),), 11, amount)
    assert 0 <= fee.amount + fee.tax <= amount


# --- terms and what they refuse -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "amount", "fee"),
    [
        (FeeTerms(200, 10), 6_000, Fee(130)),
        (FeeTerms(200, 10, 1_900), 6_000, Fee(130, 25)),
        (FeeTerms(0, 50, 10_000), 100, Fee(50, 50)),
        (FeeTerms(0, 50, 10_000, invoiced=True), 1, Fee(50, 50, invoiced=True)),
    ],
)
def test_what_a_payment_costs(terms: FeeTerms, amount: int, fee: Fee) -> None:
    assert merchant_fee(terms, amount) == fee


def test_fee_and_tax_together_are_not_more_than_what_is_sold() -> None:
    with pytest.raises(FeeExceedsAmount):
        merchant_fee(FeeTerms(0, 50, 10_000), 99)


@pytest.mark.parametrize("tax_bps", [-1, 10_001])
def test_tax_is_a_share(tax_bps: int) -> None:
    given().when(CreateMerchant("acme", "Acme", FeeTerms(0, 0, tax_bps), "EUR")).refused(FieldInvalid, "/fee/tax_bps")


REFUSED: list[tuple[Discount, dict[str, object], type[Refusal], str]] = [
    (Discount(0, "platform"), {}, FieldInvalid, "/discount/amount"),
    (Discount(6_000, "merchant"), {}, FieldInvalid, "/discount/amount"),
    (Discount(500, "nobody"), {}, FieldInvalid, "/discount/paid_by"),
    (BY_CHANNEL, {"product": "balance_pay", "method": Method("wallet"), "customer": "ann"}, DiscountNotSupported, ""),
    (BY_US, {"product": "foreign_card", "method": CARD}, DiscountNotSupported, "/discount/paid_by"),
]


@pytest.mark.parametrize(("discount", "changes", "kind", "pointer"), REFUSED)
def test_what_is_not_discounted(
    discount: Discount, changes: dict[str, object], kind: type[Refusal], pointer: str
) -> None:
    story = given(*WITH_WALLET)
    story.when(replace(order("taxed", discount=discount), **changes)).refused(kind, pointer or None)


def shown(story: Story) -> tuple[int, int, str]:
    view = payment_view(story.stream("pay_1"))
    return view.amount, view.amount_captured, view.status


@pytest.mark.parametrize(("discount", "taken"), [(BY_US, 5_500), (BY_MERCHANT, 5_500), (BY_CHANNEL, 6_000)])
def test_a_payment_shows_the_price_and_what_was_paid_of_it(discount: Discount, taken: int) -> None:
    story = given(TAXED, order("taxed", discount=discount), attempt_of("pay_1", charged(taken)))
    assert shown(story) == (6_000, taken, "succeeded")
    assert payment_view(story.stream("pay_1")).discount == discount


def test_of_an_invoiced_sale_all_can_be_shared() -> None:
    story = given(*PAID_BY_INVOICE, TAXED)
    story.when(SharePayment("pay_1", "taxed", 6_001)).refused(ShareExceedsPayment, shareable=6_000)
    story.when(SharePayment("pay_1", "taxed", 6_000)).answered(201)


def test_of_a_taxed_sale_fee_and_tax_are_not_shared() -> None:
    story = given(*PAID_WITH_TAX, INVOICED)
    story.when(SharePayment("pay_1", "gross", 6_000)).refused(ShareExceedsPayment, shareable=6_000 - 156)
