"""Scratch schemas: dropped when their replay ends, also badly; kept where that is asked for; left behind by a death."""

import time

import psycopg
import pytest
from psycopg import Connection

from ledger.store.connection import Database
from projections.scratch_schemas import drop_leftovers, scratch_schema


@pytest.fixture
def alone(empty_database_url: str) -> Database:
    """A database in which nobody else replays anything."""
    return Database(empty_database_url, role=None)


def make_one_table(connection: Connection, schema: str) -> None:
    connection.execute(f"CREATE SCHEMA {schema}")
    connection.execute(f"CREATE TABLE {schema}.something (x int)")


def schemas(database: Database) -> list[str]:
    with database.owner() as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^(replay_|mine)'").fetchall()
    return [name for (name,) in rows]


def test_a_schema_lives_as_long_as_its_block_and_longer_if_it_is_kept(alone: Database) -> None:
    with scratch_schema(alone, "main", make=make_one_table) as scratch:
        assert schemas(alone) == [scratch.schema]
        assert scratch.schema.startswith("replay_main_")
    assert schemas(alone) == []
    with scratch_schema(alone, "main", "mine", make=make_one_table) as scratch:
        assert scratch.schema == "mine"
    assert schemas(alone) == ["mine"]
    with alone.owner() as connection:
        assert drop_leftovers(connection) == []
    assert schemas(alone) == ["mine"]


@pytest.mark.parametrize("keep", [None, "mine"])
def test_what_ends_badly_leaves_nothing_also_where_it_was_to_be_kept(alone: Database, keep: str | None) -> None:
    with pytest.raises(ZeroDivisionError), scratch_schema(alone, "main", keep, make=make_one_table):
        assert 1 / 0
    assert schemas(alone) == []


@pytest.mark.parametrize("keep", [None, "mine"])
def test_a_schema_is_a_leftover_once_the_backend_that_works_in_it_has_ended(alone: Database, keep: str | None) -> None:
    with alone.owner() as other:

        def work_until_terminated() -> None:
            with scratch_schema(alone, "main", keep, make=make_one_table) as scratch:
                assert drop_leftovers(other) == []
                assert schemas(alone) == [scratch.schema]
                backend = (scratch.connection.info.backend_pid,)
                other.execute("SELECT pg_terminate_backend(%s)", backend)
                while other.execute("SELECT FROM pg_stat_activity WHERE pid = %s", backend).fetchone():
                    time.sleep(0.01)
                scratch.connection.execute("SELECT 1")

        with pytest.raises(psycopg.OperationalError):
            work_until_terminated()
        left = schemas(alone)
        assert len(left) == 1
        assert drop_leftovers(other) == left
    assert schemas(alone) == []


def test_a_backend_of_the_same_number_that_began_later_is_another_one(alone: Database) -> None:
    with alone.owner() as other:
        other.execute("CREATE SCHEMA replay_main_old")
        mark = f'{{"book": "main", "backend": {other.info.backend_pid}, "since": "1.5"}}'
        other.execute(f"COMMENT ON SCHEMA replay_main_old IS 'ledger replay under way: {mark}'")
        assert drop_leftovers(other) == ["replay_main_old"]
