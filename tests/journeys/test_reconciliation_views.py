"""Views of reconciliation over HTTP: from the summary of a day over its batch to the events, and what checks them."""

from datetime import timedelta
from typing import Any, LiteralString

import pytest

from ledger.store.connection import in_book
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_reconciliation_scenarios import Desk, credit, today
from tests.journeys.test_report_file_scenarios import line, report, rows, sent


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def shown(desk: Desk, view: str, **params: str | int) -> dict[str, Any]:
    found: dict[str, Any] = desk.caller.get(f"/reconciliation/{view}", **params).done(200)
    return found


def falsified(desk: Desk, statement: LiteralString) -> None:
    with desk.service.database.owner() as connection:
        connection.execute(in_book(statement, desk.book))


def test_a_day_is_shown_from_its_summary_down_to_the_events(desk: Desk) -> None:
    payments = [desk.pay(10_000), desk.pay(6_000), desk.pay(123)]
    owed = desk.held("sys:1110:")
    # Nobody has reported anything.
    before = shown(desk, "summary", account=CHANNEL)
    assert before["days"] == before["breaks"] == []
    (open_,) = [one for one in before["open_items"] if one["side"] == "channel"]
    assert (open_["account"], open_["items"], open_["amount"]) == (CHANNEL, 3, owed)
    table = desk.settlement(*payments)
    file = desk.import_channel(table[:2])
    desk.run()
    summary = shown(desk, "summary", source="channel_csv", **{"from": str(today()), "to": str(today())})
    matched = sum(one["row"]["gross"] for one in rows(desk.caller, file))
    (day,) = summary["days"]
    assert (day["source"], day["account"], day["day"], day["currency"]) == ("channel_csv", CHANNEL, str(today()), "EUR")
    assert day["matched"] == {"rows": 2, "amount": matched}
    assert day["waiting"] == day["broken"] == {"rows": 0, "amount": 0}
    assert [(one["imported"], one["rejected"]) for one in summary["files"]] == [(1, 0)]
    assert [(one["side"], one["items"]) for one in summary["open_items"]] == [("channel", 1)]

    (batch,) = shown(desk, "batches", channel=CHANNEL, status="due")["data"]
    assert (batch["lines"], batch["gross"], batch["holds"]) == (2, matched, True)
    assert batch["due"] == batch["balance"] == desk.held("sys:1120:")
    address = f"batches/{CHANNEL}/EUR/{batch['key']}"
    page = shown(desk, address)
    assert [(one["file"], one["kind"]) for one in page["data"]] == [(file["file_id"], "sale")] * 2
    assert page["bank_lines"] == page["rows"] == []
    first = page["data"][0]
    assert first["net"] == first["gross"] - first["fee"]
    trail = desk.caller.get("/audit/trail", entity=first["stream"]).done(200)["data"]
    (event,) = [one for one in trail if one["position"] == first["position"]]
    assert event["topic"] == "settlements.line_settled.v1"
    # Line by line, the same.
    one = shown(desk, address, limit=1)
    assert one["data"] == page["data"][:1]
    assert shown(desk, address, limit=1, cursor=one["next_cursor"])["data"] == page["data"][1:]

    statement = desk.import_bank(credit(batch["due"]), moved=batch["due"])
    desk.run("mt940", "main")
    paid = shown(desk, address, show="bank_lines")
    assert (paid["batch"]["status"], paid["batch"]["due"], paid["batch"]["balance"]) == ("paid", 0, 0)
    assert paid["batch"]["paid"] == batch["due"]
    (bank_line,) = paid["data"]
    assert bank_line["file"] == statement["file_id"]
    assert bank_line["bank_line"].startswith("bank_line/main/")
    assert shown(desk, "batches", status="due")["data"] == []
    assert [one["key"] for one in shown(desk, "batches", status="paid", currency="EUR")["data"]] == [batch["key"]]
    desk.caller.get(f"/reconciliation/batches/{CHANNEL}/EUR/none").refused(404, "settlement_batch_not_found")


def test_what_was_read_twice_or_not_at_all_is_in_the_summary_too(desk: Desk) -> None:
    sent(desk.caller, report(line("txn_1"), line("txn_2", net="9.99")), account="stripe").done()
    sent(desk.caller, report(line("txn_1"), line("txn_3")), account="stripe").done()
    asked = {"from": "2026-11-20", "to": str(today() + timedelta(days=1))}
    summary = shown(desk, "summary", source="stripe", **asked)
    (day,) = summary["days"]
    assert day["waiting"] == {"rows": 2, "amount": 2_000}
    assert day["duplicate"] == {"rows": 1, "amount": 1_000}
    assert [(one["imported"], one["rejected"]) for one in summary["files"]] == [(2, 1)]


def test_items_and_journal_agree_in_each_flow_until_somebody_falsifies_one(desk: Desk) -> None:
    payments = [desk.pay(1_000), desk.pay(2_000)]
    desk.import_channel(desk.settlement(*payments))
    desk.run()
    flows = shown(desk, "flows", account=CHANNEL, currency="EUR")
    assert flows["holds"]
    assert [(one["items"], one["open"], one["balance"]) for one in flows["control"]] == [(0, 0, 0)]
    assert len(flows["data"]) == 4
    assert all(one["flow"] == one["journal"] for one in flows["data"])
    assert sum(one["flow"] for one in flows["data"]) == 0
    first = shown(desk, "flows", account=CHANNEL, limit=3)
    rest = shown(desk, "flows", account=CHANNEL, limit=3, cursor=first["next_cursor"])
    assert first["data"] + rest["data"] == flows["data"]
    assert rest["next_cursor"] is None
    falsified(desk, "DELETE FROM {schema}.postings WHERE account LIKE 'sys:1110:%' AND NOT is_debit")
    false = shown(desk, "flows", account=CHANNEL)
    assert not false["holds"]
    assert [one["holds"] for one in false["control"]] == [True]
    falsified(desk, "UPDATE {schema}.balances SET posted_debits = posted_debits + 7 WHERE account LIKE 'sys:1110:%'")
    assert [one["holds"] for one in shown(desk, "flows", account=CHANNEL)["control"]] == [False]


def test_sub_ledgers_come_to_their_control_accounts_until_somebody_falsifies_one(desk: Desk) -> None:
    payment = desk.pay(10_000)
    desk.refund(payment, 4_000)
    checked = shown(desk, "control-accounts")
    assert checked["holds"]
    controls = {one["code"]: one for one in checked["controls"]}
    assert controls["1110"]["open"] == controls["1110"]["balance"] == desk.held("sys:1110:")
    assert (controls["2210"]["items"], controls["2210"]["open"]) == (0, 0)
    falsified(desk, "UPDATE {schema}.balances SET posted_debits = 0 WHERE account LIKE 'sys:2210:%'")
    false = shown(desk, "control-accounts")
    assert not false["holds"]
    (wrong,) = [one for one in false["controls"] if not one["holds"]]
    assert (wrong["code"], wrong["open"], wrong["balance"]) == ("2210", 0, 4_000)
    assert [one["account"] for one in wrong["differences"]] == [f"sys:2210:{desk.shop}:eur"]


def test_what_we_owe_is_safeguarded_until_a_claim_is_missing(desk: Desk) -> None:
    desk.pay(10_000)
    found = shown(desk, "safeguarding")
    (euros,) = found["currencies"]
    assert euros["claims"] == desk.held("sys:1110:")
    assert euros["obligations"] == -desk.held("sys:2110:")
    assert (euros["difference"], found["holds"]) == (euros["claims"] - euros["obligations"], True)
    then = shown(desk, "safeguarding", known_at=found["position"])
    assert then == found
    assert shown(desk, "safeguarding", known_at=1) == {"holds": True, "currencies": [], "position": 1}
    falsified(desk, "UPDATE {schema}.balances SET posted_debits = 9 WHERE account LIKE 'sys:1110:%'")
    assert not shown(desk, "safeguarding")["holds"]


@pytest.mark.parametrize("view", ["summary", "batches", f"flows?account={CHANNEL}", "control-accounts", "safeguarding"])
def test_views_are_for_those_who_may_read_the_ledger(view: str, desk: Desk) -> None:
    desk.service.caller(desk.book, "payments:read").get(f"/reconciliation/{view}").refused(403, "scope_missing")


def test_what_makes_no_sense_is_refused(desk: Desk) -> None:
    ask = desk.caller.get
    ask("/reconciliation/flows").refused(422, "field_missing")
    ask("/reconciliation/summary", **{"from": "2026-11-21", "to": "2026-11-20"}).refused(422, "field_invalid")
    ask("/reconciliation/summary", **{"from": "2024-01-01", "to": "2026-01-01"}).refused(422, "field_invalid")
    ask("/reconciliation/batches", status="lost").refused(422, "field_invalid")
    ask(f"/reconciliation/batches/{CHANNEL}/XXX/one").refused(422, "currency_unknown")
    ask("/reconciliation/batches", cursor="made-up").refused(400, "cursor_invalid")
