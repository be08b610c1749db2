"""Plain text: names that two programs take and that nobody shares, exact amounts, and words that stay words."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.accounts import Kind
from ledger.audit.plain_text import (
    AccountLine,
    EntryLine,
    Journal,
    JournalText,
    account_name,
    account_named,
    decimal,
    last_day,
    moment,
    one_line,
)
from ledger.audit.plain_text_beancount import BeancountText
from ledger.audit.plain_text_hledger import HledgerText
from ledger.currencies import ASSETS
from ledger.journal import credit, debit

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)
TEXTS: tuple[Callable[[Journal], JournalText], ...] = (HledgerText, BeancountText)

# Ids as they may be, with what escapes are made of more often than by chance; and any text at all.
segments = st.text("abexz0127_.-", max_size=8)
ids = (
    st.lists(segments, min_size=1, max_size=4).map(":".join) | st.text("abcxyz0123456789_:.-", max_size=64) | st.text()
)
kinds = st.sampled_from(list(Kind))
currencies = st.sampled_from(sorted(ASSETS))

# --- names


@given(kinds, ids, currencies)
@example(Kind.MEMO, "sys:9010:card_simulator:eur", "EUR")
@example(Kind.LIABILITY, "x5f:_x:X:-:a_:_a:a__b:x:", "XAF")
@example(Kind.EQUITY, "off-balance:off-_balance", "EUR")
@example(Kind.ASSET, "customer:e_u_r-_e_u_r", "EUR")
def test_an_account_can_be_read_back_from_its_name_so_that_no_two_share_one(kind: Kind, id_: str, unit: str) -> None:
    assert account_named(account_name(kind, id_, unit)) == (kind.value, id_, unit)


@given(kinds, ids, currencies)
def test_every_name_is_one_that_both_programs_take(kind: Kind, id_: str, unit: str) -> None:
    # What beancount's lexer takes, less all that is not ASCII; hledger takes more.
    name = account_name(kind, id_, unit)
    assert re.fullmatch(r"(Assets|Liabilities|Equity|Income|Expenses)(:[A-Z0-9][A-Za-z0-9-]*)+", name)


@given(st.lists(st.tuples(kinds, ids, currencies), min_size=2, max_size=20, unique=True))
@example([(Kind.LIABILITY, "customer", "EUR"), (Kind.LIABILITY, "customer:17", "EUR")])
@example([(Kind.LIABILITY, "customer", "EUR"), (Kind.LIABILITY, "customer-_e_u_r:a", "EUR")])
@example([(Kind.EQUITY, "off-balance:a", "EUR"), (Kind.MEMO, "a", "EUR")])
def test_no_account_lies_within_another(accounts: list[tuple[Kind, str, str]]) -> None:
    """Beancount would add the inner one to the outer one's balance."""
    names = sorted(f"{account_name(*account)}:" for account in accounts)
    assert not any(after.startswith(before) for before, after in pairwise(names))


@pytest.mark.parametrize(
    ("kind", "id_", "unit", "name"),
    [
        (Kind.ASSET, "cash", "EUR", "Assets:Cash-EUR"),
        (Kind.LIABILITY, "customer:17", "JPY", "Liabilities:Customer:17-JPY"),
        (Kind.REVENUE, "sys:4010:quick_pay:eur", "EUR", "Income:Sys:4010:QuickPay:Eur-EUR"),
        (Kind.MEMO, "sys:9010:card_simulator:eur", "EUR", "Equity:Off-Balance:Sys:9010:CardSimulator:Eur-EUR"),
        (Kind.EXPENSE, "fee.of-x_x", "BTC", "Expenses:FeeX2eof-xX5fx-BTC"),
    ],
)
def test_names_can_be_read_by_people(kind: Kind, id_: str, unit: str, name: str) -> None:
    assert account_name(kind, id_, unit) == name


def test_what_is_no_name_of_ours_is_refused() -> None:
    for name in ("Assets", "Assets:Cash", "assets:Cash-EUR", "Assets:Cash!-EUR", "Other:Cash-EUR"):
        with pytest.raises(ValueError, match="no "):
            account_named(name)


# --- amounts and times


@given(st.integers(-(2**63), 2**63), currencies)
def test_a_decimal_is_exactly_the_minor_units(amount: int, unit: str) -> None:
    text = decimal(amount, unit)
    assert re.fullmatch(r"-?\d+(\.\d+)?", text)
    assert len(text.partition(".")[2]) == ASSETS[unit].exponent
    assert int(Decimal(text).scaleb(ASSETS[unit].exponent)) == amount


def test_amounts_have_the_digits_of_their_unit() -> None:
    told = [decimal(-5, unit) for unit in ("JPY", "EUR", "BHD", "CLF", "USDT", "BTC")]
    assert told == ["-5", "-0.05", "-0.005", "-0.0005", "-0.000005", "-0.00000005"]


def test_the_last_day_is_the_one_before_the_end_and_no_later_than_the_log() -> None:
    midnight = datetime(2026, 4, 1, tzinfo=UTC)
    assert last_day(midnight, NOON + timedelta(days=400)) == date(2026, 3, 31)
    assert last_day(midnight, NOON) == last_day(None, NOON) == date(2026, 3, 15)
    assert moment(NOON) == "2026-03-15T12:00:00.000000Z"


# --- words

ACCOUNTS = [AccountLine(name, "asset", "EUR", name, NOON) for name in ("a", "b")]
JOURNAL = Journal("shop", 7, None, None, NOON.date())


def entry(said: str | None, reference: str | None = None) -> EntryLine:
    postings = (debit("a", 1, "EUR"), credit("b", 1, "EUR"))
    return EntryLine(3, "ent_1", "ent_1", "entries.posted.v1", NOON, NOON, postings, reference, said)


def written(text: JournalText, *entries: EntryLine) -> str:
    closing = {"a": len(entries), "b": -len(entries)}
    return "".join((*text.begin(ACCOUNTS, {}), text.entries(entries), *text.close(closing)))


@given(st.text() | st.text('\n\r\x0b\x85\u2028\\";,|*!()[]{}= \t2026-1assert:EUR', max_size=60), st.text())
@pytest.mark.parametrize("kind", TEXTS)
def test_no_words_make_a_line_of_their_own(kind: Callable[[Journal], JournalText], said: str, reference: str) -> None:
    plain = written(kind(JOURNAL), entry("word", "word")).splitlines()
    lines = written(kind(JOURNAL), entry(said, reference)).splitlines()
    assert len(lines) == len(plain)
    differ = [before for before, after in zip(plain, lines, strict=True) if before != after]
    assert all("word" in line for line in differ)


@given(st.text())
def test_what_cannot_be_seen_is_shown(text: str) -> None:
    shown = one_line(text)
    assert len(shown) == len(text)
    assert len(shown.splitlines()) <= 1
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", shown)


@given(st.text())
def test_a_text_of_beancount_ends_at_its_own_quote(said: str) -> None:
    (line,) = [line for line in written(BeancountText(JOURNAL), entry(said)).splitlines() if " * " in line]
    quoted = line.partition(" * ")[2]
    assert re.fullmatch(r'"([^"\\]|\\.)*"', quoted)
    assert re.sub(r"\\(.)", r"\1", quoted[1:-1]) == one_line(said)


def test_gpl_programs_are_run_and_never_imported() -> None:
    root = Path(__file__).parents[2]
    ours = [
        file
        for folder in ("ledger", "commands", "projections", "api", "tests", "benchmarks")
        for file in (root / folder).rglob("*.py")
    ]
    guests = [
        file for file in ours if re.search(r"^\s*(from|import) (beancount|beanquery)", file.read_text(), re.MULTILINE)
    ]
    assert len(ours) > 100
    assert guests == []
