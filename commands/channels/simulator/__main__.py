"""The simulator's command line: `python -m commands.channels.simulator --port 0 --state FILE --secret-file FILE`.

Prints one line, `listening on http://HOST:PORT`, once it takes connections; port 0 lets the system choose. Ends on
SIGTERM or SIGINT within about a second.
"""

import argparse
import os
import socket
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from commands.channels.signatures import Secret, secret_from_file
from commands.channels.simulator.app import Simulator
from commands.channels.simulator.books import Books
from commands.channels.simulator.keeper import Keeper

# A request that is being kept waiting on purpose must not keep the process from ending.
_GRACE_S = 1


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        secret = _secret(options.secret_file, options.secret_env)
        options.state.parent.mkdir(parents=True, exist_ok=True)
        books = Books(options.state, options.fee_bps)
        listener = socket.create_server((options.host, options.port), backlog=512)
    except (ValueError, OSError, sqlite3.Error) as trouble:
        sys.stderr.write(f"simulator: {trouble}\n")
        return 1
    keeper = Keeper(books)
    try:
        run(Simulator(keeper, secret, options.callback_url), listener)
    finally:
        keeper.close()
    return 0


def run(simulator: Simulator, listener: socket.socket) -> None:
    """Serves on a socket that is bound already, so that the printed address is true before the first request."""
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        simulator.app(),
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=_GRACE_S,
    )
    sys.stdout.write(f"listening on http://{host}:{port}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listener])


def _secret(file: Path | None, variable: str | None) -> Secret:
    if file is not None:
        return secret_from_file(file)
    text = os.environ.get(variable or "")
    if not text:
        raise ValueError(f"the environment has no {variable}")
    return Secret.parse(text)


def _address(text: str) -> str:
    address = urlsplit(text)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise argparse.ArgumentTypeError("an address is http(s)://host[:port]/path")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("simulator", description="A payment channel that is not one.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument("--state", type=Path, required=True, help="the SQLite file of its books")
    parser.add_argument("--callback-url", type=_address, help="where its signed messages go; without it they are kept")
    parser.add_argument("--fee-bps", type=int, default=60, choices=range(10_001), metavar="0..10000")
    secret = parser.add_mutually_exclusive_group(required=True)
    secret.add_argument("--secret-file", type=Path, help="holds whsec_<base64>; made if it is not there")
    secret.add_argument("--secret-env", help="the environment variable that holds whsec_<base64>")
    return parser


if __name__ == "__main__":
    sys.exit(main())
