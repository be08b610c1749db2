"""What tests of the audit share: exports that are written once."""

from pathlib import Path

import pytest

from tests.audit.exports import Book, stored
from tests.audit.judged_exports import BASE, Judged, write_all


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Every export that is judged: its folder, the code and the event."""
    return write_all(tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of ten events with nothing wrong in it."""
    return Book(stored(BASE), older=(4,)).write(tmp_path_factory.mktemp("shop"))
