"""Events as rows: topics are words from a list and never code, and old shapes are read as today's."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType

import msgspec
import pytest

from ledger.errors import JsonValue
from ledger.events.event import Event, Metadata
from ledger.events.transfers import TransferPosted
from ledger.store import codec
from ledger.store.append import recorded
from ledger.store.codec import EVENT_TYPES, TOPICS, UnknownTopic, decode, encode
from ledger.store.connection import Database, in_book
from ledger.store.recorder import BookDatastore, BookRecorder
from ledger.store.upcasters import UPCASTERS, Values
from tests.writing import read_log

MOVED = TransferPosted("a", "b", 10, "EUR", datetime(2026, 3, 1, tzinfo=UTC), "ref-1", "lunch", {"k": "v"})


def _all_events(parent: type[Event] = Event) -> Iterator[type[Event]]:
    for child in parent.__subclasses__():
        if child.__module__.startswith("ledger.events."):
            yield child
        yield from _all_events(child)


# What happens to a payment is told as such, so that whoever listens to `payments.*` hears of it.
TOLD_AS = {
    "authorizations": ("payments", "captures"),
    "closings": ("payments",),
    "confirmations": ("payments",),
    "corrections": ("payments",),
    "debts": ("merchant_debts",),
    "voids": ("payments",),
}


def test_every_event_has_a_topic_of_its_own_in_the_list() -> None:
    events = list(_all_events())
    assert set(events) == set(EVENT_TYPES)
    assert len(TOPICS) == len(EVENT_TYPES)
    for topic, event_type in TOPICS.items():
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+\.v[1-9][0-9]*", topic), topic
        module = event_type.__module__.rpartition(".")[2]
        assert topic.partition(".")[0] in {module, *TOLD_AS.get(module, ())}, f"{topic} names another noun"


def test_an_event_is_read_as_it_was_written() -> None:
    assert decode(MOVED.topic, encode(MOVED)) == MOVED


@pytest.mark.parametrize(
    "topic", ["os:system", "os.path:join", "ledger.store.embedded:Embedded", " ", "transfers.posted.v0"]
)
def test_an_unknown_topic_is_named(topic: str) -> None:
    with pytest.raises(UnknownTopic, match=re.escape(topic)):
        decode(topic, b"{}")


def test_a_topic_is_never_imported(database: Database, book: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library reads a topic as the path of a module, so that a row in the log can run whatever is importable."""
    imported = []

    class Watch:
        def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> None:
            imported.append(name)

    recorder = BookRecorder(BookDatastore(database, book))
    with recorder.writing() as cursor:
        position, at, *_ = recorder.lock_head(cursor)
        topics = ["os:system", "antigravity:fly"]
        recorder.insert_columns(cursor, position, at, (["s", "t"], [1, 1], topics, [b"{}"] * 2, [b'{"actor":"x"}'] * 2))
        recorder.move_head(cursor, position + 2, at)
    recorder.datastore.close()
    with database.connect() as connection:
        rows = connection.execute(
            in_book(
                "SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata"
                " FROM {schema}.events ORDER BY notification_id",
                book,
            )
        ).fetchall()
        monkeypatch.setattr(sys, "meta_path", [Watch(), *sys.meta_path])
        for row in rows:
            with pytest.raises(UnknownTopic):
                recorded(row)
        with pytest.raises(UnknownTopic):
            read_log(connection, book)
    assert not imported
    assert "antigravity" not in sys.modules


def _money_in_an_object(values: Values) -> Values:
    money = values.pop("money")
    assert isinstance(money, dict)
    return {**values, **money}


def _sides_renamed(values: Values) -> Values:
    return {"debit_account": values.pop("from"), "credit_account": values.pop("to"), **values}


@pytest.fixture
def two_old_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UPCASTERS, "transfers.moved.v1", ("transfers.moved.v2", _sides_renamed))
    monkeypatch.setitem(UPCASTERS, "transfers.moved.v2", (TransferPosted.topic, _money_in_an_object))


@pytest.mark.usefixtures("two_old_shapes")
@pytest.mark.parametrize(
    ("topic", "old"),
    [
        ("transfers.moved.v1", {"from": "a", "to": "b", "money": {"amount": 10, "currency": "EUR"}}),
        (
            "transfers.moved.v2",
            {"debit_account": "a", "credit_account": "b", "money": {"amount": 10, "currency": "EUR"}},
        ),
    ],
)
def test_old_shapes_are_read_through_their_chain_of_upcasters(topic: str, old: dict[str, JsonValue]) -> None:
    assert decode(topic, msgspec.json.encode(old)) == TransferPosted("a", "b", 10, "EUR")


@pytest.mark.usefixtures("two_old_shapes")
def test_an_old_row_in_the_log_reads_as_todays_event_and_stays_as_it_is(database: Database, book: str) -> None:
    state = b'{"from":"a","to":"b","money":{"amount":9007199254740993,"currency":"EUR"},"reference":"old"}'
    recorder = BookRecorder(BookDatastore(database, book))
    with recorder.writing() as cursor:
        position, at, *_ = recorder.lock_head(cursor)
        columns = (["ent_old"], [1], ["transfers.moved.v1"], [state], [b'{"actor":"x","key":"k"}'])
        recorder.insert_columns(cursor, position, at, columns)
        recorder.move_head(cursor, position + 1, at)
    recorder.datastore.close()
    with database.connect() as connection:
        (fact,) = read_log(connection, book)
        stored = connection.execute(in_book("SELECT state FROM {schema}.events", book)).fetchone()
    assert fact.event == TransferPosted("a", "b", 9007199254740993, "EUR", reference="old")
    assert fact.metadata == Metadata("x", "k")
    assert stored == (state,)


def test_upcasters_lead_from_words_that_are_gone_to_words_that_are_known() -> None:
    for topic, (following, _) in UPCASTERS.items():
        assert topic not in TOPICS, f"{topic} is written today and needs no upcaster"
        assert following in TOPICS or following in UPCASTERS


def test_a_state_that_does_not_fit_its_topic_is_not_read_as_something_else() -> None:
    with pytest.raises(msgspec.ValidationError):
        codec.decode(TransferPosted.topic, b'{"debit_account":"a","credit_account":"b","amount":"10","currency":"EUR"}')
