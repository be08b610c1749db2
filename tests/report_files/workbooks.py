"""Workbooks: XLSX files of one sheet, as small as a spreadsheet program would still open them."""

import io
import re
import zipfile
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def column(place: int) -> str:
    """The letters of a column, from 0."""
    letters = ""
    place += 1
    while place:
        place, letter = divmod(place - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def sheet_of(rows: list[list[str]]) -> str:
    """A sheet in which plain numbers are stored as such and all else as inline text; empty cells are left out."""
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(
            f'<c r="{column(place)}{number}"><v>{cell}</v></c>'
            if re.fullmatch(r"-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,4})?", cell)
            else f'<c r="{column(place)}{number}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
            for place, cell in enumerate(row)
            if cell
        )
        lines.append(f'<row r="{number}">{cells}</row>')
    return f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def workbook(
    sheet: str, shared: str = "", styles: str = "", about: str = "", sheets: str = '<sheet name="S" r:id="rId1"/>'
) -> bytes:
    """A whole file around this sheet; `shared` and `styles` are what stands in the roots of those members."""
    named = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{_OFFICE}">{about}<sheets>{sheets}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        '<Relationship Id="rId9" Target="theme.xml"/><Relationship Id="rId1" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": sheet,
    }
    if shared:
        named["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">{shared}</sst>'
    if styles:
        named["xl/styles.xml"] = f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in named.items():
            archive.writestr(name, text)
    return out.getvalue()
