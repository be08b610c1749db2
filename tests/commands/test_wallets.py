"""Wallets: transfers between customers and freezes; each rule, as given, when, then."""

import msgspec
import pytest

from commands.customers import CreateCustomer
from commands.wallets import FreezeWallet, ReleaseFreeze, TransferToWallet
from ledger.errors import (
    AmountNotPositive,
    CurrencyUnknown,
    CustomerNotFound,
    CustomerUnknown,
    FreezeNotActive,
    FreezeNotFound,
    InsufficientFunds,
    Refusal,
    SameAccount,
    WalletNotFound,
    WalletUnknown,
)
from ledger.events.wallets import WalletFrozen, WalletReleased, WalletTransferred
from tests.commands.given import given
from tests.commands.payout_stories import FUNDED, withdrawal
from tests.commands.stories import ANN, from_wallet

FROZEN_OF_ANN = "sys:2020:ann:eur"
TRANSFER = TransferToWallet("wtr_1", "ann", "bob", 500, "EUR", "for lunch")
FREEZE = FreezeWallet("frz_1", "ann", 4_000, "EUR", "a deposit")


def test_a_transfer_is_one_entry_and_tells_what_is_left() -> None:
    outcome = given(*FUNDED).when(TRANSFER)
    outcome.then(WalletTransferred("wtr_1", "ann", "bob", 500, "EUR", "for lunch"))
    outcome.answered(201, id="wtr_1", available=4_500, to_customer="bob")
    assert (outcome.story.balance(ANN), outcome.story.balance("sys:2010:bob:eur")) == (4_500, 500)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"amount": 0}, AmountNotPositive),
        ({"amount": 5_001}, InsufficientFunds),
        ({"currency": "EURO"}, CurrencyUnknown),
        ({"currency": "USD"}, WalletNotFound),
        ({"customer": "nobody"}, CustomerNotFound),
        ({"to_customer": "ann"}, SameAccount),
        ({"to_customer": "nobody"}, CustomerUnknown),
        ({"to_customer": "acme"}, CustomerUnknown),
    ],
)
def test_what_makes_no_transfer(changes: dict[str, object], refusal: type[Refusal]) -> None:
    story = given(*FUNDED)
    before = story.turnover()
    command: TransferToWallet = msgspec.structs.replace(TRANSFER, **changes)
    story.when(command).refused(refusal)
    assert story.turnover() == before


def test_a_customer_without_such_a_wallet_takes_no_money() -> None:
    given(*FUNDED, CreateCustomer("carl")).when(msgspec.structs.replace(TRANSFER, to_customer="carl")).refused(
        WalletUnknown, "/to_customer"
    )


def test_what_is_frozen_cannot_be_spent_until_it_is_released() -> None:
    story = given(*FUNDED)
    story.when(FREEZE).then(WalletFrozen("frz_1", "ann", 4_000, "EUR", "a deposit"))
    assert (story.balance(ANN), story.balance(FROZEN_OF_ANN)) == (1_000, 4_000)
    story.when(withdrawal(amount=1_001)).refused(InsufficientFunds)
    story.when(from_wallet("pay_9", 1_001)).refused(InsufficientFunds)
    story.when(msgspec.structs.replace(TRANSFER, amount=1_001)).refused(InsufficientFunds)
    story.when(ReleaseFreeze("frz_1", "ann", "EUR", "given back")).then(
        WalletReleased("frz_1", "ann", 4_000, "EUR", "given back")
    ).answered(200, status="released", available=5_000, frozen=0)
    story.when(from_wallet("pay_9", 5_000)).answered(201)


def test_frozen_is_the_sum_of_the_active_freezes() -> None:
    story = given(*FUNDED)
    for number in (1, 2, 3):
        story.when(FreezeWallet(f"frz_{number}", "ann", 1_000, "EUR", "x")).answered(201, frozen=1_000 * number)
    story.when(ReleaseFreeze("frz_2", "ann", "EUR")).answered(200, available=3_000, frozen=2_000)
    assert story.balance(FROZEN_OF_ANN) == 2_000


def test_a_freeze_is_released_once_and_only_by_its_own_wallet() -> None:
    story = given(*FUNDED, FREEZE)
    for name, customer, currency in (
        ("frz_2", "ann", "EUR"),
        ("frz_1", "bob", "EUR"),
        ("frz_1", "ann", "USD"),
        ("pay_0", "ann", "EUR"),
    ):
        story.when(ReleaseFreeze(name, customer, currency)).refused(FreezeNotFound)
    story.given(ReleaseFreeze("frz_1", "ann", "EUR")).when(ReleaseFreeze("frz_1", "ann", "EUR")).refused(
        FreezeNotActive
    )
    assert story.balance(FROZEN_OF_ANN) == 0
