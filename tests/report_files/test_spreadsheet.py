"""Spreadsheets: the one sheet of a workbook as records, its numbers exact and its days as days."""

import io
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.report_files import spreadsheet
from commands.report_files.spreadsheet import is_spreadsheet, sheet_rows
from commands.report_files.tables import opened_table
from ledger.report_row import FileRefused
from tests.report_files.disguises import ENVELOPES
from tests.report_files.workbooks import MAIN, column, sheet_of, workbook

STYLES = (
    '<numFmts count="3"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm:ss"/>'
    '<numFmt numFmtId="165" formatCode="[Red]#,##0.00_);&quot;days&quot; 0"/>'
    '<numFmt numFmtId="166" formatCode="[$-409]d/m/yy;@"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/>'
    "</cellXfs>"
)


def cells_of(row: str, shared: str = "", styles: str = STYLES, about: str = "") -> list[str]:
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData><row>{row}</row></sheetData></worksheet>'
    ((number, cells),) = sheet_rows(io.BytesIO(workbook(sheet, shared, styles, about)))
    assert number == 1
    return cells


@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        ("12.5", "12.5"),
        ("1.1000000000000001", "1.1"),
        ("0.30000000000000004", "0.3"),
        ("-1234567.8900000001", "-1234567.89"),
        ("100", "100"),
        ("1E2", "100"),
        ("1.5E-3", "0.0015"),
        ("999999999999999", "999999999999999"),
        ("4.11111111111111E+15", "4.11111111111111E+15"),
        ("12345678901234567", "12345678901234567"),
        ("0", "0"),
        ("", ""),
        ("1e999", "1e999"),
    ],
)
def test_numbers_are_what_a_spreadsheet_shows(stored: str, meant: str) -> None:
    assert cells_of(f"<c><v>{stored}</v></c>") == [meant]


@pytest.mark.parametrize(
    ("style", "stored", "meant"),
    [
        ("1", "46347", "2026-11-21"),
        ("2", "46347.5", "2026-11-21 12:00:00"),
        ("2", "46347.832581018521", "2026-11-21 19:58:55"),
        ("4", "46347", "2026-11-21"),
        ("3", "46347", "46347"),
        ("0", "46347", "46347"),
        ("9", "46347", "46347"),
        ("1", "0.5", "0.5"),
        ("1", "99999999", "99999999"),
    ],
)
def test_days_and_times_are_numbers_in_a_style_that_shows_them_so(style: str, stored: str, meant: str) -> None:
    assert cells_of(f'<c s="{style}"><v>{stored}</v></c>') == [meant]


def test_days_may_be_counted_from_1904() -> None:
    assert cells_of('<c s="1"><v>44885</v></c>', about='<workbookPr date1904="1"/>') == ["2026-11-21"]


def test_texts_are_shared_or_inline_and_may_be_of_several_looks() -> None:
    shared = "<si><t>Type</t></si><si><r><t>Merchant</t></r><r><rPr/><t>Payout</t></r><rPh><t>x</t></rPh></si>"
    row = (
        '<c t="s"><v>1</v></c><c t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c><c t="str"><v>c</v></c>'
        '<c t="b"><v>1</v></c><c t="e"><v>#REF!</v></c><c t="d"><v>2026-11-21</v></c><c t="s"><v>0</v></c>'
    )
    assert cells_of(row, shared) == ["MerchantPayout", "ab", "c", "TRUE", "#REF!", "2026-11-21", "Type"]


def test_cells_that_are_left_out_are_empty() -> None:
    assert cells_of('<c r="B1"><v>1</v></c><c r="E1"><v>2</v></c><c><v>3</v></c>') == ["", "1", "", "", "2", "3"]
    heading, rows = opened_table(io.BytesIO(workbook(sheet_of([[], ["a", "b", "c"], [], ["1"], ["", "2"]]))))
    assert (heading.line, heading.cells) == (2, ["a", "b", "c"])
    assert [(row.line, row.cells) for row in rows if hasattr(row, "cells")] == [(4, ["1", "", ""]), (5, ["", "2", ""])]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (workbook(sheet_of([["a"]]), sheets='<sheet r:id="rId1"/><sheet r:id="rId2"/>'), "2 sheets are shown"),
        (workbook(sheet_of([["a"]]), sheets='<sheet state="hidden" r:id="rId1"/>'), "0 sheets are shown"),
        (workbook(sheet_of([["a"]]), sheets='<sheet r:id="rId7"/>'), "does not say where its sheet is"),
        (workbook(sheet_of([["a"]]), sheets='<sheet r:id="rId9"/>'), "of the zip's members 0 are the report"),
        (workbook(sheet_of([[]])), "it is empty"),
        (workbook(sheet_of([["a"] * 2_001])), "too many columns"),
        (workbook(sheet_of([["a"]]).replace("spreadsheetml", "wordprocessingml")), "of no spreadsheet that is read"),
        (workbook(sheet_of([["a"]]).replace("</row>", "")), "not well-formed"),
        (workbook("<!DOCTYPE x [<!ENTITY a 'aa'>]>" + sheet_of([["a"]])), "declares a document type"),
        (workbook(sheet_of([["5"]]).replace('"A1"', '"A1" t="s"')), "a text that is not there"),
    ],
)
def test_what_is_no_workbook_of_one_sheet_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FileRefused, match=reason):
        list(opened_table(io.BytesIO(data))[1])


def test_a_sheet_beside_one_that_is_hidden_is_the_one() -> None:
    sheets = '<sheet state="veryHidden" r:id="rId5"/><sheet name="S" state="visible" r:id="rId1"/>'
    assert opened_table(io.BytesIO(workbook(sheet_of([["a", "b"]]), sheets=sheets)))[0].cells == ["a", "b"]


def test_other_zips_and_texts_are_no_spreadsheets() -> None:
    assert is_spreadsheet(io.BytesIO(workbook(sheet_of([["a"]]))))
    for envelope in ENVELOPES.values():
        assert not is_spreadsheet(io.BytesIO(envelope("a,b\n")))


def test_more_shared_text_than_is_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = workbook(sheet_of([["a"]]), shared="<si><t>abcdefghij</t></si>" * 20)
    for bound, value in (("MOST_SHARED_STRINGS", 10), ("MOST_SHARED_CHARACTERS", 100)):
        with monkeypatch.context() as patch:
            patch.setattr(spreadsheet, bound, value)
            with pytest.raises(FileRefused, match="more text than is read"):
                list(sheet_rows(io.BytesIO(data)))


def test_memory_does_not_grow_with_the_rows() -> None:
    peaks = []
    for rows in (1_500, 3_000):
        file = io.BytesIO(workbook(sheet_of([["a", "b"], *([f"text {n}", str(n)] for n in range(rows))])))
        tracemalloc.start()
        assert sum(1 for _ in opened_table(file)[1]) == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000


def test_columns_have_letters() -> None:
    assert [column(place) for place in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


SOUND = workbook(sheet_of([["a", "b"], ["1.5", "x"]]), "<si><t>x</t></si>", STYLES, '<workbookPr a="1"/>')


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1), st.binary(min_size=1, max_size=6), st.booleans())
def test_a_damaged_workbook_is_read_or_refused(at: float, put: bytes, inside: bool) -> None:
    if inside:
        text = sheet_of([["a", "b"], ["1.5", "x"], ["46347", "4"]])
        place = int(at * len(text))
        data = workbook(text[:place] + put.decode("latin-1") + text[place + len(put) :], styles=STYLES)
    else:
        place = int(at * len(SOUND))
        data = SOUND[:place] + put + SOUND[place + len(put) :]
    with suppress(FileRefused):
        list(opened_table(io.BytesIO(data))[1])
