"""Entries of camt.053: batches exploded, charges included or not, and what is too large to hold."""

import io
import tracemalloc

import pytest

from commands.report_files import camt053_entries
from commands.report_files.camt053 import read
from ledger.report_row import FileRefused
from tests.report_files.camt053_files import amount, balance, batch, charges, document, entry, statement, transaction
from tests.report_files.reading import Found, read_all

OPENING, CLOSING = balance("OPBD", "100.00"), balance("CLBD", "112.50")


def seen(*parts: str) -> Found:
    return read_all(read, document(statement(*parts)))


# --- Batches ----------------------------------------------------------------------------------------------------------


def test_a_batch_is_exploded_into_its_transactions() -> None:
    details = batch(transaction("10.00", "a"), transaction("2.50", "b"), head="<Btch><PmtInfId>B</PmtInfId></Btch>")
    found = seen(OPENING, CLOSING, entry("12.50", more="<AcctSvcrRef>Z</AcctSvcrRef>", details=details))
    told = [(row.line, row.gross, row.our_reference, row.batch, row.external_id) for row in found.rows]
    assert told == [(1, 1000, "a", "B", "Z/1"), (2, 250, "b", "B", "Z/2")]
    assert not found.broken


def test_transactions_of_a_batch_may_go_both_ways() -> None:
    back = transaction("2.50", more="<CdtDbtInd>DBIT</CdtDbtInd>")
    found = seen(OPENING, CLOSING, entry("12.50", details=batch(transaction("15.00"), back)))
    assert [(row.kind, row.gross) for row in found.rows] == [("credit", 1500), ("debit", -250)]
    assert not found.broken


def test_a_batch_whose_transactions_do_not_come_to_it_is_rejected_and_the_balance_still_holds() -> None:
    found = seen(OPENING, CLOSING, entry("12.50", details=batch(transaction("10.00"), transaction("2.51"))))
    assert not found.rows
    (rejected,) = found.rejected
    assert "its 2 TxDtls come to 1251 minor units, the entry to 1250" in rejected.reason
    assert not found.broken


@pytest.mark.parametrize(
    "details",
    [
        batch("<Refs><EndToEndId>a</EndToEndId></Refs>", "<Refs><EndToEndId>b</EndToEndId></Refs>"),
        batch(transaction("10.00", "a"), "<Refs><EndToEndId>b</EndToEndId></Refs>"),
        batch(transaction("10.00", "a", currency="SEK"), transaction("2.50", "b", currency="SEK")),
    ],
    ids=["no amounts", "an amount is missing", "amounts of another currency"],
)
def test_a_batch_without_amounts_stays_one_row_that_names_its_transactions(details: str) -> None:
    found = seen(OPENING, CLOSING, entry("12.50", details=details))
    assert [(row.gross, row.text) for row in found.rows] == [(1250, "a b")]
    assert not found.broken


@pytest.mark.parametrize("place", ["TxAmt", "CntrValAmt", "InstdAmt"])
def test_amounts_stand_elsewhere_in_version_02(place: str) -> None:
    details = [f"<AmtDtls><{place}>{amount(text)}</{place}></AmtDtls>" for text in ("10.00", "2.50")]
    found = seen(OPENING, CLOSING, entry("12.50", status="<Sts>BOOK</Sts>", details=batch(*details)))
    assert [row.gross for row in found.rows] == [1000, 250]


def test_what_was_instructed_may_differ_from_what_was_booked() -> None:
    details = batch(f"<AmtDtls><InstdAmt>{amount('15.00')}</InstdAmt></AmtDtls>")
    assert [row.gross for row in seen(OPENING, CLOSING, entry("12.50", details=details)).rows] == [1250]


def test_a_batch_of_very_many_goes_to_a_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camt053_entries, "_IN_MEMORY_BYTES", 100)
    found = seen(entry("10.00", details=batch(*[transaction("0.10", str(n)) for n in range(100)])), entry("1"))
    assert [row.our_reference for row in found.rows] == [*map(str, range(100)), ""]
    assert [row.line for row in found.rows] == [*range(1, 102)]


def test_what_stands_between_the_transactions_of_a_batch_is_not_kept() -> None:
    one = transaction("0.01") + "</TxDtls>" + " " * 20_000 + "<TxDtls>" + transaction("0.01")
    file = io.BytesIO(document(statement(entry("4.00", details=batch(*[one] * 200)))).encode())
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(file)) == 400
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


def test_transactions_do_not_hide_how_large_an_entry_is() -> None:
    details = batch(*[transaction("0.01") + "</TxDtls>" + "<Other/>" * 100 + "<TxDtls>"] * 200)
    with pytest.raises(FileRefused, match="an entry in it is too large"):
        seen(entry("2.00", details=details))


# --- Charges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "booked",
    [
        entry("12.50", more=charges("0.50")),
        entry("12.50", more=charges("0.50"), details=batch(transaction("12.50"))),
        entry("12.50", more=charges("0.50"), details=batch(transaction("13.00"))),
        entry("12.50", details=batch(transaction("12.50", more=charges("0.50")))),
        entry("12.50", details=batch(transaction("13.00", more=charges("0.50")))),
    ],
    ids=["of the entry", "amount after", "amount before", "of the transaction, after", "of the transaction, before"],
)
def test_included_charges_are_the_fee_and_what_moved_is_the_net(booked: str) -> None:
    found = seen(OPENING, CLOSING, booked)
    assert [(row.gross, row.fee, row.net) for row in found.rows] == [(1300, 50, 1250)]
    assert not found.broken


@pytest.mark.parametrize("of", [charges("0.50", "false"), charges("0.50", currency="SEK"), ""])
def test_other_charges_are_no_fee(of: str) -> None:
    assert [(row.gross, row.fee) for row in seen(OPENING, CLOSING, entry("12.50", more=of)).rows] == [(1250, 0)]


def test_a_debit_with_charges_took_more_than_was_paid() -> None:
    (row,) = seen(entry("12.50", "DBIT", more=charges("0.50"))).rows
    assert (row.gross, row.fee, row.net) == (-1200, 50, -1250)


def test_charges_of_a_whole_batch_are_a_row_of_their_own() -> None:
    details = batch(transaction("10.00"), transaction("3.00"))
    found = seen(OPENING, CLOSING, entry("12.50", more=charges("0.50"), details=details))
    assert [(row.kind, row.gross, row.fee) for row in found.rows] == [
        ("credit", 1000, 0),
        ("credit", 300, 0),
        ("debit", -50, 0),
    ]
    assert "charges of the batch" in found.rows[-1].text
    assert not found.broken
