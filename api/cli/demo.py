"""`ledger demo`: one complete story on a throw-away database, told while it happens and checked at every step.

a database that nobody else has ─▶ API, worker, channel simulator ─▶ the story ─▶ all of it gone again
"""

import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from psycopg import Connection, errors, sql
from psycopg.conninfo import make_conninfo
from rich.console import Console

from api.cli.supervisor import Child, Supervisor
from api.cli.terminal import AsJson, answer, give_up, people, saying_why, settings
from api.cli.up import free_port, is_ready, prepare
from api.settings import Settings
from ledger.store.embedded import Embedded

_PATIENCE_S = 60
_INTERRUPTED = 130
_WIDTH_OF_A_FILE = 120
_LAST_WORDS = 4_000
"""How many characters of the service's log are shown where the story fails."""


def demo(as_json: AsJson = False) -> None:
    """Tell one complete story on a throw-away database: accounts, holds, every way to pay, the trial balance.

    Everything is real: PostgreSQL, the API, the worker, the channel simulator. Ends with 0 if all came as told.
    """
    started = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    telling = _Telling(settings(), as_json=as_json)
    try:
        with saying_why(), _state() as state, _database(telling.of, state) as url:
            telling.run(state, url)
    except KeyboardInterrupt:
        give_up("interrupted; everything is cleared away", _INTERRUPTED)
    if telling.trouble is not None:
        give_up(f"the story did not come as told: {telling.trouble}")
    if not telling.is_over:
        give_up("interrupted; everything is cleared away", _INTERRUPTED)
    seconds = round(time.monotonic() - started, 1)
    words = f"\nAll came as told, in {seconds} s; the books balance."
    answer({"chapters": telling.chapters, "seconds": seconds}, words, as_json=as_json)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


# --- a place of its own ---------------------------------------------------------------------------------------------


@contextmanager
def _state() -> Iterator[Path]:
    state = Path(tempfile.mkdtemp(prefix="ledger-demo-"))
    try:
        yield state
    finally:
        shutil.rmtree(state, ignore_errors=True)


@contextmanager
def _database(of: Settings, state: Path) -> Iterator[str]:
    """The URL of an empty database; on a server that was given too, because the worker works for all books it finds."""
    given = of.database_url.get_secret_value().strip() if of.database_url else ""
    if not given:
        server = Embedded(state)
        try:
            server.ensure_running()
            yield server.url
        finally:
            server.erase()
        return
    name = f"ledger_demo_{secrets.token_hex(6)}"
    with Connection.connect(given, autocommit=True, connect_timeout=5) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except errors.InsufficientPrivilege:
            give_up("the user of DATABASE_URL may not make a database; without DATABASE_URL the demo brings its own")
        try:
            yield make_conninfo(given, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


# --- the telling ----------------------------------------------------------------------------------------------------


class _Telling:
    """Runs the service, tells the story beside it, and knows how it ended."""

    def __init__(self, of: Settings, *, as_json: bool) -> None:
        self.of = of
        self.chapters: list[str] = []
        self.is_over = False
        self.trouble: str | None = None
        width = None if Console().is_terminal else _WIDTH_OF_A_FILE
        self._console = Console(highlight=False, quiet=as_json, width=width)

    def run(self, state: Path, url: str) -> None:
        """Return when the story is over, however it ended, or when somebody stopped it."""
        self._console.print("[dim]A throw-away database; API, worker and channel simulator beside it.[/]")
        key = prepare(url, self.of.model_copy(update={"state": state, "bootstrap_key": None}))
        port, simulator_port = free_port(), free_port()
        environment = {
            "DATABASE_URL": url,
            "LEDGER_STATE": str(state),
            "LEDGER_HOST": "127.0.0.1",
            "LEDGER_PORT": str(port),
            "LEDGER_SIMULATOR_URL": f"http://127.0.0.1:{simulator_port}",
            "LEDGER_LOG_LEVEL": "ERROR",
        }
        log = state / "service.log"
        children = [Child([word], environment, output=log) for word in ("simulator", "serve", "worker")]
        supervisor = Supervisor(children, lambda: None)

        def tell() -> None:
            try:
                self._tell(f"http://127.0.0.1:{port}", environment["LEDGER_SIMULATOR_URL"], key or "")
            except Exception as error:
                # Where somebody stopped the service under it, the story has no say any more.
                self.trouble = None if supervisor.is_stopping else f"{type(error).__name__}: {error}"
            finally:
                supervisor.stop()

        supervisor.run(tell)
        if self.trouble is not None:
            people.print(log.read_text(errors="replace")[-_LAST_WORDS:], markup=False)

    def _tell(self, address: str, simulator: str, key: str) -> None:
        from api.cli.narrator import Narrator
        from api.cli.story import Story

        deadline = time.monotonic() + _PATIENCE_S
        while not is_ready(address):
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing answers at {address}")
            time.sleep(0.05)
        narrator = Narrator(self._console, address, key)
        self.chapters = narrator.chapters
        try:
            for chapter in Story(narrator, simulator).chapters():
                chapter()
            self.is_over = True
        finally:
            narrator.close()
