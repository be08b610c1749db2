"""A sealer as a process of its own, to be killed.

python -m tests.processes.sealer_process DATABASE_URL ROLE NAME KEYS_FOLDER
"""

import asyncio
import sys
from pathlib import Path

from commands.log_keys import LogKeys
from commands.processes.sealer import run_sealer
from ledger.store.connection import Database


def main(url: str, role: str, name: str, folder: str) -> None:
    asyncio.run(run_sealer(Database(url, role=role or None), name, LogKeys(Path(folder)), asyncio.Event()))


if __name__ == "__main__":
    main(*sys.argv[1:])
