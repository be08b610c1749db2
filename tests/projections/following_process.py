"""Keeps the views of all books in a process of its own, to be killed.

python -m tests.projections.following_process DATABASE_URL ROLE
"""

import sys
import threading

from ledger.store.connection import Database
from projections.following import run_all_books


def main(url: str, role: str) -> None:
    run_all_books(Database(url, role=role or None), threading.Event())


if __name__ == "__main__":
    main(*sys.argv[1:])
