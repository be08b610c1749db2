"""Two writers of one book, in one process and in two: one log, one truth, and nothing remembered too long.

The head's lock is each transaction's first statement and lasts until its commit, so that two commands are never decided
in turns: there are no interleavings of their statements to go through, only what one remembers while the other writes.
"""

import logging
import multiprocessing
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import pytest

from commands.accounts import ChangeLimits, CloseAccount, FreezeAccount, OpenAccount, UnfreezeAccount
from commands.approvals import GiveApproval
from commands.envelope import Command, Part
from commands.holds import CaptureHold, ReleaseHold
from commands.periods import ClosePeriod, ReopenPeriod
from commands.transfers import PlaceHold, PostTransfer
from ledger.store.connection import Database
from tests.writing import Pen, body_of, check_books, envelope, fresh, part, pen, said

JANUARY = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.fixture
def two(database: Database, book: str) -> Iterator[tuple[Pen, Pen]]:
    """Two writers that both remember the accounts cash, ada (500, floor 0) and bob."""
    with pen(database, book) as first, pen(database, book) as second:
        first.do(OpenAccount("cash", "Cash", "asset", "EUR"))
        first.do(OpenAccount("ada", "Ada", "liability", "EUR", min_balance=0))
        first.do(OpenAccount("bob", "Bob", "liability", "EUR"))
        first.do(PostTransfer(fresh("ent_"), "cash", "ada", 500, "EUR"))
        second.do(PostTransfer(fresh("ent_"), "ada", "bob", 1, "EUR"))
        first.do(PostTransfer(fresh("ent_"), "bob", "ada", 1, "EUR"))
        second.do(PostTransfer(fresh("ent_"), "cash", "bob", 1, "EUR"))
        yield first, second


def pay(amount: int, *, effective_at: datetime | None = None, reference: str | None = None) -> PostTransfer:
    return PostTransfer(fresh("ent_"), "ada", "bob", amount, "EUR", effective_at, reference)


@pytest.mark.parametrize(
    ("by_the_other", "then", "code"),
    [
        (pay(500), pay(1), "insufficient_funds"),
        (PlaceHold("hold_other", "ada", "bob", 500, "EUR"), pay(1), "insufficient_funds"),
        (FreezeAccount("bob", "asked to"), pay(1), "account_frozen"),
        (ChangeLimits("bob", None, 10), pay(10), "balance_limit_exceeded"),
        (ChangeLimits("ada", 400, None), pay(101), "insufficient_funds"),
        (ClosePeriod("2026-01", "done"), pay(1, effective_at=JANUARY), "period_closed"),
        (OpenAccount("eve", "Eve", "asset", "EUR"), OpenAccount("eve", "Eve", "asset", "EUR"), "id_exists_different"),
        (pay(1, reference="taken"), pay(1, reference="taken"), "reference_exists"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_one_writer_did_the_other_knows(
    two: tuple[Pen, Pen], caplog: pytest.LogCaptureFixture, by_the_other: Command, then: Command, code: str
) -> None:
    """By itself, before a constraint has to say it: the head's position tells that somebody else has written."""
    first, second = two
    first.do(by_the_other)
    assert second.refused(then).code() == code
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_what_one_writer_undid_the_other_knows_too(two: tuple[Pen, Pen]) -> None:
    first, second = two
    first.do(FreezeAccount("ada", "asked to"))
    assert second.refused(pay(1)).code() == "account_frozen"
    first.do(UnfreezeAccount("ada", "asked to"))
    second.do(pay(500))
    first.do(ClosePeriod("2026-01", "done"))
    assert second.refused(ReopenPeriod("2025-12", "mistake")).code() == "period_not_closed"
    asked = body_of(second.do(ReopenPeriod("2026-01", "mistake")))
    agreed = GiveApproval(str(asked["approval_id"]), str(asked["digest"]))
    (answer,) = first.submit([Part(envelope(actor="somebody else", administrator=True), agreed)])()
    assert answer.status == 200, answer
    first.do(PostTransfer(fresh("ent_"), "cash", "ada", 1, "EUR", JANUARY))
    second.do(pay(1))
    assert first.refused(CloseAccount("bob", "gone")).code() == "account_not_empty"


def test_an_answer_of_one_writer_is_replayed_by_the_other(two: tuple[Pen, Pen]) -> None:
    first, second = two
    command, refused = pay(7), pay(5_000)
    answer, refusal = first.ask(command, "same"), first.ask(refused, "same-refused")
    for _ in range(2):
        assert said(second.ask(command, "same")) == said(answer)
        assert said(second.ask(refused, "same-refused")) == said(refusal)
    assert second.refused(pay(8), "same").code() == "idempotency_key_reused"


def test_a_hold_is_captured_or_released_and_not_both(two: tuple[Pen, Pen]) -> None:
    """Twenty times: both writers reach for it at once."""
    first, second = two
    outcomes: Counter[tuple[int, ...]] = Counter()
    for _ in range(20):
        hold = fresh("hold_")
        first.do(PlaceHold(hold, "ada", "bob", 5, "EUR"))
        capture, release = first.submit([part(CaptureHold(hold))]), second.submit([part(ReleaseHold(hold))])
        outcomes[capture()[0].status, release()[0].status] += 1
    assert set(outcomes) <= {(201, 409), (409, 200)}


def debit_in_a_process(
    database: Database, book: str, number: int, start: Barrier, results: "Queue[tuple[Counter[int], int]]"
) -> None:
    """Another process: 100 debits of 10, and 50 that all its twins send with the same keys."""
    seen: Counter[int] = Counter()
    with pen(database, book) as writer:
        writer.ask(OpenAccount("ada", "Ada", "liability", "EUR"))  # so that both remember something
        start.wait()
        waiting = [
            writer.submit([part(PostTransfer(f"ent_{number}-{turn}", "ada", "bob", 10, "EUR"), f"{number}-{turn}")])
            for turn in range(100)
        ]
        twins = [
            writer.submit([part(PostTransfer(f"ent_twin-{turn}", "cash", "eve", 1, "EUR"), f"twin-{turn}")])
            for turn in range(50)
        ]
        for wait in waiting:
            seen[wait()[0].status] += 1
        results.put((seen, sum(wait()[0].replayed for wait in twins)))


def test_two_processes_take_exactly_what_is_there(database: Database, book: str) -> None:
    """200 debits of 10 on 500 from two processes: 50 go through; 50 keys that both send have 50 effects."""
    with pen(database, book) as writer:
        writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))
        writer.do(OpenAccount("ada", "Ada", "liability", "EUR", min_balance=0))
        writer.do(OpenAccount("bob", "Bob", "liability", "EUR"))
        writer.do(OpenAccount("eve", "Eve", "liability", "EUR"))
        writer.do(PostTransfer(fresh("ent_"), "cash", "ada", 500, "EUR"))
    spawn = multiprocessing.get_context("spawn")
    results: Queue[tuple[Counter[int], int]] = spawn.Queue()
    start = spawn.Barrier(2)
    processes = [
        spawn.Process(target=debit_in_a_process, args=(database, book, number, start, results)) for number in range(2)
    ]
    for process in processes:
        process.start()
    seen, replayed = Counter[int](), 0
    for _ in processes:
        statuses, twins = results.get(timeout=60)
        seen += statuses
        replayed += twins
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert seen == {201: 50, 409: 150}
    assert replayed == 50
    with database.connect() as connection:
        log = check_books(connection, book)
    assert sum(fact.metadata.key.startswith("twin-") for fact in log) == 50
