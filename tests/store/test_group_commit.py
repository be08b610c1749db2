"""Commands that are decided together see each other, and no constraint speaks when each of them is lawful."""

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from commands.accounts import ChangeLimits, CloseAccount, FreezeAccount, OpenAccount, UnfreezeAccount
from commands.books import Books
from commands.entries import PostEntry, ReverseEntry
from commands.envelope import Answer, Command, Submission
from commands.holds import CaptureHold, ReleaseHold
from commands.periods import ClosePeriod, ReopenPeriod
from commands.transfers import PlaceHold, PostTransfer
from ledger.events.accounts import AccountOpened
from ledger.events.event import Metadata
from ledger.journal import credit, debit
from ledger.store.connection import Database, in_book
from tests.writing import Pen, check_books, envelope, fresh, part, pen, said

JANUARY = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.fixture
def writer(database: Database, book: str) -> Iterator[Pen]:
    """Remembers cash, ada (100, floor 0), bob."""
    with pen(database, book) as writer:
        writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))
        writer.do(OpenAccount("ada", "Ada", "liability", "EUR", min_balance=0))
        writer.do(OpenAccount("bob", "Bob", "liability", "EUR"))
        writer.do(PostTransfer("ent_first", "cash", "ada", 100, "EUR"))
        yield writer


def pay(name: str, debit_account: str, credit_account: str, amount: int) -> PostTransfer:
    return PostTransfer(f"ent_{name}", debit_account, credit_account, amount, "EUR")


@pytest.mark.parametrize(
    ("commands", "statuses"),
    [
        pytest.param(
            [pay("1", "ada", "bob", 100), CloseAccount("ada", "empty")], [201, 200], id="emptied, then closed"
        ),
        pytest.param([ChangeLimits("ada", -50, None), pay("1", "ada", "bob", 150)], [200, 201], id="limit, then used"),
        pytest.param(
            [pay("1", "ada", "bob", 60), ChangeLimits("ada", 50, None)], [201, 200], id="spent, then a floor above it"
        ),
        pytest.param(
            [ChangeLimits("ada", 200, None), pay("1", "cash", "ada", 100), pay("2", "ada", "bob", 1)],
            [200, 201, 409],
            id="floor above it, then back within",
        ),
        pytest.param(
            [ChangeLimits("ada", 200, None), pay("1", "cash", "ada", 50), pay("2", "ada", "bob", 1)],
            [200, 201, 409],
            id="floor above it, half way back",
        ),
        pytest.param(
            [ChangeLimits("ada", None, 10), pay("1", "cash", "ada", 1), pay("2", "ada", "bob", 95)],
            [200, 409, 201],
            id="ceiling below it",
        ),
        pytest.param(
            [
                FreezeAccount("ada", ""),
                pay("1", "ada", "bob", 1),
                UnfreezeAccount("ada", ""),
                pay("2", "ada", "bob", 1),
            ],
            [200, 409, 200, 201],
            id="frozen and unfrozen",
        ),
        pytest.param(
            [
                OpenAccount("new", "New", "liability", "EUR", 5, 50),
                pay("1", "cash", "new", 3),
                pay("2", "cash", "new", 3),
                pay("3", "new", "bob", 2),
                CloseAccount("new", ""),
            ],
            [201, 201, 201, 409, 409],
            id="opened outside its limits, filled",
        ),
        pytest.param(
            [
                OpenAccount("new", "New", "liability", "EUR", 0),
                pay("1", "cash", "new", 3),
                pay("2", "new", "bob", 3),
                ChangeLimits("new", 1, None),
                CloseAccount("new", ""),
                pay("3", "cash", "new", 1),
            ],
            [201, 201, 201, 200, 200, 409],
            id="a whole life",
        ),
        pytest.param(
            [
                PlaceHold("hold_1", "ada", "bob", 80, "EUR"),
                pay("1", "ada", "bob", 21),
                CaptureHold("hold_1", 30),
                ReleaseHold("hold_1"),
                pay("2", "ada", "bob", 70),
                CaptureHold("hold_1"),
            ],
            [201, 409, 201, 200, 201, 409],
            id="held, captured, released",
        ),
        pytest.param(
            [
                PlaceHold("hold_1", "ada", "bob", 80, "EUR"),
                FreezeAccount("ada", ""),
                FreezeAccount("bob", ""),
                CaptureHold("hold_1", 30),
                ReleaseHold("hold_1"),
            ],
            [201, 200, 200, 409, 200],
            id="what is frozen is not captured, and given back all the same",
        ),
        pytest.param(
            [
                pay("1", "ada", "bob", 100),
                ReverseEntry("ent_r", "ent_1", ""),
                ReverseEntry("ent_s", "ent_1", ""),
                ReverseEntry("ent_t", "ent_r", ""),
            ],
            [201, 201, 409, 409],
            id="posted and reversed",
        ),
        pytest.param(
            [
                PlaceHold("hold_1", "ada", "bob", 80, "EUR"),
                CaptureHold("hold_1", 30),
                CaptureHold("hold_1", 50),
                ReverseEntry("ent_r", "hold_1.3", "", 20),
                ReverseEntry("ent_s", "hold_1.3", "", 31),
                ReverseEntry("ent_t", "hold_1.3", ""),
                ReverseEntry("ent_u", "hold_1.4", ""),
            ],
            [201, 201, 201, 201, 422, 201, 404],
            id="captures reversed",
        ),
        pytest.param(
            [
                ClosePeriod("2026-01", ""),
                PostTransfer("ent_1", "ada", "bob", 1, "EUR", JANUARY),
                ReopenPeriod("2026-01", ""),
                PostTransfer("ent_2", "ada", "bob", 1, "EUR", JANUARY),
                ReopenPeriod("2026-02", ""),
                ClosePeriod("2026-01", ""),
            ],
            [200, 409, 202, 409, 409, 409],
            id="closed, and not opened by one alone",
        ),
        pytest.param(
            [
                PostTransfer("ent_1", "ada", "bob", 101, "EUR", reference="r"),
                PostTransfer("ent_2", "ada", "bob", 1, "EUR", reference="r"),
                PostEntry("ent_3", (debit("ada", 1, "EUR"), credit("bob", 1, "EUR")), reference="r"),
            ],
            [409, 201, 409],
            id="a reference of a refused command is free",
        ),
    ],
)
def test_they_are_decided_one_after_another_and_stored_as_one(
    database: Database,
    book: str,
    writer: Pen,
    caplog: pytest.LogCaptureFixture,
    commands: list[Command],
    statuses: list[int],
) -> None:
    keys = [f"key-{number}" for number in range(len(commands))]
    parts = [part(command, key) for command, key in zip(commands, keys, strict=True)]
    answers = writer.submit(parts)()
    assert [answer.status for answer in answers] == statuses
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    with database.connect() as connection:
        log = check_books(connection, book)
    assert len({fact.recorded_at for fact in log if fact.metadata.key in keys}) == 1, "not one transaction"
    # One by one they come to the same, and sent again each has the answer it had.
    assert [said(answer) for answer in writer.submit(parts)()] == [said(answer) for answer in answers]


def test_an_atomic_batch_that_fails_leaves_nothing_behind_for_those_after_it(
    database: Database, book: str, writer: Pen, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the books and not in what the writer remembers: neither balances, accounts, references nor keys."""
    undone: list[Command] = [
        OpenAccount("new", "New", "liability", "EUR", min_balance=0),
        PostTransfer("ent_1", "cash", "new", 10, "EUR", reference="r"),
        PostTransfer("ent_2", "ada", "new", 90, "EUR"),
        FreezeAccount("bob", ""),
        ClosePeriod("2026-01", ""),
        ChangeLimits("ada", None, None),
        PlaceHold("hold_1", "new", "ada", 10, "EUR"),
        PostTransfer("ent_3", "new", "ada", 91, "EUR"),
    ]
    before = writer.submit([part(pay("0", "cash", "bob", 1), "0")])()
    failed = writer.submit([part(command, f"u{i}") for i, command in enumerate(undone)], atomic=True)
    after = writer.submit(
        [
            part(PostTransfer("ent_4", "ada", "bob", 100, "EUR", JANUARY, "r"), "u1"),
            part(pay("5", "ada", "bob", 1)),
            part(pay("6", "cash", "new", 1)),
            part(CaptureHold("hold_1")),
        ],
        atomic=False,
    )
    assert [answer.status for answer in before] == [201]
    assert [answer.status for answer in failed()][-1] == 409
    assert [answer.status for answer in after()] == [201, 409, 422, 404]
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    with database.connect() as connection:
        log = check_books(connection, book)
    assert [fact.stream for fact in log if fact.metadata.key.startswith("u")] == ["ent_4"]


def test_an_atomic_batch_that_succeeds_is_found_again_by_its_key(writer: Pen) -> None:
    key = envelope("batch-1")
    parts = [part(pay(name, "ada", "bob", 40), f"key-{name}") for name in ("1", "2")]
    first = writer.submit(parts, atomic=True, batch_key=key)()
    again = writer.submit(parts, atomic=True, batch_key=key)()
    assert [said(answer) for answer in first] == [said(answer) for answer in again]
    assert [(answer.again, answer.replayed) for answer in again] == [(True, False), (True, False)]
    other = writer.submit(parts, atomic=True, batch_key=envelope("batch-1", command=pay("3", "ada", "bob", 1)))()
    assert {answer.refusal.code() for answer in other if answer.refusal} == {"idempotency_key_reused"}


def test_a_batch_that_comes_again_says_of_each_part_what_it_said_first(writer: Pen) -> None:
    known, key = part(pay("1", "ada", "bob", 1), "known"), envelope("batch-1")
    writer.submit([known])()
    parts = [known, part(pay("2", "ada", "bob", 1), "fresh")]
    for again in (False, True, True):
        answers = writer.submit(parts, batch_key=key)()
        assert [(answer.again, answer.replayed) for answer in answers] == [(again, True), (again, False)]
    other_batch = writer.submit(parts, batch_key=envelope("batch-2"))()
    assert [(answer.again, answer.replayed) for answer in other_batch] == [(False, True), (False, True)]


def test_an_atomic_batch_that_is_refused_is_refused_again_under_its_key(writer: Pen) -> None:
    """The money has come in the meantime; the first answer stands, and a fresh key asks anew."""
    key, parts = envelope("batch-1"), [part(pay(name, "ada", "bob", 60), f"key-{name}") for name in ("1", "2")]
    first = writer.submit(parts, atomic=True, batch_key=key)()
    assert [answer.refusal and answer.refusal.code() for answer in first] == [None, "insufficient_funds"]
    writer.do(pay("more", "cash", "ada", 100))
    again = writer.submit(parts, atomic=True, batch_key=key)()
    assert [answer.refusal and answer.refusal.code() for answer in again] == [None, "insufficient_funds"]
    assert all(answer.replayed for answer in again)
    assert first[1].refusal is not None
    assert again[1].refusal is not None
    assert again[1].refusal.facts == first[1].refusal.facts
    anew = writer.submit(parts, atomic=True, batch_key=envelope("batch-2"))()
    assert [answer.status for answer in anew] == [201, 201]


def test_an_empty_batch_with_a_key_is_nobodys_trouble(writer: Pen, caplog: pytest.LogCaptureFixture) -> None:
    """As when each transfer of an independent batch makes no sense."""
    waiting = [
        writer.submit([part(pay("1", "ada", "bob", 1))]),
        writer.submit([], batch_key=envelope("empty")),
        writer.submit([], atomic=True, batch_key=envelope("empty too")),
        writer.submit([part(pay("2", "ada", "bob", 1))]),
    ]
    assert [[answer.status for answer in wait()] for wait in waiting] == [[201], [], [], [201]]
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_bug_outside_of_the_deciders_is_nobody_elses_either(database: Database, book: str, writer: Pen) -> None:
    answered = writer.do(pay("1", "ada", "bob", 1), "lost")
    with database.owner() as owner:
        owner.execute(in_book("UPDATE {schema}.idempotency_keys SET position = 4000 WHERE key = 'lost'", book))
    waiting = [
        writer.submit([part(pay("2", "ada", "bob", 1))]),
        writer.submit([part(pay("1", "ada", "bob", 1), "lost")]),
        writer.submit([part(pay("3", "ada", "bob", 1))]),
    ]
    assert answered.status == 201
    assert [wait()[0].status for wait in waiting] == [201, 500, 201]


def test_an_answer_that_nobody_can_take_is_nobody_elses_trouble(writer: Pen, caplog: pytest.LogCaptureFixture) -> None:
    def drop(answers: list[Answer]) -> None:
        raise RuntimeError("the event loop is closed")

    lost = part(pay("lost", "ada", "bob", 1), "lost")
    writer.writer.submit(Submission([lost], drop, time.monotonic() + 10))
    assert writer.do(pay("1", "ada", "bob", 1)).status == 201
    assert writer.submit([lost])()[0].replayed
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [
        "an answer could not be delivered"
    ]


def test_as_many_as_one_batch_takes_with_all_the_words_they_may_have(
    database: Database, book: str, writer: Pen
) -> None:
    """Megabytes in both directions: a socket whose both ends wait for the other to read would hang here."""
    words = {f"word {number}": "x" * 100 for number in range(5)}
    commands: list[Command] = [
        PostTransfer(fresh("ent_"), "cash", "bob", 1, "EUR", None, fresh("reference-"), "y" * 500, words)
        for _ in range(4_000)
    ]
    keys = [fresh("key-") for _ in commands]
    parts = [part(command, key) for command, key in zip(commands, keys, strict=True)]
    answers = writer.submit(parts, patience_s=60)()
    assert {answer.status for answer in answers} == {201}
    again = writer.submit(parts, patience_s=60)()
    assert [said(answer) for answer in again] == [said(answer) for answer in answers]
    with database.connect() as connection:
        assert len(check_books(connection, book)) == 4 + len(parts)


def test_what_is_read_late_is_taken_back_with_the_rest() -> None:
    """A stream that was written to before it was read: undoing reaches both."""
    books = Books({}, set(), 0, JANUARY)
    mark = books.mark()
    books.record("account/a", AccountOpened("a", "A", "asset", "EUR"), Metadata("me"), b"{}")
    books.load_streams({"account/a": []})
    assert len(books.history("account/a")) == 1
    books.undo_to(mark)
    assert books.history("account/a") == []
