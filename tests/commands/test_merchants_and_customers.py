"""Merchants, customers and wallets: each rule, as given, when, then."""

import pytest

from commands.customers import CreateCustomer, OpenWallet
from commands.merchants import CreateMerchant
from ledger.errors import (
    CurrencyUnknown,
    CustomerNotFound,
    FieldInvalid,
    IdExistsDifferent,
    WalletExists,
)
from ledger.events.accounts import AccountOpened
from ledger.events.customers import CustomerCreated, WalletOpened
from ledger.events.merchants import FeeTerms, MerchantCreated
from ledger.money import LARGEST
from tests.commands.given import given

ACME = CreateMerchant("acme", "Acme Ltd", FeeTerms(200, 10), "EUR")


def test_a_merchant_is_served_on_its_terms() -> None:
    outcome = given().when(ACME).then(MerchantCreated("acme", "Acme Ltd", FeeTerms(200, 10), "EUR"))
    outcome.answered(201, id="acme", fee={"percent_bps": 200, "fixed": 10}, created_at="2026-03-15T12:00:00Z")


def test_a_merchant_s_id_is_given_once() -> None:
    given(ACME).when(ACME).refused(IdExistsDifferent, "/id", merchant="acme")


@pytest.mark.parametrize("terms", [FeeTerms(0, 0), FeeTerms(10_000, LARGEST)])
def test_terms_at_their_bounds(terms: FeeTerms) -> None:
    given().when(CreateMerchant("acme", "Acme", terms, "JPY")).answered(201)


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        (FeeTerms(-1, 0), "/fee/percent_bps"),
        (FeeTerms(10_001, 0), "/fee/percent_bps"),
        (FeeTerms(0, -1), "/fee/fixed"),
        (FeeTerms(0, LARGEST + 1), "/fee/fixed"),
    ],
)
def test_terms_beyond_their_bounds(terms: FeeTerms, pointer: str) -> None:
    given().when(CreateMerchant("acme", "Acme", terms, "EUR")).refused(FieldInvalid, pointer)


def test_a_merchant_is_settled_in_a_known_currency() -> None:
    given().when(CreateMerchant("acme", "Acme", FeeTerms(0, 0), "EURO")).refused(
        CurrencyUnknown, "/settlement_currency"
    )


# Each would become a segment of an account's id.
BAD_IDS = ["", "a:b", "A", "a b", "-a", "a" * 49, "ä", "a/b", "a\n"]


@pytest.mark.parametrize("name", BAD_IDS)
def test_ids_that_make_no_account_ids_are_refused(name: str) -> None:
    given().when(CreateMerchant(name, "Acme", FeeTerms(0, 0), "EUR")).refused(FieldInvalid, "/id")
    given().when(CreateCustomer(name)).refused(FieldInvalid, "/id")


def test_a_customer_is_known_once() -> None:
    story = given()
    outcome = story.when(CreateCustomer("ann", "Ann", {"tier": "gold"}))
    outcome.then(CustomerCreated("ann", "Ann", {"tier": "gold"})).answered(201, id="ann", name="Ann")
    story.when(CreateCustomer("ann")).refused(IdExistsDifferent, "/id")


def test_a_wallet_comes_with_its_two_accounts_that_never_fall_below_zero() -> None:
    outcome = given(CreateCustomer("ann")).when(OpenWallet("ann", "EUR")).then(WalletOpened("ann", "EUR"))
    outcome.answered(201, customer="ann", currency="EUR", available=0, frozen=0)
    assert outcome.decision is not None
    assert [event for _, event in outcome.decision.events if isinstance(event, AccountOpened)] == [
        AccountOpened("sys:2010:ann:eur", "wallet available ann", "liability", "EUR", min_balance=0, protected=True),
        AccountOpened("sys:2020:ann:eur", "wallet frozen ann", "liability", "EUR", min_balance=0, protected=True),
    ]


def test_a_customer_has_one_wallet_in_each_currency() -> None:
    story = given(CreateCustomer("ann"), OpenWallet("ann", "EUR"))
    story.when(OpenWallet("ann", "EUR")).refused(WalletExists, "/currency")
    story.when(OpenWallet("ann", "USD")).answered(201)


def test_a_wallet_needs_a_customer_and_a_currency() -> None:
    given().when(OpenWallet("ann", "EUR")).refused(CustomerNotFound, customer="ann")
    given(CreateCustomer("ann")).when(OpenWallet("ann", "XXX")).refused(CurrencyUnknown, "/currency")
