"""A word of the command line as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120


def start(*words: str | Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "api.cli", *map(str, words)],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    process = start(*words, **environment)
    try:
        said, complained = process.communicate(timeout=PATIENCE_S)
    finally:
        if process.poll() is None:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def answer(*words: str | Path, **environment: str) -> dict[str, Any]:
    """The one JSON object that a word with --json answers; it has to end well."""
    done = run(*words, "--json", **environment)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return msgspec.json.decode(done.stdout, type=dict[str, Any])
