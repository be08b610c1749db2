"""Races, each run and asserted: many at once, against one server and against two that write to one book."""

import threading
from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Any

import httpx2
import pytest

from tests.journeys.caller import Caller, Reply, at_once, fresh, moves, transfer
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def both(service: Service, home: str) -> tuple[Caller, Caller]:
    """Two callers of one book, each at a server of its own."""
    return service.caller(home), service.caller(home, server=1)


def statuses(replies: list[Reply]) -> dict[int, int]:
    """How many answers there were of each status."""
    found: dict[int, int] = {}
    for reply in replies:
        found[reply.status] = found.get(reply.status, 0) + 1
    return found


def refusals(replies: list[Reply]) -> set[str]:
    return {reply.body["code"] for reply in replies if reply.status >= 400}


def through_all(callers: tuple[Caller, ...], times: int, call: Callable[[Caller], Reply]) -> list[Reply]:
    """Make the call so many times at once, by each of the callers in turn."""
    replies = at_once(*[partial(call, caller) for caller, _ in zip(cycle(callers), range(times), strict=False)])
    for caller in callers:
        caller.position = max(one.position for one in callers)
    return replies


@pytest.mark.parametrize("servers", [1, 2])
def test_c7_row_78_fifty_requests_with_one_key_have_one_effect(
    service: Service, home: str, both: tuple[Caller, Caller], servers: int
) -> None:
    """None is told that another is in progress: whoever comes second waits for the first one's commit."""
    caller = both[0]
    a, b = caller.open_account("a"), caller.open_account("b")
    head, key = service.head(home), fresh("key")
    replies = through_all(both[:servers], 50, lambda one: one.move(a, b, 10, key=key))
    assert statuses(replies) == {201: 50}
    assert len({(reply.raw, reply.position) for reply in replies}) == 1
    assert sum(not reply.is_replay for reply in replies) == 1
    assert service.head(home) == head + 1
    assert caller.posted(a, b) == [-10, 10]


@pytest.mark.parametrize("servers", [1, 2])
def test_p76_c7_fifty_payments_with_one_key_are_one_payment(
    service: Service, both: tuple[Caller, Caller], merchant: str, servers: int
) -> None:
    """Also by card: the first answer waits for the channel, and all the others are equal to it.

    Where the machine is so busy that one is told to come again, it comes again.
    """
    order, key = payment(merchant), fresh("key")
    charged = service.charges()

    def pay(one: Caller) -> Reply:
        while (reply := one.post("/payments", order, key=key)).status == 409:
            assert reply.refused(409, "idempotency_in_progress")["retryable"]
        return reply

    replies = through_all(both[:servers], 50, pay)
    assert len({(reply.status, reply.raw) for reply in replies}) == 1
    assert service.charges() == charged + 1
    both[0].post("/payments", {**order, "amount": 1}, key=key).refused(422, "idempotency_key_reused")


@pytest.mark.parametrize("servers", [1, 2])
def test_p76_row_78_a_key_that_is_in_progress_is_a_409_and_then_the_one_answer(
    service: Service, home: str, both: tuple[Caller, Caller], merchant: str, servers: int
) -> None:
    """Nobody asks the channel: the first request waits for it for longer than any other waits for the first."""
    first, second = both[0], both[servers - 1]
    order, key = payment(merchant), fresh("key")
    head, charged = service.head(home), service.charges()

    def afterwards() -> Reply:
        service.wait_until(lambda: service.head(home) > head)
        return second.post("/payments", order, key=key)

    with service.without_worker():
        answer, meanwhile = at_once(partial(first.post, "/payments", order, key=key), afterwards)
        answer.done(202)
        assert meanwhile.refused(409, "idempotency_in_progress")["retryable"]
        assert meanwhile.headers["retry-after"] == "1"
        again = second.post("/payments", order, key=key)
        assert (again.status, again.raw, again.is_replay) == (202, answer.raw, True)
        # Another request with the key is told so, in progress or not.
        second.post("/payments", {**order, "amount": 1}, key=key).refused(422, "idempotency_key_reused")
    service.wait_until(lambda: second.get(f"/payments/{answer.body['id']}").body["status"] == "succeeded")
    assert service.charges() == charged + 1


@pytest.mark.parametrize("servers", [1, 2])
def test_d11_of_a_hundred_debits_exactly_those_that_fit_are_taken(both: tuple[Caller, Caller], servers: int) -> None:
    caller = both[0]
    wallet, shop = caller.open_account("wallet", min_balance=0), caller.open_account("shop")
    caller.move(caller.open_account("ext"), wallet, 500).done()
    replies = through_all(both[:servers], 100, lambda one: one.move(wallet, shop, 10))
    assert statuses(replies) == {201: 50, 409: 50}
    assert refusals(replies) == {"insufficient_funds"}
    assert caller.posted(wallet, shop) == [0, 500]
    assert len(caller.statement(shop, limit=500)) == 50


def test_two_servers_take_turns_and_leave_no_gap(service: Service, home: str, both: tuple[Caller, Caller]) -> None:
    caller = both[0]
    a, b = caller.open_account("a"), caller.open_account("b")
    head = service.head(home)
    replies = through_all(both, 100, lambda one: one.move(a, b, 1))
    assert sorted(reply.position for reply in replies) == list(range(head + 1, head + 101))
    lines = caller.statement(b, limit=500)
    assert [line["balance_after"] for line in lines] == list(range(1, 101))


def test_b3_an_exchange_and_its_inverse_leave_nothing(both: tuple[Caller, Caller]) -> None:
    caller = both[0]
    user_usd, fx_usd = (caller.open_account(name, currency="USD") for name in ("user.usd", "fx.usd"))
    user_eur, fx_eur = (caller.open_account(name) for name in ("user.eur", "fx.eur"))
    there = moves((user_usd, fx_usd, 1000), currency="USD") + moves((fx_eur, user_eur, 926))
    back = moves((user_eur, fx_eur, 926)) + moves((fx_usd, user_usd, 1000), currency="USD")

    def exchange(one: Caller, postings: list[dict[str, Any]]) -> list[int]:
        return [one.post("/entries", {"postings": postings}).status for _ in range(50)]

    calls = [partial(exchange, one, postings) for one in both for postings in (there, back) * 5]
    assert {status for told in at_once(*calls) for status in told} == {201}
    caller.position = max(one.position for one in both)
    assert caller.posted(user_usd, fx_usd, fx_eur, user_eur) == [0, 0, 0, 0]


def test_capture_against_release_one_of_them_wins(both: tuple[Caller, Caller]) -> None:
    caller = both[0]
    shop = caller.open_account("shop")
    wallet = caller.open_account("wallet", min_balance=0)
    caller.move(caller.open_account("ext"), wallet, 200).done()
    captured = 0
    for _ in range(20):
        hold = caller.hold(wallet, shop, 10)
        capture, release = at_once(
            partial(both[0].post, f"/holds/{hold}/capture", {}), partial(both[1].post, f"/holds/{hold}/release", {})
        )
        assert (capture.status, release.status) in ((201, 409), (409, 200))
        assert refusals([capture, release]) == {"hold_not_active"}
        captured += capture.status == 201
    caller.position = max(one.position for one in both)
    assert caller.posted(wallet, shop) == [200 - 10 * captured, 10 * captured]
    assert caller.available(wallet) == 200 - 10 * captured


def test_e2_of_twenty_reversals_at_once_exactly_one_is_carried_out(both: tuple[Caller, Caller]) -> None:
    caller = both[0]
    world, alice = caller.open_account("world"), caller.open_account("alice")
    entry = caller.move(world, alice, 100).done()["id"]
    replies = through_all(both, 20, lambda one: one.post(f"/entries/{entry}/reverse", {"reason": "wrong"}))
    assert statuses(replies) == {201: 1, 409: 19}
    assert refusals(replies) == {"already_reversed"}
    assert caller.posted(world, alice) == [0, 0]


@pytest.fixture(scope="module")
def merchant(caller: Caller) -> str:
    terms = {"fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "EUR"}
    return str(caller.post("/merchants", {"id": fresh("merchant"), "name": "Shop", **terms}).done()["id"])


def test_p23_fifty_refunds_at_once_give_back_no_more_than_was_paid(both: tuple[Caller, Caller], merchant: str) -> None:
    caller = both[0]
    paid = caller.post("/payments", payment(merchant, amount=10_000)).done()["id"]
    replies = through_all(
        both, 50, lambda one: one.post(f"/payments/{paid}/refunds", {"amount": 1_000, "reason": "returned"})
    )
    assert sum(reply.status < 300 for reply in replies) == 10
    assert refusals(replies) == {"refund_exceeds_payment"}
    found = caller.get(f"/payments/{paid}").done(200)
    assert sum(refund["amount"] for refund in found["refunds"]) == 10_000


def test_p63_a_hundred_payments_from_one_wallet_never_overdraw_it(
    service: Service, both: tuple[Caller, Caller], merchant: str
) -> None:
    caller = both[0]
    customer = fresh("customer")
    caller.post("/customers", {"id": customer}).done()
    caller.post(f"/customers/{customer}/wallets", {"currency": "EUR"}).done()
    card = {"type": "card", "token": "tok_approved"}
    top_up = caller.post(f"/wallets/{customer}/EUR/top-ups", {"amount": 500, "method": card}).done()
    assert top_up["status"] == "succeeded"
    order = payment(merchant, amount=10, customer=customer, product="balance_pay", method={"type": "wallet"})
    replies = through_all(both, 100, lambda one: one.post("/payments", order))
    assert statuses(replies) == {201: 50, 409: 50}
    assert refusals(replies) == {"insufficient_funds"}
    assert caller.get(f"/customers/{customer}/wallets/EUR").done(200)["available"] == 0


def test_a_reader_of_the_stream_sees_every_position_once_and_in_order(service: Service, home: str) -> None:
    """While eight write through two servers; and its connection is broken twice, and taken up again where it ended."""
    writers = [service.caller(home, server=number % 2) for number in range(8)]
    a, b = writers[0].open_account("a"), writers[0].open_account("b")
    first = service.head(home)
    last = first + 8 * 50
    seen: list[int] = []
    ready = threading.Event()

    def read() -> None:
        for until in (first + 100, first + 250, last):
            seen.extend(read_stream(writers[0], seen[-1] if seen else first, until, ready))

    def write(one: Caller) -> None:
        assert ready.wait(20)
        for _ in range(50):
            one.post("/transfers", transfer(a, b, 1)).done()

    at_once(read, *(partial(write, one) for one in writers))
    assert seen == list(range(first + 1, last + 1))


def read_stream(caller: Caller, after: int, until: int, ready: threading.Event) -> list[int]:
    """The positions that the stream tells behind `after`, up to `until`."""
    headers = {"authorization": f"Bearer {caller.key}", "last-event-id": str(after)}
    told: list[int] = []
    with (
        httpx2.Client(trust_env=False, timeout=30) as client,
        client.stream("GET", f"{caller.url}/v1/events/stream", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        ready.set()
        for line in answer.iter_lines():
            if line.startswith("id:"):
                told.append(int(line.removeprefix("id:")))
                if told[-1] >= until:
                    break
    return told
