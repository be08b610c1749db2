"""Collection: money that payers owe a principal is charged by us, and is the principal's to pay out."""

import pytest
from msgspec.structs import replace

from commands.channels.channel import Authorized, NotSent
from commands.contracts import CreateContract
from commands.merchants import CreateMerchant
from commands.payouts import CreatePayout
from commands.principals import CreatePrincipal
from commands.refunds import RequestRefund
from commands.revocations import RevokePayment
from commands.shares import SharePayment
from ledger.errors import (
    CaptureNotSupported,
    ContractMismatch,
    FeeExceedsAmount,
    FieldInvalid,
    InsufficientFunds,
    MethodNotSupported,
    PrincipalUnknown,
    Refusal,
    ShareExceedsPayment,
)
from ledger.events.contracts import Limits
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Method, PaymentCaptured
from ledger.events.principals import PrincipalCreated
from ledger.events.refunds import RefundFailed, RefundRequested, RefundSucceeded
from ledger.payment_views import payment_view
from tests.commands.collection_stories import (
    BALANCE,
    COLLECTED,
    IN_TRANSIT,
    PRINCIPAL_PARTIES,
    TERMS,
    agreed,
    by_contract,
    collect,
)
from tests.commands.given import NOON, given
from tests.commands.payout_stories import BANK
from tests.commands.stories import (
    CHANNEL,
    DECLINED,
    RECEIVABLE,
    REFUND_DECLINED,
    attempt_of,
    charged,
    refund,
    refund_result,
    refunded,
)


def test_a_principal_is_served_on_terms_for_what_is_collected() -> None:
    command = CreatePrincipal("water", "Water works", collection_fee=TERMS)
    given().when(command).then(PrincipalCreated("water", "Water works", collection_fee=TERMS)).answered(
        201, id="water", collection_fee={"percent_bps": 100, "fixed": 5, "tax_bps": 2_000}
    )


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        (FeeTerms(-1, 0), "/collection_fee/percent_bps"),
        (FeeTerms(0, -1), "/collection_fee/fixed"),
        (FeeTerms(0, 0, 10_001), "/collection_fee/tax_bps"),
    ],
)
def test_terms_beyond_their_bounds(terms: FeeTerms, pointer: str) -> None:
    given().when(CreatePrincipal("water", "Water works", collection_fee=terms)).refused(FieldInvalid, pointer)


def test_what_is_collected_by_card_is_the_principals_less_our_fee_and_its_tax() -> None:
    story = given(*PRINCIPAL_PARTIES, collect())
    story.when(attempt_of("pay_1", charged())).then(
        PaymentCaptured("pay_1-1", CHANNEL, "ch_1", "water", "agency_pay", 6_000, "EUR", fee=65, channel_fee=36, tax=13)
    )
    assert story.balances() == {
        RECEIVABLE: 6_000 - 36,
        "sys:5010:card_simulator:eur": 36,
        BALANCE: 6_000 - 65 - 13,
        "sys:4010:agency_pay:eur": 65,
        "sys:2410:home:eur": 13,
    }


def test_what_is_collected_under_a_contract_is_the_principals() -> None:
    story = given(*PRINCIPAL_PARTIES, *agreed(), by_contract(), attempt_of("pay_1", charged(3_000)))
    assert payment_view(story.stream("pay_1")).status == "succeeded"
    assert story.balance(BALANCE) == 3_000 - 35 - 7


def test_a_principal_is_collected_for_in_any_currency() -> None:
    story = given(*PRINCIPAL_PARTIES, collect(currency="USD"), attempt_of("pay_1", charged(currency="USD")))
    assert story.balance("sys:2235:water:usd") == 6_000 - 65 - 13


def test_what_a_channel_holds_first_is_collected_once_it_takes_it() -> None:
    story = given(*PRINCIPAL_PARTIES, collect(), attempt_of("pay_1", Authorized("au_1", 6_000, "EUR", None, NOON)))
    assert story.balance(BALANCE) == 0
    story.given(attempt_of("pay_1", charged()))
    assert story.balance(BALANCE) == 6_000 - 65 - 13


@pytest.mark.parametrize("verdict", [DECLINED, NotSent("ConnectError")])
def test_what_is_not_paid_is_nobodys(verdict: NotSent) -> None:
    story = given(*PRINCIPAL_PARTIES, collect(), attempt_of("pay_1", verdict))
    assert story.balance(BALANCE) == 0


def test_what_was_collected_is_paid_out() -> None:
    story = given(*COLLECTED)
    story.when(CreatePayout("po_1", "principal", "water", 5_922, "EUR", BANK)).answered(202, status="in_transit")
    assert story.balance(BALANCE) == 0
    story.when(CreatePayout("po_2", "principal", "water", 1, "EUR", BANK)).refused(InsufficientFunds)


# --- what is refused ------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, object], type[Refusal], str]] = [
    ({"merchant": "nobody"}, PrincipalUnknown, "/merchant"),
    ({"method": Method("wallet"), "customer": "ann"}, MethodNotSupported, "/method/type"),
    ({"capture": "manual"}, CaptureNotSupported, "/capture"),
    ({"amount": 5}, FeeExceedsAmount, "/amount"),
]


@pytest.mark.parametrize(("changes", "kind", "pointer"), REFUSED)
def test_what_is_not_collected(changes: dict[str, object], kind: type[Refusal], pointer: str) -> None:
    given(*PRINCIPAL_PARTIES).when(replace(collect(), **changes)).refused(kind, pointer)


def test_a_merchants_contract_does_not_serve_the_principal_of_the_same_name() -> None:
    story = given(*PRINCIPAL_PARTIES, *agreed("protocol_pay"))
    story.when(by_contract()).refused(ContractMismatch, "/product")


def test_a_principals_contract_does_not_serve_the_merchant_of_the_same_name() -> None:
    story = given(*PRINCIPAL_PARTIES, *agreed())
    story.when(replace(by_contract(), product="protocol_pay")).refused(ContractMismatch, "/product")


def test_a_contract_is_with_a_principal_that_is_there() -> None:
    command = CreateContract("con_1", "ann", "nobody", "agency_pay", Method("card", "tok_sms"), Limits("EUR"))
    given(*PRINCIPAL_PARTIES).when(command).refused(PrincipalUnknown, "/merchant")


def test_what_was_collected_is_not_shared() -> None:
    story = given(*COLLECTED, CreateMerchant("shop", "Shop", FeeTerms(0, 0), "EUR"))
    story.when(SharePayment("pay_1", "shop", 1)).refused(ShareExceedsPayment, "/amount", shareable=0)


# --- what is given back ---------------------------------------------------------------------------------------------


def test_a_refund_is_taken_from_what_the_principal_has_with_us() -> None:
    story = given(*COLLECTED)
    story.when(refund(2_000)).then(
        RefundRequested(
            "ref_1-1", "pay_1", "water", CHANNEL, "pay_1-1", "ch_1", 2_000, "EUR", 0, "returned", collected=True
        )
    )
    assert (story.balance(BALANCE), story.balance(IN_TRANSIT)) == (5_922 - 2_000, 2_000)
    story.when(refund_result(1, refunded(2_000))).then(
        RefundSucceeded("ref_1-1", "water", CHANNEL, "re_1", 2_000, "EUR")
    )
    assert (story.balance(BALANCE), story.balance(IN_TRANSIT)) == (5_922 - 2_000, 0)


def test_a_refund_that_failed_is_the_principals_again() -> None:
    story = given(*COLLECTED)
    before = story.balances()
    story.given(refund(2_000))
    story.when(refund_result(1, REFUND_DECLINED)).then(
        RefundFailed("ref_1-1", "water", 2_000, "EUR", 0, "account_invalid", "The account is closed.", collected=True)
    )
    assert story.balances() == before


def test_a_refund_never_makes_a_principal_a_debtor() -> None:
    story = given(*COLLECTED, CreatePayout("po_1", "principal", "water", 5_000, "EUR", BANK))
    story.when(RequestRefund("pay_1", 923)).refused(InsufficientFunds)
    story.when(RequestRefund("pay_1", 922)).answered(202, status="processing")


def test_what_was_collected_is_revoked_by_a_refund() -> None:
    # Taken back by the channel, it could be gone by then: the principal may pay it out meanwhile.
    story = given(*COLLECTED, collect("pay_2"), attempt_of("pay_2", charged()))
    story.when(RevokePayment("pay_1")).answered(202, id="ref_1-1")
