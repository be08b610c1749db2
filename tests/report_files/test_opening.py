"""Opening files: packed, in any encoding and with any line end, bounded; amounts exactly; no card numbers."""

import bz2
import gzip
import io
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.report_files import opening
from commands.report_files.opening import (
    Unreadable,
    day,
    encoding_of,
    exact_minor_units,
    known_currency,
    lines,
    members,
    minor_units,
    moment,
    unpacked,
    unsigned_minor_units,
    without_card_numbers,
)
from commands.report_files.tables import Record, column_names, folded, opened_table, records
from ledger.currencies import ASSETS
from ledger.report_row import FileRefused, RejectedRow
from tests.report_files.disguises import ENVELOPES, zipped_in_gbk

TEXT = "一,Überweisung\nzwei,2\n"


def lines_in(data: bytes, otherwise: str = "utf-8") -> list[tuple[int, str]]:
    return list(lines(unpacked(io.BytesIO(data)), otherwise))


def zip_of(*named: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in named:
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_lines_are_the_same_however_they_are_written(envelope: str) -> None:
    if envelope == "UTF-16 without a mark":
        pytest.skip("it is known by the zeros of its ASCII, and this begins with another character")
    assert lines_in(ENVELOPES[envelope](TEXT)) == [(1, "一,Überweisung"), (2, "zwei,2")]


@pytest.mark.parametrize(
    ("data", "otherwise", "encoding"),
    [
        (b"plain", "gb18030", "utf-8"),
        ("一".encode(), "gb18030", "utf-8"),
        ("支付宝".encode("gbk"), "gb18030", "gb18030"),
        (b"x" * 200_000 + "é".encode("latin-1"), "latin-1", "latin-1"),
        (b"x" * 65_535 + "é".encode(), "latin-1", "utf-8"),
        (b"\xef\xbb\xbfx", "gb18030", "utf-8-sig"),
        ("x".encode("utf-16-le"), "utf-8", "utf-16-le"),
        (b"", "gb18030", "utf-8"),
    ],
)
def test_the_encoding_is_told_by_its_mark_or_is_utf_8_or_what_the_format_prescribes(
    data: bytes, otherwise: str, encoding: str
) -> None:
    assert encoding_of(io.BytesIO(data), otherwise) == encoding


def test_bytes_that_are_not_of_the_encoding_refuse_the_file_near_their_line() -> None:
    with pytest.raises(FileRefused, match="not written in utf-8"):
        lines_in(b"one\ntwo\xff\n")


def test_empty_lines_count_and_a_carriage_return_on_the_edge_of_a_piece_ends_one_line() -> None:
    data = b"a" * (65_536 - 1) + b"\r\n\r\nb"
    assert [number for number, _ in lines_in(data)] == [1, 2, 3]


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    def endless() -> io.BufferedReader:
        return io.BufferedReader(Endless(b"x"))

    for file in (endless(), unpacked(io.BytesIO(gzip.compress(b"x" * (3 << 20))))):
        with pytest.raises(FileRefused, match="the line is too long"):
            list(lines(file))


class Endless(io.RawIOBase):
    """A file that never ends."""

    def __init__(self, what: bytes) -> None:
        self._what = what

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return 0

    def readall(self) -> bytes:
        raise AssertionError("nobody may read all of it")

    def readinto(self, into: "memoryview | bytearray", /) -> int:  # type: ignore[override]
        into[:] = (self._what * (len(into) // len(self._what) + 1))[: len(into)]
        return len(into)


def test_what_is_packed_can_be_read_again_from_its_beginning_only() -> None:
    for data in (gzip.compress(TEXT.encode()), zip_of(("a.csv", TEXT.encode()))):
        file = unpacked(io.BytesIO(data))
        assert file.read() == TEXT.encode()
        file.seek(0)
        assert file.read() == TEXT.encode()


def test_of_a_zip_the_wanted_member_is_read_and_names_may_be_gbk() -> None:
    data = zipped_in_gbk(TEXT.encode(), "20881_业务明细.csv")
    assert members(io.BytesIO(data)) == ["20881_业务明细.csv"]
    assert unpacked(io.BytesIO(data), lambda name: "明细" in name).read() == TEXT.encode()
    both = zip_of(("明细.csv", b"detail"), ("汇总.csv", b"summary"), ("folder/", b""))
    assert unpacked(io.BytesIO(both), lambda name: "汇总" in name).read() == b"summary"
    for wanted, number in ((None, 2), (lambda name: "x" in name, 0)):
        with pytest.raises(FileRefused, match=f"members {number} are the report"):
            unpacked(io.BytesIO(both), wanted)


def broken(data: bytes) -> bytes:
    """The data with a bit of its middle turned."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]


NOISE = bytes(range(256)) * 40


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress(NOISE)[:-9], id="a gzip cut off"),
        pytest.param(gzip.compress(NOISE)[:12], id="a gzip cut off at once"),
        pytest.param(broken(gzip.compress(NOISE)), id="a gzip that is damaged"),
        pytest.param(gzip.compress(NOISE) + b"more", id="a gzip with more behind"),
        pytest.param(zip_of(("a", NOISE))[:-30], id="a zip cut off"),
        pytest.param(broken(zip_of(("a", NOISE), method=zipfile.ZIP_STORED)), id="a zip that is damaged"),
        pytest.param(zip_of(("a", NOISE), method=zipfile.ZIP_LZMA), id="a zip that asks for much memory"),
        pytest.param(zip_of(("a", NOISE), method=zipfile.ZIP_BZIP2), id="a zip by another method"),
        pytest.param(zip_of(), id="a zip of nothing"),
        pytest.param(
            zip_of(("a", NOISE), method=zipfile.ZIP_STORED)
            .replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01")
            .replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"),
            id="a zip with a password",
        ),
        pytest.param(zip_of(*((f"{n:060}", b"") for n in range(12_000))), id="a zip of very many"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(data: bytes) -> None:
    with pytest.raises(FileRefused):
        unpacked(io.BytesIO(data)).read()


def test_other_packings_are_not_known_and_come_as_they_are() -> None:
    assert unpacked(io.BytesIO(bz2.compress(b"x"))).read()[:2] == b"BZ"


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zip_of(("a", data))])
def test_a_bomb_is_refused_while_it_goes_off(pack: Callable[[bytes], bytes]) -> None:
    data = pack((b"a" * 9_999 + b"\n") * 2_000)
    assert len(data) < 100_000
    tracemalloc.start()
    with pytest.raises(FileRefused, match="unpacks to more than is read"):
        for _ in lines(unpacked(io.BytesIO(data))):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_more_than_is_allowed_is_refused_however_well_it_was_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "UNPACKED_AT_MOST_BYTES", 5_000)
    with pytest.raises(FileRefused, match="unpacks to more than is read"):
        unpacked(io.BytesIO(gzip.compress(NOISE, 0))).read()


# --- Records ----------------------------------------------------------------------------------------------------------


def records_in(*texts: str) -> Iterator[Record | RejectedRow]:
    return records(enumerate(texts, 1))


def test_a_cell_in_quotation_marks_may_hold_separators_marks_and_line_ends() -> None:
    assert list(records_in('a,"b,c"', "", '"one', 'two ""x"" "', 'd,5" pipe')) == [
        Record(1, ["a", "b,c"]),
        Record(3, ['one\ntwo "x" ']),
        Record(5, ["d", '5" pipe']),
    ]


def test_a_mark_left_open_costs_its_own_line_only() -> None:
    further = [f"{n},x" for n in range(200)]
    seen = list(records_in('a,"open', *further[:3], 'b,"q"', *further[3:]))
    assert [(one.line, one.reason) for one in seen if isinstance(one, RejectedRow)] == [
        (1, "a quotation mark stands where none may")
    ]
    assert len(seen) == 202


def test_marks_left_open_on_every_line_cost_no_more_than_the_lines() -> None:
    seen = list(records((n, 'a,"b' if n % 2 else "c") for n in range(20_000)))
    assert sum(isinstance(one, RejectedRow) for one in seen) + sum(isinstance(one, Record) for one in seen) > 10_000


def test_rejected_lines_are_bounded_and_hold_no_card_numbers() -> None:
    (one,) = records_in('"4111111111111111' + "x" * 50_000)
    assert isinstance(one, RejectedRow)
    assert one.raw.startswith('"…1111x')
    assert len(one.raw) <= 10_000


def test_a_line_that_tells_excel_the_separator_is_not_the_heading() -> None:
    heading, rows = opened_table(io.BytesIO(b"sep=;\r\na;b,c,d\r\n1;2\r\n"))
    assert (heading, list(rows)) == (Record(2, ["a", "b,c,d"]), [Record(3, ["1", "2"])])
    with pytest.raises(FileRefused, match="it is empty"):
        opened_table(io.BytesIO(b"sep=;\n"))


def test_a_heading_of_thousands_of_columns_is_no_heading() -> None:
    heading, _ = opened_table(io.BytesIO(b"a," * 3_000))
    with pytest.raises(FileRefused, match="too many columns"):
        column_names(heading, (), folded)


# --- Cells ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.50", "EUR", 1250),
        ("12.5", "EUR", 1250),
        ("12", "EUR", 1200),
        ("12.", "EUR", 1200),
        (".5", "EUR", 50),
        ("-0.01", "EUR", -1),
        ("+7", "JPY", 7),
        ("1.234", "KWD", 1234),
        ("0.00000001", "BTC", 1),
        (" 3 ", "EUR", 300),
        ("92233720368547758.07", "EUR", 2**63 - 1),
        ("00012.00", "EUR", 1200),
    ],
)
def test_amounts_are_read_exactly(text: str, currency: str, minor: int) -> None:
    assert minor_units(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("", "EUR"),
        (".", "EUR"),
        ("1.234", "EUR"),
        ("1.000", "EUR"),
        ("1.00", "JPY"),
        ("1,000.00", "EUR"),
        ("1,5", "EUR"),
        ("1 000", "EUR"),
        ("1_000", "EUR"),
        ("1e3", "EUR"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("0x10", "EUR"),
        ("--1", "EUR"),
        ("(1.00)", "EUR"),
        ("−1.00", "EUR"),
        ("\uff11.00", "EUR"),
        ("٣", "EUR"),
        ("92233720368547758.08", "EUR"),
        ("9" * 5_000, "EUR"),
    ],
)
def test_what_is_no_amount_of_the_currency_is_not_read(text: str, currency: str) -> None:
    with pytest.raises(Unreadable):
        minor_units(text, currency)


def test_separators_and_points_are_those_of_the_format() -> None:
    assert minor_units("1,234,567.89", "USD", thousands=",") == 123456789
    assert minor_units("1.234,5", "EUR", thousands=".", point=",") == 123450
    assert minor_units("12,50", "EUR", point=",") == 1250
    for wrong in ("1,23,456.00", "1234,567.00", ",123.00", "1,234,56"):
        with pytest.raises(Unreadable):
            minor_units(wrong, "USD", thousands=",")
    with pytest.raises(Unreadable):
        minor_units("12.50", "EUR", point=",")


def test_two_zeros_may_stand_where_the_currency_has_none_if_the_format_writes_them() -> None:
    assert minor_units("100.00", "JPY", padded=True) == 100
    for wrong, currency in (("100.50", "JPY"), ("1.000", "EUR"), ("1.000", "JPY")):
        with pytest.raises(Unreadable):
            minor_units(wrong, currency, padded=True)


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(sorted(ASSETS)))
def test_every_amount_comes_back_from_its_text(minor: int, currency: str) -> None:
    text = f"{Decimal(minor).scaleb(-ASSETS[currency].exponent):f}"
    assert minor_units(text, currency) == minor


def test_fractions_of_the_minor_unit_are_kept_where_they_are_asked_for() -> None:
    assert exact_minor_units("0.00020", "CNY") == Decimal("0.02")


def test_amounts_in_minor_units_have_neither_sign_nor_point() -> None:
    assert unsigned_minor_units("0010") == 10
    for wrong in ("", "-1", "1.0", "9" * 19, "9" * 30, "\uff11"):
        with pytest.raises(Unreadable):
            unsigned_minor_units(wrong)


def test_currencies_are_those_of_the_ledger() -> None:
    assert known_currency(" usd ") == "USD"
    for wrong in ("", "XAU", "US", "\u017fek"):
        with pytest.raises(Unreadable):
            known_currency(wrong)


def test_times_and_days_are_of_our_time() -> None:
    plus_8 = timezone(timedelta(hours=8))
    assert moment("2026-11-21 08:00:01", plus_8) == datetime(2026, 11, 21, 0, 0, 1, tzinfo=UTC)
    assert moment("2026-11-21T08:00:01Z", plus_8) == datetime(2026, 11, 21, 8, 0, 1, tzinfo=UTC)
    assert day("2026-11-21 08:00") == date(2026, 11, 21)
    for wrong in ("", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "2026-02-30 00:00:00", "21.11.2026", "x"):
        for read in (lambda text: moment(text, UTC), day):
            with pytest.raises(Unreadable):
                read(wrong)


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("paid with 4111111111111111.", "paid with …1111."),
        ("4111 1111 1111 1111", "…1111"),
        ("4111-1111-1111-1111", "…1111"),
        ("3782 822463 10005", "…0005"),
        ("378282246310005", "…0005"),
        ("6212345678900000003", "…0003"),
        ("4111111111111112", "4111111111111112"),
        ("4200000925202101284997714292", "4200000925202101284997714292"),
        ("2026-11-21 08:00:01", "2026-11-21 08:00:01"),
        ("411111111111", "411111111111"),
        ("x4111111111111111y and 5500005555555559", "x…1111y and …5559"),
        # Our own names are no cards, however a bank writes them.
        ("ref_01a1ff9a4111111111111111abcdef01-1 REFUND", "ref_01a1ff9a4111111111111111abcdef01-1 REFUND"),
        ("PO01A1FF9A4111111111111111ABCDEF01", "PO01A1FF9A4111111111111111ABCDEF01"),
        ("ref_4111111111111111 REFUND", "ref_…1111 REFUND"),
    ],
)
def test_card_numbers_leave_their_last_four_digits(text: str, without: str) -> None:
    assert without_card_numbers(text) == without
