"""Cursors: one goes back to where it came from, and to nowhere else."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import Cursors, Filters
from ledger.errors import CursorInvalid

SECRET = b"a secret for cursors"
CURSORS = Cursors(SECRET)
FILTERS: Filters = {"account": "a", "min_amount": 5, "to": None}


def is_refused(cursor: str, book: str = "demo", name: str = "entries", filters: Filters = FILTERS) -> bool:
    try:
        CURSORS.take(cursor, book, name, filters)
    except CursorInvalid as refusal:
        return [error.pointer for error in refusal.errors] == ["/query/cursor"]
    return False


@given(st.lists(st.text(max_size=40) | st.integers(), max_size=4))
def test_a_cursor_brings_back_the_place_it_was_given_for(last: list[str | int]) -> None:
    cursor = CURSORS.give("demo", "entries", FILTERS, last)
    assert CURSORS.take(cursor, "demo", "entries", FILTERS) == last
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&# ")


def test_every_flipped_bit_is_seen() -> None:
    for last in ([7], [71], [712]):
        cursor = CURSORS.give("demo", "entries", FILTERS, last)
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        for bit in range(8 * len(raw)):
            flipped = bytearray(raw)
            flipped[bit // 8] ^= 1 << bit % 8
            assert is_refused(urlsafe_b64encode(flipped).decode().rstrip("="))


def test_every_other_spelling_is_refused() -> None:
    for last in ([7], [71], [712]):
        cursor = CURSORS.give("demo", "entries", FILTERS, last)
        for at in range(len(cursor)):
            for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. ":
                if other != cursor[at]:
                    assert is_refused(f"{cursor[:at]}{other}{cursor[at + 1 :]}")
        for other in (f"{cursor}=", f"{cursor}==", f" {cursor}", f"{cursor}\n", cursor[:-1], cursor[1:], f"{cursor}A"):
            assert is_refused(other)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: urlsafe_b64encode(raw).decode().rstrip("=")))
def test_what_was_never_given_out_is_refused(cursor: str) -> None:
    assert is_refused(cursor)


def test_a_cursor_that_is_too_long_is_not_even_decoded() -> None:
    assert is_refused("A" * 100_000)


@pytest.mark.parametrize(
    ("book", "name", "filters"),
    [
        ("other", "entries", FILTERS),
        ("demo", "accounts", FILTERS),
        ("demo", "entries", {"account": "b", "min_amount": 5}),
        ("demo", "entries", {"account": "a"}),
        ("demo", "entries", {"account": "a", "min_amount": "5"}),
        ("demo", "entries", {}),
        ("demoentries", "", FILTERS),
    ],
)
def test_a_cursor_of_another_book_list_or_filter_is_refused(book: str, name: str, filters: Filters) -> None:
    cursor = CURSORS.give("demo", "entries", FILTERS, [7])
    assert is_refused(cursor, book, name, filters)


def test_a_filter_that_is_not_given_and_the_order_of_filters_make_no_difference() -> None:
    cursor = CURSORS.give("demo", "entries", FILTERS, [7])
    assert CURSORS.take(cursor, "demo", "entries", {"min_amount": 5, "account": "a", "from": None}) == [7]


def test_another_process_with_the_same_secret_takes_it_and_one_with_another_secret_does_not() -> None:
    cursor = CURSORS.give("demo", "entries", {}, [7])
    assert Cursors(SECRET).take(cursor, "demo", "entries", {}) == [7]
    with pytest.raises(CursorInvalid):
        Cursors(SECRET + b"!").take(cursor, "demo", "entries", {})


def test_a_cursor_ends_with_its_lifetime() -> None:
    now_s = 1_000_000.0
    cursors = Cursors(SECRET, lifetime_s=60, now=lambda: now_s)
    cursor = cursors.give("demo", "entries", {}, [7])
    now_s += 60
    assert cursors.take(cursor, "demo", "entries", {}) == [7]
    now_s += 1
    with pytest.raises(CursorInvalid):
        cursors.take(cursor, "demo", "entries", {})
