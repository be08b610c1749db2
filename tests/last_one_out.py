"""Stops a test database and removes its files as soon as the test run that started it is gone, however it went.

python -m tests.last_one_out STATE_DIR      waits until its standard input is closed
"""

import shutil
import sys
from pathlib import Path

from ledger.store.embedded import Embedded


def wait_and_clear(state_dir: Path) -> None:
    sys.stdin.read()
    Embedded(state_dir).erase()
    shutil.rmtree(state_dir, ignore_errors=True)


if __name__ == "__main__":
    wait_and_clear(Path(sys.argv[1]))
