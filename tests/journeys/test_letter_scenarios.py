"""Letters over HTTP: payers hear by e-mail that they paid and have money back, where their merchant wishes it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.caller import Caller, fresh
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment
from tests.postmen import MailServer, wait_until

MERCHANT = {"name": "Shop", "fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "EUR"}


@pytest.fixture(scope="module")
def mails(service: Service) -> Iterator[MailServer]:
    """A mail server, and a worker beside the other that knows of it."""
    with MailServer() as server, service.one_more_worker(LEDGER_EMAIL_URL=server.url):
        yield server


@pytest.fixture
def own(service: Service) -> Caller:
    caller = service.caller(service.new_book())
    caller.post("/merchants", {"id": "shop", **MERCHANT}).done()
    return caller


def paid(own: Caller, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = own.post("/payments", payment("shop", **more)).done()
    assert found["status"] == "succeeded"
    return found


def test_a_payer_hears_of_his_payment_and_of_his_refund_once_the_merchant_wishes_it(
    own: Caller, mails: MailServer
) -> None:
    address = f"{fresh('ann')}@example.org"
    customer = own.post("/customers", {"name": "Ann", "metadata": {"email": address, "language": "zh"}}).done()["id"]

    def heard() -> list[str]:
        return [str(mail.message["subject"]) for mail in mails.received if mail.to == (address,)]

    silent = paid(own, customer=customer, amount=1_000)
    own.get("/merchants/shop/payer-letters").done(200)
    assert own.get("/merchants/shop/payer-letters").body["to_payers"] is False
    assert own.post("/merchants/shop/payer-letters", {"to_payers": True}).done(200)["to_payers"] is True
    assert own.get("/merchants/shop/payer-letters").done(200)["to_payers"] is True
    told = paid(own, customer=customer)
    wait_until(lambda: len(heard()) == 1)
    refund = own.post(f"/payments/{told['id']}/refunds", {"amount": 2_000, "reason": "Came broken"}).done()
    assert refund["status"] == "succeeded"
    wait_until(lambda: len(heard()) == 2)
    assert heard() == ["已向 Shop 支付 60.00 EUR", "Shop 已向您退款 20.00 EUR"]
    # Switched off, nothing more is told; and what came before the wish was never told.
    own.post("/merchants/shop/payer-letters", {"to_payers": False}).done(200)
    paid(own, customer=customer, amount=2_000)
    own.post("/merchants/shop/payer-letters", {"to_payers": True}).done(200)
    own.post(f"/payments/{silent['id']}/refunds", {"amount": 100, "reason": "Kind"}).done()
    wait_until(lambda: len(heard()) == 3)
    assert heard()[-1] == "Shop 已向您退款 1.00 EUR"


def test_a_merchant_that_is_not_there_wishes_nothing(own: Caller) -> None:
    own.post("/merchants/nobody/payer-letters", {"to_payers": True}).refused(404, "merchant_not_found")
    own.get("/merchants/nobody/payer-letters").refused(404, "merchant_not_found")
    same = [own.post("/merchants/shop/payer-letters", {"to_payers": False}).done(200) for _ in range(2)]
    assert [one["to_payers"] for one in same] == [False, False]
