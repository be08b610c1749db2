"""A witness that dies at the worst moment: when it has kept a checkpoint, and nobody has heard of it.

python -m tests.cli.witness_process WORDS…
"""

import os
import signal
import sys
from collections.abc import Callable

from api.witness.__main__ import main
from api.witness.memory import Memory
from ledger.audit.signed_note import Note
from ledger.audit.witness import Submission

_cosign = Memory.cosign


def cosign_and_die(memory: Memory, submission: Submission, sign: Callable[[Note], Note]) -> Note:
    _cosign(memory, submission, sign)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it is dead")


if __name__ == "__main__":
    setattr(Memory, "cosign", cosign_and_die)  # noqa: B010
    sys.exit(main())
