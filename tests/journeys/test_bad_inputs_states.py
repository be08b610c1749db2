"""Bad inputs that do not fit the state of the book, and addresses that lead nowhere."""

from datetime import UTC, datetime

import pytest

from tests.journeys.bad_inputs import CLOSED_MONTH, Case, Desk, Send, cases, check
from tests.journeys.caller import Reply, fresh, moves, transfer


def move(row: int, what: str, source: str, destination: str, status: int, code: str, *, amount: int = 1) -> Case:
    """A transfer between two things of the desk."""
    return Case(
        row, what, lambda desk: desk.caller.move(_of(desk, source), _of(desk, destination), amount), status, code
    )


def _of(desk: Desk, name: str) -> str:
    return str(getattr(desk, name, name))


def get(row: int, path: str, status: int, code: str, **params: str | int) -> Case:
    what = f"{path} {params}" if params else path
    return Case(row, what, lambda desk: desk.caller.send("GET", path, params=params), status, code)


def account_id(code: str) -> Case:
    return Case(110, f"account id {code!r}", lambda desk: desk.account_with(id=code), 422, "account_code_invalid")


def cursor(what: str, send: Send) -> Case:
    return Case(87, what, send, 400, "cursor_invalid")


def _next(desk: Desk, **filters: str) -> str:
    return str(desk.caller.get("/accounts", limit=1, **filters).done(200)["next_cursor"])


def _flipped(cursor: str) -> str:
    at = len(cursor) // 2
    return cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]


def _accounts(desk: Desk, cursor: str) -> Reply:
    return desk.caller.send("GET", "/accounts", params={"cursor": cursor})


def _capture(desk: Desk, hold: str, **how: int) -> Reply:
    return desk.caller.post(f"/holds/{hold}/capture", how)


def _batch(desk: Desk, *sources: str, keys: list[str] | None = None) -> Reply:
    items = [
        {"idempotency_key": key, **transfer(source, desk.shop, 1)}
        for source, key in zip(sources, keys or [fresh("item") for _ in sources], strict=True)
    ]
    return desk.caller.post("/batches", {"mode": "atomic", "transfers": items})


ACCOUNTS = [
    move(32, "currency of the transfer is not the account's", "dollars", "shop", 422, "currency_mismatch"),
    move(37, "to the same account", "shop", "shop", 422, "same_account"),
    move(39, "unknown account in the body", "nobody", "shop", 422, "account_unknown"),
    get(39, "/accounts/nobody", 404, "account_not_found"),
    get(39, "/accounts/nobody/balance", 404, "account_not_found"),
    get(39, "/accounts/nobody/statement", 404, "account_not_found"),
    move(40, "from a frozen account", "frozen", "shop", 409, "account_frozen"),
    move(40, "to a closed account", "shop", "closed", 409, "account_closed"),
    move(41, "more than there is", "rich", "shop", 409, "insufficient_funds", amount=10_000),
    move(21, "a turnover past 2^63-1", "shop", "full", 409, "balance_overflow", amount=2_000),
    move(42, "an account of another book", "shop", "foreign_account", 422, "account_unknown"),
    Case(
        43,
        "posting straight to a system account",
        lambda desk: desk.clerk.move(desk.shop, desk.system, 1),
        403,
        "account_protected",
    ),
    Case(
        43,
        "closing a system account, with every right",
        lambda desk: desk.caller.post(f"/accounts/{desk.system}/close", {"reason": "tidy"}),
        403,
        "account_protected",
    ),
    *map(account_id, ("../", "..", "a:b:", ":a", "a::b", "x" * 65, "", "A", "a b", "sys:2010:me:eur", "sys:")),
]

ENTRIES_AND_HOLDS = [
    Case(44, "a reversal of a reversal", lambda desk: desk.reverse(desk.reversal), 409, "already_reversed"),
    Case(44, "a second reversal", lambda desk: desk.reverse(desk.reversed_entry), 409, "already_reversed"),
    Case(44, "more than the entry", lambda desk: desk.reverse(desk.entry, amount=11), 422, "reversal_exceeds_entry"),
    Case(45, "a capture above the hold", lambda d: _capture(d, d.hold, amount=101), 422, "capture_exceeds_hold"),
    Case(46, "a capture after release", lambda desk: _capture(desk, desk.released), 409, "hold_not_active"),
    Case(46, "a capture after expiry", lambda desk: _capture(desk, desk.expired), 409, "hold_not_active"),
    Case(46, "an expiry in the past", lambda d: d.transfer_with('"pending":{"expires_at":"2020-01-01T00:00:00Z"}'), 422,
         "expiry_in_past"),
    Case(70, "a time in a closed period", lambda d: d.transfer_with(f'"effective_at":"{CLOSED_MONTH}-15T00:00:00Z"'),
         409, "period_closed"),
    Case(71, "a time that is still to come", lambda d: d.transfer_with('"effective_at":"2999-01-01T00:00:00Z"'), 422,
         "effective_date_in_future"),
    Case(107, "an atomic batch with one bad item", lambda d: _batch(d, d.shop, d.frozen, d.shop), 422,
         "batch_rejected", pointer="/transfers/1"),
    Case(107, "an empty batch", lambda desk: _batch(desk), 422, "batch_empty"),
    Case(108, "one key twice in a batch", lambda d: _batch(d, d.shop, d.shop, keys=["twice", "twice"]), 422,
         "duplicate_in_batch", pointer="/transfers/1/idempotency_key"),
    Case(81, "an id that is taken", lambda desk: desk.account_with(id=desk.shop), 409, "id_exists_different"),
]  # fmt: skip

ADDRESSES = [
    get(83, "/accounts/9223372036854775808", 404, "account_not_found"),
    get(83, "/entries/9223372036854775808", 404, "entry_not_found"),
    get(83, "/holds/9223372036854775808", 404, "hold_not_found"),
    get(84, "/entries/-0", 404, "entry_not_found"),
    get(84, "/entries/1_0", 404, "entry_not_found"),
    get(84, "/accounts/-0", 404, "account_not_found"),
    cursor("a flipped byte", lambda desk: _accounts(desk, _flipped(_next(desk)))),
    cursor("cut", lambda desk: _accounts(desk, _next(desk)[:-3])),
    cursor("empty", lambda desk: _accounts(desk, "")),
    cursor("another book's", lambda desk: _accounts(desk, desk.foreign_cursor)),
    cursor(
        "another list's",
        lambda desk: desk.caller.send("GET", "/entries", params={"cursor": _next(desk)}),
    ),
    cursor(
        "another filter's",
        lambda desk: desk.caller.send(
            "GET", "/events", params={"topic": "accounts.opened.v1", "cursor": _next_event(desk)}
        ),
    ),
    *(get(88, "/accounts", 422, "limit_range", limit=limit) for limit in (0, -1, 10**9, "1e3", "", "٣")),
    Case(
        88,
        "limit twice",
        lambda desk: desk.caller.send("GET", "/accounts?limit=1&limit=2"),
        422,
        "limit_range",
    ),
    get(89, "/accounts", 422, "unknown_parameter", colour="red"),
    get(89, "/accounts", 422, "unknown_parameter", sort="-name"),
    Case(
        89,
        "a parameter of a POST",
        lambda desk: desk.caller.send("POST", "/transfers?dry_run=1", json={}, headers={"idempotency-key": "k"}),
        422,
        "unknown_parameter",
    ),
]


def _next_event(desk: Desk) -> str:
    return str(desk.caller.get("/events", limit=1).done(200)["next_cursor"])


@cases(*ACCOUNTS, *ENTRIES_AND_HOLDS, *ADDRESSES)
def test_what_does_not_fit_is_refused_and_nothing_is_written(desk: Desk, case: Case) -> None:
    check(desk, case)


def test_row_38_one_account_may_stand_twice_in_an_entry_and_is_netted(desk: Desk) -> None:
    caller = desk.caller
    a, b = caller.open_account("a", min_balance=0), caller.open_account("b")
    caller.post("/entries", {"postings": moves((a, b, 5), (b, a, 5))}).done()
    assert caller.posted(a, b) == [0, 0]


def test_row_42_an_account_of_another_book_is_answered_like_one_that_does_not_exist(desk: Desk) -> None:
    caller = desk.caller
    told = []
    for account in (desk.foreign_account, f"{desk.foreign_account}x"):
        problem = caller.move(desk.shop, account, 1).refused(422, "account_unknown")
        told.append(str(problem).replace(account, "…"))
    assert told[0] == told[1]


def test_row_81_an_id_is_taken_whatever_the_content(desk: Desk) -> None:
    caller = desk.caller
    body = {"id": fresh("a"), "name": "a", "kind": "asset", "currency": "EUR"}
    caller.post("/accounts", body).done()
    caller.post("/accounts", {**body, "name": "b"}).refused(409, "id_exists_different")


def test_row_107_an_independent_batch_answers_item_by_item(desk: Desk) -> None:
    bad = [{**transfer(desk.shop, desk.frozen, 1)}, {**transfer(desk.shop, desk.shop, 0)}, {"amount": "1"}]
    good = transfer(desk.shop, desk.rich, 1)
    items = [{"idempotency_key": fresh("item"), **item} for item in (*bad, good)]
    results = desk.caller.post("/batches", {"mode": "independent", "transfers": items}).done()["results"]
    assert [result["status"] for result in results] == ["rejected"] * 3 + ["created"]
    assert [result["problem"]["code"] for result in results[:3]] == [
        "account_frozen",
        "amount_not_positive",
        "field_missing",
    ]
    desk.reverse(results[3]["id"]).done()


def test_row_114_a_read_waits_a_second_for_a_position_and_no_longer(desk: Desk) -> None:
    began = datetime.now(UTC)
    reply = desk.caller.send("GET", f"/accounts/{desk.shop}", params={"min_position": 10**9})
    took = (datetime.now(UTC) - began).total_seconds()
    reply.refused(503, "not_caught_up")
    assert int(reply.headers["retry-after"]) >= 1
    assert 0.8 < took < 2


@pytest.mark.parametrize("known_at", [10**9, 2**63 - 1])
def test_row_114_a_past_that_has_not_come_is_not_there(desk: Desk, known_at: int) -> None:
    reply = desk.caller.send("GET", f"/accounts/{desk.shop}/balance", params={"known_at": known_at})
    reply.refused(404, "position_not_reached")


def test_row_115_before_the_first_event_everything_is_zero(desk: Desk) -> None:
    for when in ({"as_of": "1970-01-01T00:00:00Z"}, {"known_at": "1970-01-01T00:00:00Z"}, {"known_at": "0"}):
        found = desk.caller.balance(desk.shop, **when)
        assert (found["posted"]["balance"], found["available"]) == (0, 0)
        trial = desk.caller.get("/trial-balance", **when).done(200)
        assert all(sums["difference"] == 0 for sums in trial["currencies"].values())
