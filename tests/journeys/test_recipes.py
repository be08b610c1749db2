"""The recipes, run as they are printed: each block in one shell against a service, and what it answers beside it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from psycopg import Connection, errors

from api.cli.up import DEMO_BOOK
from ledger.store.connection import Database
from ledger.store.migrate import application_role, create_book, migrate_control
from tests.forked import ROOT
from tests.journeys.service import Service

RECIPES = sorted((ROOT / "docs" / "recipes").glob("*.md"))
_BLOCK = re.compile(r"^```sh\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
# What the reader fills in, or what his terminal told him, is given here; the rest is run as it stands.
_GIVEN = re.compile(r"^(KEY|U|S)=.*$", re.MULTILINE)
_ID = re.compile(r"\b(pay|ref|po|run|file|brk|key|mer|cor)_[0-9a-f]{16,}")
_DAY = re.compile(r"\b20\d\d-\d\d-\d\d\b")
_END_OF_BLOCK = "\x1e"
_PATIENCE_S = 180


class Block(NamedTuple):
    """A block of commands, and what is printed below it: nothing where there is no such block."""

    commands: str
    printed: str


def blocks_of(recipe: Path) -> list[Block]:
    return [Block(commands, printed or "") for commands, printed in _BLOCK.findall(recipe.read_text())]


def comparable(text: str) -> str:
    """Without what differs from run to run: ids, days, and blanks at the ends of lines."""
    without = _DAY.sub("DAY", _ID.sub(r"\1_…", text))
    return "\n".join(line.rstrip() for line in without.strip("\n").splitlines())


@pytest.fixture
def kitchen(make_database: Callable[[], str], tmp_path: Path) -> Iterator[Service]:
    """A service with one book, as `./run` makes it; its simulator knows nobody else's payments."""
    try:
        url = make_database()
    except errors.InsufficientPrivilege:
        pytest.skip("the user of DATABASE_URL may not make databases")
    with Connection.connect(url, autocommit=True) as connection:
        migrate_control(connection)
        create_book(connection, DEMO_BOOK)
        database = Database(url, role=application_role(connection))
    with Service(database, tmp_path / "state", servers=1) as running:
        yield running


def cooked(service: Service, folder: Path, recipe: Path) -> list[str]:
    """What each block printed, run one after another in one shell."""
    folder.mkdir()
    run = folder / "run"
    run.write_text(f'#!/bin/sh\n[ "$1" = ledger ] && shift\nexec {shlex.quote(sys.executable)} -P -m api.cli "$@"\n')
    run.chmod(0o755)
    given = f"KEY={service.new_key(DEMO_BOOK)}\nU={service.url}/v1\nS={service.simulator_url}\n"
    parts = [_GIVEN.sub("", block.commands) + f"printf '{_END_OF_BLOCK}'\n" for block in blocks_of(recipe)]
    script = folder.parent / "recipe.sh"
    script.write_text(given + "".join(parts))
    environment = {
        "DATABASE_URL": service.database.conninfo,
        "LEDGER_STATE": str(service.state),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["sh", "-eu", str(script)],
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE_S,
    )
    assert (done.returncode, done.stderr) == (0, ""), (done.stdout, done.stderr)
    return done.stdout.split(_END_OF_BLOCK)[:-1]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_runs_as_it_is_printed_and_answers_as_it_is_printed(
    kitchen: Service, tmp_path: Path, recipe: Path
) -> None:
    missing = [tool for tool in ("curl", "awk", "python3") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"the recipes are made with {', '.join(missing)}")
    told = cooked(kitchen, tmp_path / "kitchen", recipe)
    if os.environ.get("LEDGER_PRINT_RECIPES"):
        sys.stderr.write("\n=====\n".join(told))
    for block, answer in zip(blocks_of(recipe), told, strict=True):
        assert comparable(answer) == comparable(block.printed), block.commands


def test_there_is_a_recipe_and_each_of_its_blocks_is_looked_at() -> None:
    assert RECIPES
    for recipe in RECIPES:
        assert recipe.read_text().count("```sh\n") == len(blocks_of(recipe)) > 0
        assert recipe.read_text().count("```text\n") == sum(bool(block.printed) for block in blocks_of(recipe))
