"""Laws of the journal: what does not balance cannot be constructed, and no event makes or loses money."""

from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from ledger.accounts import Account, Kind, Movement
from ledger.errors import AmountNotPositive, AmountOverflow, TooFewPostings, TooManyPostings, Unbalanced
from ledger.events.event import Event
from ledger.journal import Direction, JournalEntry, Posting, credit, debit, entry_of, opposite
from ledger.money import LARGEST
from ledger.posting_rules import entry_for, movements_for
from ledger.store.codec import EVENT_TYPES, decode, encode
from tests.properties.events_of_all_kinds import accounts, amounts, balanced_postings, events

every_event = pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.topic)


def nets(postings: tuple[Posting, ...]) -> Counter[str]:
    """Debits less credits of each currency, where they differ."""
    net: Counter[str] = Counter()
    for posting in postings:
        net[posting.currency] += posting.amount if posting.direction is Direction.DEBIT else -posting.amount
    return Counter({currency: left for currency, left in net.items() if left})


@given(balanced_postings())
def test_what_balances_in_each_currency_can_be_constructed(postings: tuple[Posting, ...]) -> None:
    assert JournalEntry(postings).postings == postings


@given(balanced_postings(), st.data())
def test_what_is_off_by_any_amount_cannot(postings: tuple[Posting, ...], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(postings) - 1))
    old = postings[index]
    amount = data.draw(amounts)
    assume(amount != old.amount)
    changed = (*postings[:index], Posting(old.account, old.direction, amount, old.currency), *postings[index + 1 :])
    with pytest.raises(Unbalanced):
        JournalEntry(changed)


@given(st.lists(st.builds(Posting, accounts, st.sampled_from(Direction), amounts, st.sampled_from(["EUR", "USD"]))))
def test_any_postings_are_an_entry_exactly_if_they_balance(postings: list[Posting]) -> None:
    entry = tuple(postings)
    lawful = 2 <= len(entry) <= 100 and not nets(entry)
    try:
        JournalEntry(entry)
    except (Unbalanced, TooFewPostings, TooManyPostings):
        assert not lawful
    else:
        assert lawful


@given(amounts)
def test_two_currencies_do_not_make_up_for_each_other(amount: int) -> None:
    with pytest.raises(Unbalanced) as refused:
        JournalEntry((debit("a", amount, "EUR"), credit("b", amount, "USD")))
    assert refused.value.facts["currency"] in ("EUR", "USD")


@pytest.mark.parametrize(
    ("postings", "refusal"),
    [
        ((), TooFewPostings),
        ((debit("a", 1, "EUR"),), TooFewPostings),
        ((debit("a", 1, "EUR"), credit("b", 1, "EUR")) * 50 + (debit("a", 1, "EUR"),), TooManyPostings),
        ((debit("a", 0, "EUR"), credit("b", 0, "EUR")), AmountNotPositive),
        ((debit("a", -1, "EUR"), credit("b", -1, "EUR")), AmountNotPositive),
        ((debit("a", LARGEST, "EUR"), credit("b", LARGEST, "EUR")) * 2, AmountOverflow),
    ],
)
def test_what_is_no_entry(postings: tuple[Posting, ...], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        JournalEntry(postings)


def test_the_largest_entries_can_be_constructed() -> None:
    JournalEntry((debit("a", 1, "EUR"), credit("b", 1, "EUR")) * 50)
    JournalEntry((debit("a", LARGEST, "EUR"), credit("b", LARGEST - 1, "EUR"), credit("c", 1, "EUR")))


@given(balanced_postings())
def test_movements_are_the_postings_netted_by_account(postings: tuple[Posting, ...]) -> None:
    turnover: Counter[tuple[str, str, str]] = Counter()
    for posting in postings:
        turnover[posting.account, posting.currency, posting.direction] += posting.amount
    movements = JournalEntry(postings).movements()
    assert len({(movement.account, movement.currency) for movement in movements}) == len(movements)
    for movement in movements:
        key = movement.account, movement.currency
        assert movement.debit == turnover[(*key, Direction.DEBIT)]
        assert movement.credit == turnover[(*key, Direction.CREDIT)]
        assert movement.pending_debit == movement.pending_credit == 0
    assert sum(turnover.values()) == sum(movement.debit + movement.credit for movement in movements)


@given(balanced_postings())
def test_an_entry_and_its_opposite_leave_every_balance_as_it_was(postings: tuple[Posting, ...]) -> None:
    books: dict[tuple[str, str], Account] = {}
    for entry in (JournalEntry(postings), JournalEntry(opposite(postings))):
        for movement in entry.movements():
            account = books.setdefault(
                (movement.account, movement.currency), Account(movement.account, Kind.ASSET, movement.currency)
            )
            account.apply(movement)
    assert all(account.balance == account.available == 0 for account in books.values())
    assert opposite(opposite(postings)) == postings


def test_a_posting_of_nothing_is_left_out_of_a_rule() -> None:
    entry = entry_of(debit("a", 5, "EUR"), credit("b", 5, "EUR"), debit("fee", 0, "EUR"))
    assert [posting.account for posting in entry.postings] == ["a", "b"]


@every_event
@settings(max_examples=50)
@given(data=st.data())
def test_no_event_makes_or_loses_money(event_type: type[Event], data: st.DataObject) -> None:
    """Posted and pending, in each currency; and what the general way says, the quick way says too."""
    event = data.draw(events(event_type))
    movements = movements_for(event)
    for currency in {movement.currency for movement in movements}:
        of_currency = [movement for movement in movements if movement.currency == currency]
        assert sum(movement.debit - movement.credit for movement in of_currency) == 0
        assert sum(movement.pending_debit - movement.pending_credit for movement in of_currency) == 0
    entry = entry_for(event)
    posted = [replace(m, pending_debit=0, pending_credit=0) for m in movements if m.debit or m.credit]
    assert sorted(posted, key=astuple) == sorted([] if entry is None else entry.movements(), key=astuple)
    assert entry is None or not nets(entry.postings)
    assert all(isinstance(movement, Movement) for movement in movements)


@every_event
@settings(max_examples=50)
@given(data=st.data())
def test_an_event_reads_as_it_was_written(event_type: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(event_type))
    assert decode(event_type.topic, encode(event)) == event
