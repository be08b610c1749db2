"""An account with very much that was dated back: sums over both orders, from blocks of every level, as if added up."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import Connection

from ledger.events.event import Metadata, Recorded
from ledger.events.transfers import TransferPosted
from ledger.store.connection import Database, in_book
from projections.dated_back import LEVELS, DatedBack
from projections.past_postings import turnover_until
from projections.turnover import Place, Turnover
from tests.projections.reading import Reader, reading

# Two blocks of the top level, some of each level below, and a rest.
SIZE = 2 * LEVELS[3] + 5 * LEVELS[2] + 7 * LEVELS[1] + 11
PAGE = 4_000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def late_facts() -> list[Recorded]:
    """Transfers dated back into an hour, often to the very same moment; every seventh is not dated back at all."""
    draw, facts = random.Random(5), list[Recorded]()
    for position in range(1, SIZE + SIZE // 6 + 1):
        recorded_at = BEGIN + timedelta(hours=1, seconds=position)
        effect = None if position % 7 == 0 else BEGIN + timedelta(seconds=draw.randrange(3_600))
        debit, credit = ("hot", "other") if draw.random() < 0.7 else ("other", "hot")
        event = TransferPosted(debit, credit, draw.randint(1, 99), "EUR", effect)
        facts.append(Recorded(f"ent_{position}", 1, position, recorded_at, event, Metadata("somebody")))
    return facts


@pytest.fixture(scope="module")
def facts() -> list[Recorded]:
    return late_facts()


@pytest.fixture(scope="module")
def dated_back(database: Database, make_book: Callable[[], str], facts: list[Recorded]) -> str:
    """A book whose view holds these facts; half of the pages by one that remembers nothing of the other half."""
    book = make_book()
    first, second = DatedBack(book), DatedBack(book)
    with database.connect() as connection:
        for start in range(0, len(facts), PAGE):
            with connection.transaction(), connection.cursor() as cursor:
                (first if start < len(facts) // 2 else second).project(facts[start : start + PAGE], cursor)
    return book


@pytest.fixture(scope="module")
def late_reader(database: Database, dated_back: str) -> Iterator[Reader]:
    with reading(database, dated_back) as held:
        yield held


def added_up(facts: list[Recorded], moment: datetime, position: int, settled: int, known_at: int) -> Turnover:
    """What is late of the account `hot`, by looking at every fact."""
    debits = credits_ = 0
    for fact in facts[settled:known_at]:
        event = fact.event
        assert isinstance(event, TransferPosted)
        if event.effective_at is not None and (event.effective_at, fact.position) <= (moment, position):
            if event.debit_account == "hot":
                debits += event.amount
            else:
                credits_ += event.amount
    return Turnover(debits, credits_)


def test_sums_over_both_orders_are_what_a_look_at_every_posting_adds_up_to(
    late_reader: Reader, facts: list[Recorded]
) -> None:
    draw, size = random.Random(7), len(facts)
    edges = [0, 1, size - 1, size] + [n * step + one for step in LEVELS.values() for n in (1, 2) for one in (-1, 0, 1)]
    for _ in range(120):
        known_at = draw.choice([draw.randrange(size + 1), draw.choice([edge for edge in edges if edge <= size])])
        # Into the hour of effects, where nothing was recorded yet: all that is known is late.
        moment = BEGIN + timedelta(seconds=draw.randrange(3_601))
        found = late_reader.ask(turnover_until, "hot", Place(moment), settled=0, known_at=known_at)
        assert found == added_up(facts, moment, 0, 0, known_at), (moment, known_at)
        # In the midst of those that took effect at one moment, as a statement's page may begin.
        place = Place(moment, draw.randrange(1, size), 1)
        found = late_reader.ask(turnover_until, "hot", place, settled=0, known_at=known_at)
        assert found == added_up(facts, moment, place.position, 0, known_at), (place, known_at)


def test_what_was_recorded_before_the_moment_is_settled_and_not_late(
    late_reader: Reader, facts: list[Recorded]
) -> None:
    draw = random.Random(9)
    for _ in range(40):
        settled = draw.randrange(len(facts))
        known_at = draw.randrange(settled, len(facts) + 1)
        moment = facts[settled].recorded_at  # Just behind the last settled one.
        found = late_reader.ask(turnover_until, "hot", Place(moment), settled=settled, known_at=known_at)
        assert found == added_up(facts, moment, 0, settled, known_at)


def test_every_block_is_whole_and_sorted_and_nobody_elses(
    database_url: str, dated_back: str, facts: list[Recorded]
) -> None:
    count = sum(isinstance(fact.event, TransferPosted) and fact.event.effective_at is not None for fact in facts)
    with Connection.connect(database_url, autocommit=True) as connection:
        counted = in_book("SELECT account, max(number), count(*) FROM {schema}.dated_back GROUP BY 1", dated_back)
        assert sorted(connection.execute(counted).fetchall()) == [("hot", count, count), ("other", count, count)]
        blocks = in_book(
            "SELECT level, block, count(*) FROM {schema}.dated_back_blocks WHERE account = 'hot'"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            dated_back,
        )
        found = connection.execute(blocks).fetchall()
    assert found == [(level, block, size) for level, size in LEVELS.items() for block in range(count // size)]


def test_an_account_without_anything_dated_back_has_nothing_late(late_reader: Reader) -> None:
    assert late_reader.ask(turnover_until, "nobody", Place(BEGIN), settled=0, known_at=100) == Turnover()
