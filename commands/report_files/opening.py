"""Opening: from the bytes of a file to its lines: unpacked, decoded, bounded, without card numbers, and exact amounts.

bytes ──▶ unpacked (gzip, or one member of a zip) ──▶ decoded (BOM, else strict UTF-8, else what the format prescribes)
      ──▶ lines (any line end, none endless) ──▶ a reader, or tables.py for rows by column

What is wrong with the file raises FileRefused; what is wrong with one cell raises Unreadable, which a reader turns into
a RejectedRow. Nothing else leaves, whatever the bytes are.
"""

import codecs
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from ledger.currencies import ASSETS
from ledger.money import LARGEST
from ledger.report_row import FileRefused

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

UNPACKED_AT_MOST_BYTES = 1 << 30
MOST_UNPACKED_PER_PACKED = 200  # a report of very similar lines packs to a fiftieth; a bomb to a thousandth
RATIO_COUNTS_FROM_BYTES = 16 << 20
LISTED_AT_MOST_BYTES = 1 << 20  # a zip's list of members: one or two are wanted, this is thousands
LONGEST_LINE = 1 << 20  # characters
YEARS = range(1990, 2101)
_PIECE = 1 << 16

_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError)
_BOMS = [  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
_AMOUNT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
# First names of ours, with their sign or as banks write them: of a thousand one has digits that might be a card's.
_PERHAPS_A_CARD = re.compile(
    r"\b[A-Za-z]{2,5}_?[0-9A-Fa-f]{32}"
    r"|(?<![0-9])(?:[0-9]{13,19}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}(?:\1[0-9]{1,3})?"
    r"|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5})(?![0-9])"
)


class Unreadable(Exception):
    """One cell or line cannot be read: the reason, for a RejectedRow."""


# --- Bytes ------------------------------------------------------------------------------------------------------------


def unpacked(file: BinaryIO, wanted: Callable[[str], bool] | None = None) -> BinaryIO:
    """The file itself, or what is packed in it by gzip or zip, from its beginning; it can be read again after seek(0).

    `wanted` says by its name whether a member of a zip is meant; names not marked as UTF-8 are taken as GBK. Without it
    the zip has one member. Packed in packed is not unpacked twice.
    """
    file.seek(0)
    head = file.read(4)
    file.seek(0, io.SEEK_END)
    packed_bytes = file.tell()
    file.seek(0)
    if head[:3] == b"\x1f\x8b\x08":
        return io.BufferedReader(_Bounded(lambda: _gunzipping(file), packed_bytes), _PIECE)
    if head == b"PK\x03\x04" or head == b"PK\x05\x06":
        archive, member = _member(file, wanted or (lambda _: True))
        return io.BufferedReader(_Bounded(lambda: archive.open(member), member.compress_size), _PIECE)
    return file


def _gunzipping(file: BinaryIO) -> IO[bytes]:
    file.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb"))


def members(file: BinaryIO) -> list[str]:
    """The names in a zip, directories left out; raises FileRefused where it is none."""
    return [name_in_zip(one) for one in _archive(file).infolist() if not one.filename.endswith("/")]


def name_in_zip(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & 0x800:
        return member.filename
    try:  # Python has read it as the code page of the first PCs; Chinese channels write GBK
        return member.filename.encode("cp437").decode("gbk")
    except UnicodeError:
        return member.filename


class _ShortReads:
    """A file as ZipFile sees it: no list of members is read that would fill the memory."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable, self._read = file.seek, file.tell, file.seekable, file.read

    def read(self, size: int = -1, /) -> bytes:
        if size > LISTED_AT_MOST_BYTES:
            raise FileRefused("the zip lists too many members")
        return self._read(LISTED_AT_MOST_BYTES if size < 0 else size)


def _archive(file: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(_ShortReads(file))
    except _BROKEN as error:
        raise FileRefused(f"the zip cannot be opened: {error}") from error


def _member(file: BinaryIO, wanted: Callable[[str], bool]) -> tuple[zipfile.ZipFile, zipfile.ZipInfo]:
    archive = _archive(file)
    found = [one for one in archive.infolist() if not one.filename.endswith("/") and wanted(name_in_zip(one))]
    if len(found) != 1:
        raise FileRefused(f"of the zip's members {len(found)} are the report; it must be one")
    member = found[0]
    if member.flag_bits & 0x1:
        raise FileRefused("the zip is encrypted")
    # The other methods may ask for memory by the gigabyte before the first byte.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileRefused("the zip is packed by a method that is not read: only stored and deflated are")
    return archive, member


class _Bounded(io.RawIOBase):
    """What is unpacked, counted while it comes: more than is allowed, or broken, refuses the file."""

    def __init__(self, begin: Callable[[], IO[bytes]], packed_bytes: int) -> None:
        self._begin, self._packed_bytes = begin, packed_bytes
        self._begin_again()

    def _begin_again(self) -> None:
        self._at = 0
        try:
            self._stream = self._begin()
        except _BROKEN as error:
            raise FileRefused(f"it cannot be unpacked: {error}") from error

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if (offset, whence) == (0, io.SEEK_SET):
            self._begin_again()
        elif (offset, whence) != (0, io.SEEK_CUR):
            raise io.UnsupportedOperation("what is unpacked can only be read again from its beginning")
        return self._at

    def readinto(self, into: "WriteableBuffer", /) -> int:
        room = memoryview(into)
        try:
            piece = self._stream.read(len(room))
        except _BROKEN as error:
            raise FileRefused(f"it cannot be unpacked: {error}") from error
        self._at += len(piece)
        much = self._at > RATIO_COUNTS_FROM_BYTES and self._at > MOST_UNPACKED_PER_PACKED * self._packed_bytes
        if much or self._at > UNPACKED_AT_MOST_BYTES:
            raise FileRefused("it unpacks to more than is read")
        room[: len(piece)] = piece
        return len(piece)


# --- Text -------------------------------------------------------------------------------------------------------------


def encoding_of(file: BinaryIO, otherwise: str = "utf-8") -> str:
    """How the file is written, by its mark, else UTF-8 if all of it is that, else `otherwise`; read from the beginning.

    `otherwise` is what the format prescribes, or what the programs of its readers make of it: `gb18030` for GBK.
    """
    file.seek(0)
    head = file.read(_PIECE)
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head:  # no text in any other encoding has these
        return "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
    if otherwise == "utf-8":
        return otherwise
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while head:
            decoder.decode(head)
            head = file.read(_PIECE)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return otherwise
    return "utf-8"


def lines(file: BinaryIO, otherwise: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Each line of the file with its number from 1, without its end (LF, CR LF or CR); `file` as `unpacked` gave it."""
    encoding = encoding_of(file, otherwise)
    file.seek(0)
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    number, rest, more = 0, "", True
    while more:
        piece = file.read(_PIECE)
        more = bool(piece)
        try:
            text = decoder.decode(piece, final=not more)
        except UnicodeDecodeError as error:
            raise FileRefused(f"it is not written in {encoding}", number + 1) from error
        if "\0" in text:  # no program writes it, and no database takes it
            raise FileRefused("it holds zeros, so that it is no text", number + 1)
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            number += 1
            if len(line) > LONGEST_LINE:
                raise FileRefused("the line is too long", number)
            yield number, line
        if len(rest) > LONGEST_LINE:
            raise FileRefused("the line is too long", number + 1)
    if rest:
        yield number + 1, rest


def without_card_numbers(text: str) -> str:
    """The text with what may be the number of a card shown by its last four digits: `…1234`."""
    return _PERHAPS_A_CARD.sub(_masked, text) if len(text) >= 13 else text


def _masked(found: re.Match[str]) -> str:
    if not found[0][0].isdigit():
        return found[0]
    digits = [int(one) for one in found[0] if one.isdigit()]
    # ISO/IEC 7812: every second digit from the right but one counts double, 10 and more with both its digits.
    double = sum(sum(divmod(2 * one, 10)) for one in digits[-2::-2])
    if (double + sum(digits[::-2])) % 10:
        return found[0]
    return "…" + "".join(map(str, digits[-4:]))


# --- Cells ------------------------------------------------------------------------------------------------------------


def known_currency(text: str) -> str:
    """The code in capitals, as ISO 4217 has it; a report may write it small."""
    code = text.strip().upper()
    if code not in ASSETS or not text.isascii():  # capitals of other letters may be of ours
        raise Unreadable(f"{shown(text)} is no known currency")
    return code


def minor_units(text: str, currency: str, *, thousands: str = "", point: str = ".", padded: bool = False) -> int:
    """An amount in major units as whole minor units, exactly; `currency` is a known one.

    `thousands` is the separator that the format has, if any, and `point` its decimal sign. Fewer decimals than the
    currency has are as good as all. With `padded` there may be two where it has fewer, if they are 0; never three,
    which elsewhere are thousands.
    """
    exact = exact_minor_units(text, currency, thousands=thousands, point=point)
    _, _, fraction = text.strip().partition(point)
    most = ASSETS[currency].exponent
    if exact != exact.to_integral_value() or len(fraction) > (max(2, most) if padded else most):
        raise Unreadable(f"{shown(text)} has more decimals than {currency}")
    return int(exact)


def exact_minor_units(text: str, currency: str, *, thousands: str = "", point: str = ".") -> Decimal:
    """An amount in major units in minor units with their fraction, for fees that are told finer than the minor unit."""
    bare = text.strip()
    if thousands and thousands in bare:
        whole, sign, fraction = bare.partition(point)
        if not re.fullmatch(rf"[+-]?[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+", whole):
            raise Unreadable(f"{shown(text)} is no amount")
        bare = whole.replace(thousands, "") + sign + fraction
    if point != ".":
        bare = bare.replace(".", "?").replace(point, ".")
    # Decimal itself would read more: exponents, underscores, the digits of every script, NaN.
    if len(bare) > 40 or not _AMOUNT.fullmatch(bare):
        raise Unreadable(f"{shown(text)} is no amount")
    exact = Decimal(bare).scaleb(ASSETS[currency].exponent)
    if abs(exact) > LARGEST:
        raise Unreadable(f"{shown(text)} is more than can be counted")
    return exact


def unsigned_minor_units(text: str) -> int:
    """An amount that the format writes in whole minor units, without sign."""
    bare = text.strip()
    if not re.fullmatch("[0-9]{1,19}", bare) or int(bare) > LARGEST:
        raise Unreadable(f"{shown(text)} is no amount in minor units")
    return int(bare)


def moment(text: str, zone: tzinfo) -> datetime:
    """A time as ISO 8601 writes it, with its own zone if it has one, else in `zone`."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Unreadable(f"{shown(text)} is no time") from None
    if at.year not in YEARS:  # near the ends of the calendar another zone is beyond it
        raise Unreadable(f"{shown(text)} is no time")
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def day(text: str) -> date:
    """The day of an ISO 8601 date or time."""
    try:
        found = date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise Unreadable(f"{shown(text)} is no day") from None
    if found.year not in YEARS:
        raise Unreadable(f"{shown(text)} is no day")
    return found


def shown(text: str) -> str:
    """A cell in a reason: short, in quotation marks, without card numbers."""
    bare = without_card_numbers(text)
    return f"“{bare[:39]}…”" if len(bare) > 40 else f"“{bare}”"
