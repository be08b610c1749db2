"""The house checks itself: floors, pure rooms, names, first sentences, the lock file, and schema.sql."""

import ast
import importlib.metadata
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from psycopg import Connection

from ledger.store.connection import APPLICATION_ROLE
from ledger.store.migrate import Folder, application_role, migrations_of
from ledger.store.schema_sql import schema_sql

ROOT = Path(__file__).parents[1]
PROGRAM = ["ledger", "commands", "projections", "api", "migrations"]
OURS = [*PROGRAM, "tests", "benchmarks"]
MAY_IMPORT = {
    "migrations": {"migrations"},
    "ledger": {"ledger"},
    "commands": {"commands", "ledger"},
    "projections": {"projections", "ledger"},
    "api": {"api", "commands", "projections", "ledger"},
}
PURE_ROOMS = sorted(
    {path.stem for path in (ROOT / "ledger").iterdir() if not path.name.startswith("_") and path.name != "store"}
)
OUTSIDE_WORLD = {
    "asyncio",
    "eventsourcing",
    "fastapi",
    "httpx2",
    "os",
    "pathlib",
    "psycopg",
    "psycopg_pool",
    "pydantic",
}
OUTSIDE_WORLD |= {"random", "requests", "socket", "starlette", "subprocess", "threading", "urllib"}
MAKES_IDS = "ids"  # the one pure room that needs a clock and randomness, and says so by its name
SAYS_NOTHING = {"base", "common", "core", "helper", "helpers", "lib", "misc", "src", "stuff", "tools", "util", "utils"}
MOST_LINES = 400
IN_ONE_FILE = "ledger/audit/standalone/verify_ledger.py"  # whoever checks an export takes it along, and nothing else


def modules(*packages: str) -> list[Path]:
    return [file for package in packages for file in sorted((ROOT / package).rglob("*.py"))]


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


EVERY_MODULE = [pytest.param(file, id=name_of(file)) for file in modules(*OURS)]


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), name_of(file))


def imports_of(file: Path) -> Iterator[str]:
    """The full names that a module imports, also inside of functions."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(file)}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def first_words(names: Iterator[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("name", OURS)
def test_nobody_else_in_the_environment_owns_our_top_level_names(name: str) -> None:
    assert importlib.metadata.packages_distributions().get(name, []) in ([], ["ledger"])
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin == str(ROOT / name / "__init__.py")


@pytest.mark.parametrize("floor", MAY_IMPORT)
def test_stairs_lead_down_only(floor: str) -> None:
    for file in modules(floor):
        assert first_words(imports_of(file)) & {*OURS} <= MAY_IMPORT[floor], name_of(file)


def test_eventsourcing_is_a_guest_in_one_room() -> None:
    guests = {name_of(file) for file in modules(*PROGRAM) if "eventsourcing" in first_words(imports_of(file))}
    assert all(name.startswith("ledger/store/") for name in guests), guests


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_pure_rooms_know_nothing_of_the_world_outside(room: str) -> None:
    files = [file for file in modules("ledger") if file.relative_to(ROOT / "ledger").parts[0] in (room, f"{room}.py")]
    assert files, f"ledger/{room} is gone: take it off the list here and in pyproject.toml"
    for file in files:
        met = first_words(imports_of(file)) & OUTSIDE_WORLD
        assert met <= ({"os"} if room == MAKES_IDS else set()), name_of(file)
        assert not any(name.startswith("ledger.store") for name in imports_of(file)), name_of(file)


@pytest.mark.parametrize("file", EVERY_MODULE)
def test_each_module_begins_with_a_sentence_that_says_what_it_is(file: Path) -> None:
    text = ast.get_docstring(tree_of(file)) or ""
    sentence = text.partition("\n\n")[0]
    assert re.match(r"[A-Z`/]", sentence), "the first line begins like a sentence"
    assert sentence[-1] in ".?:", "the first sentence ends"


@pytest.mark.parametrize("file", EVERY_MODULE)
def test_each_module_has_a_name_that_means_something_and_fits_in_a_head(file: Path) -> None:
    words = [part.removesuffix(".py") for part in file.relative_to(ROOT).parts]
    assert not SAYS_NOTHING & {*words}
    assert all(re.fullmatch(r"_{0,2}[a-z][a-z0-9_]*", word) for word in words)
    assert file.read_text().count("\n") <= MOST_LINES or name_of(file) == IN_ONE_FILE
    assert (file.parent / "__init__.py").exists(), "a folder of modules is a package, or the linters pass it by"


@pytest.mark.parametrize("folder", get_args(Folder))
def test_migrations_are_numbered_without_gaps_and_say_why_they_are_there(folder: Folder) -> None:
    files = migrations_of(folder)
    assert [file.number for file in files if not file.is_grants] == list(
        range(1, 1 + sum(not file.is_grants for file in files))
    )
    assert all(file.statements.startswith(b"-- ") for file in files)


def test_schema_sql_is_the_sum_of_the_migrations(database_url: str, book: str) -> None:
    with Connection.connect(database_url, autocommit=True) as connection:
        if application_role(connection) != APPLICATION_ROLE:
            pytest.skip("the user of DATABASE_URL may not make the application's role")
        now = schema_sql(connection, book)
    assert now == (ROOT / "migrations" / "schema.sql").read_text(), "run: python -m ledger.store.schema_sql"


def test_the_lock_file_has_what_the_project_asks_for_and_a_hash_for_each() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lock = (ROOT / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock, re.MULTILINE))
    for wish in map(Requirement, [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]):
        name = canonicalize_name(wish.name)
        assert name in locked, f"{name} is not locked: its command stands in the first lines of requirements.lock"
        assert wish.specifier.contains(locked[name]), f"{name} {locked[name]} is not what pyproject.toml asks for"
    for entry in re.split(r"^(?=[a-z])", lock, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in entry, entry
    assert not re.search(
        r"^\s*(-|--(index|extra|find|trusted))[a-z-]*|://|@ ", re.sub("--hash=", "", lock), re.MULTILINE
    )
