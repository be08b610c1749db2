"""Laws: what holds whatever two sides report, looked for by a machine in a small world where everything collides."""

from collections import Counter
from datetime import date, timedelta
from typing import Any, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.matching.matcher import match
from ledger.matching.outcome import Match, Outcome
from ledger.matching.policy import Policy, Tolerance
from ledger.matching.sides import Item, Row, State, net_of
from ledger.report_row import ROW_KINDS
from tests.matching.given import NOW

POLICY = Policy(amount=Tolerance(1), fee=Tolerance(1))
_KINDS = st.sampled_from(["sale", "refund", "credit", "debit", "payout", *ROW_KINDS])
_CURRENCIES = st.sampled_from(["EUR", "USD"])
_NAMES = st.sampled_from(["", "a", "b", "c", "name_123", "NONREF"])
_AMOUNTS = st.one_of(st.integers(-3, 6), st.sampled_from([10, 20, 30, -30]))
_TIMES = st.one_of(st.none(), st.integers(0, 12).map(lambda days: NOW - timedelta(days=days, hours=5)))
_PARTIES = st.sampled_from(["", "4242", "1881"])
_FEW = 8

_rows = st.lists(
    st.builds(
        Row,
        id=st.just(""),
        kind=_KINDS,
        gross=_AMOUNTS,
        currency=_CURRENCIES,
        external_id=_NAMES,
        our_reference=_NAMES,
        about=_NAMES,
        fee=st.integers(0, 2),
        fee_currency=st.sampled_from(["", "", "USD"]),
        exact_fee=st.one_of(st.none(), st.decimals(0, 2, places=3)),
        at=_TIMES,
        value_date=st.one_of(st.none(), st.just(date(2026, 11, 19))),
        batch=st.sampled_from(["", "", "b1", "batch_22"]),
        party=_PARTIES,
        text=st.sampled_from(["", "payout batch_22", "name_123", "name 123 batch 22"]),
        posted=st.sampled_from([True, True, True, False]),
        order=st.integers(0, 2),
    ),
    max_size=_FEW,
).map(lambda rows: [msgspec.structs.replace(one, id=f"f:{n}") for n, one in enumerate(rows)])
_items = st.lists(
    st.builds(
        Item,
        id=st.just(""),
        stream=st.just("s"),
        kind=_KINDS,
        gross=_AMOUNTS,
        currency=_CURRENCIES,
        our_references=st.lists(_NAMES, max_size=2).map(tuple),
        channel_references=st.lists(_NAMES, max_size=1).map(tuple),
        fee=st.one_of(st.none(), st.integers(0, 2)),
        at=_TIMES,
        state=st.sampled_from(["booked", *get_args(State)]),
        batch=st.sampled_from(["", "", "b1", "batch_22"]),
        parties=st.lists(_PARTIES, max_size=2).map(tuple),
    ),
    max_size=_FEW,
).map(lambda items: [msgspec.structs.replace(one, id=f"i_{n}") for n, one in enumerate(items)])


def states_of(told: Outcome) -> tuple[Counter[str], Counter[str]]:
    """How often each row and each item is spoken of as settled."""
    rows, items = Counter(told.waiting_rows), Counter(told.waiting_items)
    rows.update(one.row for one in told.duplicates)
    rows.update(row for one in told.matches for row in one.rows)
    items.update(item for one in told.matches for item in one.items)
    rows.update(row for one in told.breaks for row in one.rows)
    items.update(item for one in told.breaks for item in one.items)
    return rows, items


@settings(max_examples=300)
@given(_rows, _items)
def test_each_row_and_each_item_is_in_exactly_one_state(rows: list[Row], items: list[Item]) -> None:
    told = match(rows, items, POLICY, NOW)
    of_rows, of_items = states_of(told)
    assert of_rows == Counter(one.id for one in rows)
    quiet = {one.id for one in items} - {*of_items}
    assert set(of_items.values()) <= {1}
    assert all(one.state in ("failed", "optional", "settled") for one in items if one.id in quiet)
    assert sum(one.count for one in told.totals if one.state == "quiet") == len(quiet)


@settings(max_examples=200)
@given(st.data(), _rows, _items)
def test_the_order_of_what_is_given_changes_nothing(data: Any, rows: list[Row], items: list[Item]) -> None:
    told = match(rows, items, POLICY, NOW)
    again = match(data.draw(st.permutations(rows)), data.draw(st.permutations(items)), POLICY, NOW)
    assert again == told
    assert again.output_hash == told.output_hash


@settings(max_examples=300)
@given(_rows, _items, st.integers(0, _FEW))
def test_a_late_file_only_adds(rows: list[Row], items: list[Item], in_time: int) -> None:
    first = match(rows[:in_time], items, POLICY, NOW)
    second = match(rows, items, POLICY, NOW, earlier=first.matches)
    assert {*first.matches} <= {*second.matches}
    of_rows, _ = states_of(second)
    assert of_rows == Counter(one.id for one in rows)


@settings(max_examples=300)
@given(_rows, _items)
def test_what_matches_is_of_one_currency_and_differs_by_no_more_than_it_says(
    rows: list[Row], items: list[Item]
) -> None:
    rows_known, items_known = {one.id: one for one in rows}, {one.id: one for one in items}
    for one in match(rows, items, POLICY, NOW).matches:
        theirs, ours = [rows_known[row] for row in one.rows], [items_known[item] for item in one.items]
        assert len({row.currency for row in theirs} | {item.currency for item in ours}) == 1
        assert all(row.posted for row in theirs)
        assert {item.id for item in ours if item.state == "unknown"} == {*one.evidence}
        assert not any(item.state == "failed" for item in ours)
        if ours:
            assert abs(difference_of(one, theirs, ours)) <= 1


def difference_of(one: Match, theirs: list[Row], ours: list[Item]) -> int:
    """By gross; of a batch by net, and a payout of the channel is what it owes less."""
    difference = sum(row.gross for row in theirs) - sum(item.gross for item in ours)
    told = sum(other.theirs - other.ours for other in one.differences if other.what == "amount")
    if difference != told:
        sense = -1 if theirs[0].kind.startswith("payout") else 1
        difference = sense * sum(net_of(row)[0] for row in theirs) - sum(item.net for item in ours)
    assert difference == told
    return difference


@settings(max_examples=200)
@given(_rows, _items)
def test_no_money_comes_or_goes(rows: list[Row], items: list[Item]) -> None:
    told = match(rows, items, POLICY, NOW)
    for side, given_ones in (("rows", rows), ("items", items)):
        for currency in ("EUR", "USD"):
            of_currency = [one for one in given_ones if one.currency == currency]
            totals = [total for total in told.totals if (total.side, total.currency) == (side, currency)]
            assert sum(total.count for total in totals) == len(of_currency)
            assert sum(total.gross for total in totals) == sum(one.gross for one in of_currency)
    assert all(one.at_risk >= 0 for one in told.breaks)


@settings(max_examples=100)
@given(_rows, _items)
def test_nothing_is_matched_by_a_suggestion(rows: list[Row], items: list[Item]) -> None:
    told = match(rows, items, POLICY, NOW)
    matched_rows = {row for one in told.matches for row in one.rows}
    matched_items = {item for one in told.matches for item in one.items}
    for one in told.suggestions:
        assert one.row not in matched_rows
        assert one.item not in matched_items
        assert POLICY.suggested_from <= one.score <= 100
