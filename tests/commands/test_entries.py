"""Entries and reversals: each rule, as given, when, then; and the laws of taking back."""

from datetime import timedelta

import pytest
from hypothesis import given as sampled
from hypothesis import strategies as st

from commands.accounts import ChangeLimits, OpenAccount
from commands.customers import CreateCustomer, OpenWallet
from commands.entries import PostEntry, ReverseEntry
from commands.envelope import Command
from commands.holds import CaptureHold
from commands.periods import ClosePeriod
from commands.transfers import PlaceHold, PostTransfer
from ledger.errors import (
    AccountProtected,
    AccountUnknown,
    AlreadyReversed,
    CurrencyMismatch,
    EffectiveDateInFuture,
    EntryNotFound,
    InsufficientFunds,
    PartialReversalAmbiguous,
    PeriodClosed,
    ReferenceExists,
    Refusal,
    ReversalExceedsEntry,
    Unbalanced,
)
from ledger.events.entries import EntryPosted, EntryReversed, ReversalPosted
from ledger.journal import Direction, Posting, credit, debit
from tests.commands.given import NOON, Story, given

EUROS = ("world", "alice", "bob", "fees")
OPENED: tuple[Command, ...] = (
    *(OpenAccount(name, name, "asset" if name == "world" else "liability", "EUR") for name in EUROS),
    OpenAccount("world.usd", "World", "asset", "USD"),
    OpenAccount("alice.usd", "Alice", "liability", "USD"),
)
SALE = PostEntry(
    "ent_sale",
    (debit("world", 350, "EUR"), credit("alice", 300, "EUR"), credit("bob", 20, "EUR"), credit("fees", 30, "EUR")),
    reference="sale-1",
    description="a sale",
    metadata={"k": "v"},
)
EXCHANGE = PostEntry(
    "ent_fx",
    (
        credit("world", 900, "EUR"),
        debit("alice", 900, "EUR"),
        debit("world.usd", 1000, "USD"),
        credit("alice.usd", 1000, "USD"),
    ),
)


def reverse(entry: str, amount: int | None = None, number: int = 1) -> ReverseEntry:
    return ReverseEntry(f"ent_back{number}", entry, "a mistake", amount)


# --- posting --------------------------------------------------------------------------------------------------------


def test_an_entry_posts_what_it_says() -> None:
    outcome = given(*OPENED).when(SALE)
    outcome.then(EntryPosted(SALE.postings, None, "sale-1", "a sale", {"k": "v"}))
    outcome.answered(201, id="ent_sale", reference="sale-1", recorded_at="2026-03-15T12:00:00Z", reverses=None)
    assert outcome.story.balances() == {"world": 350, "alice": 300, "bob": 20, "fees": 30}


def test_an_entry_balances_in_each_of_its_currencies() -> None:
    outcome = given(*OPENED).when(EXCHANGE).answered(201)
    assert outcome.story.balances() == {"world": -900, "alice": -900, "world.usd": 1000, "alice.usd": 1000}
    crooked = PostEntry("ent_1", (debit("world", 900, "EUR"), credit("alice.usd", 900, "USD")))
    given(*OPENED).when(crooked).refused(Unbalanced)


def test_limits_are_judged_on_the_net_effect_on_each_account() -> None:
    # In and out of an empty account in one entry leaves nothing to refuse.
    through = (debit("world", 5, "EUR"), credit("alice", 5, "EUR"), debit("alice", 5, "EUR"), credit("bob", 5, "EUR"))
    given(*OPENED, ChangeLimits("alice", 0, 0)).when(PostEntry("ent_1", through)).answered(201)


@pytest.mark.parametrize(
    ("postings", "refusal", "pointer"),
    [
        ((debit("nobody", 5, "EUR"), credit("bob", 5, "EUR")), AccountUnknown, "/postings/0/account"),
        ((debit("bob", 5, "EUR"), credit("nobody", 5, "EUR")), AccountUnknown, "/postings/1/account"),
        ((debit("world", 5, "USD"), credit("alice.usd", 5, "USD")), CurrencyMismatch, "/postings/0/account"),
        (
            (debit("world", 5, "EUR"), credit("sys:2010:ann:eur", 5, "EUR")),
            AccountProtected,
            "/postings/1/account",
        ),
    ],
)
def test_what_makes_no_entry(postings: tuple[Posting, ...], refusal: type[Refusal], pointer: str) -> None:
    story = given(*OPENED, CreateCustomer("ann"), OpenWallet("ann", "EUR"))
    story.when(PostEntry("ent_1", postings)).refused(refusal, pointer)


def test_an_entry_keeps_to_references_and_periods() -> None:
    story = given(*OPENED, SALE, ClosePeriod("2026-02", "month end"))
    pair = (debit("world", 5, "EUR"), credit("bob", 5, "EUR"))
    story.when(PostEntry("ent_1", pair, reference="sale-1")).refused(ReferenceExists, "/reference", entry="ent_sale")
    story.when(PostEntry("ent_1", pair, NOON.replace(month=2))).refused(PeriodClosed)
    story.when(PostEntry("ent_1", pair, NOON + timedelta(days=1))).refused(EffectiveDateInFuture)


# --- taking back ----------------------------------------------------------------------------------------------------


def test_a_reversal_is_the_opposite_entry_and_both_know_of_each_other() -> None:
    story = given(*OPENED)
    before = story.balances()
    outcome = story.given(SALE).when(reverse("ent_sale"))
    outcome.then(
        ReversalPosted(
            "ent_sale",
            (
                credit("world", 350, "EUR"),
                debit("alice", 300, "EUR"),
                debit("bob", 20, "EUR"),
                debit("fees", 30, "EUR"),
            ),
            "a mistake",
        ),
        EntryReversed("ent_sale", "ent_back1", (350, 300, 20, 30), whole=True),
    )
    outcome.answered(201, id="ent_back1", reverses="ent_sale", reason="a mistake")
    assert story.balances() == before


@pytest.mark.parametrize(
    ("given_before", "entry"),
    [
        ((PostTransfer("ent_t", "world", "alice", 7, "EUR"),), "ent_t"),
        ((PlaceHold("hold_1", "world", "alice", 7, "EUR"), CaptureHold("hold_1", 5)), "hold_1.2"),
        ((EXCHANGE,), "ent_fx"),
    ],
)
def test_transfers_captures_and_exchanges_are_reversed_alike(given_before: tuple[Command, ...], entry: str) -> None:
    story = given(*OPENED, *given_before)
    story.when(reverse(entry)).answered(201)
    assert story.balances() == {}


def test_an_entry_is_taken_back_once() -> None:
    story = given(*OPENED, SALE, reverse("ent_sale"))
    story.when(reverse("ent_sale", number=2)).refused(AlreadyReversed)
    story.when(reverse("ent_sale", 1, number=2)).refused(AlreadyReversed)


def test_a_reversal_is_not_taken_back() -> None:
    given(*OPENED, SALE, reverse("ent_sale")).when(reverse("ent_back1", number=2)).refused(
        AlreadyReversed, entry="ent_back1"
    )


def test_parts_are_taken_back_until_nothing_is_left() -> None:
    story = given(*OPENED, PostTransfer("ent_t", "world", "alice", 100, "EUR"))
    story.when(reverse("ent_t", 40)).then(
        ReversalPosted("ent_t", (credit("world", 40, "EUR"), debit("alice", 40, "EUR")), "a mistake"),
        EntryReversed("ent_t", "ent_back1", (40, 40), whole=False),
    )
    story.when(reverse("ent_t", 70, number=2)).refused(ReversalExceedsEntry, "/amount", amount=70, remaining=60)
    story.when(reverse("ent_t", None, number=2)).answered(201)
    assert story.balances() == {}
    story.when(reverse("ent_t", number=3)).refused(AlreadyReversed)


def test_a_part_of_an_exchange_is_ambiguous() -> None:
    given(*OPENED, EXCHANGE).when(reverse("ent_fx", 10)).refused(PartialReversalAmbiguous, "/amount")


def test_a_reversal_of_money_that_is_spent_is_refused() -> None:
    floor = ChangeLimits("alice", 0, None)
    spent = PostTransfer("ent_2", "alice", "bob", 100, "EUR")
    story = given(*OPENED, floor, PostTransfer("ent_1", "world", "alice", 100, "EUR"), spent)
    story.when(reverse("ent_1")).refused(InsufficientFunds, account="alice", available=0)
    assert story.balance("alice") == 0


@pytest.mark.parametrize("name", ["ent_nothing", "hold_1", "hold_1.1", "hold_1.9", "hold_1.x", "alice", "", "."])
def test_what_posted_nothing_cannot_be_taken_back(name: str) -> None:
    story = given(*OPENED, PlaceHold("hold_1", "world", "alice", 7, "EUR"), CaptureHold("hold_1", 5))
    story.when(reverse(name)).refused(EntryNotFound, entry=name)


def test_what_the_system_posted_is_taken_back_by_administrators_only() -> None:
    story = given(*OPENED, CreateCustomer("ann"), OpenWallet("ann", "EUR"))
    story.when(PostTransfer("ent_1", "world", "sys:2010:ann:eur", 5, "EUR"), administrator=True).answered(201)
    story.when(reverse("ent_1")).refused(AccountProtected)
    story.when(reverse("ent_1"), administrator=True).answered(201)


def test_a_reversal_takes_effect_now_or_when_the_original_did() -> None:
    yesterday = NOON - timedelta(days=1)
    story = given(*OPENED, PostTransfer("ent_1", "world", "alice", 10, "EUR", effective_at=yesterday))
    back = ReverseEntry("ent_back1", "ent_1", "a mistake", 5, "original")
    story.when(back).answered(201, effective_at="2026-03-14T12:00:00Z")
    story.when(reverse("ent_1", number=2)).answered(201, effective_at="2026-03-15T12:00:00Z")


def test_a_reversal_into_a_closed_period_is_refused() -> None:
    february = NOON.replace(month=2)
    sale = PostTransfer("ent_1", "world", "alice", 10, "EUR", effective_at=february)
    story = given(*OPENED, sale, ClosePeriod("2026-02", "month end"))
    back = ReverseEntry("ent_back1", "ent_1", "a mistake", None, "original")
    story.when(back).refused(PeriodClosed, period="2026-02")


# --- laws -----------------------------------------------------------------------------------------------------------


@st.composite
def balanced_postings(draw: st.DrawFn) -> tuple[Posting, ...]:
    """An entry of 2 to 8 postings in one currency, on four accounts that may come more than once."""
    amounts = draw(st.lists(st.integers(1, 10**6), min_size=1, max_size=4))
    debits = [debit(draw(st.sampled_from(EUROS)), amount, "EUR") for amount in amounts]
    total, credits_ = sum(amounts), list[Posting]()
    while total:
        amount = draw(st.integers(1, total)) if len(credits_) < 3 else total
        credits_.append(credit(draw(st.sampled_from(EUROS)), amount, "EUR"))
        total -= amount
    return tuple(draw(st.permutations(debits + credits_)))


@sampled(balanced_postings())
def test_a_reversal_restores_every_balance_exactly(postings: tuple[Posting, ...]) -> None:
    story = given(*OPENED)
    story.when(PostEntry("ent_1", postings)).answered(201)
    story.when(reverse("ent_1")).answered(201)
    assert story.balances() == {}


@sampled(balanced_postings(), st.lists(st.integers(1, 10**6), max_size=5))
def test_reversals_in_parts_restore_every_balance_exactly(postings: tuple[Posting, ...], parts: list[int]) -> None:
    story: Story = given(*OPENED, PostEntry("ent_1", postings))
    left = sum(posting.amount for posting in postings if posting.direction == Direction.DEBIT)
    for number, part in enumerate(parts):
        outcome = story.when(reverse("ent_1", part, number))
        if part > left:
            kind = AlreadyReversed if left == 0 else ReversalExceedsEntry
            outcome.refused(kind)
        else:
            left -= part
            outcome.answered(201)
            assert sum(abs(a.posted_debits - a.posted_credits) for a in story.accounts.values()) <= 2 * left
    if left:
        story.when(reverse("ent_1", number=99)).answered(201)
    assert story.balances() == {}
