"""All readers on damaged files: nothing but FileRefused leaves, what they give is sound, and memory is bounded."""

import gzip
import io
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.report_files.opening import without_card_numbers
from commands.report_files.reader import Reader
from commands.report_files.sources import SOURCES
from ledger.currencies import ASSETS
from ledger.money import LARGEST
from ledger.report_row import ROW_KINDS, Control, FileRefused, RejectedRow, ReportItem, ReportRow
from tests.report_files.reading import read_all
from tests.report_files.valid_files import VALID_FILES, ValidFile

EVERY_SOURCE = sorted(SOURCES)
EVERY_FILE = [pytest.param(source, file, id=f"{source}-{n}") for source in EVERY_SOURCE
              for n, file in enumerate(VALID_FILES[source])]  # fmt: skip
# What turns a reader's head: ends of lines and cells, marks of encodings and packings, digits of every kind.
SPICE = [
    b"\n", b"\r", b"\r\n", b",", b";", b"\t", b'"', b'""', b"`", b"'", b"\0", b"\x1a", b"\xff\xfe", b"\xef\xbb\xbf",
    b"PK\x03\x04", b"\x1f\x8b\x08", b"9" * 30, b"9" * 5_000, b"-", b"1e999", b"NaN", b"\xef\xbc\x91", b"\xc2\xa0",
    b"0000-00-00", b"9999-12-31 23:59:59", b"4111111111111111", b"XXX", b"<", b"&lt;", b"&x;", b"]]>", b":61:", b"{4:",
    b"88,", b"16,", b"/", b"#", b"\xe5", b"\xed\xa0\x80",
]  # fmt: skip
DAMAGE: st.SearchStrategy[Callable[[bytes], bytes]] = st.one_of(
    st.builds(lambda at, bit: lambda data: _flipped(data, at, bit), st.floats(0, 1), st.integers(0, 7)),
    st.builds(lambda at, much: lambda data: _cut(data, at, much), st.floats(0, 1), st.integers(1, 60)),
    st.builds(lambda at: lambda data: data[: _place(data, at)], st.floats(0, 1)),
    st.builds(
        lambda at, put: lambda data: data[: _place(data, at)] + put + data[_place(data, at) :],
        st.floats(0, 1),
        st.one_of(st.sampled_from(SPICE), st.binary(min_size=1, max_size=8)),
    ),
    st.builds(lambda one, other: lambda data: _swapped(data, one, other), st.floats(0, 1), st.floats(0, 1)),
    st.builds(lambda one, to: lambda data: _line_moved(data, one, to, False), st.floats(0, 1), st.floats(0, 1)),
    st.builds(lambda one, to: lambda data: _line_moved(data, one, to, True), st.floats(0, 1), st.floats(0, 1)),
    st.builds(lambda one: lambda data: _line_without(data, one), st.floats(0, 1)),
    st.builds(
        lambda one, cell, put: lambda data: _cell_replaced(data, one, cell, put),
        st.floats(0, 1),
        st.floats(0, 1),
        st.sampled_from(SPICE),
    ),
)


def _place(data: bytes, at: float) -> int:
    return int(at * len(data))


def _flipped(data: bytes, at: float, bit: int) -> bytes:
    place = min(_place(data, at), len(data) - 1)
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :] if data else data


def _cut(data: bytes, at: float, much: int) -> bytes:
    return data[: _place(data, at)] + data[_place(data, at) + much :]


def _swapped(data: bytes, one: float, other: float) -> bytes:
    first, second = sorted((_place(data, one), _place(data, other)))
    return data[:first] + data[second : second + 9] + data[first + 9 : second] + data[first : first + 9] + data[second:]


def _line_moved(data: bytes, one: float, to: float, stays: bool) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    place = min(int(one * len(lines)), len(lines) - 1)
    line = lines[place] if stays else lines.pop(place)
    lines.insert(int(to * len(lines)), line)
    return b"".join(lines)


def _line_without(data: bytes, one: float) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    del lines[min(int(one * len(lines)), len(lines) - 1)]
    return b"".join(lines)


def _cell_replaced(data: bytes, one: float, cell: float, put: bytes) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    place = min(int(one * len(lines)), len(lines) - 1)
    cells = lines[place].split(b",")
    cells[min(int(cell * len(cells)), len(cells) - 1)] = put
    return b"".join([*lines[:place], b",".join(cells), *lines[place + 1 :]])


def is_sound(item: ReportItem) -> None:
    """What everybody behind a reader relies on."""
    again = msgspec.json.decode(msgspec.json.encode(item), type=type(item))
    assert again == item
    assert item.line >= 0
    texts: list[str] = []
    match item:
        case ReportRow():
            assert item.kind in ROW_KINDS
            assert {item.currency, item.fee_currency, item.net_currency} <= {*ASSETS}
            assert all(type(one) is int for one in (item.gross, item.fee, item.net))
            assert max(abs(item.gross), abs(item.fee), abs(item.net)) <= 4 * LARGEST
            assert item.at is None or item.at.tzinfo is not None
            assert item.at is None or item.at.year in range(1900, 2200)
            assert without_card_numbers(item.text) == item.text
            texts = [item.external_id, item.our_reference, item.batch, item.bank_reference, item.about, item.account]
            texts += [item.entry_id, item.statement, item.text, *item.raw, *item.raw.values()]
        case RejectedRow():
            assert item.reason
            assert without_card_numbers(item.raw) == item.raw
            texts = [item.reason, item.raw]
        case Control():
            texts = [item.name, item.currency]
    assert not any("\0" in text for text in texts), "no database takes it"


def reads_soundly(reader: Reader, data: bytes) -> None:
    """Reads it to its end or its refusal."""
    with suppress(FileRefused):
        for item in reader(io.BytesIO(data)):
            is_sound(item)


def test_every_source_has_a_valid_file() -> None:
    assert sorted(VALID_FILES) == EVERY_SOURCE


@pytest.mark.parametrize(("source", "file"), EVERY_FILE)
def test_a_valid_file_is_read_whole_packed_or_not(source: str, file: ValidFile) -> None:
    reader = SOURCES[source]
    seen = read_all(reader, file.data)
    assert seen.rows
    assert not seen.rejected
    assert not seen.broken
    reads_soundly(reader, file.data)
    if not file.data.startswith(b"PK"):
        assert read_all(reader, gzip.compress(file.data)) == seen


@pytest.mark.parametrize("source", EVERY_SOURCE)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_nothing_but_a_refusal_leaves_whatever_happened_to_the_file(source: str, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(VALID_FILES[source])).data
    for damage in data.draw(st.lists(DAMAGE, min_size=1, max_size=5)):
        file = damage(file)
    reads_soundly(SOURCES[source], file)
    if data.draw(st.booleans()):
        reads_soundly(SOURCES[source], gzip.compress(file)[: data.draw(st.integers(0, 400))])


@pytest.mark.parametrize("source", EVERY_SOURCE)
@settings(max_examples=50, deadline=None)
@given(noise=st.binary(max_size=300))
def test_noise_is_refused(source: str, noise: bytes) -> None:
    with pytest.raises(FileRefused):
        list(SOURCES[source](io.BytesIO(noise)))


@pytest.mark.parametrize("source", EVERY_SOURCE)
@pytest.mark.parametrize("other", EVERY_SOURCE)
def test_a_file_of_another_source_is_refused(source: str, other: str) -> None:
    if source == other:
        pytest.skip("it is its own")
    for file in VALID_FILES[other]:
        with pytest.raises(FileRefused):
            list(SOURCES[source](io.BytesIO(file.data)))


@pytest.mark.parametrize(("source", "file"), [one for one in EVERY_FILE if one.values[1].in_a_row])  # type: ignore[union-attr]
def test_memory_does_not_grow_with_the_file(source: str, file: ValidFile) -> None:
    few, many = (_peak(SOURCES[source], _longer(file, size)) for size in (250_000, 750_000))
    assert many < few + 150_000  # bytes; of the thousands of rows more the ids alone would be more


def _longer(file: ValidFile, size: int) -> bytes:
    lines = file.data.splitlines(keepends=True)
    chosen = next(line for line in lines if file.in_a_row.encode() in line)
    return b"".join(line * (size // len(line) if line == chosen else 1) for line in lines)


def _peak(reader: Reader, data: bytes) -> int:
    file = io.BytesIO(data)
    tracemalloc.start()
    for _ in reader(file):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak
