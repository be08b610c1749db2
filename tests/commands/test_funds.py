"""Funds: what a merchant sold becomes available, is shared, and is given back; each rule, as given, when, then."""

import msgspec
import pytest

from commands.envelope import Command
from commands.funds import ReleaseFunds
from commands.merchants import CreateMerchant
from commands.shares import ReturnShare, SharePayment
from ledger.errors import (
    CurrencyMismatch,
    FieldInvalid,
    InsufficientFunds,
    MerchantNotFound,
    MerchantUnknown,
    PaymentNotFound,
    PaymentStateInvalid,
    Refusal,
    ReleaseOvertaken,
    SameAccount,
    ShareExceedsPayment,
    ShareExceedsReturn,
    ShareNotFound,
)
from ledger.events.funds import FundsReleased, ReserveReleased
from ledger.events.merchants import FeeTerms, SettlementTerms
from ledger.events.refunds import RefundFailed, RefundRequested
from ledger.events.shares import PaymentShared, PaymentShareReturned
from tests.commands.given import given
from tests.commands.payout_stories import AVAILABLE, PARTIES, PENDING_SALES, RESERVE
from tests.commands.stories import (
    CHANNEL,
    MERCHANT_DEBT,
    REFUND_DECLINED,
    attempt_of,
    by_card,
    charged,
    from_wallet,
    refund,
    refund_result,
    topped_up,
)

LATER = 1_000_000
KEEPS_A_TENTH = CreateMerchant(
    "acme", "Acme", FeeTerms(200, 0), "EUR", settlement=SettlementTerms(reserve_bps=1_000, reserve_days=30)
)
# Acme has sold for 10,000, of which it is owed 9,800.
SOLD: tuple[Command, ...] = (KEEPS_A_TENTH, *PARTIES[1:], *topped_up(20_000), from_wallet("pay_1", 10_000))


def release(pending_due: int = 9_800, reserve_due: int = 0, known_at: int = LATER) -> ReleaseFunds:
    return ReleaseFunds("acme", "EUR", pending_due, reserve_due, known_at)


# --- becoming available ---------------------------------------------------------------------------------------------


def test_what_is_due_becomes_available_less_the_reserve() -> None:
    outcome = given(*SOLD).when(release()).then(FundsReleased("acme", 9_800, "EUR", reserve=980))
    outcome.answered(200, released=8_820, reserved=980, recovered=0, available=8_820)
    balances = [outcome.story.balance(account) for account in (PENDING_SALES, AVAILABLE, RESERVE)]
    assert balances == [0, 8_820, 980]


def test_only_what_is_due_is_released_and_never_more_than_there_is() -> None:
    story = given(*SOLD)
    story.when(release(1_000)).answered(released=900, reserved=100)
    story.when(release(50_000, 50_000)).answered(released=7_920, reserved=880, reserve_released=100)
    story.when(release(50_000, 0)).then().answered(200, released=0)
    assert [story.balance(account) for account in (PENDING_SALES, AVAILABLE, RESERVE)] == [0, 8_920, 880]


def test_the_reserve_becomes_available_when_it_was_kept_long_enough() -> None:
    story = given(*SOLD, release())
    story.when(release(0, 980)).then(ReserveReleased("acme", 980, "EUR")).answered(
        reserve_released=980, available=9_800
    )


def test_a_debt_is_paid_first_and_nothing_of_it_is_kept_in_reserve() -> None:
    story = given(*SOLD, refund(None, "pay_1"), from_wallet("pay_2", 1_000))
    assert story.balance(MERCHANT_DEBT) == 200
    story.when(release(980)).then(FundsReleased("acme", 980, "EUR", reserve=78, recovered=200))
    assert (story.balance(MERCHANT_DEBT), story.balance(AVAILABLE)) == (0, 702)


def test_what_was_known_before_another_release_releases_nothing_twice() -> None:
    story = given(*SOLD)
    known_at = story.log[-1].position
    story.when(release(5_000, known_at=known_at)).answered(200)
    story.when(release(5_000, known_at=known_at)).refused(ReleaseOvertaken)
    story.when(release(4_800, known_at=story.log[-1].position)).answered(200)
    story.when(msgspec.structs.replace(release(), merchant="nobody")).refused(MerchantNotFound)


@pytest.mark.parametrize("terms", [{"days": -1}, {"reserve_bps": 10_001}, {"reserve_days": 1_001}, {"payout_fee": -1}])
def test_terms_that_make_no_sense_make_no_merchant(terms: dict[str, int]) -> None:
    command = CreateMerchant("acme", "Acme", FeeTerms(0, 0), "EUR", settlement=SettlementTerms(**terms))
    given().when(command).refused(FieldInvalid)


# --- giving back ----------------------------------------------------------------------------------------------------


def test_a_refund_takes_pending_sales_first_then_what_is_available_then_it_is_a_debt() -> None:
    card = (by_card("pay_2", 1_000), attempt_of("pay_2", charged(1_000)))
    story = given(*SOLD, release(), *card)
    assert [story.balance(account) for account in (PENDING_SALES, AVAILABLE)] == [980, 8_820]
    outcome = story.when(refund(1_000, "pay_2"))
    requested = story.log[-1].event
    assert isinstance(requested, RefundRequested)
    assert (requested.from_available, requested.short) == (20, 0)
    assert outcome.refusal is None
    story.when(refund(9_000, "pay_1")).answered(201)
    assert [story.balance(account) for account in (PENDING_SALES, AVAILABLE, MERCHANT_DEBT)] == [0, 0, 200]


def test_a_refund_that_fails_gives_back_to_where_it_was_taken_from() -> None:
    story = given(*SOLD, release(), by_card("pay_2", 1_000), attempt_of("pay_2", charged(1_000)))
    before = story.balances()
    story.given(refund(1_000, "pay_2"))
    failed = refund_result(1, REFUND_DECLINED)
    story.when(msgspec.structs.replace(failed, refund="ref_2-1"))
    assert isinstance(story.log[-1].event, RefundFailed)
    assert story.balances() == before


def test_a_refund_of_before_there_were_releases_reads_the_same() -> None:
    event = RefundRequested("ref_1-1", "pay_1", "acme", CHANNEL, "pay_1-1", "ch_1", 6_000, "EUR", short=130, reason="")
    assert event.from_available == 0
    assert b"from_available" not in msgspec.json.encode(event)


# --- sharing --------------------------------------------------------------------------------------------------------

SHARE = SharePayment("pay_1", "beta", 3_000, "the designer")


def test_a_share_is_owed_to_another_merchant() -> None:
    outcome = given(*SOLD).when(SHARE)
    outcome.then(PaymentShared("shr_1-1", "pay_1", "acme", "beta", 3_000, "EUR", "the designer"))
    outcome.answered(201, id="shr_1-1", returned=0, currency="EUR")
    assert (outcome.story.balance(PENDING_SALES), outcome.story.balance("sys:2110:beta:eur")) == (6_800, 3_000)


def test_shares_and_the_fee_are_no_more_than_the_payment() -> None:
    story = given(*SOLD, from_wallet("pay_2", 5_000), SHARE)
    story.when(SharePayment("pay_1", "beta", 6_801)).refused(ShareExceedsPayment, "/amount", shareable=6_800)
    story.when(SharePayment("pay_1", "beta", 6_800)).answered(201, id="shr_1-2")
    story.when(SharePayment("pay_1", "beta", 1)).refused(ShareExceedsPayment, shareable=0)


def test_what_was_refunded_is_not_shared() -> None:
    story = given(*SOLD, from_wallet("pay_2", 5_000), refund(9_000, "pay_1"))
    story.when(SharePayment("pay_1", "beta", 801)).refused(ShareExceedsPayment, shareable=800)
    story.when(SharePayment("pay_1", "beta", 800)).answered(201)


def test_a_share_goes_back_in_parts_and_no_further() -> None:
    story = given(*SOLD, SHARE)
    story.when(ReturnShare("pay_1", "shr_1-1", 1_000)).then(
        PaymentShareReturned("shr_1-1", "pay_1", "acme", "beta", 1_000, "EUR")
    ).answered(returned=1_000)
    story.when(ReturnShare("pay_1", "shr_1-1", 2_001)).refused(ShareExceedsReturn, "/amount", left=2_000)
    story.when(ReturnShare("pay_1", "shr_1-1")).answered(returned=3_000)
    story.when(ReturnShare("pay_1", "shr_1-1")).refused(ShareExceedsReturn, left=0)
    assert (story.balance(PENDING_SALES), story.balance("sys:2110:beta:eur")) == (9_800, 0)


def test_what_was_released_is_shared_and_returned_no_more() -> None:
    story = given(*SOLD, release())
    story.when(SHARE).refused(InsufficientFunds, available=0)
    story = given(*SOLD, SHARE, ReleaseFunds("beta", "EUR", 3_000, 0, LATER))
    story.when(ReturnShare("pay_1", "shr_1-1")).refused(InsufficientFunds, account="sys:2110:beta:eur")


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (SharePayment("pay_1", "acme", 1), SameAccount),
        (SharePayment("pay_1", "nobody", 1), MerchantUnknown),
        (SharePayment("pay_1", "abroad", 1), CurrencyMismatch),
        (SharePayment("pay_9", "beta", 1), PaymentNotFound),
        (SharePayment("pay_3", "beta", 1), PaymentStateInvalid),
        (ReturnShare("pay_1", "shr_1-9", 1), ShareNotFound),
    ],
)
def test_what_makes_no_share(command: Command, refusal: type[Refusal]) -> None:
    abroad = CreateMerchant("abroad", "Abroad", FeeTerms(0, 0), "USD")
    given(*SOLD, abroad, by_card("pay_3", 1_000)).when(command).refused(refusal)
