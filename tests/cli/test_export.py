"""`ledger export`: a book with payments is taken home, and checked where nothing of ours can be reached."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, LiteralString

import httpx2
import pytest
from psycopg import Connection, errors

from ledger.store.connection import Database, in_book
from ledger.store.migrate import application_role, migrate_control
from tests.cli import word
from tests.journeys.service import Service
from tests.journeys.test_reconciliation_scenarios import Desk

OF_NINE: LiteralString = """
UPDATE {schema}.events
   SET state = convert_to(replace(convert_from(state, 'UTF8'), '"amount":4', '"amount":9'), 'UTF8')
 WHERE notification_id = 6
"""
PROGRAMS = {"verify_ledger.py": [sys.executable, "-I"], "verify_ledger.mjs": ["node"]}


@pytest.fixture(scope="module")
def service(make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """All processes, on a database of their own: their worker seals what is exported here."""
    try:
        url = make_database()
    except errors.InsufficientPrivilege:
        pytest.skip("the user of DATABASE_URL may not make databases")
    with Connection.connect(url, autocommit=True) as connection:
        migrate_control(connection)
        database = Database(url, role=application_role(connection))
    with Service(database, Path(tmp_path_factory.mktemp("service")), servers=1) as running:
        yield running


@pytest.fixture(scope="module")
def desk(service: Service) -> Desk:
    """A book with payments, refunds, a wallet, and transfers in two currencies."""
    desk = Desk(service)
    payments = [desk.pay(amount) for amount in (10_000, 2_500, 700)]
    desk.refund(payments[0], 4_000)
    caller = desk.caller
    caller.post("/customers", {"id": "carol", "name": "Carol"}).done()
    caller.post("/customers/carol/wallets", {"currency": "EUR"}).done()
    for unit in ("eur", "usd"):
        for name in ("a", "b"):
            account = {"id": f"{name}:{unit}", "name": name, "kind": "liability", "currency": unit.upper()}
            caller.post("/accounts", account).done()
        for amount in (5, 7):
            accounts = {"debit_account": f"a:{unit}", "credit_account": f"b:{unit}"}
            caller.post("/transfers", {**accounts, "amount": amount, "currency": unit.upper()}).done()
    service.settled_head(desk.book)
    return desk


def environment(service: Service) -> dict[str, str]:
    return {"DATABASE_URL": service.database.conninfo, "LEDGER_STATE": str(service.state), "COLUMNS": "200"}


def export(service: Service, book: str, to: Path, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = word.run("export", "--book", book, "--to", to, *words, **environment(service))
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def exported(service: Service, book: str, to: Path, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(export(service, book, to, "--json", *words).stdout)
    return found


def verified(folder: Path, *words: str | Path, program: str = "verify_ledger.py") -> tuple[int, dict[str, Any]]:
    """What the program in the folder says, run alone: nothing of ours can be imported, no network is asked."""
    command = [*PROGRAMS[Path(program).name], str(folder / program), str(folder), "--json", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env={"PATH": os.environ["PATH"]})
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["exit"] == done.returncode
    return done.returncode, found


def test_a_real_book_is_verified_offline(service: Service, desk: Desk, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(desk.caller.get("/audit/checkpoint").done(200)["note"])
    desk.pay(1_234)
    head = service.settled_head(desk.book)
    summary = exported(service, desk.book, tmp_path / "export")
    assert summary["size"] >= head
    assert summary["origin"].endswith(f"/{desk.book}")
    (vkey,) = summary["vkeys"]
    assert vkey == desk.caller.get("/audit/checkpoint").done(200)["keys"][0]
    code, found = verified(tmp_path / "export", "--vkey", vkey, "--kept", kept)
    assert (code, found["size"], found["root"], found["kept"]) == (0, summary["size"], summary["root"], 1), found
    assert found["trial_balance"] == {"EUR": "0", "USD": "0"}
    assert verified(tmp_path / "export")[0] == 3
    chart = json.loads((tmp_path / "export" / "chart.json").read_bytes())["accounts"]
    assert {"a:eur", "b:usd"} < {account["id"] for account in chart}
    claimed = json.loads((tmp_path / "export" / "balances.json").read_bytes())["accounts"]
    assert (claimed["a:eur"], claimed["b:usd"]) == (["12", "0"], ["0", "12"])
    policy = json.loads((tmp_path / "export" / "policy.json").read_bytes())
    assert [one["vkey"] for one in policy["vkeys"]] == [vkey]


def test_the_words_say_whom_to_ask_for_the_key(service: Service, desk: Desk, tmp_path: Path) -> None:
    done = export(service, desk.book, tmp_path / "export")
    for said in ("verify_ledger.py", "in another way", "--vkey VKEY", desk.book):
        assert said in done.stdout


def test_an_export_up_to_an_older_position_is_as_of_the_checkpoint_that_covers_it(
    service: Service, desk: Desk, tmp_path: Path
) -> None:
    older = desk.caller.get("/audit/checkpoint").done(200)
    desk.pay(99)
    summary = exported(service, desk.book, tmp_path / "export", "--to-position", str(older["size"]))
    assert (summary["size"], summary["behind"] > 0) == (older["size"], True)
    # The balances of now, less what was posted since, are those of then.
    assert verified(tmp_path / "export", "--vkey", older["keys"][0])[0] == 0


def test_what_changed_in_the_database_is_found_in_the_export(service: Service, desk: Desk, tmp_path: Path) -> None:
    book = service.new_book()
    caller = service.caller(book)
    for name in ("a", "b"):
        caller.post("/accounts", {"id": name, "name": name, "kind": "liability", "currency": "EUR"}).done()
    for amount in range(1, 6):
        body = {"debit_account": "a", "credit_account": "b", "amount": amount, "currency": "EUR"}
        caller.post("/transfers", body).done()
    vkey = exported(service, book, tmp_path / "true")["vkeys"][0]
    assert verified(tmp_path / "true", "--vkey", vkey)[0] == 0
    # Whoever owns the database makes a transfer of 4 one of 9: the leaf follows, the seal and the balances do not.
    with service.database.owner() as connection:
        assert connection.execute(in_book(OF_NINE, book)).rowcount == 1
    export(service, book, tmp_path / "changed")
    code, found = verified(tmp_path / "changed", "--vkey", vkey)
    assert (code, found["position"]) == (12, 6)
    assert [one["check"] for one in found["findings"]] == ["tiles", "root", "balances"]


def test_both_programs_say_the_same_of_a_real_book(service: Service, desk: Desk, tmp_path: Path) -> None:
    if not any((Path(folder) / "node").exists() for folder in os.environ["PATH"].split(os.pathsep)):
        pytest.skip("there is no node here, which the second verifier is written for")
    vkey = exported(service, desk.book, tmp_path / "export")["vkeys"][0]
    bundle = tmp_path / "export" / "entries" / "000000.bin"
    chance = random.Random("a real book")
    true = bundle.read_bytes()
    for _ in range(20):
        ours = verified(tmp_path / "export", "--vkey", vkey)[1]
        theirs = verified(tmp_path / "export", "--vkey", vkey, program="verify_ledger.mjs")[1]
        assert (ours["exit"], ours["position"], ours["root"]) == (theirs["exit"], theirs["position"], theirs["root"])
        assert ours["ok"] == (bundle.read_bytes() == true)
        at = chance.randrange(len(true))
        bundle.write_bytes(true[:at] + bytes([true[at] ^ (1 << chance.randrange(8))]) + true[at + 1 :])


def test_a_folder_that_is_not_empty_is_left_alone(service: Service, desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "here").write_text("something")
    assert "is there and not empty" in export(service, desk.book, tmp_path, status=2).stderr
    assert "is there and not empty" in export(service, desk.book, tmp_path / "here", status=2).stderr
    assert [file.name for file in tmp_path.iterdir()] == ["here"]


def test_what_is_not_sealed_and_what_is_no_book_end_with_2(service: Service, desk: Desk, tmp_path: Path) -> None:
    far = str(service.head(desk.book) + 1_000)
    assert "no checkpoint covers" in export(service, desk.book, tmp_path / "a", "--size", far, status=2).stderr
    assert not (tmp_path / "a").exists()
    assert "there is no book nobodys" in export(service, "nobodys", tmp_path / "b", status=2).stderr


def test_an_export_that_is_killed_has_no_manifest_and_is_told_from_a_whole_one(
    service: Service, desk: Desk, tmp_path: Path
) -> None:
    vkey = exported(service, desk.book, tmp_path / "whole")["vkeys"][0]
    chance = random.Random("killed")
    killed = 0
    for number in range(12):
        folder = tmp_path / str(number)
        process = word.start("export", "--book", desk.book, "--to", folder, **environment(service))
        until = time.monotonic() + 60
        while not folder.exists() and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.0005)
        time.sleep(chance.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == 0:
            continue
        killed += 1
        if (folder / "manifest.json").exists():
            assert verified(folder, "--vkey", vkey, program="../whole/verify_ledger.py")[0] == 0
        else:
            done = subprocess.run(
                [sys.executable, "-I", tmp_path / "whole" / "verify_ledger.py", folder, "--vkey", vkey],
                capture_output=True,
                text=True,
            )
            assert (done.returncode, "the export is not whole" in done.stdout) == (10, True), done
    assert killed


def test_the_same_book_comes_over_http_as_a_zip_file(service: Service, desk: Desk, tmp_path: Path) -> None:
    key = service.new_key(desk.book, "audit:read")
    with httpx2.Client(trust_env=False, headers={"Authorization": f"Bearer {key}"}) as client:
        answer = client.get(f"{service.url}/v1/audit/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(BytesIO(answer.content)) as zipped:
        assert zipped.testzip() is None
        zipped.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert answer.headers["content-disposition"] == f'attachment; filename="{folder.name}.zip"'
    vkey = desk.caller.get("/audit/checkpoint").done(200)["keys"][0]
    code, found = verified(folder, "--vkey", vkey)
    assert (code, f"{desk.book}-{found['size']}") == (0, folder.name)


def test_only_who_may_audit_takes_a_book_home(service: Service, desk: Desk) -> None:
    service.caller(desk.book, "ledger:read").get("/audit/export").refused(403, "scope_missing")
    service.nobody.get("/audit/export").refused(401, "unauthenticated")


def test_who_leaves_in_the_middle_leaves_nothing_behind(service: Service, desk: Desk) -> None:
    key = service.new_key(desk.book, "audit:read")
    for _ in range(6):  # More than are sent at once: none of them waits for one that was left.
        with (
            httpx2.Client(trust_env=False, headers={"Authorization": f"Bearer {key}"}, timeout=20) as client,
            client.stream("GET", f"{service.url}/v1/audit/export") as answer,
        ):
            assert answer.status_code == 200
            next(answer.iter_raw(1))
