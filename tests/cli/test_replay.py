"""`ledger replay`: how it ends, what it says, what is left of it when it is killed; and `--what-if`, by other rules."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.keys import load_or_create_pepper
from commands.channels.channel import NotSent
from commands.envelope import Command
from commands.payments import CreatePayment, RecordAttemptResult
from commands.risk_rules import ChangeRiskRules
from ledger.events.risk import RiskRule
from ledger.store.connection import Database, in_book
from ledger.store.vault import Vault
from tests.cli import word
from tests.commands.stories import CARD, CHANNEL, OTHER_CHANNEL, PARTIES, attempt_of, by_card, charged
from tests.forked import Forked
from tests.projections.reading import catch_up
from tests.writing import pen

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "flat_merchant_fee.py"
THERE = {"ip": "203.0.113.9"}
SMALL, LARGE, FAILED_OVER = 1_000, 7_000, 2_000
WORK: tuple[Command, ...] = (
    *PARTIES,
    ChangeRiskRules((RiskRule("from here", "ip == '203.0.113.9'", "reject"),)),
    by_card("pay_1", SMALL),
    attempt_of("pay_1", charged(SMALL)),
    by_card("pay_2", LARGE),
    attempt_of("pay_2", charged(LARGE, "ch_2")),
    CreatePayment("pay_3", "acme", LARGE, "EUR", "quick_pay", CARD, "order-3", client=THERE),
    by_card("pay_4", FAILED_OVER),
    RecordAttemptResult("pay_4-1", CHANNEL, NotSent("ConnectError")),
)


UNBALANCED = """
from ledger.events.payments import PaymentCaptured
from ledger.journal import credit, debit, entry_of

RULES = {PaymentCaptured: lambda event: entry_of(debit("a", 2, "EUR"), credit("b", 1, "EUR"))}
"""


@pytest.fixture
def past(database: Database, make_book: Callable[[], str]) -> str:
    """A book with two payments, one that was rejected, and one that went on at another channel."""
    book = make_book()
    with pen(database, book) as held:
        for command in WORK:
            held.do(command)
    catch_up(database, book)
    return book


@pytest.fixture
def environment(database: Database, tmp_path: Path) -> dict[str, str]:
    return {"DATABASE_URL": database.conninfo, "LEDGER_STATE": str(tmp_path)}


def schemas_of(database: Database, book: str) -> list[str]:
    with database.owner() as connection:
        rows = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", (f"replay_{book}_",)
        ).fetchall()
    return [name for (name,) in rows]


def tamper(database: Database, book: str) -> None:
    with database.owner() as connection:
        statement = in_book("UPDATE {schema}.order_status SET status = 'nonsense' WHERE payment = 'pay_2'", book)
        assert connection.execute(statement).rowcount == 1


# --- compared


def test_equal_ends_with_0_and_says_what_was_compared_and_what_was_not(past: str, environment: dict[str, str]) -> None:
    found = word.answer("replay", "--book", past, **environment)
    assert found["is_equal"] is True
    report = found["replay"]
    assert report["position"] == report["head"] >= 30
    assert {table["table"] for table in report["tables"]} >= {"balances", "postings", "order_status", "audit_links"}
    assert report["trial_balance"]["EUR"]["live"] == report["trial_balance"]["EUR"]["replayed"]
    shown = word.run("replay", "--book", past, "--to", "20", **environment)
    assert shown.returncode == 0
    assert "replayed up to position 20 of" in shown.stdout
    assert "what was compared is equal" in shown.stdout
    assert "balances at 20, as it is known at that position" in shown.stdout
    assert "only its rows of now are kept, and the live book is further): " in shown.stdout
    assert " 0 apart; live equal" in shown.stdout


def test_different_ends_with_1_and_the_row(past: str, database: Database, environment: dict[str, str]) -> None:
    tamper(database, past)
    done = word.run("replay", "--book", past, **environment)
    assert done.returncode == 1
    assert "what was compared is DIFFERENT" in done.stdout
    assert "order_status at" in done.stdout
    assert "only live: (pay_2," in done.stdout
    assert "nonsense" in done.stdout
    assert "only replayed: (pay_2," in done.stdout
    as_json = word.run("replay", "--book", past, "--json", **environment)
    assert as_json.returncode == 1
    assert msgspec.json.decode(as_json.stdout)["is_equal"] is False
    assert schemas_of(database, past) == []


def test_a_log_that_cannot_be_replayed_ends_with_1(past: str, database: Database, environment: dict[str, str]) -> None:
    with database.owner() as connection:
        connection.execute(in_book("DELETE FROM {schema}.events WHERE notification_id = 9", past))
    done = word.run("replay", "--book", past, **environment)
    assert done.returncode == 1
    assert "a hole in the log" in done.stderr
    assert schemas_of(database, past) == []


def test_what_is_not_there_ends_with_2(past: str, environment: dict[str, str]) -> None:
    for words in (
        ["--book", "nobodys"],
        ["--book", past, "--to", "1000000"],
        ["--book", past, "--keep-schema", "book_mine"],
        ["--book", past, "--what-if", "weather=tomorrow"],
        ["--book", past, "--what-if", "routing=/nowhere.json"],
        ["--book", past, "--what-if", "posting-rules=/nowhere.py"],
    ):
        assert word.run("replay", *words, **environment).returncode == 2, words


# --- killed


@contextmanager
def held_up(database: Database, book: str) -> Iterator[None]:
    """Nobody reads one of the views for the length of a block: a replay waits there, with most of its rows written."""
    with database.owner() as connection, connection.transaction():
        connection.execute(in_book("LOCK TABLE {schema}.postings IN ACCESS EXCLUSIVE MODE", book))
        yield


def under_way(database: Database, book: str, process: Forked) -> str:
    """The schema of a replay that has written its rows."""
    for _ in range(600):
        for schema in schemas_of(database, book):
            with database.owner() as connection:
                (rows,) = connection.execute(f"SELECT count(*) FROM {schema}.audit_links").fetchall()  # noqa: S608
            if rows[0] > 0:
                return schema
        assert process.poll() is None
        time.sleep(0.05)
    raise AssertionError("it has not begun")


def test_what_a_killed_replay_leaves_behind_is_dropped_by_the_next_and_what_one_uses_is_not(
    past: str, database: Database, environment: dict[str, str], make_book: Callable[[], str]
) -> None:
    with held_up(database, past), word.start("replay", "--book", past, **environment) as process:
        schema = under_way(database, past, process)
        assert word.run("replay", "--book", make_book(), **environment).returncode == 0
        assert schemas_of(database, past) == [schema]
        process.kill()
        process.wait()
        assert schemas_of(database, past) == [schema]
    assert word.answer("replay", "--book", past, **environment)["is_equal"] is True
    assert schemas_of(database, past) == []


# --- by other rules


def what_if(book: str, environment: dict[str, str], tmp_path: Path, kind: str, document: Any) -> dict[str, Any]:
    file = tmp_path / f"{kind}.json"
    file.write_bytes(msgspec.json.encode(document))
    return word.answer("replay", "--book", book, "--what-if", f"{kind}={file}", **environment)


def test_the_example_of_the_documents_takes_ten_cents_less_of_each_capture(
    past: str, environment: dict[str, str]
) -> None:
    words = ("replay", "--book", past, "--what-if", f"posting-rules={EXAMPLE}")
    found = word.answer(*words, **environment)
    assert {one["account"]: one["difference"] for one in found["accounts"]} == {
        "sys:2110:acme:eur": 20,
        "sys:4010:quick_pay:eur": -20,
    }
    assert (found["entries_then"], found["entries_differ"]) == (2, 2)
    shown = word.run(*words, **environment).stdout
    assert "sys:4010:quick_pay:eur: 180 then, 160 now, -20 EUR" in shown
    assert "then: debit sys:2110:acme:eur 30 EUR" in shown
    assert "now: debit sys:2110:acme:eur 20 EUR" in shown
    assert "EUR now: debits" in shown


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("RULES = {}", "has no RULES"),
        ("RULES = {str: len}", "has no RULES"),
        ("1 / 0", "cannot be run: ZeroDivisionError"),
        (
            UNBALANCED,
            "debits of 2 against credits of 1",
        ),
    ],
)
def test_posting_rules_that_are_none_end_with_2(
    past: str, environment: dict[str, str], tmp_path: Path, text: str, complaint: str
) -> None:
    file = tmp_path / "rules.py"
    file.write_text(text)
    done = word.run("replay", "--book", past, "--what-if", f"posting-rules={file}", **environment)
    assert done.returncode == 2
    assert complaint in done.stderr


LARGE_ONES_TO_B = {
    "rules": [
        {"name": "large", "when": "amount > 5000", "then": {"type": "priority", "channels": [OTHER_CHANNEL, CHANNEL]}}
    ],
    "max_attempts": 1,
}


def test_other_routing_rules_choose_each_channel_again(
    past: str, environment: dict[str, str], tmp_path: Path, database: Database
) -> None:
    found = what_if(past, environment, tmp_path, "routing", LARGE_ONES_TO_B)
    assert (found["rules"], found["decided"], found["otherwise"]) == ("routing", 4, 2)
    # The first attempt of pay_4 stays; a second one is not made by rules that allow only one.
    assert found["matrix"] == {CHANNEL: {CHANNEL: 2, OTHER_CHANNEL: 1}, OTHER_CHANNEL: {"no channel": 1}}
    assert found["money"] == {"EUR": LARGE + FAILED_OVER}
    assert [(one["payment"], one["was"], one["now"]) for one in found["examples"]] == [
        ("pay_2", CHANNEL, OTHER_CHANNEL),
        ("pay_4", OTHER_CHANNEL, "no channel"),
    ]
    assert found["examples"][0]["because_now"] == ["the rule large: the first of its list"]
    assert found["examples"][0]["because_then"] == ["the first of 2 for card"]
    kept = ("--keep-schema", "decisions_kept")
    with database.owner() as connection:
        try:
            file = tmp_path / "routing.json"
            shown = word.run("replay", "--book", past, "--what-if", f"routing={file}", *kept, **environment).stdout
            rows = connection.execute("SELECT payment, now FROM decisions_kept.decided_otherwise ORDER BY 1").fetchall()
        finally:
            connection.execute("DROP SCHEMA IF EXISTS decisions_kept CASCADE")
    assert rows == [("pay_2", OTHER_CHANNEL), ("pay_4", "no channel")]
    assert "2 of 4 decided otherwise, 9,000 EUR" in shown
    assert f"{CHANNEL} → {OTHER_CHANNEL}: 1" in shown
    assert "kept in the schema decisions_kept" in shown


def test_routing_rules_of_then_choose_the_same(past: str, environment: dict[str, str], tmp_path: Path) -> None:
    found = what_if(past, environment, tmp_path, "routing", {})
    assert (found["decided"], found["otherwise"], found["money"], found["examples"]) == (4, 0, {}, [])


def test_other_risk_rules_judge_each_payment_again(past: str, environment: dict[str, str], tmp_path: Path) -> None:
    rules = {"rules": [{"name": "large", "condition": "amount > 5000", "verdict": "review"}]}
    found = what_if(past, environment, tmp_path, "risk", rules)
    assert (found["rules"], found["decided"], found["otherwise"]) == ("risk", 4, 2)
    assert found["matrix"] == {"accept": {"accept": 2, "review": 1}, "reject": {"review": 1}}
    assert found["money"] == {"EUR": 2 * LARGE}
    assert [(one["payment"], one["was"], one["now"], one["because_then"]) for one in found["examples"]] == [
        ("pay_2", "accept", "review", []),
        ("pay_3", "reject", "review", ["from here"]),
    ]
    assert found["examples"][0]["because_now"] == ["large"]
    then = {"rules": [{"name": "from here", "condition": "ip == '203.0.113.9'", "verdict": "reject"}]}
    assert what_if(past, environment, tmp_path, "risk", then)["otherwise"] == 0


def test_what_is_sealed_of_the_payer_is_opened_for_the_rules_and_by_no_other_pepper(
    database: Database, book: str, environment: dict[str, str], tmp_path: Path
) -> None:
    with pen(database, book) as held:
        held.handler.vault = Vault(load_or_create_pepper(tmp_path))
        for command in (*PARTIES, CreatePayment("pay_1", "acme", SMALL, "EUR", "quick_pay", CARD, "1", client=THERE)):
            held.do(command)
    catch_up(database, book)
    rules = {"rules": [{"name": "there", "condition": "ip == '203.0.113.9'", "verdict": "reject"}]}
    assert what_if(book, environment, tmp_path, "risk", rules)["matrix"] == {"accept": {"reject": 1}}
    words = ("replay", "--book", book, "--what-if", f"risk={tmp_path / 'risk.json'}")
    done = word.run(*words, **environment, LEDGER_PEPPER="another pepper than that one")
    assert done.returncode == 2
    assert "wrapped with another pepper" in done.stderr


def test_signals_are_asked_of_a_view_that_has_come_far_enough(
    past: str, database: Database, environment: dict[str, str], tmp_path: Path
) -> None:
    with pen(database, past) as held:
        held.do(by_card("pay_9"))
    file = tmp_path / "risk.json"
    file.write_text('{"rules": []}')
    done = word.run("replay", "--book", past, "--what-if", f"risk={file}", **environment)
    assert done.returncode == 2
    assert "the view risk_signals" in done.stderr


@pytest.mark.parametrize(
    ("kind", "document", "complaint"),
    [
        (
            "routing",
            {"rules": [{"name": "x", "when": "amount >", "then": {"type": "priority", "channels": ["x"]}}]},
            "/rules/0/when",
        ),
        ("routing", {"default": {"type": "dice"}}, "no such document"),
        ("risk", {"rules": [{"name": "x", "condition": "amount >", "verdict": "reject"}]}, "/rules/0/condition"),
        ("risk", {}, "rules: Field required"),
    ],
)
def test_documents_that_would_be_refused_are_refused_here(
    past: str, environment: dict[str, str], tmp_path: Path, kind: str, document: Any, complaint: str
) -> None:
    file = tmp_path / "rules.json"
    file.write_bytes(msgspec.json.encode(document))
    done = word.run("replay", "--book", past, "--what-if", f"{kind}={file}", **environment)
    assert done.returncode == 2
    assert complaint in done.stderr
