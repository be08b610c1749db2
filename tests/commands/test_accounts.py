"""Accounts: each rule of their life, as given, when, then."""

import pytest

from commands.accounts import ChangeLimits, CloseAccount, FreezeAccount, OpenAccount, UnfreezeAccount
from commands.envelope import Command
from commands.holds import ReleaseHold
from commands.transfers import PlaceHold, PostTransfer
from ledger.errors import (
    AccountClosed,
    AccountFrozen,
    AccountNotEmpty,
    AccountNotFound,
    AccountNotFrozen,
    AccountProtected,
    BalanceLimitExceeded,
    CurrencyUnknown,
    IdExistsDifferent,
    InsufficientFunds,
    LimitsInvalid,
    Refusal,
)
from ledger.events.accounts import AccountClosed as Closed
from ledger.events.accounts import AccountFrozen as Frozen
from ledger.events.accounts import AccountLimitsChanged, AccountOpened, AccountUnfrozen
from tests.commands.given import NOON, given

WORLD = OpenAccount("world", "World", "asset", "EUR")
ALICE = OpenAccount("alice", "Alice", "liability", "EUR", min_balance=0)
PROTECTED = AccountOpened("sys:2110:acme:eur", "merchant pending", "liability", "EUR", protected=True)


def deposit(amount: int) -> PostTransfer:
    return PostTransfer(f"ent_d{amount}", "world", "alice", amount, "EUR")


def test_an_account_is_opened_as_asked() -> None:
    asked = OpenAccount("alice", "Alice", "liability", "EUR", min_balance=-5, max_balance=100, metadata={"a": "b"})
    opened = AccountOpened("alice", "Alice", "liability", "EUR", -5, 100, metadata={"a": "b"})
    outcome = given().when(asked).then(opened)
    outcome.answered(201, id="alice", kind="liability", min_balance=-5, max_balance=100, status="open")
    outcome.answered(opened_at=NOON.isoformat().replace("+00:00", "Z"), metadata={"a": "b"}, position=None)


def test_an_id_is_given_once() -> None:
    given(ALICE).when(OpenAccount("alice", "Other", "asset", "USD")).refused(IdExistsDifferent, "/id", account="alice")


def test_an_account_needs_a_known_currency_and_sensible_limits() -> None:
    given().when(OpenAccount("a", "A", "asset", "EURO")).refused(CurrencyUnknown, "/currency")
    given().when(OpenAccount("a", "A", "asset", "EUR", 1, 0)).refused(LimitsInvalid, "/min_balance")


def test_limits_are_replaced_as_a_whole() -> None:
    outcome = given(ALICE).when(ChangeLimits("alice", None, 10)).then(AccountLimitsChanged("alice", None, 10))
    outcome.answered(200, min_balance=None, max_balance=10)


def test_new_limits_bind_the_next_movement() -> None:
    story = given(WORLD, ALICE, deposit(10), ChangeLimits("alice", 5, None))
    story.when(PostTransfer("ent_1", "alice", "world", 6, "EUR")).refused(
        InsufficientFunds, available=10, required=6, min_balance=5
    )
    story.when(PostTransfer("ent_2", "alice", "world", 5, "EUR")).answered(201)


def test_who_stands_outside_of_new_limits_may_come_back_in_steps_and_not_move_away() -> None:
    story = given(WORLD, ALICE, deposit(10), ChangeLimits("alice", None, 4))
    story.when(deposit(1)).refused(BalanceLimitExceeded, balance=10, max_balance=4)
    story.when(PostTransfer("ent_1", "alice", "world", 3, "EUR")).answered(201)
    story.when(PostTransfer("ent_2", "alice", "world", 3, "EUR")).answered(201)
    story.when(deposit(1)).refused(BalanceLimitExceeded, balance=4)


def test_a_frozen_account_takes_no_postings_until_it_is_unfrozen() -> None:
    story = given(WORLD, ALICE)
    story.when(FreezeAccount("alice", "suspicion")).then(Frozen("alice", "suspicion")).answered(200, status="frozen")
    story.when(deposit(1)).refused(AccountFrozen, account="alice")
    story.when(UnfreezeAccount("alice", "cleared")).then(AccountUnfrozen("alice", "cleared")).answered(
        200, status="open"
    )
    story.when(deposit(1)).answered(201)


def test_a_hold_is_let_go_on_a_frozen_account_too() -> None:
    hold = PlaceHold("hold_1", "alice", "world", 5, "EUR")
    story = given(WORLD, ALICE, deposit(5), hold, FreezeAccount("alice", "suspicion"))
    story.when(ReleaseHold("hold_1")).answered(200, status="released")


def test_an_account_is_closed_at_zero_with_nothing_pending() -> None:
    given(ALICE).when(CloseAccount("alice", "done")).then(Closed("alice", "done")).answered(200, status="closed")
    given(WORLD, ALICE, deposit(1)).when(CloseAccount("alice", "done")).refused(AccountNotEmpty, balance=1)
    hold = PlaceHold("hold_1", "world", "alice", 5, "EUR")
    given(WORLD, ALICE, hold).when(CloseAccount("alice", "done")).refused(AccountNotEmpty, pending_credits=5)
    given(WORLD, ALICE, CloseAccount("alice", "done")).when(deposit(1)).refused(AccountClosed, account="alice")


@pytest.mark.parametrize(
    ("before", "command", "refusal"),
    [
        (None, ChangeLimits("alice", None, None), AccountNotFound),
        (None, FreezeAccount("alice", "r"), AccountNotFound),
        (None, UnfreezeAccount("alice", "r"), AccountNotFound),
        (None, CloseAccount("alice", "r"), AccountNotFound),
        (ALICE, UnfreezeAccount("alice", "r"), AccountNotFrozen),
        (ALICE, ChangeLimits("alice", 2, 1), LimitsInvalid),
        (FreezeAccount("alice", "r"), FreezeAccount("alice", "r"), AccountFrozen),
        (CloseAccount("alice", "r"), ChangeLimits("alice", None, None), AccountClosed),
        (CloseAccount("alice", "r"), FreezeAccount("alice", "r"), AccountClosed),
        (CloseAccount("alice", "r"), UnfreezeAccount("alice", "r"), AccountClosed),
        (CloseAccount("alice", "r"), CloseAccount("alice", "r"), AccountClosed),
    ],
)
def test_what_does_not_fit_the_account_s_life_is_refused(
    before: Command | None, command: Command, refusal: type[Refusal]
) -> None:
    opened = [] if before is None else [ALICE] if before is ALICE else [ALICE, before]
    given(*opened).when(command).refused(refusal)


@pytest.mark.parametrize(
    "command",
    [
        ChangeLimits(PROTECTED.id, 0, None),
        FreezeAccount(PROTECTED.id, "r"),
    ],
)
def test_the_system_s_accounts_are_changed_by_administrators_only(command: Command) -> None:
    story = given((f"account/{PROTECTED.id}", PROTECTED))
    story.when(command).refused(AccountProtected, account=PROTECTED.id)
    story.when(command, administrator=True).answered(200)


def test_the_system_s_accounts_are_closed_by_nobody() -> None:
    story = given((f"account/{PROTECTED.id}", PROTECTED))
    for administrator in (False, True):
        story.when(CloseAccount(PROTECTED.id, "r"), administrator).refused(AccountProtected, account=PROTECTED.id)
