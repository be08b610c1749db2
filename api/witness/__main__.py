"""The witness's command line: `python -m api.witness --state FOLDER --log VKEY…`, which is what `ledger witness` runs.

Prints its own key and `listening on http://HOST:PORT` once it takes connections. Ends on SIGTERM or SIGINT.
"""

import argparse
import logging
import socket
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import uvicorn

from api.telemetry import configure_logging
from api.witness.app import Witness
from api.witness.folder import DEFAULT_NAME, FolderUnusable, open_folder
from api.witness.protocol import PatientProtocol
from ledger.audit.signed_note import NoteInvalid, VerifierKey

_GRACE_S = 2
_MOST_CONNECTIONS = 256
_KEEP_ALIVE_S = 75

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Be a witness until somebody ends it; the exit code."""
    options = _parser().parse_args(arguments)
    configure_logging("INFO")
    with ExitStack() as closing:
        try:
            logs = known_logs(options.log)
            cosigner, memory = open_folder(options.state, options.name)
            closing.callback(memory.close)
            listener = socket.create_server((options.host, options.port), backlog=512)
            closing.callback(listener.close)
        except (FolderUnusable, NoteInvalid, OSError, sqlite3.Error) as trouble:
            sys.stderr.write(f"ledger: {trouble}\n")
            return 1
        host, port = listener.getsockname()[:2]
        sys.stdout.write(f"{cosigner.key}\nlistening on http://{f'[{host}]' if ':' in host else host}:{port}\n")
        sys.stdout.flush()
        uvicorn.Server(config_of(Witness(cosigner, logs, memory))).run(sockets=[listener])
    return 0


def config_of(witness: Witness) -> uvicorn.Config:
    """How it is served: few connections, and none that may wait for ever."""
    return uvicorn.Config(
        witness.app(),
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


def known_logs(texts: Sequence[str]) -> Mapping[str, Sequence[VerifierKey]]:
    """The keys of each log by its origin, which is their name, or stands before the key with a space between.

    Raises NoteInvalid.
    """
    logs: dict[str, list[VerifierKey]] = {}
    for text in texts:
        origin, _, vkey = text.strip().rpartition(" ")
        key = VerifierKey.parse(vkey)
        if key.is_witness:
            raise NoteInvalid(f"{key.name} is the key of a witness and not of a log")
        logs.setdefault(origin or key.name, []).append(key)
    return logs


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("ledger witness", description="Cosign logs, each as long as it only grows.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument("--state", type=Path, required=True, help="the folder of its key and its memory")
    parser.add_argument("--log", action="append", required=True, metavar="VKEY", help="a key of a log; may be repeated")
    parser.add_argument("--name", help=f"the name of a new witness, {DEFAULT_NAME} without it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
