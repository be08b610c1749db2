"""Statements of real banks: each file in the folder LEDGER_SAMPLES is read in full.

The folder has a folder for each source: `camt053`, `mt940`, `bai2`; a file called
wrong is refused. The files belong to others and are not kept here.
"""

import os
from pathlib import Path

import pytest

from commands.report_files.sources import SOURCES
from ledger.report_row import FileRefused
from tests.report_files.reading import found

FOLDER = os.environ.get("LEDGER_SAMPLES", "")
FILES = [file for source in ("bai2", "camt053", "mt940") for file in sorted(Path(FOLDER, source).glob("*")) if FOLDER]


@pytest.mark.skipif(not FOLDER, reason="LEDGER_SAMPLES names no folder of real statements")
@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_a_real_statement_is_read_in_full(file: Path) -> None:
    with file.open("rb") as opened:
        reader = SOURCES[file.parent.name]
        if "wrong" in file.name:
            with pytest.raises(FileRefused, match="no statement"):
                found(reader(opened))
            return
        seen = found(reader(opened))
    assert seen.rows
    assert not seen.rejected
