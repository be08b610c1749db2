"""Writes to a book without rest, in a process of its own, to be killed: everything that views remember.

python -m tests.projections.writing_process DATABASE_URL ROLE BOOK SEED
"""

import sys
import time

from ledger.store.connection import Database
from tests.projections.mixed_work import MixedWork
from tests.writing import pen

_PAUSE_S = 0.02


def main(url: str, role: str, book: str, seed: str) -> None:
    with pen(Database(url, role=role or None), book) as held:
        work = MixedWork(held, int(seed), f"w{seed}x")
        while True:
            work.do(1)
            time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
