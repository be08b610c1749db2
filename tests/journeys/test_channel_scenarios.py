"""Channels' own ways, black-box: wallets that are scanned, coins that are sent; each with its counterpart."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from tests.journeys.caller import Caller, fresh
from tests.journeys.payers import becomes, cancel, charged_at_the_channel, new_merchant, owed, payer
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment

WALLETS = ["alipay", "wechat_pay"]


@pytest.fixture
def merchant(caller: Caller) -> str:
    """A merchant who is settled in yuan, pays 2 % and nobody has bought from."""
    return new_merchant(caller, "CNY")


def by_wallet(caller: Caller, merchant: str, kind: str, token: str | None = None, scene: str = "qr") -> dict[str, Any]:
    """A payment of 60.00 CNY that waits for its payer."""
    method = {"type": kind, "scene": scene, "token": token or "tok_x"}
    body = payment(merchant, product="platform_pay", method=method, currency="CNY")
    reply = caller.post("/payments", body)
    assert reply.status in (201, 202), reply.raw
    asked: dict[str, Any] = reply.body
    return asked


@contextmanager
def misbehaving(service: Service, channel: str, *rules: dict[str, Any]) -> Iterator[None]:
    """The channel misbehaves by these rules for the length of a block."""

    def plan(given: tuple[dict[str, Any], ...]) -> None:
        with httpx2.Client(trust_env=False) as client:
            url = f"{service.simulator_url}/{channel}/faults"
            assert client.put(url, json={"seed": 1, "rules": given}).status_code == 200

    plan(rules)
    try:
        yield
    finally:
        plan(())


def messages_owed(service: Service, channel: str) -> int:
    with httpx2.Client(trust_env=False) as client:
        return int(client.get(f"{service.simulator_url}/{channel}/callbacks").json()["owed"])


def becomes_refunded(service: Service, caller: Caller, refund: str) -> None:
    service.wait_until(lambda: caller.get(f"/refunds/{refund}").done(200)["status"] == "succeeded", patience_s=30)


def scan(asked: dict[str, Any]) -> None:
    """The payer opens what the code says, or the page that he was sent to, and approves."""
    action = asked["next_action"]
    with httpx2.Client(trust_env=False) as client:
        done = client.post(action.get("url") or action["data"]["qr"], data={"action": "approve"})
    assert done.status_code in (200, 303), done.text


# --- wallets that are scanned -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WALLETS)
@pytest.mark.parametrize(("scene", "action"), [("qr", "qr_code"), ("redirect", "redirect")])
def test_what_a_payer_scans_is_paid_by_the_platform_s_message_which_is_answered_in_its_words(
    service: Service, caller: Caller, merchant: str, kind: str, scene: str, action: str
) -> None:
    asked = by_wallet(caller, merchant, kind, scene=scene)
    assert (asked["status"], asked["next_action"]["type"], asked["amount_captured"]) == ("requires_action", action, 0)
    scan(asked)
    paid = becomes(service, caller, asked, "succeeded")
    assert (paid["amount_captured"], charged_at_the_channel(service, paid)) == (6_000, [6_000])
    assert owed(caller, merchant) == 5_880
    # Only the right words keep the platform from coming again.
    service.wait_until(lambda: messages_owed(service, kind) == 0)


@pytest.mark.parametrize("kind", WALLETS)
def test_a_wallet_is_given_back_in_parts_and_not_one_fen_more(
    service: Service, caller: Caller, merchant: str, kind: str
) -> None:
    asked = by_wallet(caller, merchant, kind)
    scan(asked)
    becomes(service, caller, asked, "succeeded")
    for amount in (2_500, 3_500):
        answered = caller.post(f"/payments/{asked['id']}/refunds", {"amount": amount, "reason": "returned"})
        refund = answered.done()["id"]
        becomes_refunded(service, caller, refund)
    caller.post(f"/payments/{asked['id']}/refunds", {"amount": 1, "reason": "more"}).refused(
        422, "refund_exceeds_payment"
    )
    with httpx2.Client(trust_env=False) as client:
        refunds = client.get(f"{service.simulator_url}/{kind}/books").json()["refunds"]
    given = [one["amount"] for one in refunds if one["id"].startswith("ref_" + asked["id"].removeprefix("pay_"))]
    assert given == [2_500, 3_500]


@pytest.mark.parametrize("kind", WALLETS)
def test_an_order_that_is_closed_can_be_scanned_no_more(
    service: Service, caller: Caller, merchant: str, kind: str
) -> None:
    asked = by_wallet(caller, merchant, kind)
    cancel(caller, asked)
    canceled = becomes(service, caller, asked, "canceled")
    with pytest.raises(AssertionError):
        payer(service, asked, "approve")
    assert (charged_at_the_channel(service, canceled), owed(caller, merchant)) == ([], 0)


@pytest.mark.parametrize("kind", WALLETS)
@pytest.mark.parametrize("fault", ["timeout_after", "error_500_after", "malformed_body"])
def test_an_order_whose_answer_was_lost_is_asked_for_again_and_paid_once(
    service: Service, caller: Caller, merchant: str, kind: str, fault: str
) -> None:
    token = fresh("tok_order")
    rule = {"match": {"operation": "charge", "token": token}, "fault": fault, "times": 1}
    with misbehaving(service, kind, rule):
        asked = by_wallet(caller, merchant, kind, token)
        shown = becomes(service, caller, asked, "requires_action")
    scan(shown)
    paid = becomes(service, caller, asked, "succeeded")
    assert charged_at_the_channel(service, paid) == [6_000]
    assert owed(caller, merchant) == 5_880


@pytest.mark.parametrize("kind", WALLETS)
@pytest.mark.parametrize("fault", ["wrong_signature_callback", "altered_callback"])
def test_a_message_that_is_not_the_platform_s_is_refused_and_its_repetition_pays(
    service: Service, caller: Caller, merchant: str, kind: str, fault: str
) -> None:
    asked = by_wallet(caller, merchant, kind, f"tok_{fault}")
    scan(asked)
    paid = becomes(service, caller, asked, "succeeded")
    assert (charged_at_the_channel(service, paid), owed(caller, merchant)) == ([6_000], 5_880)


@pytest.mark.parametrize("kind", WALLETS)
def test_a_stranger_s_message_is_401_and_has_no_effect(
    service: Service, caller: Caller, merchant: str, kind: str
) -> None:
    asked = by_wallet(caller, merchant, kind)
    forged = {
        "alipay": ({}, f"out_trade_no={asked['id']}-1&sign=QUJD&sign_type=RSA2".encode()),
        "wechat_pay": ({"wechatpay-timestamp": "1", "wechatpay-signature": "QUJD"}, b'{"id":"e"}'),
    }
    headers, body = forged[kind]
    with httpx2.Client(trust_env=False) as client:
        answered = client.post(f"{service.url}/v1/channels/{kind}/callbacks", headers=headers, content=body)
    assert (answered.status_code, answered.json()["code"]) == (401, "signature_invalid")
    assert caller.get(f"/payments/{asked['id']}").done(200)["status"] == "requires_action"
    assert owed(caller, merchant) == 0


@pytest.mark.parametrize("kind", WALLETS)
def test_p42_a_message_over_another_sum_pays_nothing(
    service: Service, caller: Caller, merchant: str, kind: str
) -> None:
    asked = by_wallet(caller, merchant, kind, "tok_wrong_amount_callback")
    rule = {"match": {"operation": "query_charge", "token": "tok_wrong_amount_callback"}, "fault": "error_500_before"}
    with misbehaving(service, kind, rule):
        scan(asked)
        service.wait_until(lambda: messages_owed(service, kind) == 0)
        shown = caller.get(f"/payments/{asked['id']}").done(200)
        assert (shown["status"] in ("requires_action", "processing"), shown["amount_captured"]) == (True, 0)
        assert owed(caller, merchant) == 0
    # What the platform says when it is asked is right, and counts.
    assert becomes(service, caller, asked, "succeeded")["amount_captured"] == 6_000


# --- coins that are sent ----------------------------------------------------------------------------------------------

PRICE = 120_000  # of 60.00 EUR in hundred-millionths of a bitcoin, at 50,000 EUR for one


@pytest.fixture
def seller(caller: Caller) -> str:
    """A merchant who is settled in euros, and a price for bitcoins."""
    caller.post("/fx/rates", {"from": "BTC", "to": "EUR", "rate": "50000", "source": "treasury"}).done()
    return new_merchant(caller, "EUR")


def in_coins(caller: Caller, seller: str) -> dict[str, Any]:
    """A payment of 60.00 EUR that waits for bitcoins."""
    method = {"type": "coin", "coin": "BTC"}
    asked: dict[str, Any] = caller.post("/payments", payment(seller, product="virtual_currency", method=method)).done()
    assert (asked["status"], asked["next_action"]["type"]) == ("requires_action", "pay_to_address")
    return asked


def send(service: Service, asked: dict[str, Any], amount: int = 0, confirmations: int = 0, **more: Any) -> None:
    """So much comes to the address; 0: what is asked for, or what it was before."""
    body = {"charge": asked["attempts"][-1]["id"], "amount": amount, "confirmations": confirmations, **more}
    with httpx2.Client(trust_env=False) as client:
        assert client.post(f"{service.simulator_url}/control/coins", json=body).status_code == 200
    service.wait_until(lambda: messages_owed(service, "coin_gateway") == 0)


def standing(caller: Caller, code: int) -> int:
    found = caller.get(f"/accounts/sys:{code}:coin_gateway:btc/balance")
    return int(found.body["posted"]["balance"]) if found.status == 200 else 0


def test_p68_coins_pay_once_enough_blocks_lie_on_them(service: Service, caller: Caller, seller: str) -> None:
    custody = standing(caller, 1310)
    asked = in_coins(caller, seller)
    action = asked["next_action"]["data"]
    assert (action["amount"], action["coin"], bool(action["address"])) == (str(PRICE), "BTC", True)
    for confirmations in (0, 1):
        send(service, asked, confirmations=confirmations)
        assert caller.get(f"/payments/{asked['id']}").done(200)["status"] in ("requires_action", "processing")
        assert owed(caller, seller) == 0
    send(service, asked, confirmations=2)
    paid = becomes(service, caller, asked, "succeeded")
    assert (paid["amount_captured"], owed(caller, seller)) == (6_000, 5_880)
    assert standing(caller, 1310) - custody == PRICE


def test_p68_too_few_coins_are_asked_for_the_rest_and_too_many_are_kept_apart(
    service: Service, caller: Caller, seller: str
) -> None:
    apart = standing(caller, 2310)
    asked = in_coins(caller, seller)
    send(service, asked, PRICE - 5_000, 2)
    service.wait_until(lambda: standing(caller, 2310) - apart == PRICE - 5_000)
    shown = caller.get(f"/payments/{asked['id']}").done(200)
    assert (shown["status"], shown["next_action"]["data"]["amount"]) == ("requires_action", "5000")
    send(service, asked, 7_000, 2, txid="tx_2")
    becomes(service, caller, asked, "succeeded")
    assert (owed(caller, seller), standing(caller, 2310) - apart) == (5_880, 2_000)


def test_p68_coins_for_an_order_that_was_given_up_are_kept_apart(service: Service, caller: Caller, seller: str) -> None:
    apart = standing(caller, 2310)
    asked = in_coins(caller, seller)
    canceled = cancel(caller, asked).done(200)
    assert canceled["status"] == "canceled"
    send(service, asked, confirmations=2)
    service.wait_until(lambda: standing(caller, 2310) - apart == PRICE)
    assert caller.get(f"/payments/{canceled['id']}").done(200)["status"] == "canceled"
    assert owed(caller, seller) == 0


def test_p68_coins_that_their_chain_takes_back_were_never_paid(service: Service, caller: Caller, seller: str) -> None:
    custody = standing(caller, 1310)
    asked = in_coins(caller, seller)
    send(service, asked, confirmations=2)
    becomes(service, caller, asked, "succeeded")
    send(service, asked, dropped=True)
    service.wait_until(lambda: standing(caller, 1310) == custody)
    assert owed(caller, seller) == 0
    assert caller.get(f"/payments/{asked['id']}").done(200)["status"] != "succeeded"
