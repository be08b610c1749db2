"""Standalone: what a stranger checks an export with; it goes along in each, and needs nothing else of ours."""

from collections.abc import Iterator
from importlib.resources import files

SHIPPED = ("SPEC.md", "vectors.json", "verify_ledger.py", "verify_ledger.mjs")


def shipped() -> Iterator[tuple[str, bytes]]:
    """The files that go along, by name."""
    for name in SHIPPED:
        yield name, files(__name__).joinpath(name).read_bytes()
