"""Bytes gone wrong: valid files with some of their bytes cut out, changed or repeated, for readers to survive."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from typing import BinaryIO

from hypothesis import strategies as st

from ledger.report_row import FileRefused, ReportItem

_PUT = [b"`", b",", b'"', b"\r", b"\n", b"-", b"0" * 25, b"\0", b"#"]


def damaged(files: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the files after one to four accidents."""
    accident = st.tuples(
        st.sampled_from(["cut", "put", "repeat", "end"]),
        st.floats(0, 1, allow_nan=False),
        st.integers(0, 40),
        st.one_of(st.binary(max_size=6), st.sampled_from(_PUT)),
    )
    return st.builds(_after, st.sampled_from(files), st.lists(accident, min_size=1, max_size=4))


def survives(read: Callable[[BinaryIO], Iterator[ReportItem]], content: bytes) -> None:
    """Reads it to its end or to its refusal; anything else that is raised is a fault of the reader."""
    with suppress(FileRefused):
        list(read(BytesIO(content)))


def _after(file: bytes, accidents: list[tuple[str, float, int, bytes]]) -> bytes:
    for what, where, length, put in accidents:
        at = int(where * len(file))
        match what:
            case "cut":
                file = file[:at] + file[at + length :]
            case "put":
                file = file[:at] + put + file[at + len(put) :]
            case "repeat":
                file = file[:at] + file[max(0, at - 10 * length) :]
            case _:
                file = file[: at + 1]
    return file
