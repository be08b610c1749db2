"""A word of the command line as a process of its own."""

import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from tests import forked
from tests.forked import Forked

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120


def start(*words: str | Path, **environment: str) -> Forked:
    return Forked(
        "api.cli", *words, environment=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return forked.run("api.cli", *words, environment=os.environ | environment, patience_s=PATIENCE_S)


def answer(*words: str | Path, **environment: str) -> dict[str, Any]:
    """The one JSON object that a word with --json answers; it has to end well."""
    done = run(*words, "--json", **environment)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return msgspec.json.decode(done.stdout, type=dict[str, Any])
