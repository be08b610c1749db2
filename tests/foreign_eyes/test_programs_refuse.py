"""Programs refuse: whatever is touched in a journal, hledger and beancount find it; and so do we, in our own views."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from ledger.audit.plain_text import AccountLine, EntryLine, Journal, JournalText
from ledger.audit.plain_text_beancount import BeancountText
from ledger.audit.plain_text_hledger import HledgerText
from ledger.journal import credit, debit
from ledger.store.connection import in_book
from tests.cli import word
from tests.foreign_eyes.conftest import Kept
from tests.foreign_eyes.programs import PROGRAMS, Program

each_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)

_ENTRY = re.compile(r"^(\d{4}-\d\d-\d\d) \* ")
_POSTING = re.compile(r"^( +(?:Assets|Liabilities|Equity|Income|Expenses):\S+  )(-?)([\d.]+)( [A-Z]+)$", re.MULTILINE)


class Touched:
    """A journal as paragraphs, and which of them are entries of ours."""

    def __init__(self, journal: Path) -> None:
        self.parts = journal.read_text().split("\n\n")
        self.entries = [at for at, part in enumerate(self.parts) if _ENTRY.match(part) and "entry:" in part]
        self.pairs = [at for at in self.entries if len(_POSTING.findall(self.parts[at])) == 2]

    def day(self, at: int) -> date:
        found = _ENTRY.match(self.parts[at])
        assert found is not None
        return date.fromisoformat(found[1])

    def move(self, at: int, days: int) -> None:
        day = self.day(at)
        self.parts[at] = self.parts[at].replace(str(day), str(day + timedelta(days=days)), 1)

    def write(self, file: Path) -> Path:
        file.write_text("\n\n".join(self.parts))
        return file


def _more(found: re.Match[str]) -> str:
    """The posting with one unit of its last digit more, on the side that it is on."""
    digits = found[3]
    exponent = len(digits.partition(".")[2])
    more = str(Decimal(digits) + Decimal(1).scaleb(-exponent))
    return f"{found[1]}{found[2]}{more}{found[4]}"


def one_amount(touched: Touched, draw: Random) -> None:
    at = draw.choice(touched.entries)
    touched.parts[at] = _POSTING.sub(_more, touched.parts[at], count=1)


def both_amounts(touched: Touched, draw: Random) -> None:
    at = draw.choice(touched.pairs)
    touched.parts[at] = _POSTING.sub(_more, touched.parts[at])


def one_posting(touched: Touched, draw: Random) -> None:
    at = draw.choice(touched.entries)
    touched.parts[at] = _POSTING.sub("", touched.parts[at], count=1).replace("\n\n", "\n")


def sides_turned(touched: Touched, draw: Random) -> None:
    at = draw.choice(touched.pairs)
    turned = _POSTING.sub(lambda found: f"{found[1]}{'' if found[2] else '-'}{found[3]}{found[4]}", touched.parts[at])
    touched.parts[at] = turned


def another_account(touched: Touched, draw: Random) -> None:
    """The money of one entry goes where that of another one of its currency went."""
    at = draw.choice(touched.pairs)
    (mine, *_), (other, *_) = _POSTING.findall(touched.parts[at])
    unit = mine.strip().rpartition("-")[2]
    known = {found[0] for one in touched.pairs for found in _POSTING.findall(touched.parts[one])}
    another = draw.choice(sorted(name for name in known - {mine, other} if name.strip().endswith(f"-{unit}")))
    touched.parts[at] = touched.parts[at].replace(mine, another)


def entry_gone(touched: Touched, draw: Random) -> None:
    del touched.parts[draw.choice(touched.entries)]


def entry_twice(touched: Touched, draw: Random) -> None:
    at = draw.choice(touched.entries)
    touched.parts.insert(at, touched.parts[at])


def entry_of_another_day(touched: Touched, draw: Random) -> None:
    touched.move(draw.choice(touched.entries), draw.choice((-9, -1, 1, 9)))


def first_of_a_day(touched: Touched, draw: Random) -> None:
    days = [touched.day(at) for at in touched.entries]
    firsts = [at for at, day, before in zip(touched.entries[1:], days[1:], days, strict=False) if before < day]
    touched.move(draw.choice(firsts), -1)


def last_of_a_day(touched: Touched, draw: Random) -> None:
    days = [touched.day(at) for at in touched.entries]
    lasts = [at for at, day, after in zip(touched.entries, days, days[1:], strict=False) if day < after]
    touched.move(draw.choice(lasts), 1)


def last_of_all(touched: Touched, draw: Random) -> None:
    touched.move(touched.entries[-1], 1)


def closing_balance(touched: Touched, draw: Random) -> None:
    lines = touched.parts[-2].splitlines()
    at = draw.choice([number for number, line in enumerate(lines) if re.search(r"[1-9]", line.partition("-")[2])])
    digits = re.search(r"(?<= )-?[\d.]+(?=( ~ 0)? [A-Z]+$)", lines[at])
    assert digits is not None
    exponent = len(digits[0].partition(".")[2])
    more = str(Decimal(digits[0]) + Decimal(1).scaleb(-exponent))
    lines[at] = lines[at][: digits.start()] + more + lines[at][digits.end() :]
    touched.parts[-2] = "\n".join(lines)


TOUCHES = (
    one_amount,
    both_amounts,
    one_posting,
    sides_turned,
    another_account,
    entry_gone,
    entry_twice,
    entry_of_another_day,
    first_of_a_day,
    last_of_a_day,
    last_of_all,
    closing_balance,
)
_TIMES = 2


@each_program
@pytest.mark.parametrize("touch", TOUCHES, ids=lambda touch: touch.__name__)
def test_whatever_is_touched_is_refused(
    small: Kept, program: Program, touch: Callable[[Touched, Random], None], tmp_path: Path
) -> None:
    journal = (
        small.export(program.name)
        if not (small.folder / f"whole.{program.name}").exists()
        else small.folder / f"whole.{program.name}"
    )
    for seed in range(_TIMES):
        touched = Touched(journal)
        touch(touched, Random(seed))
        assert program.refusal(touched.write(tmp_path / f"{seed}.{program.name}")), (touch.__name__, seed)


# --- a journal in which little happens, so that nothing else finds what is touched

_JANUARY = datetime(2026, 1, 1, 12, tzinfo=UTC)
_DAYS = (1, 10, 20)
_TEXTS: dict[str, Callable[[Journal], JournalText]] = {"hledger": HledgerText, "beancount": BeancountText}


def sparse(program: Program, days: tuple[int, ...], closing: int) -> str:
    """Cents from one account to another, each on a day of its own; the month ends long after the last of them."""
    text = _TEXTS[program.name](Journal("shop", 3, None, None, date(2026, 1, 31)))
    accounts = [AccountLine(name, "asset", "EUR", name, _JANUARY) for name in ("a", "b")]
    entries = []
    for number, day in enumerate(days):
        moment = _JANUARY + timedelta(days=day - 1)
        postings = (debit("a", 1, "EUR"), credit("b", 1, "EUR"))
        entries.append(EntryLine(number, f"ent_{number}", "ent", "entries.posted.v1", moment, moment, postings))
    return "".join((*text.begin(accounts, {}), text.entries(entries), *text.close({"a": closing, "b": -closing})))


@each_program
def test_a_cent_that_is_missing_in_the_end_is_refused(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "journal"
    for closing in (2, 3, 4):
        file.write_text(sparse(program, _DAYS, closing))
        assert bool(program.refusal(file)) == (closing != 3)


@each_program
@pytest.mark.parametrize(("at", "days"), [(1, -5), (1, 5), (2, -5), (2, 5), (0, -1)])
def test_an_entry_of_a_day_when_nothing_happened_is_refused(
    program: Program, at: int, days: int, tmp_path: Path
) -> None:
    file = tmp_path / "journal"
    file.write_text(sparse(program, _DAYS, 3))
    touched = Touched(file)
    touched.move(touched.entries[at], days)
    assert program.refusal(touched.write(file))


# --- what our own books do not say alike


@each_program
def test_a_view_that_lost_an_entry_is_found_out_by_us_and_by_them(
    keep: Callable[[int, int], Kept], program: Program
) -> None:
    kept = keep(60, 0)
    with kept.database.owner() as connection:
        lost = connection.execute(
            in_book("DELETE FROM {schema}.postings WHERE effective_at < recorded_at AND leg = 0", kept.book)
        )
        assert lost.rowcount > 10
    file = kept.folder / "lost"
    done = word.run("export-journal", "--book", kept.book, "--format", program.name, "--to", file, **kept.environment)
    assert done.returncode == 1
    assert "do not add up" in done.stderr
    assert program.refusal(file)
