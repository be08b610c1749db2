"""Taken home: a book is exported while the service runs, and checked by the program in the export, which runs alone."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.journeys.service import Service


def differences(service: Service, book: str) -> list[str]:
    """What a stranger finds wrong in the book; nothing, if it is right and the log's key has signed it."""
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room) / "export"
        written = json.loads(service.run_ledger("export", "--book", book, "--to", str(folder), "--json"))
        keys = [word for vkey in written["vkeys"] for word in ("--vkey", vkey)]
        command = [sys.executable, "-I", str(folder / "verify_ledger.py"), str(folder), "--json", *keys]
        done = subprocess.run(command, capture_output=True, text=True)
        found = json.loads(done.stdout)
    said = [f"the export of {book}: {one['check']} at {one['position']}: {one['words']}" for one in found["findings"]]
    return said if done.returncode else []
