"""`ledger up`: everything at once, which is what `./run` does: database, API, worker, channel simulator."""

import os
import socket
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import typer
from psycopg import Connection

from api.cli.supervisor import Child, Supervisor
from api.cli.terminal import give_up, people, saying_why, settings
from api.keys import ADMIN, adopt_key, create_key, load_or_create_pepper
from api.settings import Settings
from api.telemetry import configure_logging
from ledger.store.embedded import Embedded
from ledger.store.migrate import create_book, list_books, migrate_books, migrate_control

DEMO_BOOK = "demo"
_PATIENCE_S = 60


def up() -> None:
    """Start everything and keep it running until Ctrl-C: database, API, worker, channel simulator.

    An empty database gets a book `demo` and a key, which is shown once.
    """
    of = settings()
    level = of.log_level if "LEDGER_LOG_LEVEL" in os.environ else "WARNING"
    configure_logging(level)
    with saying_why():
        _run_all(of.model_copy(update={"log_level": level}))


def _run_all(of: Settings) -> None:
    """Run until stopped, and say where the service answers once it does."""
    _claim_port(of.host, of.port)
    port, simulator_port = of.port or free_port(), free_port()
    given = of.database_url.get_secret_value().strip() if of.database_url else ""
    embedded = None if given else Embedded.start(of.state)
    url = given or (embedded.url if embedded else "")
    if key := prepare(url, of):
        # Before anything can go wrong: it is shown now or never.
        typer.echo(f"ledger: the key of the book {DEMO_BOOK}, shown this once: {key}")
    environment = {
        "DATABASE_URL": url,
        "LEDGER_STATE": str(of.state.resolve()),
        "LEDGER_HOST": of.host,
        "LEDGER_PORT": str(port),
        "LEDGER_SIMULATOR_URL": of.simulator_url or f"http://127.0.0.1:{simulator_port}",
        "LEDGER_LOG_LEVEL": of.log_level,
    }
    children = [
        Child(["simulator"], environment, output=of.state / "simulator.log"),
        Child(["serve"], environment),
        Child(["worker"], environment),
    ]
    address = f"http://{of.host}:{port}"
    try:
        Supervisor(children, embedded.ensure_running if embedded else lambda: None).run(
            lambda: _tell_when_ready(address)
        )
    finally:
        if embedded is not None:
            embedded.stop()


def prepare(url: str, of: Settings) -> str | None:
    """Migrate; on an empty database make the demo book and its key, which is returned if nobody knows it yet."""
    with Connection.connect(url, autocommit=True, connect_timeout=5, application_name="ledger owner") as connection:
        migrate_control(connection)
        migrate_books(connection)
        if list_books(connection):
            return None
        pepper = load_or_create_pepper(of.state, of.pepper.get_secret_value() if of.pepper else None)
        with connection.transaction():  # A book whose key nobody was shown would be of no use.
            create_book(connection, DEMO_BOOK)
            if of.bootstrap_key is not None:
                chosen = of.bootstrap_key.get_secret_value()
                adopt_key(connection, pepper, chosen, book=DEMO_BOOK, name="bootstrap", scopes=[ADMIN])
                return None
            return create_key(connection, pepper, book=DEMO_BOOK, name="first key", scopes=[ADMIN]).text


def _claim_port(host: str, port: int) -> None:
    """End with a sentence where somebody else answers already."""
    try:
        socket.create_server((host, port)).close()
    except OSError as taken:
        give_up(f"{host}:{port} cannot be had ({taken.strerror}): set LEDGER_PORT to another port")


def free_port() -> int:
    """A port of this machine that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_ready(address: str) -> bool:
    """Whether the service at this address answers requests."""
    where = urlsplit(address)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except (HTTPException, OSError):
        return False
    finally:
        connection.close()


def _tell_when_ready(address: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if is_ready(address):
            typer.echo(f"ledger: the service answers at {address}/v1, its description is {address}/v1/openapi.json")
            typer.echo("ledger: Ctrl-C stops everything")
            return
        time.sleep(0.1)
    people.print(f"ledger: nothing answers at {address} yet; the lines above may say why")
