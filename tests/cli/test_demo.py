"""`ledger demo`: the story comes as told, what does not is noticed, and nothing of it is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg import Connection, errors, sql

from tests.cli import word

LIAR = """
from api.cli.narrator import expect
from api.cli.story import Story
from api.cli.words import main
Story.chapters = lambda self: [lambda: expect(False, "the sun rose in the west")]
main()
"""


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    """An environment whose temporary folder is this test's own, so that what is left behind is found."""
    return {"TMPDIR": str(tmp_path), "LEDGER_STATE": str(tmp_path / "state")}


@pytest.fixture
def may_make_databases(server_url: str) -> str:
    """The server of this run, where its user may make databases."""
    with Connection.connect(server_url, autocommit=True) as connection:
        name = sql.Identifier(f"ledger_demo_probe_{os.getpid()}")
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        except errors.InsufficientPrivilege:
            pytest.skip("the user of DATABASE_URL may not make databases")
        connection.execute(sql.SQL("DROP DATABASE {}").format(name))
    return server_url


def left_behind(folder: Path) -> list[str]:
    """What still lies in a folder, and processes that know of it."""
    processes = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
        if process.name != str(os.getpid()) and f"{folder}/ledger-demo-".encode() in told:
            processes.append(told.split(b"\0")[0].decode())
    return [*(file.name for file in folder.iterdir()), *processes]


def databases(server_url: str) -> list[str]:
    with Connection.connect(server_url) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'ledger_demo_%'").fetchall()
    return [name for (name,) in rows]


def test_the_story_comes_as_told_on_a_postgresql_of_its_own(place: dict[str, str], tmp_path: Path) -> None:
    done = word.run("demo", DATABASE_URL="", **place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for words in ("insufficient_funds", "(replayed)", "There isn't enough money on this card", "the books balance"):
        assert words in done.stdout
    assert left_behind(tmp_path) == []


def test_on_a_server_that_is_given_it_makes_a_database_of_its_own(
    place: dict[str, str], tmp_path: Path, may_make_databases: str
) -> None:
    """The worker works for every book in its database: next to others it would speak to channels in their name."""
    told = word.answer("demo", DATABASE_URL=may_make_databases, **place)
    assert len(told["chapters"]) == 24
    assert databases(may_make_databases) == []
    assert left_behind(tmp_path) == []


def test_what_does_not_come_as_told_is_noticed(place: dict[str, str], tmp_path: Path, may_make_databases: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", LIAR, "demo"],
        cwd=word.ROOT,
        env=os.environ | place | {"DATABASE_URL": may_make_databases},
        capture_output=True,
        text=True,
        timeout=word.PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert "the sun rose in the west" in done.stderr
    assert databases(may_make_databases) == []
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["A throw-away database", "3. A hold"])
def test_ctrl_c_clears_everything_away(
    place: dict[str, str], tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    process = word.start("demo", DATABASE_URL="", PYTHONUNBUFFERED="1", **place)
    assert process.stdout is not None
    for line in process.stdout:
        if moment in line:
            break
    process.send_signal(number)
    _, complaint = process.communicate(timeout=word.PATIENCE_S)
    assert process.returncode == 130, complaint
    assert complaint == "ledger: interrupted; everything is cleared away\n"
    assert left_behind(tmp_path) == []
