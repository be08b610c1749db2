"""Payouts: money that leaves us; each rule, as given, when, then."""

from datetime import timedelta

import msgspec
import pytest

from commands.channels.channel import AMOUNT_MISMATCH, PENDING, NotFound, NotSent, Unknown, Verdict
from commands.merchants import CreateMerchant
from commands.payouts import ApprovePayout, CancelPayout, CreatePayout, RecordPayoutDebit, RecordPayoutResult
from commands.processes.intents import closed_by, intent_of
from commands.treasury import FeedFloat, SweepFees
from ledger.errors import (
    AmountNotPositive,
    ChannelNotFound,
    CurrencyMismatch,
    CurrencyUnknown,
    CustomerNotFound,
    FieldInvalid,
    FieldMissing,
    InsufficientFunds,
    MerchantUnknown,
    PayoutNotFound,
    PayoutStateInvalid,
    PrincipalUnknown,
    Refusal,
    SelfApproval,
    SweepExceedsEarned,
    WalletNotFound,
)
from ledger.events import payouts as events
from ledger.events.merchants import FeeTerms, SettlementTerms
from ledger.events.payouts import Destination
from ledger.payout_views import PayoutView, payout_view
from tests.commands.given import NOON, Story, given
from tests.commands.payout_stories import (
    AGENCY_BALANCE,
    AGENCY_IN_TRANSIT,
    AVAILABLE,
    BANK,
    BANK_PAYER,
    DECLINED,
    FLOAT,
    FLOAT_PAYER,
    FUNDED,
    PARTIES,
    PAYOUT_IN_TRANSIT,
    WITHDRAWAL_IN_TRANSIT,
    agency,
    at_the_bank,
    paid_out,
    payout,
    said,
    said_by_float,
    sent_back,
    withdrawal,
)
from tests.commands.stories import ANN

RESERVED = events.PayoutReserved("po_1", "merchant", "acme", BANK_PAYER, 6_000, "EUR", 50, BANK)
PAID = events.PayoutPaid("po_1", "merchant", "acme", BANK_PAYER, "out_1", 6_000, "EUR")
LARGE = 1_000_001  # 10,000.01 EUR
RICH: tuple[CreateMerchant, ...] = (
    CreateMerchant("rich", "Rich", FeeTerms(0, 0), "EUR", settlement=SettlementTerms(approve_above=5_000)),
)


def shown(story: Story, name: str = "po_1") -> PayoutView:
    return payout_view(story.stream(name))


# --- asking ---------------------------------------------------------------------------------------------------------


def test_a_payout_is_set_aside_before_anything_is_sent() -> None:
    outcome = given(*FUNDED).when(payout())
    outcome.then(
        events.PayoutCreated(
            "po_1",
            "merchant",
            "acme",
            6_000,
            "EUR",
            50,
            BANK_PAYER,
            BANK,
            because="the only channel for bank_account",
            candidates=(BANK_PAYER,),
            considered={
                FLOAT_PAYER: "pays out of a float",
                "instant_payouts": "neither the rules nor the list of channels name it",
            },
        ),
        RESERVED,
    )
    outcome.answered(202, id="po_1", status="in_transit", merchant="acme", fee=50, next_action={"type": "wait"})
    assert (outcome.story.balance(AVAILABLE), outcome.story.balance(PAYOUT_IN_TRANSIT)) == (3_950, 6_000)


def test_what_is_sent_names_the_whole_account_and_what_is_shown_hides_it() -> None:
    story = given(*FUNDED, payout())
    intent = intent_of(RESERVED)
    assert intent is not None
    assert msgspec.to_builtins(intent.errand)["destination"]["account_number"] == BANK.account_number
    assert (intent.channel, intent.errand.id, intent.errand.owed) == (BANK_PAYER, "po_1", True)
    assert shown(story).destination.account_number == "******************3000"
    assert BANK.account_number not in msgspec.json.encode(shown(story)).decode()


@pytest.mark.parametrize("account", ["", "1", "1234", "12345"])
def test_no_more_than_four_characters_of_an_account_are_shown(account: str) -> None:
    masked = Destination("bank_account", account).masked().account_number
    assert len(masked) == len(account)
    assert masked.replace("*", "") == ("" if len(account) <= 4 else account[-4:])


@pytest.mark.parametrize(
    ("changes", "refusal", "pointer"),
    [
        ({"amount": 0}, AmountNotPositive, "/amount"),
        ({"amount": 9_951}, InsufficientFunds, None),  # with its fee one cent more than there is
        ({"currency": "EURO"}, CurrencyUnknown, "/currency"),
        ({"currency": "USD"}, CurrencyMismatch, "/currency"),
        ({"party": "nobody"}, MerchantUnknown, "/merchant"),
        ({"party": "beta"}, InsufficientFunds, None),
        ({"source": "principal", "party": "nobody"}, PrincipalUnknown, "/principal"),
        ({"source": "principal", "party": "payroll", "amount": 19_971}, InsufficientFunds, None),
        ({"source": "customer", "party": "nobody"}, CustomerNotFound, None),
        ({"source": "customer", "party": "ann", "currency": "USD"}, WalletNotFound, None),
        ({"source": "customer", "party": "ann", "amount": 5_001}, InsufficientFunds, None),
        ({"destination": Destination("cash")}, FieldInvalid, "/destination/type"),
        ({"destination": msgspec.structs.replace(BANK, entity="robot")}, FieldInvalid, "/destination/entity"),
        ({"destination": Destination("bank_account")}, FieldMissing, "/destination/name"),
        ({"destination": Destination("token")}, FieldMissing, "/destination/token"),
    ],
)
def test_what_makes_no_payout(changes: dict[str, object], refusal: type[Refusal], pointer: str | None) -> None:
    story = given(*FUNDED)
    before = story.turnover()
    command: CreatePayout = msgspec.structs.replace(payout(), **changes)
    story.when(command).refused(refusal, pointer)
    assert story.turnover() == before


def test_everything_that_is_available_can_be_paid_out() -> None:
    story = given(*FUNDED)
    story.when(payout(amount=9_950)).answered(202)
    assert (story.balance(AVAILABLE), story.balance(PAYOUT_IN_TRANSIT)) == (0, 9_950)
    story.when(payout("po_2", 1)).refused(InsufficientFunds, account=AVAILABLE, available=0)


# --- four eyes ------------------------------------------------------------------------------------------------------


def test_a_large_payout_moves_nothing_until_somebody_else_agrees() -> None:
    story = given(*FUNDED, *RICH).by("key_maker")
    large = payout(amount=LARGE)
    story.when(large).answered(201, status="created", approval="waiting", next_action={"type": "approve"})
    assert story.balance(PAYOUT_IN_TRANSIT) == 0
    story.when(ApprovePayout("po_1")).refused(SelfApproval)
    # The money is looked for when it is set aside, and not before.
    story.by("key_checker").when(ApprovePayout("po_1")).refused(InsufficientFunds)
    assert shown(story).status == "created"


def test_above_what_is_agreed_a_second_person_is_needed_and_up_to_it_none() -> None:
    terms = SettlementTerms(approve_above=5_000)
    story = given(CreateMerchant("acme", "Acme", FeeTerms(0, 0), "EUR", settlement=terms), *PARTIES[1:], *FUNDED[7:])
    story.by("key_maker").when(payout(amount=5_000)).answered(202, approval="not_needed")
    story.when(payout("po_2", 5_001)).answered(201, approval="waiting")


def test_an_approved_payout_is_sent_once_and_tells_who_agreed() -> None:
    terms = SettlementTerms(approve_above=5_000)
    story = given(CreateMerchant("acme", "Acme", FeeTerms(0, 0), "EUR", settlement=terms), *PARTIES[1:], *FUNDED[7:])
    story.by("key_maker").given(payout()).by("key_checker")
    reserved = msgspec.structs.replace(RESERVED, fee=0)
    story.when(ApprovePayout("po_1")).then(events.PayoutApproved("po_1"), reserved).answered(202, approval="given")
    story.when(ApprovePayout("po_1")).refused(PayoutStateInvalid, payout_status="in_transit")
    story.when(CancelPayout("po_1")).refused(PayoutStateInvalid, expected_status="created")
    assert [fact.metadata.actor for fact in story.stream("po_1")] == ["key_maker", "key_checker", "key_checker"]


def test_a_payout_that_waits_can_be_taken_back_and_is_over_then() -> None:
    story = given(*FUNDED).by("key_maker").given(payout(amount=LARGE))
    story.when(CancelPayout("po_1", "by mistake")).then(events.PayoutCanceled("po_1", "by mistake"))
    assert shown(story).status == "canceled"
    story.by("key_checker").when(ApprovePayout("po_1")).refused(PayoutStateInvalid, payout_status="canceled")
    story.when(said(paid_out(LARGE))).refused(PayoutNotFound)


# --- what became of it ----------------------------------------------------------------------------------------------


def test_the_channel_says_paid_and_the_bank_says_when_it_left_us() -> None:
    story = given(*FUNDED, payout())
    story.when(said(paid_out())).then(PAID).answered(200, effect="recorded")
    assert (shown(story).status, shown(story).channel_reference) == ("paid", "out_1")
    assert story.balance(PAYOUT_IN_TRANSIT) == 6_000
    story.when(at_the_bank()).answered(effect="recorded")
    assert story.balance(PAYOUT_IN_TRANSIT) == 0
    story.when(at_the_bank()).then().answered(effect="duplicate")


def test_the_bank_may_be_quicker_than_the_channel() -> None:
    story = given(*FUNDED, payout(), at_the_bank())
    assert (shown(story).status, story.balance(PAYOUT_IN_TRANSIT)) == ("in_transit", 0)
    # What has left the bank was not refused before it left.
    story.when(said(DECLINED)).then().answered(effect="ignored")
    story.when(said(paid_out())).then(PAID)


def test_a_refused_payout_gives_everything_back() -> None:
    story = given(*FUNDED)
    before = story.balances()
    story.given(payout()).when(said(DECLINED)).answered(effect="recorded")
    assert story.balances() == before
    error = shown(story).error
    assert error is not None
    assert (shown(story).status, error.code, error.message) == ("rejected", DECLINED.reason, DECLINED.message)
    story.when(said(DECLINED)).then().answered(effect="ignored")


@pytest.mark.parametrize("silence", [Unknown("ReadTimeout"), PENDING, NotFound(), NotSent("ConnectError")])
def test_what_nobody_knows_stays_in_transit(silence: Verdict) -> None:
    story = given(*FUNDED, payout())
    story.given(said(silence)).given(NOON + timedelta(days=400)).given(said(silence))
    assert (story.balance(PAYOUT_IN_TRANSIT), story.balance(AVAILABLE)) == (6_000, 3_950)
    assert shown(story).status in ("in_transit", "submitted", "unknown")
    assert all(closed_by(recorded.event) is None for recorded in story.stream("po_1"))


def test_silence_is_recorded_once_and_then_that_the_channel_has_it() -> None:
    story = given(*FUNDED, payout())
    story.when(said(Unknown("ReadTimeout"))).then(events.PayoutUnanswered("po_1", "ReadTimeout"))
    assert shown(story).status == "unknown"
    story.when(said(Unknown("HTTP 502"))).then().answered(effect="ignored")
    story.when(said(PENDING)).then(events.PayoutUnanswered("po_1", "pending"))
    assert shown(story).status == "submitted"
    story.when(said(Unknown("ReadTimeout"))).then().answered(effect="ignored")
    story.when(said(paid_out(1))).then(events.PayoutUnanswered("po_1", AMOUNT_MISMATCH.reason))
    story.when(said(sent_back(1))).then().answered(effect="ignored")
    story.when(said(paid_out())).then(PAID)


def test_a_returned_payout_is_the_merchant_s_again_but_for_the_fee() -> None:
    story = given(*FUNDED, payout(), said(paid_out()), at_the_bank())
    story.when(said(sent_back())).answered(effect="recorded")
    assert (story.balance(AVAILABLE), story.balance(PAYOUT_IN_TRANSIT)) == (9_950, 0)
    assert (shown(story).status, shown(story).next_action) == ("returned", None)
    story.when(said(sent_back())).then().answered(effect="duplicate")
    story.when(said(paid_out())).then().answered(effect="duplicate")


def test_a_return_before_the_payment_was_told_ends_in_the_same_state() -> None:
    in_order = given(*FUNDED, agency(), said_by_float(paid_out()), said_by_float(sent_back()))
    other_way = given(*FUNDED, agency(), said_by_float(sent_back()), said_by_float(paid_out()))
    assert other_way.balances() == in_order.balances()
    assert (shown(other_way).status, shown(in_order).status) == ("returned", "returned")


def test_a_success_after_the_refusal_is_kept_apart() -> None:
    story = given(*FUNDED, agency(), said_by_float(DECLINED))
    story.when(said_by_float(paid_out())).answered(effect="unapplied")
    assert story.balance("sys:1910:card_simulator_b:eur") == 6_000
    assert (shown(story).status, story.balance(AGENCY_BALANCE)) == ("rejected", 20_000)
    story.when(said_by_float(paid_out())).then().answered(effect="duplicate")
    # Where the bank pays, its statement will tell of it, and it alone.
    story = given(*FUNDED, payout(), said(DECLINED))
    story.when(said(paid_out())).answered(effect="unapplied")
    assert (story.balance(AVAILABLE), story.balance(PAYOUT_IN_TRANSIT)) == (10_000, 0)
    story.when(at_the_bank()).refused(PayoutStateInvalid, payout_status="rejected")


def test_agency_pay_goes_out_of_the_float_with_what_the_channel_keeps() -> None:
    story = given(*FUNDED, agency())
    assert (story.balance(AGENCY_BALANCE), story.balance(AGENCY_IN_TRANSIT)) == (13_970, 6_000)
    story.given(said_by_float(paid_out()))
    assert (story.balance(AGENCY_IN_TRANSIT), story.balance(FLOAT)) == (0, 20_000 - 6_000 - 20)
    story.when(RecordPayoutDebit("po_1", "main")).refused(PayoutStateInvalid)


def test_a_withdrawal_leaves_the_wallet_and_comes_back_if_it_is_refused() -> None:
    story = given(*FUNDED, withdrawal())
    assert (story.balance(ANN), story.balance(WITHDRAWAL_IN_TRANSIT)) == (3_000, 2_000)
    assert (shown(story).customer, shown(story).fee) == ("ann", 0)
    story.given(said(DECLINED))
    assert (story.balance(ANN), story.balance(WITHDRAWAL_IN_TRANSIT)) == (5_000, 0)


@pytest.mark.parametrize(("name", "channel"), [("po_1", "another"), ("po_2", BANK_PAYER), ("pay_0", BANK_PAYER)])
def test_a_channel_speaks_for_what_was_sent_to_it_and_for_nothing_else(name: str, channel: str) -> None:
    command = RecordPayoutResult(name, channel, paid_out())
    given(*FUNDED, payout()).when(command).refused(PayoutNotFound, payout=name)


# --- the house's own places -----------------------------------------------------------------------------------------


def test_no_more_is_swept_than_was_earned_and_not_swept_before() -> None:
    earned_on = ("sys:4010:payout:eur", "sys:4010:agency_pay:eur", "sys:5010:card_simulator_b:eur")
    story = given(*FUNDED, payout(), agency("po_2"), said_by_float(paid_out(), "po_2"))
    sweep = SweepFees("swp_1", 61, "EUR", "main", earned_on)  # 50 + 30 - 20 were earned
    story.when(sweep).refused(SweepExceedsEarned, "/amount", earned=60)
    story.when(msgspec.structs.replace(sweep, amount=40)).answered(201, left=20)
    story.when(msgspec.structs.replace(sweep, id="swp_2", amount=21)).refused(SweepExceedsEarned, earned=20)


@pytest.mark.parametrize("channel", [BANK_PAYER, "nobody"])
def test_only_a_channel_that_pays_out_of_a_float_is_fed(channel: str) -> None:
    given().when(FeedFloat("flt_1", channel, 1, "EUR", "main")).refused(ChannelNotFound, channel=channel)
    given().when(FeedFloat("flt_1", FLOAT_PAYER, 1, "EUR", "main")).answered(201, balance=1)
