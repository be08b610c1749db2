"""Reconciliation: from the click over the channel's file to the line of the bank's statement, to the cent."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.journeys.caller import fresh
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_report_file_scenarios import rows, sent


def today() -> date:
    """Asked anew each time: tests may run past midnight."""
    return datetime.now(UTC).date()


class Desk:
    """Somebody of finance, with a shop to look after."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.book = service.new_book()
        self.caller = service.caller(self.book)
        self.second = service.caller(self.book)
        terms = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "EUR"}
        self.shop = self.caller.post("/merchants", {"name": "Shop", **terms}).done()["id"]

    def pay(self, amount: int) -> str:
        """The id of a payment by card that has succeeded."""
        body = {
            "merchant": self.shop,
            "amount": amount,
            "currency": "EUR",
            "product": "quick_pay",
            "method": {"type": "card", "token": "tok_approved"},
            "order_reference": fresh("order"),
        }
        payment = self.caller.post("/payments", body).body
        self.service.wait_until(lambda: self.payment(payment["id"])["status"] == "succeeded")
        return str(payment["id"])

    def payment(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.caller.get(f"/payments/{name}").done(200)
        return found

    def refund(self, payment: str, amount: int) -> str:
        refund = self.caller.post(f"/payments/{payment}/refunds", {"amount": amount, "reason": "returned"}).body["id"]
        self.service.wait_until(lambda: self.caller.get(f"/refunds/{refund}").done(200)["status"] == "succeeded")
        return str(refund)

    def settlement(self, *payments: str) -> list[dict[str, str]]:
        """What the channel's file of today says of these payments; the simulator serves every book."""
        asked = {"date": today().isoformat(), "channel": CHANNEL}
        with httpx2.Client(trust_env=False) as client:
            reply = client.get(f"{self.service.simulator_url}/control/settlement", params=asked)
        digits = [payment.removeprefix("pay_") for payment in payments]
        return [
            row for row in csv.DictReader(io.StringIO(reply.text)) if any(one in row["charge_id"] for one in digits)
        ]

    def import_channel(self, table: list[dict[str, str]]) -> dict[str, Any]:
        out = io.StringIO()
        writer = csv.DictWriter(out, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
        file: dict[str, Any] = sent(self.caller, out.getvalue().encode(), source="channel_csv", account=CHANNEL).done()
        assert (file["status"], file["rejected"]) == ("imported", 0)
        return file

    def import_bank(self, *lines: str, opening: int = 0, moved: int = 0, day: date | None = None) -> dict[str, Any]:
        at = f"{day or today():%y%m%d}"
        body = "\n".join(lines)
        content = (
            f":20:{fresh('STMT')}\n:25:DE02120300000000202051\n:28C:1/1\n:60F:C{at}EUR{_comma(opening)}\n{body}\n"
            f":62F:C{at}EUR{_comma(opening + moved)}\n-\n"
        )
        file: dict[str, Any] = sent(self.caller, content.encode(), source="mt940", account="main").done()
        assert (file["status"], file["rejected"]) == ("imported", 0)
        return file

    def run(self, source: str = "channel_csv", account: str = CHANNEL, day: date | None = None) -> dict[str, Any]:
        asked = {"source": source, "account": account, "date": (day or today()).isoformat()}
        reply = self.caller.post("/reconciliation/runs", asked)
        assert reply.status in (200, 201, 202), reply.body
        run = reply.body
        self.service.wait_until(lambda: self.run_of(run["id"])["status"] != "running")
        found = self.run_of(run["id"])
        self.caller.position = max(self.caller.position, found["position"])
        return found

    def run_of(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.caller.get(f"/reconciliation/runs/{name}").done(200)
        return found

    def breaks(self, **params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.caller.get("/reconciliation/breaks", **params).done(200)["data"]
        return found

    def held(self, prefix: str) -> int:
        """The sum of what stands on all accounts that begin so."""
        accounts = self.caller.get("/trial-balance").done(200)["accounts"]
        return sum(one["debits"] - one["credits"] for one in accounts if one["account"].startswith(prefix))


def _comma(minor: int) -> str:
    return f"{minor // 100},{minor % 100:02d}"


def credit(amount: int, reference: str = "NONREF", text: str = "settlement", day: date | None = None) -> str:
    return f":61:{day or today():%y%m%d}C{_comma(amount)}NTRF{reference}//{fresh('BANK')}\n:86:{text}"


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def test_a_day_of_sales_and_refunds_comes_to_the_bank_to_the_cent(desk: Desk) -> None:
    payments = [desk.pay(10_000), desk.pay(6_000), desk.pay(123)]
    desk.refund(payments[0], 4_000)
    owed = desk.held("sys:1110:")
    file = desk.import_channel(desk.settlement(*payments))
    assert file["rows"] == 4
    run = desk.run()
    assert (run["status"], run["settled"], run["breaks"], run["waiting"], run["refused"]) == ("completed", 4, 0, 0, 0)
    assert desk.held("sys:1110:") == 0
    assert desk.held("sys:1120:") == owed
    assert {one["state"] for one in rows(desk.caller, file)} == {"matched"}
    # The bank shows it on the day on which it is settled.
    desk.import_bank(credit(owed), moved=owed)
    at_bank = desk.run("mt940", "main")
    assert (at_bank["settled"], at_bank["breaks"], at_bank["waiting"]) == (1, 0, 0)
    assert desk.held("sys:1120:") == 0
    assert desk.held("sys:1020:") == owed
    trail = desk.caller.get("/audit/trail", entity=payments[0]).done(200)["data"]
    assert "settlements.line_settled.v1" in {fact["topic"] for fact in trail}


def test_p91_a_run_comes_to_the_same_hash_again_and_a_late_file_only_adds(desk: Desk) -> None:
    payments = [desk.pay(1_000), desk.pay(2_000), desk.pay(3_000)]
    table = desk.settlement(*payments)
    first = desk.import_channel(table[:2])
    run = desk.run()
    assert (run["settled"], run["waiting"]) == (2, 1)
    again = desk.run()
    assert again["output_hash"] == run["output_hash"]
    assert again["settled"] == 0
    before = rows(desk.caller, first)
    desk.import_channel(table)
    late = desk.run()
    assert (late["settled"], late["breaks"], late["waiting"]) == (1, 0, 0)
    assert rows(desk.caller, first) == before
    assert desk.held("sys:1110:") == 0


def test_p88_a_sale_that_the_channel_counts_before_midnight_and_we_after_it_waits_and_is_no_break(desk: Desk) -> None:
    payment, yesterday = desk.pay(5_000), today() - timedelta(days=1)
    (row,) = desk.settlement(payment)
    row["occurred_at"] = f"{yesterday}T23:59:58+00:00"
    file = desk.import_channel([row])
    run = desk.run(day=yesterday)
    assert (run["waiting"], run["breaks"], run["settled"]) == (1, 0, 0)
    assert [one["state"] for one in rows(desk.caller, file)] == ["open"]
    run = desk.run()
    assert (run["waiting"], run["breaks"], run["settled"]) == (0, 0, 1)
    assert [one["state"] for one in rows(desk.caller, file)] == ["matched"]
