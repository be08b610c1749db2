"""Transfers and the placing of holds: each rule, as given, when, then."""

from datetime import timedelta

import msgspec
import pytest

from commands.accounts import OpenAccount
from commands.envelope import Command
from commands.periods import ClosePeriod
from commands.transfers import PlaceHold, PostTransfer
from ledger.accounts import Account
from ledger.errors import (
    AccountProtected,
    AccountUnknown,
    BalanceOverflow,
    CurrencyMismatch,
    EffectiveDateInFuture,
    ExpiryInPast,
    InsufficientFunds,
    PeriodClosed,
    ReferenceExists,
    Refusal,
    SameAccount,
)
from ledger.events.accounts import AccountOpened
from ledger.events.holds import HoldPlaced
from ledger.events.transfers import TransferPosted
from ledger.money import LARGEST
from tests.commands.given import NOON, given

WORLD = OpenAccount("world", "World", "asset", "EUR")
ALICE = OpenAccount("alice", "Alice", "liability", "EUR", min_balance=0)
BOB = OpenAccount("bob", "Bob", "liability", "EUR", min_balance=0)
DOLLARS = OpenAccount("dollars", "Dollars", "liability", "USD")
SYSTEM = ("account/sys:x", AccountOpened("sys:x", "x", "liability", "EUR", protected=True))
RICH = PostTransfer("ent_0", "world", "alice", 1000, "EUR", reference="taken")


def transfer(**changes: object) -> PostTransfer:
    return msgspec.structs.replace(PostTransfer("ent_1", "alice", "bob", 100, "EUR"), **changes)


def test_a_transfer_debits_one_account_and_credits_the_other() -> None:
    outcome = given(WORLD, ALICE, BOB, RICH).when(transfer(description="rent", metadata={"k": "v"}))
    outcome.then(TransferPosted("alice", "bob", 100, "EUR", description="rent", metadata={"k": "v"}))
    outcome.answered(201, id="ent_1", amount=100, description="rent", effective_at="2026-03-15T12:00:00Z")
    assert (outcome.story.balance("alice"), outcome.story.balance("bob")) == (900, 100)


def test_a_transfer_may_take_effect_in_the_past_of_an_open_period() -> None:
    yesterday = NOON - timedelta(days=1)
    outcome = given(WORLD, ALICE, BOB, RICH).when(transfer(effective_at=yesterday))
    outcome.then(TransferPosted("alice", "bob", 100, "EUR", yesterday)).answered(effective_at="2026-03-14T12:00:00Z")


def test_a_transfer_takes_no_effect_in_a_closed_period() -> None:
    closed = ClosePeriod("2026-02", "month end")
    february = NOON.replace(month=2)
    given(WORLD, ALICE, BOB, RICH, closed).when(transfer(effective_at=february)).refused(
        PeriodClosed, "/effective_at", period="2026-02"
    )


@pytest.mark.parametrize(
    ("changes", "refusal", "pointer"),
    [
        ({"credit_account": "alice"}, SameAccount, "/credit_account"),
        ({"debit_account": "nobody"}, AccountUnknown, "/debit_account"),
        ({"credit_account": "nobody"}, AccountUnknown, "/credit_account"),
        ({"currency": "USD"}, CurrencyMismatch, "/debit_account"),
        ({"credit_account": "dollars"}, CurrencyMismatch, "/credit_account"),
        ({"debit_account": "sys:x"}, AccountProtected, "/debit_account"),
        ({"credit_account": "sys:x"}, AccountProtected, "/credit_account"),
        ({"reference": "taken"}, ReferenceExists, "/reference"),
        ({"effective_at": NOON + timedelta(seconds=1)}, EffectiveDateInFuture, "/effective_at"),
        ({"amount": 1001}, InsufficientFunds, None),
    ],
)
def test_what_makes_no_transfer(changes: dict[str, object], refusal: type[Refusal], pointer: str | None) -> None:
    story = given(WORLD, ALICE, BOB, DOLLARS, SYSTEM, RICH)
    before = story.turnover()
    story.when(transfer(**changes)).refused(refusal, pointer)
    assert story.turnover() == before


def test_an_administrator_may_post_to_the_system_s_accounts() -> None:
    story = given(WORLD, ALICE, SYSTEM, RICH)
    story.when(transfer(credit_account="sys:x"), administrator=True).answered(201)


def test_a_refused_transfer_leaves_its_reference_free() -> None:
    story = given(WORLD, ALICE, BOB, RICH)
    story.when(transfer(reference="r", amount=2000)).refused(InsufficientFunds)
    story.when(transfer(reference="r", amount=1)).answered(201, reference="r")


def test_an_account_s_turnover_stays_within_64_bits() -> None:
    most = PostTransfer("ent_most", "world", "bob", LARGEST, "EUR")
    given(WORLD, BOB, most).when(PostTransfer("ent_2", "world", "bob", 1, "EUR")).refused(BalanceOverflow)


def test_a_hold_sets_money_aside_at_once_and_announces_it_to_the_other_side() -> None:
    later = NOON + timedelta(hours=1)
    hold = PlaceHold("hold_1", "alice", "bob", 100, "EUR", later, "r", "table 7", {"k": "v"})
    outcome = given(WORLD, ALICE, BOB, RICH).when(hold)
    outcome.then(HoldPlaced("alice", "bob", 100, "EUR", later, "r", "table 7", {"k": "v"}))
    outcome.answered(201, id="hold_1", hold_id="hold_1", status="active", expires_at="2026-03-15T13:00:00Z")
    accounts: dict[str, Account] = outcome.story.accounts
    assert (accounts["alice"].balance, accounts["alice"].available, accounts["alice"].pending_debits) == (
        1000,
        900,
        100,
    )
    assert (accounts["bob"].balance, accounts["bob"].available, accounts["bob"].pending_credits) == (0, 0, 100)


def test_what_is_held_cannot_be_spent_and_what_is_announced_cannot_either() -> None:
    story = given(WORLD, ALICE, BOB, RICH, PlaceHold("hold_1", "alice", "bob", 950, "EUR"))
    story.when(transfer(amount=51)).refused(InsufficientFunds, available=50, required=51)
    story.when(transfer(debit_account="bob", credit_account="alice", amount=1)).refused(InsufficientFunds, available=0)


def test_five_holds_fit_and_the_sixth_does_not() -> None:
    holds: list[Command] = [PlaceHold(f"hold_{n}", "alice", "bob", 200, "EUR") for n in range(5)]
    story = given(WORLD, ALICE, BOB, RICH, *holds)
    story.when(PlaceHold("hold_5", "alice", "bob", 1, "EUR")).refused(InsufficientFunds, available=0)


def test_a_hold_expires_in_the_future() -> None:
    story = given(WORLD, ALICE, BOB, RICH)
    story.when(PlaceHold("hold_1", "alice", "bob", 1, "EUR", NOON)).refused(ExpiryInPast, "/pending/expires_at")


@pytest.mark.parametrize(
    ("hold", "refusal"),
    [
        (PlaceHold("hold_1", "alice", "alice", 1, "EUR"), SameAccount),
        (PlaceHold("hold_1", "alice", "nobody", 1, "EUR"), AccountUnknown),
        (PlaceHold("hold_1", "alice", "sys:x", 1, "EUR"), AccountProtected),
        (PlaceHold("hold_1", "alice", "dollars", 1, "EUR"), CurrencyMismatch),
        (PlaceHold("hold_1", "alice", "bob", 1, "EUR", reference="taken"), ReferenceExists),
        (PlaceHold("hold_1", "alice", "bob", 1001, "EUR"), InsufficientFunds),
    ],
)
def test_what_makes_no_hold(hold: PlaceHold, refusal: type[Refusal]) -> None:
    given(WORLD, ALICE, BOB, DOLLARS, SYSTEM, RICH).when(hold).refused(refusal)
