"""API keys: a key opens its book while it is valid, and nothing that is stored or said gives it away."""

import asyncio
import logging
import stat
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from psycopg import Connection

from api.keys import (
    SCOPES,
    KeyRing,
    Principal,
    adopt_key,
    create_key,
    hash_of,
    list_keys,
    load_or_create_pepper,
    revoke_key,
)
from ledger.errors import ScopeMissing, Unauthenticated
from ledger.store.connection import Database

PEPPER = b"pepper of this test"
Result = TypeVar("Result")


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """The owner's connection: only the owner makes keys."""
    with database.owner() as connection:
        yield connection


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def with_ring(database: Database, use: Callable[[KeyRing], Awaitable[Result]], clock: Clock | None = None) -> Result:
    async def run() -> Result:
        async with database.pool(size=4) as pool:
            return await use(KeyRing(pool, PEPPER, clock=clock or Clock()))

    return asyncio.run(run())


def test_a_key_says_whose_it_is_and_what_it_may_do(database: Database, connection: Connection, book: str) -> None:
    key = create_key(connection, PEPPER, book=book, name="shop", scopes=["ledger:read", "ledger:write", "ledger:read"])
    principal = with_ring(database, lambda ring: ring.authenticate(f"Bearer {key.text}"))
    assert principal == Principal(key.id, "shop", book, frozenset({"ledger:read", "ledger:write"}))
    assert key.text.startswith(f"lk_{key.id}_")
    principal.require("ledger:write")
    with pytest.raises(ScopeMissing) as refused:
        principal.require("payments:read")
    assert refused.value.facts == {"scope": "payments:read"}


def test_a_key_says_in_whose_hands_it_is(database: Database, connection: Connection, book: str) -> None:
    """However their name is written; and of a key that somebody chose nothing is known."""
    keys = [
        create_key(connection, PEPPER, book=book, name=name, scopes=["ledger:read"], person=person)
        for name, person in (("laptop", "Ann@example.com"), ("phone", "ann@example.com"), ("machine", ""))
    ]

    def person_of(text: str) -> str:
        return with_ring(database, lambda ring: ring.authenticate(f"Bearer {text}")).person

    told = [person_of(key.text) for key in keys]
    assert told == ["ann@example.com", "ann@example.com", ""]
    assert {one.name: one.person for one in list_keys(connection, book)} == {
        "laptop": "ann@example.com",
        "phone": "ann@example.com",
        "machine": "",
    }


@pytest.mark.parametrize("person", ["an n", "ann\n", "-ann", "ä", "a" * 65, "ann:ben"])
def test_what_is_no_name_of_a_person_makes_no_key(connection: Connection, book: str, person: str) -> None:
    with pytest.raises(ValueError, match="a person is"):
        create_key(connection, PEPPER, book=book, name="", scopes=["ledger:read"], person=person)


def test_admin_has_every_scope_and_nobody_else_has() -> None:
    assert all(Principal("", "", "", frozenset({"admin"})).may(scope) for scope in SCOPES)
    for scope in SCOPES - {"admin"}:
        assert [other for other in SCOPES if Principal("", "", "", frozenset({scope})).may(other)] == [scope]


def test_what_is_stored_does_not_hold_the_key(connection: Connection, book: str) -> None:
    key = create_key(connection, PEPPER, book=book, name="shop", scopes=["ledger:read"])
    row = connection.execute("SELECT k::text FROM ledger_control.api_keys k WHERE id = %s", (key.id,)).fetchone()
    assert row is not None
    assert key.text.removeprefix(f"lk_{key.id}_") not in row[0]
    assert hash_of(PEPPER, key.text) != hash_of(b"another pepper", key.text)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer lk_0_x",
        "Basic {key}",
        "{key}",
        "Bearer {key}x",
        "Bearer  {key}",
        "Bearer \xe9",
        "Bearer " + "x" * 100_000,
    ],
)
def test_any_other_header_is_refused_in_the_same_words(
    header: str | None, database: Database, connection: Connection, book: str
) -> None:
    key = create_key(connection, PEPPER, book=book, name="shop", scopes=["admin"])
    assert with_ring(database, lambda ring: ring.authenticate(f"bearer {key.text}")).book == book

    async def ask(ring: KeyRing) -> str:
        with pytest.raises(Unauthenticated) as refused:
            await ring.authenticate(header and header.format(key=key.text))
        return refused.value.detail + str(refused.value.facts)

    assert with_ring(database, ask) == Unauthenticated.title() + "{}"


def test_an_expired_key_is_refused_also_while_it_is_remembered(
    database: Database, connection: Connection, book: str
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    key = create_key(connection, PEPPER, book=book, name="shop", scopes=["admin"], expires_at=soon)

    async def ask(ring: KeyRing) -> None:
        assert (await ring.authenticate(f"Bearer {key.text}")).key_id == key.id
        await asyncio.sleep(0.6)
        for _ in range(2):  # What is remembered, and what the database says.
            with pytest.raises(Unauthenticated):
                await ring.authenticate(f"Bearer {key.text}")
            ring._known.clear()

    with_ring(database, ask)


def test_a_revoked_key_is_refused_within_five_seconds(database: Database, connection: Connection, book: str) -> None:
    key = create_key(connection, PEPPER, book=book, name="shop", scopes=["admin"])
    clock = Clock()

    async def ask(ring: KeyRing) -> None:
        await ring.authenticate(f"Bearer {key.text}")
        assert await asyncio.to_thread(revoke_key, connection, key.id)
        await ring.authenticate(f"Bearer {key.text}")  # Remembered: the database is not asked at every request.
        clock.now_s += 5
        with pytest.raises(Unauthenticated):
            await ring.authenticate(f"Bearer {key.text}")
        clock.now_s -= 5
        with pytest.raises(Unauthenticated):
            await ring.authenticate(f"Bearer {key.text}")

    with_ring(database, ask, clock)
    assert not revoke_key(connection, key.id)
    assert not revoke_key(connection, "no such key")


def test_many_who_ask_at_once_ask_one_question(database: Database, connection: Connection, book: str) -> None:
    key = create_key(connection, PEPPER, book=book, name="shop", scopes=["admin"])

    async def ask(ring: KeyRing) -> None:
        asking = [asyncio.create_task(ring.authenticate(f"Bearer {key.text}")) for _ in range(50)]
        await asyncio.sleep(0)
        asking[0].cancel()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError), "one who leaves takes nobody along"
        assert {answer.key_id for answer in answers[1:] if isinstance(answer, Principal)} == {key.id}
        assert ring._pool.get_stats()["requests_num"] == 1
        assert not ring._asking

    with_ring(database, ask)


def test_a_chosen_text_becomes_a_key_once(database: Database, connection: Connection, book: str) -> None:
    text = f"bootstrap-{book}"
    ids = {adopt_key(connection, PEPPER, text, book=book, name="bootstrap", scopes=["admin"]) for _ in range(3)}
    principal = with_ring(database, lambda ring: ring.authenticate(f"Bearer {text}"))
    assert ids == {principal.key_id}
    for unusable in ("", "a b", "é", "a\n", "x" * 513):
        with pytest.raises(ValueError, match="printable ASCII"):
            adopt_key(connection, PEPPER, unusable, book=book, name="bootstrap", scopes=["admin"])


def test_keys_are_listed_by_book_without_their_secrets(connection: Connection, make_book: Callable[[], str]) -> None:
    mine, other = make_book(), make_book()
    first = create_key(connection, PEPPER, book=mine, name="first", scopes=["audit:read"])
    second = create_key(connection, PEPPER, book=mine, name="second", scopes=["admin"])
    create_key(connection, PEPPER, book=other, name="third", scopes=["admin"])
    revoke_key(connection, first.id)
    listed = list_keys(connection, mine)
    assert [(key.id, key.name, key.revoked_at is None) for key in listed] == [
        (first.id, "first", False),
        (second.id, "second", True),
    ]
    assert {key.book for key in list_keys(connection)} >= {mine, other}


@pytest.mark.parametrize("scopes", [[], ["ledger:delete"], ["ledger:read", "*"]])
def test_a_key_has_known_scopes(scopes: list[str], connection: Connection, book: str) -> None:
    with pytest.raises(ValueError, match="scopes are"):
        create_key(connection, PEPPER, book=book, name="shop", scopes=scopes)


def test_the_pepper_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    with ThreadPoolExecutor(8) as threads:
        peppers = set(threads.map(lambda _: load_or_create_pepper(state), range(8)))
    assert peppers == {(state / "pepper").read_bytes()}
    assert len(next(iter(peppers))) == 64
    assert stat.S_IMODE((state / "pepper").stat().st_mode) == 0o600
    assert [file.name for file in state.iterdir()] == ["pepper"], "no drafts are left"


def test_a_given_pepper_is_used_and_a_short_one_is_refused(tmp_path: Path) -> None:
    assert load_or_create_pepper(tmp_path, "given " * 4) == b"given " * 4
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="less than 16"):
        load_or_create_pepper(tmp_path, "short")
    (tmp_path / "pepper").write_text("")
    with pytest.raises(ValueError, match="less than 16"):
        load_or_create_pepper(tmp_path)


def test_a_pepper_that_others_can_read_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_or_create_pepper(tmp_path)
    assert not caplog.records
    (tmp_path / "pepper").chmod(0o644)
    with caplog.at_level(logging.WARNING):
        load_or_create_pepper(tmp_path)
    assert len(caplog.records) == 1
