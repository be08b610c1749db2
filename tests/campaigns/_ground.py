"""Ground: a migrated database that nobody else has, for as long as a campaign needs it; and the bar of a campaign."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from psycopg import Connection
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ledger.store.connection import Database
from ledger.store.embedded import Embedded
from ledger.store.migrate import application_role, create_book, migrate_control

_NUMBERS = count(1)


@dataclass(frozen=True)
class Ground:
    """A database, and a folder for whatever a service keeps beside it."""

    database: Database
    state: Path

    def new_book(self) -> str:
        """The name of a book that nobody has written to."""
        name = f"c{secrets.token_hex(4)}_{next(_NUMBERS)}"
        with self.database.owner() as connection:
            create_book(connection, name)
        return name


@contextmanager
def throw_away_database() -> Iterator[Ground]:
    """An embedded PostgreSQL in a folder of its own; both are gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-campaign-"))
    server = Embedded.start(folder)
    try:
        with Connection.connect(server.url, autocommit=True) as connection:
            migrate_control(connection)
            role = application_role(connection)
        yield Ground(Database(server.url, role=role), folder)
    finally:
        server.erase()
        shutil.rmtree(folder, ignore_errors=True)


def bar() -> Progress:
    """How far a campaign has come, how long it took, and how long it will take."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn())


class Shown:
    """A bar for each part of a campaign."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def __call__(self, part: str, done: int, total: int) -> None:
        if part not in self._bars:
            self._bars[part] = self._progress.add_task(part)
        self._progress.update(self._bars[part], completed=done, total=total)
