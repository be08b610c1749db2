"""`ledger witness`: cosigns the checkpoints of logs, each as long as it only grows.

The word replaces itself with another program, `python -m api.witness`: in that process there is nothing that could
reach our database.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

Logs = Annotated[
    list[str], typer.Option("--log", metavar="VKEY", help="The key of a log that it knows; may be repeated.")
]


def witness(
    state: Annotated[Path, typer.Option(help="The folder of its key and its memory, for nobody else to read.")],
    log: Logs,
    port: Annotated[int, typer.Option(help="0: one that is free.")] = 0,
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    name: Annotated[str | None, typer.Option(help="What a new witness is called, such as example.com/w1.")] = None,
) -> None:
    """Witness that logs only grow, until Ctrl-C: sign each checkpoint that goes on from the last.

    Run it where those who run the ledger have no say: that is what its signature is worth.
    """
    words = ["--state", str(state), "--port", str(port), "--host", host]
    words += [word for vkey in log for word in ("--log", vkey)]
    words += [] if name is None else ["--name", name]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "api.witness", *words])  # noqa: S606
