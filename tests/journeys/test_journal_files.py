"""Journal files: an auditor gets the books of a running service as files, and programs of others agree with them."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ledger.audit.plain_text import account_named
from ledger.currencies import ASSETS
from tests.foreign_eyes.programs import PROGRAMS, Program
from tests.journeys.caller import Caller
from tests.journeys.service import Service

JOURNAL = "/reports/journal"
MARCH = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}


@pytest.fixture(scope="module")
def auditor(service: Service, caller: Caller) -> Caller:
    """Somebody in a book with sales of March, and of now, in two currencies."""
    for unit in ("EUR", "JPY"):
        for name, kind in (("cash", "asset"), ("cash:till", "asset"), ("sales", "revenue")):
            caller.post(
                "/accounts", {"id": f"{name}:{unit.lower()}", "name": name, "kind": kind, "currency": unit}
            ).done()
        for number in range(100):
            more = {"effective_at": f"2026-03-{1 + number % 31:02d}T12:00:00Z"} if number % 2 else {}
            said = f'"{number}"; and [2026-01-01] | not, a:b\\'
            caller.move(
                f"cash:till:{unit.lower()}", f"sales:{unit.lower()}", 1 + number, unit, description=said, **more
            ).done()
    return caller


def in_units(program: Program, file: Path) -> dict[str, int]:
    found = {account_named(name)[1:]: balance for name, balance in program.balances(file).items() if balance}
    return {account: int(balance.scaleb(ASSETS[unit].exponent)) for (account, unit), balance in found.items()}


def of_the_books(auditor: Caller, **params: str) -> dict[str, int]:
    rows = auditor.get("/trial-balance", **params).done(200)["accounts"]
    return {row["account"]: net for row in rows if (net := row["debits"] - row["credits"])}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_agrees_with_the_trial_balance(auditor: Caller, program: Program, tmp_path: Path) -> None:
    answer = auditor.get(JOURNAL, format=program.name)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "content-length" not in answer.headers  # It comes piece by piece.
    assert answer.raw.endswith(b"\n; complete: 200 entries\n")
    file = tmp_path / "journal"
    file.write_bytes(answer.raw)
    assert program.refusal(file) == ""
    assert in_units(program, file) == of_the_books(auditor)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_month_is_told_with_what_it_began_and_ended_with(auditor: Caller, program: Program, tmp_path: Path) -> None:
    file = tmp_path / "journal"
    file.write_bytes(auditor.get(JOURNAL, format=program.name, **MARCH).raw)
    assert program.refusal(file) == ""
    assert in_units(program, file) == of_the_books(auditor, as_of="2026-03-31T23:59:59.999999Z")
    assert b"; complete: 100 entries" in file.read_bytes()
    later = tmp_path / "later"
    later.write_bytes(auditor.get(JOURNAL, format=program.name, **{"from": MARCH["to"]}).raw)
    assert program.refusal(later) == ""
    assert in_units(program, later) == of_the_books(auditor)


def test_the_table_holds_the_same(auditor: Caller) -> None:
    answer = auditor.get(JOURNAL, format="parquet")
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert answer.headers["content-disposition"].endswith('.parquet"')
    found = dict.fromkeys(of_the_books(auditor), 0)
    for row in pq.read_table(BytesIO(answer.raw)).to_pylist():
        found[row["account"]] += row["amount"] if row["direction"] == "debit" else -row["amount"]
    assert found == of_the_books(auditor)


def test_what_was_known_is_told_the_same_ever_after(auditor: Caller) -> None:
    then = auditor.get(JOURNAL, format="hledger")
    known = then.headers["ledger-position"]
    auditor.move("cash:eur", "sales:eur", 5, "EUR", effective_at="2026-03-15T12:00:00Z").done()
    assert auditor.get(JOURNAL, format="hledger", known_at=known).raw == then.raw
    assert auditor.get(JOURNAL, format="hledger").raw != then.raw


def test_it_is_for_auditors_and_leaves_a_line_in_the_access_log(service: Service, home: str, auditor: Caller) -> None:
    service.caller(home, "ledger:read").get(JOURNAL, format="hledger").refused(403, "scope_missing")
    service.nobody.get(JOURNAL, format="hledger").refused(401, "unauthenticated")
    begun = datetime.now(UTC)
    service.caller(home, "audit:read").get(JOURNAL, format="hledger", **MARCH)
    lines = auditor.get("/audit/access", limit=500).done(200)["data"]
    mine = [line for line in lines if line["route"] == "GET /v1/reports/journal" and line["status"] == 200]
    assert any(datetime.fromisoformat(line["at"]) >= begun for line in mine)


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({}, 422, "field_missing"),
        ({"format": "excel"}, 422, "field_invalid"),
        ({"format": "hledger", "from": "March"}, 422, "timestamp_format"),
        ({"format": "hledger", "from": MARCH["to"], "to": MARCH["from"]}, 422, "field_invalid"),
        ({"format": "hledger", "known_at": "999999"}, 404, "position_not_reached"),
    ],
)
def test_what_makes_no_sense_is_refused(auditor: Caller, params: dict[str, str], status: int, code: str) -> None:
    auditor.get(JOURNAL, **params).refused(status, code)


def test_a_book_of_nothing_has_an_empty_journal(service: Service) -> None:
    answer = service.caller(service.new_book()).get(JOURNAL, format="beancount")
    assert answer.status == 200
    assert answer.raw.endswith(b"; complete: 0 entries\n")
