"""Statements as camt.053: versions, senses, balances, totals, and what their XML must not do."""

import gzip
import io
import tracemalloc
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given

from commands.report_files.camt053 import read
from ledger.report_row import FileRefused
from tests.report_files.bytes_gone_wrong import damaged
from tests.report_files.camt053_files import (
    amount,
    balance,
    batch,
    charges,
    document,
    entry,
    statement,
    transaction,
)
from tests.report_files.reading import Found, read_all

REFERENCES = (
    "<Refs><MsgId>MSG</MsgId><AcctSvcrRef>BANK-1</AcctSvcrRef><PmtInfId>BATCH-7</PmtInfId>"
    "<EndToEndId>po_1</EndToEndId><UETR>0b1f6c3e-7f5a-4f60-9b52-000000000001</UETR><TxId>TX1</TxId></Refs>"
)
REMITTANCE = (
    "<RltdPties><Dbtr><Pty><Nm>Jane Doe</Nm></Pty></Dbtr></RltdPties>"
    "<RmtInf><Ustrd>Invoice 1</Ustrd><Ustrd>and 2</Ustrd>"
    "<Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf>"
)
OPENING, CLOSING = balance("OPBD", "100.00"), balance("CLBD", "112.50")


def seen(*parts: str) -> Found:
    return read_all(read, document(statement(*parts)))


def refused(data: bytes | str) -> FileRefused:
    with pytest.raises(FileRefused) as refusal:
        read_all(read, data)
    return refusal.value


def test_an_entry_becomes_a_row_with_its_references() -> None:
    found = seen(OPENING, CLOSING, entry("12.50", details=batch(REFERENCES + amount("12.50") + REMITTANCE)))
    (row,) = found.rows
    assert (row.line, row.kind, row.gross, row.fee, row.net, row.currency) == (1, "credit", 1250, 0, 1250, "EUR")
    assert (row.external_id, row.our_reference, row.batch) == ("BANK-1", "po_1", "BATCH-7")
    assert row.bank_reference == "0b1f6c3e-7f5a-4f60-9b52-000000000001"
    assert (row.account, row.statement, row.posted) == ("DE02120300000000202051", "S-1", True)
    assert (row.at, row.value_date) == (None, date(2026, 11, 20))
    assert row.text == "Jane Doe | Invoice 1 | and 2 | RF18539007547034"
    assert row.raw["TxDtls/RmtInf/Ustrd"] == "Invoice 1\nand 2"
    assert row.raw["Amt@Ccy"] == "EUR"
    assert not found.broken
    assert [control.name for control in found.controls] == ["closing balance S-1"]


@pytest.mark.parametrize("version", [f"{version:02}" for version in range(2, 14)])
def test_every_version_is_read(version: str) -> None:
    status = "<Sts>BOOK</Sts>" if version == "02" else "<Sts><Cd>BOOK</Cd></Sts>"
    found = read_all(read, document(statement(OPENING, CLOSING, entry("12.50", status=status)), version=version))
    assert [row.gross for row in found.rows] == [1250]
    assert not found.broken


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (document(), "no statement"),
        (document(statement(), version="01"), "not camt.053 of version 02 to 13"),
        (document(statement(), version="14"), "not camt.053 of version 02 to 13"),
        ('<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"/>', "not camt.053"),
        ("<html><body>Log in</body></html>", "no statement"),
        ("", "not well-formed"),
        (document(statement(entry("1")))[:-40], "not well-formed"),
        (document(statement(balance("OPBD", "1,00"))), "its balance OPBD cannot be read"),
        (document(statement(), prologue='<?xml version="1.0" encoding="x-none"?>'), "encoding"),
    ],
)
def test_what_is_not_camt053_is_refused(file: str, reason: str) -> None:
    assert reason in refused(file).reason


def test_a_refusal_of_broken_xml_names_its_line() -> None:
    assert refused("<Document\n\n<").line == 3


def test_an_envelope_around_the_document_is_passed_by() -> None:
    inner = document(statement(OPENING, CLOSING, entry("12.50")), prologue="")
    assert len(read_all(read, f"<Envelope><Header><a>1</a></Header>{inner}</Envelope>").rows) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_the_encoding_is_the_one_that_the_file_names(encoding: str) -> None:
    named = {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    prologue = f'<?xml version="1.0" encoding="{named}"?>'
    said = entry("12.50", more="<AddtlNtryInf>Gebühr</AddtlNtryInf>")
    data = document(statement(OPENING, CLOSING, said), prologue=prologue).encode(encoding)
    for file in (data, gzip.compress(data)):
        assert read_all(read, file).rows[0].text == "Gebühr"


# --- What XML must not do ---------------------------------------------------------------------------------------------

LAUGHS = "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "prologue",
    [
        f'<!DOCTYPE Document [<!ENTITY lol0 "lol">{LAUGHS}]>',
        '<!DOCTYPE Document [<!ENTITY file SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/evil.dtd">',
        '<!DOCTYPE Document [<!ENTITY % more SYSTEM "http://127.0.0.1:9/evil.dtd"> %more;]>',
    ],
    ids=["billion laughs", "external entity", "external document type", "parameter entity"],
)
def test_a_document_type_is_refused_before_anything_is_expanded(prologue: str) -> None:
    bomb = document(statement(entry("1", more="<AddtlNtryInf>&lol9;&file;</AddtlNtryInf>")), prologue=prologue)
    tracemalloc.start()
    try:
        assert refused(bomb).reason == "it declares a document type"
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("endless", "reason"),
    [
        ("<!--" + "a" * (3 << 20), "a tag or a comment in it is too long"),
        ('<a b="' + "a" * (3 << 20), "a tag or a comment in it is too long"),
        ("<AddtlNtryInf>" + "a" * (2 << 20), "an entry in it is too large"),
        ("<a/>" * 20_000, "an entry in it is too large"),
        ("<a>" * 100, "its elements are nested too deep"),
    ],
    ids=["comment", "attribute", "text", "elements", "depth"],
)
def test_nothing_in_it_is_endless(endless: str, reason: str) -> None:
    begun = document(statement("<Ntry>")).removesuffix("</Stmt></BkToCstmrStmt></Document>")
    assert refused(begun + endless).reason == reason


def test_a_large_file_does_not_fill_the_memory() -> None:
    many = 4_000
    pieces = [entry("0.01", more=f"<AcctSvcrRef>{n}</AcctSvcrRef>\n") for n in range(many)]
    file = io.BytesIO(document(statement(balance("OPBD", "0"), balance("CLBD", f"{many // 100}"), *pieces)).encode())
    del pieces
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(file)) == many + 1
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


# --- Senses, states and days ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sense", "net"), [("CRDT", 1250), ("DBIT", -1250)])
def test_a_reversal_goes_the_way_that_its_own_indicator_says(sense: str, net: int) -> None:
    """ISO 20022: a CRDT entry with RvslInd was a debit before it was reversed: the money comes back."""
    closing = balance("CLBD", f"{(10_000 + net) / 100:.2f}")
    found = seen(OPENING, closing, entry("12.50", sense, more="<RvslInd>true</RvslInd>"))
    assert [row.net for row in found.rows] == [net]
    assert found.rows[0].text == "reversal"
    assert not found.broken


def test_a_return_says_so_and_names_what_came_back() -> None:
    returned = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>account closed</AddtlInf></RtrInf>"
    (row,) = seen(entry("12.50", details=batch(transaction("12.50", "po_1", more=returned)))).rows
    assert (row.kind, row.about, row.text) == ("credit", "po_1", "returned AC04 account closed")
    assert row.raw["TxDtls/RtrInf/Rsn/Cd"] == "AC04"


@pytest.mark.parametrize("status", ["PDNG", "INFO", "FUTR"])
@pytest.mark.parametrize("form", ["<Sts>{}</Sts>", "<Sts><Cd>{}</Cd></Sts>"])
def test_what_is_only_announced_is_not_posted_and_counts_in_no_balance(status: str, form: str) -> None:
    found = seen(OPENING, CLOSING, entry("12.50"), entry("7.00", status=form.format(status)))
    assert [(row.gross, row.posted) for row in found.rows] == [(1250, True), (700, False)]
    assert not found.broken


@pytest.mark.parametrize(
    ("days", "at", "value_date"),
    [
        (
            "<BookgDt><DtTm>2026-11-19T23:30:00-05:00</DtTm></BookgDt>",
            datetime(2026, 11, 19, 23, 30, tzinfo=timezone(timedelta(hours=-5))),
            date(2026, 11, 19),
        ),
        ("<BookgDt><DtTm>2026-11-19T23:30:00</DtTm></BookgDt>", None, date(2026, 11, 19)),
        ("<BookgDt><Dt>2026-11-19+01:00</Dt></BookgDt>", None, date(2026, 11, 19)),
        (
            "<BookgDt><Dt>2026-11-19</Dt></BookgDt><ValDt><DtTm>2026-11-18T00:00:00Z</DtTm></ValDt>",
            None,
            date(2026, 11, 18),
        ),
        ("", None, None),
    ],
)
def test_a_moment_has_its_zone_or_is_a_day(days: str, at: datetime | None, value_date: date | None) -> None:
    (row,) = seen(entry("12.50", days=days)).rows
    assert (row.at, row.value_date) == (at, value_date)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (entry("12,50"), "“12,50” is no amount"),
        (entry("-12.50"), "has a sign"),
        (entry("12.505"), "more decimals than EUR"),
        (entry("12.50", currency="QQQ"), "no known currency"),
        (entry("12.50", "CREDIT"), "neither CRDT nor DBIT"),
        (entry("12.50", status="<Sts><Prtry>X</Prtry></Sts>"), "its status “X” is not known"),
        (entry("12.50", days="<ValDt><Dt>2026-02-30</Dt></ValDt>"), "is no day"),
        (entry("12.50", days="<ValDt><DtTm>2026-02-28T99:00:00Z</DtTm></ValDt>"), "is no time"),
        (entry("12.50", details=batch(transaction("12,5"))), "“12,5” is no amount"),
    ],
)
def test_a_bad_entry_is_rejected_with_its_reason_and_the_others_are_read(bad: str, reason: str) -> None:
    found = seen(entry("1.00"), bad, entry("2.00"))
    assert [(row.line, row.gross) for row in found.rows] == [(1, 100), (3, 200)]
    (rejected,) = found.rejected
    assert rejected.line == 2
    assert reason in rejected.reason
    assert "CdtDbtInd: " in rejected.raw


def test_an_entry_whose_amount_cannot_be_read_leaves_the_statement_unproven() -> None:
    assert seen(OPENING, CLOSING, entry("12,50")).broken == ["closing balance S-1"]


# --- Balances and totals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "balances",
    [
        [balance("OPBD", "100.00"), balance("CLBD", "112.50")],
        [balance("PRCD", "100.00"), balance("CLBD", "112.50")],
        [balance("PRCD", "7.00"), balance("OPBD", "100.00"), balance("CLBD", "112.50")],
        [balance("OPBD", "100.00"), balance("ITBD", "112.50")],
        [balance("ITBD", "100.00"), balance("CLBD", "112.50")],
        [balance("ITBD", "100.00"), balance("ITBD", "112.50")],
        [balance("OPBD", "12.50", "DBIT"), balance("CLBD", "0.00")],
        [OPENING, CLOSING, balance("CLAV", "1.00", currency="JPY"), balance("FWAV", "3.00")],
    ],
)
def test_a_statement_proves_itself(balances: list[str]) -> None:
    found = seen(*balances, entry("12.50"))
    assert [control.holds for control in found.controls] == [True]
    wrong = seen(*balances, entry("12.51"))
    assert wrong.broken == ["closing balance S-1"]


def test_a_balance_of_another_currency_proves_nothing() -> None:
    found = seen(OPENING, balance("CLBD", "112.50", currency="SEK"), entry("12.50"))
    assert found.broken == ["currencies with both balances S-1"]


def test_each_statement_has_its_own_balances_and_account() -> None:
    other = statement(
        balance("OPBD", "5", currency="JPY"),
        balance("CLBD", "0", currency="JPY"),
        entry("5", "DBIT", currency="JPY"),
        name="S-2",
        account="<Othr><Id>0099</Id></Othr>",
    )
    found = read_all(read, document(statement(OPENING, CLOSING, entry("12.50")), other))
    assert [(row.line, row.statement, row.account) for row in found.rows] == [
        (1, "S-1", "DE02120300000000202051"),
        (2, "S-2", "0099"),
    ]
    assert [(control.name, control.currency, control.holds) for control in found.controls] == [
        ("closing balance S-1", "EUR", True),
        ("closing balance S-2", "JPY", True),
    ]


def test_the_same_statement_twice_flags_the_file() -> None:
    once = statement(OPENING, CLOSING, entry("12.50", details=batch(transaction("12.50", "a"))))
    other_content = once.replace("<EndToEndId>a<", "<EndToEndId>b<")
    assert not read_all(read, document(once, other_content)).broken
    assert read_all(read, document(once, once)).broken == ["times that statement S-1 stands in the file"]


def summary(number: str, total: str, credit: str, net: str) -> str:
    return (
        f"<TxsSummry><TtlNtries><NbOfNtries>{number}</NbOfNtries><Sum>{total}</Sum>"
        f"<TtlNetNtry><Amt>{net}</Amt><CdtDbtInd>CRDT</CdtDbtInd></TtlNetNtry></TtlNtries>"
        f"<TtlCdtNtries><NbOfNtries>1</NbOfNtries><Sum>{credit}</Sum></TtlCdtNtries></TxsSummry>"
    )


def test_the_summary_is_compared_with_the_entries() -> None:
    entries = [entry("12.50"), entry("2.00", "DBIT")]
    assert not seen(summary("2", "14.50", "12.50", "10.50"), *entries).broken
    wrong = seen(summary("3", "14.51", "12.51", "10.51"), *entries)
    assert wrong.broken == [
        "entries TtlNtries S-1",
        "sum TtlNtries S-1",
        "sum TtlCdtNtries S-1",
        "net TtlNtries S-1",
    ]


def test_a_summary_may_leave_out_what_is_only_announced() -> None:
    entries = [entry("12.50"), entry("2.00", "DBIT"), entry("9.00", status="<Sts>PDNG</Sts>")]
    assert not seen(summary("2", "14.50", "12.50", "10.50"), *entries).broken


# --- Cards ------------------------------------------------------------------------------------------------------------


def test_card_numbers_do_not_enter_and_references_keep_their_digits() -> None:
    number = "4111111111111111"
    said = f"<RmtInf><Ustrd>card {number}</Ustrd></RmtInf><AddtlTxInf>{number}</AddtlTxInf>"
    card = f"<CardTx><Card><PlainCardData><PAN>{number}</PAN></PlainCardData></Card></CardTx>"
    (row,) = seen(entry("12.50", more=card, details=batch(transaction("12.50", number, more=said)))).rows
    assert row.our_reference == number
    assert row.raw.pop("TxDtls/Refs/EndToEndId") == number
    assert number not in row.text + "".join(row.raw.values())
    assert row.raw["CardTx/Card/PlainCardData/PAN"] == "…1111"
    (rejected,) = seen(entry("12,50", more=card)).rejected
    assert number not in rejected.raw


VALID = document(
    statement(
        OPENING,
        CLOSING,
        summary("1", "12.50", "12.50", "12.50"),
        entry("12.50", more=charges("0.50"), details=batch(REFERENCES + amount("10"), transaction("2.50"))),
    )
).encode()


@given(damaged([VALID]))
def test_whatever_the_bytes_are_nothing_but_a_refusal_leaves(data: bytes) -> None:
    try:
        for row in read_all(read, data).rows:
            assert row.gross - row.fee == row.net
    except FileRefused:
        pass
