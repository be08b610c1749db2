"""Bad inputs to payments, and callbacks that are not what they seem."""

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from commands.channels.signatures import Secret, secret_from_file, sign_message
from tests.journeys.bad_inputs import CARD, Case, Desk, cases, check
from tests.journeys.caller import Reply, at_once, fresh
from tests.journeys.service import CHANNEL, Service

CALLBACKS = f"/channels/{CHANNEL}/callbacks"
STRANGER = Secret(b"thirty-two bytes of someone else")


def payment(merchant: str, **more: Any) -> dict[str, Any]:
    """The body of a payment by card, of 60.00 EUR."""
    return {
        "merchant": merchant,
        "amount": 6_000,
        "currency": "EUR",
        "product": "quick_pay",
        "method": {"type": "card", "token": "tok_approved"},
        "capture": "automatic",
        "order_reference": fresh("order"),
        **more,
    }


@dataclass(frozen=True)
class Counter:
    """Where payments are made: a merchant, a customer with an empty wallet, one payment that has succeeded."""

    merchant: str
    customer: str
    paid: str


@pytest.fixture(scope="module")
def counter(desk: Desk) -> Counter:
    caller = desk.caller
    merchant, customer = fresh("merchant"), fresh("customer")
    terms = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "EUR"}
    caller.post("/merchants", {"id": merchant, "name": "Shop", **terms}).done()
    caller.post("/customers", {"id": customer}).done()
    caller.post(f"/customers/{customer}/wallets", {"currency": "EUR"}).done()
    paid = caller.post("/payments", payment(merchant)).done()["id"]
    return Counter(merchant, customer, paid)


# --- payments ---------------------------------------------------------------------------------------------------------

TO_REFUSE = [
    ("amount 0", {"amount": 0}, 422, "amount_not_positive"),
    ("a negative amount", {"amount": -5}, 422, "amount_not_positive"),
    ("an amount in a text", {"amount": "6000"}, 422, "amount_type"),
    ("an unknown currency", {"currency": "EURO"}, 422, "currency_unknown"),
    ("a currency that the merchant is not settled in", {"currency": "JPY"}, 422, "currency_mismatch"),
    ("an unknown way of capture", {"capture": "later"}, 422, "field_invalid"),
    (
        "a capture that is not offered",
        {"product": "platform_pay", "method": {"type": "alipay"}, "capture": "manual"},
        422,
        "capture_not_supported",
    ),
    ("an unknown product", {"product": "barter"}, 422, "product_not_supported"),
    ("a principal that is not there", {"product": "agency_pay"}, 422, "principal_unknown"),
    ("a method that does not fit", {"method": {"type": "wallet"}}, 422, "method_not_supported"),
    ("an unknown merchant", {"merchant": "nobody"}, 422, "merchant_unknown"),
    ("an unknown customer", {"customer": "nobody"}, 422, "customer_unknown"),
    ("no order reference", {"order_reference": ""}, 422, "field_invalid"),
    ("a wallet without a customer", {"product": "balance_pay", "method": {"type": "wallet"}}, 422, "field_missing"),
    ("an id of the caller's", {"id": "pay_mine"}, 422, "unknown_field"),
    ("a status", {"status": "succeeded"}, 422, "unknown_field"),
    ("a card number as token", {"method": {"type": "card", "token": CARD.replace(" ", "")}}, 422, "pan_not_allowed"),
    ("a card number", {"method": {"type": "card", "number": CARD}}, 422, "pan_not_allowed"),
    ("a security code", {"method": {"type": "card", "cvc": "123"}}, 422, "sensitive_field_not_allowed"),
    ("a month of expiry", {"method": {"type": "card", "exp_month": 13}}, 422, "unknown_field"),
    ("an amount that no account could turn over", {"amount": 10**17 + 1}, 422, "amount_overflow"),
    ("an amount that is no number of ours", {"amount": 2**63}, 400, "json_integer_too_large"),
]


@pytest.mark.parametrize(
    ("what", "changes", "status", "code"), TO_REFUSE, ids=lambda value: value if isinstance(value, str) else ""
)
def test_p15_a_bad_order_is_refused_and_nothing_is_sent(
    desk: Desk, counter: Counter, what: str, changes: dict[str, Any], status: int, code: str
) -> None:
    charged = desk.service.charges()
    order = payment(counter.merchant) | changes
    echo = "4242" if "card number" in what else ""
    check(desk, Case(0, what, lambda desk: desk.caller.post("/payments", order), status, code, echo))
    assert desk.service.charges() == charged


def test_p15_all_bad_fields_of_an_order_are_named_in_one_answer(desk: Desk, counter: Counter) -> None:
    bad = payment(counter.merchant, amount=0, currency="EURO", capture="later", colour="red")
    problem = desk.caller.post("/payments", bad).refused(422, "amount_not_positive")
    assert {error["pointer"] for error in problem["errors"]} == {"/amount", "/currency", "/capture", "/colour"}


def test_all_that_an_order_asks_too_much_is_named_in_one_answer(desk: Desk, counter: Counter) -> None:
    bad = payment(counter.merchant, product="credit_pay", capture="manual")
    problem = desk.caller.post("/payments", bad).refused(422, "field_missing")
    assert {error["pointer"] for error in problem["errors"]} == {"/customer", "/method/type", "/capture"}


def refund_case(what: str, path: str, body: dict[str, Any], status: int, code: str) -> Any:
    return pytest.param(path, body, status, code, id=what)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        refund_case("more than was paid", "/payments/{paid}/refunds", {"amount": 6_001}, 422, "refund_exceeds_payment"),
        refund_case("too much for an account", "/payments/{paid}/refunds", {"amount": 2**62}, 422, "amount_overflow"),
        refund_case("nothing", "/payments/{paid}/refunds", {"amount": 0}, 422, "amount_not_positive"),
        refund_case("a fraction", "/payments/{paid}/refunds", {"amount": "1.5"}, 422, "amount_type"),
        refund_case("of no payment", "/payments/pay_none/refunds", {"amount": 1}, 404, "payment_not_found"),
        refund_case("of an account", "/payments/customer/refunds", {"amount": 1}, 404, "payment_not_found"),
        refund_case(
            "a top-up by wallet",
            "/wallets/{customer}/EUR/top-ups",
            {"amount": 1, "method": {"type": "wallet"}, "reason": None},
            422,
            "unknown_field",
        ),
    ],
)
def test_a_bad_refund_is_refused(
    desk: Desk, counter: Counter, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    where = path.format(paid=counter.paid, customer=counter.customer)
    check(desk, Case(0, code, lambda desk: desk.caller.post(where, {"reason": "back", **body}), status, code))


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/payments/pay_none", "payment_not_found"),
        ("/refunds/ref_none-1", "refund_not_found"),
        ("/refunds/{paid}", "refund_not_found"),
        ("/top-ups/top_none", "top_up_not_found"),
        ("/merchants/nobody", "merchant_not_found"),
        ("/merchants/nobody/balance", "merchant_not_found"),
        ("/customers/nobody", "customer_not_found"),
        ("/customers/{customer}/wallets/USD", "wallet_not_found"),
        ("/customers/{customer}/wallets/eur", "wallet_not_found"),
        ("/customers/nobody/wallets/EUR", "wallet_not_found"),
    ],
)
def test_what_is_not_there_is_not_found(desk: Desk, counter: Counter, path: str, code: str) -> None:
    desk.caller.get(path.format(paid=counter.paid, customer=counter.customer)).refused(404, code)


# --- callbacks --------------------------------------------------------------------------------------------------------


def told(service: Service, headers: dict[str, str], body: bytes) -> Reply:
    """What is answered to a message that somebody sends in the channel's name."""
    return service.nobody.send("POST", CALLBACKS, content=body, headers=headers)


def signed(service: Service, body: bytes, *, at: int | str = 0, secret: Secret | None = None) -> dict[str, str]:
    """Genuine headers: of now, unless a number of seconds or a strange text is given."""
    own = secret_from_file(service.state / "channels" / f"{CHANNEL}.secret")
    seconds = int(time.time()) + at if isinstance(at, int) else 0
    headers = sign_message(secret or own, fresh("evt"), seconds, body)
    return headers if isinstance(at, int) else headers | {"channel-timestamp": at}


NOTICE = b'{"object":"charge"}'


def message(row: int, what: str, status: int, code: str, *, signature: str | None = None, **signing: Any) -> Case:
    """A message with this signature in place of its own, or that was signed in this way."""

    def send(desk: Desk) -> Reply:
        changed = {} if signature is None else {"channel-signature": signature}
        return told(desk.service, signed(desk.service, NOTICE, **signing) | changed, NOTICE)

    return Case(row, what, send, status, code)


MESSAGES = [
    message(103, "sent again after 300 s", 401, "timestamp_out_of_window", at=-301),
    message(103, "from the future", 401, "timestamp_out_of_window", at=360),
    message(104, "a time with a fraction", 400, "signature_malformed", at="1700000000.0"),
    message(104, "nan", 400, "signature_malformed", at="nan"),
    message(104, "a negative time", 400, "signature_malformed", at="-1"),
    message(105, "v1 without a comma", 400, "signature_malformed", signature="v1"),
    message(105, "no base64", 400, "signature_malformed", signature="v1,not*base64"),
    message(105, "1,000 signatures", 400, "signature_malformed", signature=" ".join(["v1,AAAA"] * 1_000)),
    message(105, "only unknown versions", 401, "signature_invalid", signature="v2,AAAA"),
    message(105, "no signature", 400, "signature_malformed", signature=""),
    message(105, "another's signature", 401, "signature_invalid", secret=STRANGER),
]


@cases(*MESSAGES)
def test_a_message_that_is_not_the_channels_has_no_effect(desk: Desk, case: Case) -> None:
    check(desk, case)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", NOTICE, b'{"object":"refund","amount":1e400}', b"[" * 5_000])
def test_a_message_of_the_channel_that_makes_no_sense_is_refused(desk: Desk, body: bytes) -> None:
    service = desk.service
    check(desk, Case(103, "", lambda _: told(service, signed(service, body), body), 422, "callback_unreadable"))


def test_a_channel_that_is_not_ours_is_not_found(desk: Desk) -> None:
    reply = desk.caller.send("POST", "/channels/nobody/callbacks", content=NOTICE)
    reply.refused(404, "channel_not_found")


def charge(paid: dict[str, Any], **changed: Any) -> bytes:
    """What the channel would say of the charge of a payment."""
    said = {
        "object": "charge",
        "id": paid["attempts"][0]["id"],
        "reference": "ch_other",
        "status": "succeeded",
        "amount": paid["amount"],
        "currency": paid["currency"],
        "fee": 0,
        "decided_at": "2026-11-21T10:20:30Z",
        "decline": None,
        **changed,
    }
    return json.dumps(said).encode()


def test_row_103_one_message_sent_a_hundred_times_at_once_has_one_effect(desk: Desk, counter: Counter) -> None:
    """Signed by the channel, about a charge it declined before: the late success of a payment that has failed."""
    service, caller = desk.service, desk.caller
    declined = payment(counter.merchant, method={"type": "card", "token": "tok_do_not_honor"})
    failed = caller.post("/payments", declined).done()
    assert failed["status"] == "failed"
    head = service.settled_head(desk.book)
    body = charge(failed)
    headers = signed(service, body)
    replies = at_once(*[lambda: told(service, headers, body)] * 100)
    statuses = [reply.done(200)["status"] for reply in replies]
    assert sorted(set(statuses)) == ["known", "taken"]
    assert statuses.count("taken") == 1
    trail = caller.get("/audit/trail", entity=failed["id"]).done(200)["data"]
    topics = [fact["topic"] for fact in trail if fact["position"] > head]
    assert topics.count("payments.receipt_unapplied.v1") == 1
    assert caller.get(f"/payments/{failed['id']}").done(200)["status"] == "failed"


@pytest.mark.parametrize("changed", [{"amount": 6_001}, {"amount": 1}, {"currency": "USD"}])
def test_a_message_about_another_sum_does_not_make_a_payment_succeed(
    desk: Desk, counter: Counter, changed: dict[str, Any]
) -> None:
    service, caller = desk.service, desk.caller
    order = payment(counter.merchant, method={"type": "card", "token": "tok_generic_decline"})
    failed = caller.post("/payments", order).done()
    body = charge(failed, **changed)
    told(service, signed(service, body), body).done(200)
    found = caller.get(f"/payments/{failed['id']}").done(200)
    assert (found["status"], found["amount_captured"]) == ("failed", 0)


def test_a_message_about_nothing_of_ours_is_answered_and_ignored(desk: Desk) -> None:
    head = desk.service.head(desk.book)
    unknown = {"attempts": [{"id": "pay_01a1fe3238b778fead07d2235a4cf12a-1"}], "amount": 1, "currency": "EUR"}
    body = charge(unknown)
    assert told(desk.service, signed(desk.service, body), body).done(200) == {"status": "ignored"}
    assert desk.service.head(desk.book) == head
