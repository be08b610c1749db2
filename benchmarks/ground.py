"""Ground: a PostgreSQL for one run alone, durable as in production, with books that nobody else writes to."""

import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Self

from psycopg import Connection

from ledger.store.connection import Database
from ledger.store.embedded import Embedded
from ledger.store.migrate import application_role, create_book, migrate_control

# What would make a commit something else than durable, or its figures something else than ours.
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


class Ground:
    """The server of one run, its folder, and its database as the application sees it."""

    def __init__(self, folder: Path, server: Embedded) -> None:
        self.folder = folder
        self.url = server.url
        with Connection.connect(self.url, autocommit=True) as connection:
            self.settings = _settings_of(connection)
            migrate_control(connection)
            self.database = Database(self.url, role=application_role(connection))
        self._books = 0

    @classmethod
    @contextmanager
    def laid(cls, state_dir: Path) -> Iterator[Self]:
        """Ground for the length of a block, on the disk of the state directory; removed afterwards, also by SIGTERM."""
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir=state_dir))
        before = signal.signal(signal.SIGTERM, _leave)
        server = Embedded(folder)
        try:
            server.ensure_running()
            yield cls(folder, server)
        finally:
            server.erase()
            shutil.rmtree(folder, ignore_errors=True)
            signal.signal(signal.SIGTERM, before)

    def new_book(self) -> str:
        """The name of a fresh book with nothing in it."""
        self._books += 1
        name = f"bench_{self._books}"
        with Connection.connect(self.url, autocommit=True) as connection:
            create_book(connection, name)
        return name


def _settings_of(connection: Connection) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, wanted in _DURABLE.items():
        row = connection.execute("SELECT current_setting(%s), version()", (name,)).fetchone()
        if row is None or row[0] != wanted:
            raise AssertionError(f"{name} is {row and row[0]}: figures of a database that forgets are worth nothing")
        found |= {name: row[0], "version": row[1]}
    return found


def _leave(*_: int | FrameType | None) -> None:
    raise SystemExit("benchmarks: told to stop")
