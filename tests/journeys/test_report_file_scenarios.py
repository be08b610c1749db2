"""Report files: they come in once, row by row, and what they say again in another file is known."""

import gzip
from typing import Any

import msgspec
import pytest

from commands.report_files.sources import SOURCES
from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.service import Service

HEADER = "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,description,charge_id"


def line(name: str, gross: str = "10.00", fee: str = "0.30", net: str = "9.70", kind: str = "charge") -> str:
    return f"{name},2026-11-20 10:00:00,eur,{gross},{fee},{net},{kind},,ch_{name}"


def report(*lines: str, header: str = HEADER, end: str = "\n") -> bytes:
    return end.join((header, *lines, "")).encode()


def sent(caller: Caller, content: bytes, *, source: str = "stripe", key: str | None = None, **more: str) -> Reply:
    """A file, as a client sends it."""
    headers = {"idempotency-key": key or fresh("key"), "content-type": "application/octet-stream"}
    reply = caller.send(
        "POST", "/reconciliation/files", content=content, params={"source": source, **more}, headers=headers
    )
    caller.position = max(caller.position, int(reply.headers.get("ledger-position", 0)))
    return reply


def rows(caller: Caller, file: dict[str, Any], **params: str | int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.get(f"/reconciliation/files/{file['file_id']}/rows", **params).done(200)[
        "data"
    ]
    return found


def test_each_line_becomes_a_row_or_is_rejected_with_its_reason(service: Service) -> None:
    caller = service.caller(service.new_book())
    content = report(line("txn_1"), line("txn_2", net="9.99"), line("txn_3", "-4.00", "0.00", "-4.00", "refund"))
    file = sent(caller, content, account="stripe", name="november.csv").done()
    assert (file["status"], file["rows"], file["rejected"], file["account"]) == ("imported", 2, 1, "stripe")
    (rejected,) = file["rejected_rows"]
    assert rejected["line"] == 3
    assert rejected["reason"]
    first, second = rows(caller, file)
    assert (first["row"]["external_id"], first["row"]["gross"], first["row"]["fee"]) == ("ch_txn_1", 1_000, 30)
    assert (second["row"]["kind"], second["row"]["gross"], second["state"]) == ("refund", -400, "open")
    listed = caller.get(f"/reconciliation/files/{file['file_id']}/rejections").done(200)["data"]
    assert [one["line"] for one in listed] == [3]
    assert caller.get("/reconciliation/files", source="stripe").done(200)["data"] == [file]
    assert caller.get(f"/reconciliation/files/{file['file_id']}").done(200) == file


def test_p84_the_same_file_comes_in_once_and_its_rows_in_another_file_are_duplicates(service: Service) -> None:
    caller = service.caller(service.new_book())
    content, key = report(line("txn_1"), line("txn_2")), fresh("key")
    file = sent(caller, content, key=key).done()
    again = sent(caller, content, key=key)
    assert again.is_replay
    assert again.done() == file
    problem = sent(caller, content).refused(409, "report_file_known")
    assert problem["file"] == file["file_id"]
    other = sent(caller, report(line("txn_2"), line("txn_3"))).done()
    assert [(one["state"], one["told_by"]) for one in rows(caller, other)] == [
        ("duplicate", f"{file['file_id']}-2"),
        ("open", ""),
    ]
    assert [one["state"] for one in rows(caller, file)] == ["open", "open"]
    # What was there is not money: nothing of it is posted.
    assert caller.get("/trial-balance").done(200)["accounts"] == []


def test_p85_columns_in_another_order_more_of_them_other_line_ends_and_packing_make_the_same_rows(
    service: Service,
) -> None:
    caller = service.caller(service.new_book())
    plain = sent(caller, report(line("txn_1"))).done()
    shuffled = b"\xef\xbb\xbf" + report(
        "charge,eur,9.70,x,txn_1,2026-11-20 10:00:00,0.30,10.00,,ch_txn_1",
        header="reporting_category,currency,net,more,balance_transaction_id,created_utc,fee,gross,description,charge_id",
        end="\r\n",
    )
    file = sent(caller, gzip.compress(shuffled)).done()
    (row,) = rows(caller, file)
    assert (row["state"], row["told_by"]) == ("duplicate", f"{plain['file_id']}-1")


def test_what_cannot_be_read_is_refused_with_the_line_and_may_come_as_what_it_is(service: Service) -> None:
    caller = service.caller(service.new_book())
    for content in (b"", b"\0\0\0", b"a,b\n1,2\n", msgspec.json.encode({"no": "table"})):
        problem = sent(caller, content).refused(422, "report_file_unreadable")
        assert problem["detail"]
        # The same again is answered in the same way, whatever key it has.
        sent(caller, content).refused(409, "report_file_known")
    assert caller.get("/reconciliation/files", status="imported").done(200)["data"] == []
    sent(caller, report(line("txn_1")), source="adyen").refused(422, "report_file_unreadable")
    assert sent(caller, report(line("txn_1"))).done()["status"] == "imported"


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_what_is_of_no_source_is_refused_by_each(service: Service, source: str) -> None:
    caller, key = service.caller(service.new_book()), fresh("key")
    for _ in range(2):
        problem = sent(caller, b"no report at all", source=source, key=key, account="main").refused(
            422, "report_file_unreadable"
        )
        assert problem["file"].startswith("file_")


def test_what_is_asked_wrongly_is_named(service: Service) -> None:
    caller = service.caller(service.new_book())
    sent(caller, b"x", source="mt940").refused(422, "field_missing")
    assert sent(caller, b"x", source="sheet").status == 422
    caller.get("/reconciliation/files/file_0").refused(404, "report_file_not_found")
    reader = service.caller(service.new_book(), "ledger:read")
    sent(reader, b"x").refused(403, "scope_missing")


def test_a_long_file_is_read_to_its_end(service: Service) -> None:
    caller = service.caller(service.new_book())
    file = sent(caller, report(*(line(f"txn_{number}") for number in range(1_201)))).done()
    assert file["rows"] == 1_201
    last = rows(caller, file, limit=500)
    assert [one["number"] for one in last] == list(range(1, 501))
