"""Spreadsheet: the one sheet of an XLSX workbook (ECMA-376) as records, streamed, its numbers as they are shown.

The reader is ours. openpyxl (3.1.5) makes binary floats of all numbers, trusts the size that a sheet says it has, and
holds every shared string however many there are; python-calamine holds the whole sheet. What is needed here is little:
rows of text, numbers and days.

A number is stored in up to 17 digits and meant in 15, which is what a spreadsheet shows: 1.1000000000000001 is 1.1.
Whole numbers of more digits were cut when they were typed; they stay as they are stored, so that nothing takes them for
an amount or an id. Days and times are numbers in a style that shows them so, and come as ISO 8601.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import BinaryIO

from commands.report_files.opening import YEARS, members, unpacked
from commands.report_files.xml_elements import Element, parts
from ledger.report_row import FileRefused

MOST_SHARED_STRINGS = 1 << 20
MOST_SHARED_CHARACTERS = 32 << 20
MOST_COLUMNS = 2_000
_MOST_STYLES = 1 << 16

_NAMESPACES = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
_WORKBOOK = "xl/workbook.xml"
_AS_SHOWN = Context(prec=15, rounding=ROUND_HALF_EVEN)
_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?")
_TOO_LARGE = Decimal(10) ** 15
_OF_DAYS = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])  # built-in formats
# What is not a letter of the format itself: [red], "text", \x, _x, *x.
_NOT_OF_THE_FORMAT = re.compile(r'\[[^\]]*\]|"[^"]*"|\\.|_.|\*.')

Sheet = Iterator[tuple[int, list[str]]]


def is_spreadsheet(file: BinaryIO) -> bool:
    """Whether it is a zip that holds a workbook; the file is then at its beginning again."""
    file.seek(0)
    zipped = file.read(4) == b"PK\x03\x04"
    found = zipped and _WORKBOOK in members(file)
    file.seek(0)
    return found


def sheet_rows(file: BinaryIO) -> Sheet:
    """Each row of the one visible sheet that has cells: its number, and its cells from the first column on."""
    names = set(members(file))
    sheet, since = _the_sheet(file)
    days = _styles_of_days(file) if "xl/styles.xml" in names else set[int]()
    shared = _shared_strings(file) if "xl/sharedStrings.xml" in names else []
    number = 0
    for element in _elements(file, sheet, "worksheet", "worksheet/sheetData"):
        if element.name != "row":
            continue
        told = element.attributes.get("r", "")
        number = int(told) if re.fullmatch("[0-9]{1,7}", told) else number + 1
        if cells := _cells(element, shared, days, since):
            yield number, cells


def _elements(file: BinaryIO, member: str, root: str, *opened: str) -> Iterator[Element]:
    """What stands in the root of a member and in the elements at the paths `opened`, one after the other."""

    def known(namespace: str, line: int) -> None:
        if namespace not in (*_NAMESPACES, _RELATIONSHIPS):
            raise FileRefused(f"{member} is of no spreadsheet that is read", line)

    inside = unpacked(file, lambda name: name == member)
    for _, element, is_finished in parts(inside, root, known, frozenset({root, *opened}), frozenset()):
        if is_finished:
            yield element


def _the_sheet(file: BinaryIO) -> tuple[str, date]:
    """The member that is the one visible sheet, and the day from which days are counted."""
    shown, since = list[str](), date(1899, 12, 30)
    for element in _elements(file, _WORKBOOK, "workbook"):
        if element.name == "sheets":
            sheets = [one for one in element.children if one.attributes.get("state", "visible") == "visible"]
            shown = [one.attributes.get("id", "") for one in sheets]
        elif element.name == "workbookPr" and element.attributes.get("date1904") in ("1", "true"):
            since = date(1904, 1, 1)
    if len(shown) != 1:
        raise FileRefused(f"{len(shown)} sheets are shown in it; it must be one")
    for element in _elements(file, "xl/_rels/workbook.xml.rels", "Relationships"):
        if element.attributes.get("Id") == shown[0]:
            target = element.attributes.get("Target", "")
            return target.removeprefix("/") if target.startswith("/") else f"xl/{target}", since
    raise FileRefused("the workbook does not say where its sheet is")


def _styles_of_days(file: BinaryIO) -> set[int]:
    """The styles by their number in which a number is shown as a day or a time."""
    formats, styles, place = set(_OF_DAYS), set[int](), 0
    for element in _elements(file, "xl/styles.xml", "styleSheet", "styleSheet/cellXfs"):
        if element.name == "numFmts":
            for one in element.children:
                code = _NOT_OF_THE_FORMAT.sub("", one.attributes.get("formatCode", "").lower())
                if re.search("[ydhs]", code):
                    formats.add(_whole(one.attributes.get("numFmtId", "")))
        elif element.name == "xf":
            if _whole(element.attributes.get("numFmtId", "")) in formats:
                styles.add(place)
            place += 1
            if place > _MOST_STYLES:
                raise FileRefused("it has too many styles")
    return styles


def _shared_strings(file: BinaryIO) -> list[str]:
    strings, characters = list[str](), 0
    for element in _elements(file, "xl/sharedStrings.xml", "sst"):
        strings.append(_text(element))
        characters += len(strings[-1])
        if len(strings) > MOST_SHARED_STRINGS or characters > MOST_SHARED_CHARACTERS:
            raise FileRefused("it has more text than is read from a spreadsheet")
    return strings


def _text(element: Element) -> str:
    """Of a string or an inline one, in one piece or in several of different looks."""
    return element.text_at("t") or "".join(run.text for run in element.all("r/t"))


def _cells(row: Element, shared: list[str], days: set[int], since: date) -> list[str]:
    cells: list[str] = []
    for cell in row.children:
        if cell.name != "c":
            continue
        column = _column(cell.attributes.get("r", "")) or len(cells) + 1
        if column > MOST_COLUMNS:
            raise FileRefused("it has too many columns", row.line)
        cells.extend([""] * (column - len(cells)))
        cells[column - 1] = _value(cell, shared, days, since)
    return cells


def _column(reference: str) -> int:
    """The how-manieth column `AB12` stands in; 0 where it does not tell."""
    letters, column = re.match("[A-Z]{0,3}", reference), 0
    for letter in letters[0] if letters else "":
        column = column * 26 + ord(letter) - ord("A") + 1
    return column


def _value(cell: Element, shared: list[str], days: set[int], since: date) -> str:
    stored = cell.text_at("v")
    match cell.attributes.get("t", "n"):
        case "s":
            place = _whole(stored)
            if not 0 <= place < len(shared):
                raise FileRefused("a cell refers to a text that is not there", cell.line)
            return shared[place]
        case "inlineStr":
            inline = cell.first("is")
            return _text(inline) if inline is not None else ""
        case "b":
            return "TRUE" if stored == "1" else "FALSE"
        case "n" if _NUMBER.fullmatch(stored):
            number = Decimal(stored)
            is_day = _whole(cell.attributes.get("s", "")) in days
            return (is_day and _moment(number, since)) or _as_shown(number, stored)
        case _:
            return stored


def _as_shown(number: Decimal, stored: str) -> str:
    if abs(number) >= _TOO_LARGE:
        return stored
    text = f"{_AS_SHOWN.plus(number):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _moment(number: Decimal, since: date) -> str:
    """The day or the time that so many days after `since` is; empty where it is neither of our time."""
    if not 1 <= number < 100_000:
        return ""
    seconds = int((number * 86_400).to_integral_value(ROUND_HALF_EVEN))
    at = datetime.combine(since, time.min) + timedelta(seconds=seconds)  # its zone stands elsewhere in the row
    if at.year not in YEARS:
        return ""
    return at.date().isoformat() if seconds % 86_400 == 0 else at.isoformat(sep=" ")


def _whole(text: str) -> int:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else -1
