"""Sending: what only the payer may know reaches him over a mail server or a telephone, and lets him go on."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from tests.journeys.service import Service
from tests.journeys.test_risk_scenarios import Shop
from tests.postmen import MailServer, TextProvider, wait_until

_Message = TypeVar("_Message")
_CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")


@pytest.fixture(scope="module")
def mails() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture(scope="module")
def texts() -> Iterator[TextProvider]:
    with TextProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def shop(service: Service, mails: MailServer, texts: TextProvider) -> Iterator[Shop]:
    """A shop whose payers are all asked for a code, beside a worker that can send it."""
    with service.one_more_worker(LEDGER_EMAIL_URL=mails.url, LEDGER_SMS_URL=texts.url):
        shop = Shop(service)
        shop.rules({"name": "everybody", "condition": "amount > 0", "verdict": "challenge"})
        yield shop


def found(look: Callable[[], list[_Message]]) -> list[_Message]:
    """What there is to see, once there is something."""
    wait_until(lambda: bool(look()))
    return look()


def confirmed(shop: Shop, payment: dict[str, Any], answer: str) -> dict[str, Any]:
    reply = shop.caller.post(f"/payments/{payment['id']}/confirm", {"answer": answer})
    assert reply.status in (200, 202), reply.body
    body: dict[str, Any] = reply.body
    return body


def is_forgotten(shop: Shop, payment: dict[str, Any]) -> bool:
    """The table of codes does not know it any more, nor whom it went to."""
    found = shop.sql("SELECT recipient, code FROM {schema}.one_time_codes WHERE payment = %s", payment["id"])
    return found in ([], [("", "")])


def test_p72_a_payer_confirms_with_the_code_from_his_mail(shop: Shop, mails: MailServer) -> None:
    customer = shop.customer(email="ann@example.org", language="zh-CN")
    payment = shop.pay(customer=customer)
    assert (payment["status"], payment["next_action"]["data"]["sent_to"]) == ("requires_action", "a…@example.org")
    # The sender works for every book of the service: others' messages may come too.
    (mail,) = found(lambda: [one for one in mails.received if one.to == ("ann@example.org",)])
    assert "向 Shop 支付 60.00 EUR" in mail.text
    (code,) = _CODE.findall(mail.text)
    shop.service.wait_until(lambda: is_forgotten(shop, payment))
    # A look at the payment hands the code over again, to an outbox that remembers it as sent.
    assert shop.caller.get(f"/payments/{payment['id']}").done(200)["status"] == "requires_action"
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    assert confirmed(shop, payment, wrong)["status"] == "requires_action"
    confirmed(shop, payment, code)
    shop.service.wait_until(lambda: shop.caller.get(f"/payments/{payment['id']}").body["status"] == "succeeded")
    assert len([one for one in mails.received if one.to == ("ann@example.org",)]) == 1
    assert f'"{code}"' not in json.dumps(shop.events_of(payment["id"]))


def test_p72_a_payer_confirms_with_the_code_from_his_telephone(shop: Shop, texts: TextProvider) -> None:
    # Nobody else's number: the sender also brings the codes that other journeys left in their outboxes.
    payment = shop.pay(client={"phone": "+49 40 555017-2", "language": "en-GB"})
    (text,) = found(lambda: [one for one in texts.received if one["to"] == "+49405550172"])
    (code,) = _CODE.findall(text["message"])
    assert text["message"].startswith(f"{code} is your code for paying 60.00 EUR to Shop.")
    confirmed(shop, payment, code)
    shop.service.wait_until(lambda: shop.caller.get(f"/payments/{payment['id']}").body["status"] == "succeeded")
    shop.service.wait_until(lambda: is_forgotten(shop, payment))
