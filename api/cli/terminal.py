"""The terminal: what the words say to people, what they say to programs, and how they say no."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from psycopg import Connection, OperationalError
from psycopg.errors import InsufficientPrivilege, InvalidSchemaName, UndefinedTable
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from api.settings import Settings
from ledger.errors import Refusal
from ledger.store.embedded import DatabaseUnavailable, database_url
from ledger.store.migrate import MigrationRefused

# What people read goes to standard error where standard output is for a program.
people = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON object on standard output.")]


def answer(content: Any, text: str, *, as_json: bool) -> None:
    """Say what became of it: as JSON, or in words."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(content).decode() + "\n")
    else:
        Console(highlight=False, soft_wrap=True).print(text, markup=False)


def give_up(words: str, code: int = 1) -> NoReturn:
    """End with a sentence instead of a traceback, and a code that a script understands."""
    people.print(f"ledger: {words}", markup=False)
    raise typer.Exit(code)


def settings() -> Settings:
    """The settings of the environment."""
    try:
        return Settings()
    except ValidationError as error:
        names = ", ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        give_up(f"the environment is not right: {names}")


def url_of(of: Settings) -> str:
    """The database that the settings mean; starts the embedded one if it is that."""
    given = of.database_url.get_secret_value().strip() if of.database_url else ""
    return given or database_url(of.state)


@contextmanager
def saying_why() -> Iterator[None]:
    """Turn what can be expected to go wrong into a sentence."""
    try:
        yield
    except Refusal as refusal:
        facts = "".join(f" {name}={value}" for name, value in refusal.facts.items())
        give_up(f"{refusal.detail} ({refusal.code()}{facts})")
    except (DatabaseUnavailable, MigrationRefused, ValueError) as error:
        give_up(str(error))
    except (UndefinedTable, InvalidSchemaName):
        give_up("the database has no ledger yet, or an older one: run `ledger migrate`")
    except InsufficientPrivilege as error:
        give_up(f"the database does not let this user do that: {error.diag.message_primary}")
    except OperationalError as error:
        give_up(f"the database does not answer: {str(error).splitlines()[0]}")
    except FileNotFoundError as error:
        give_up(f"there is no {error.filename}")


@contextmanager
def owner(of: Settings) -> Iterator[Connection]:
    """A connection that may change schemas and keys."""
    url = url_of(of)
    with Connection.connect(url, autocommit=True, connect_timeout=5, application_name="ledger owner") as connection:
        yield connection


def progress() -> Progress:
    """A bar for what takes long, on standard error; nothing is drawn where that is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=people,
        disable=not people.is_terminal,
    )
