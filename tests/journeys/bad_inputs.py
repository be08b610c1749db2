"""Bad inputs: the desk that they are put on, the shape of a case, and what has to hold for each of them.

Rows are numbered as in the list of bad inputs and expected answers that the house was built from;
`test_bad_inputs_are_complete.py` counts them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.journeys.caller import Caller, Reply, fresh, in_seconds
from tests.journeys.service import Service

LARGEST = 2**63 - 1
CLOSED_MONTH = "2019-03"
CARD = "4242 4242 4242 4242"


@dataclass(frozen=True)
class Desk:
    """A book with one of everything. `caller` may do all, `clerk` posts and reads; `neighbour` has another book."""

    service: Service
    book: str
    caller: Caller
    clerk: Caller
    neighbour: Caller
    rich: str  # 1,000 EUR-cents available, and a floor of zero
    shop: str
    dollars: str
    frozen: str
    closed: str
    full: str  # its turnover is as large as it can be
    system: str
    entry: str
    reversed_entry: str
    reversal: str
    hold: str  # 100 are held
    released: str
    expired: str
    foreign_account: str
    foreign_entry: str
    foreign_hold: str
    foreign_cursor: str

    def send_raw(self, body: str | bytes, path: str = "/transfers") -> Reply:
        """A body as it stands, with a fresh key."""
        content = body.encode() if isinstance(body, str) else body
        return self.caller.send("POST", path, content=content, headers={"idempotency-key": fresh("bad")})

    def transfer_with(self, members: str, amount: str = "1") -> Reply:
        """A transfer that would be right but for its amount, or for these members more, both as raw JSON."""
        more = f",{members}" if members else ""
        return self.send_raw(
            f'{{"debit_account":"{self.rich}","credit_account":"{self.shop}","currency":"EUR","amount":{amount}{more}}}'
        )

    def account_with(self, **fields: Any) -> Reply:
        """An account that would be right but for these fields."""
        return self.caller.post("/accounts", {"name": "Nobody", "kind": "liability", "currency": "EUR", **fields})

    def entry_of(self, *postings: dict[str, Any]) -> Reply:
        return self.caller.post("/entries", {"postings": list(postings)})

    def reverse(self, entry: str, **how: Any) -> Reply:
        return self.caller.post(f"/entries/{entry}/reverse", {"reason": "wrong", **how})


Send = Callable[[Desk], Reply]


@dataclass(frozen=True)
class Case:
    """One bad input. `echo`: a piece of it that may not stand in the answer; `pointer`: what the answer points at."""

    row: int
    what: str
    send: Send
    status: int
    code: str
    echo: str = ""
    pointer: str = ""


def cases(*all_cases: Case) -> pytest.MarkDecorator:
    """Run a test once for each case."""
    return pytest.mark.parametrize("case", all_cases, ids=lambda case: f"row {case.row}: {case.what}")


def check(desk: Desk, case: Case) -> None:
    """The case is answered as stated, in the one shape, and nothing is written and nothing repeated."""
    head = desk.service.head(desk.book)
    reply = case.send(desk)
    problem = reply.refused(case.status, case.code)
    if case.echo:
        assert case.echo not in reply.raw.decode()
        assert case.echo not in str(problem)
    if case.pointer:
        assert case.pointer in [error["pointer"] for error in problem["errors"]]
    assert desk.service.head(desk.book) == head, "a refused request wrote something"


def set_up_desk(service: Service) -> Desk:
    """One of everything; some of it takes a moment."""
    book = service.new_book()
    caller = service.caller(book)
    outside, shop = caller.open_account("outside"), caller.open_account("shop")
    rich = caller.open_account("rich", min_balance=0)
    caller.move(outside, rich, 1_100).done()
    frozen, closed, full = (caller.open_account(word) for word in ("frozen", "closed", "full"))
    caller.post(f"/accounts/{frozen}/freeze", {"reason": "asked for"}).done(200)
    caller.post(f"/accounts/{closed}/close", {"reason": "asked for"}).done(200)
    caller.move(caller.open_account("mint"), full, LARGEST - 1_100).done()
    entry, reversed_entry = (caller.move(outside, shop, 10).done()["id"] for _ in range(2))
    reversal = caller.post(f"/entries/{reversed_entry}/reverse", {"reason": "wrong"}).done()["id"]
    hold, released = (caller.hold(rich, shop, 100) for _ in range(2))
    caller.post(f"/holds/{released}/release", {}).done(200)
    customer = fresh("customer")
    caller.post("/customers", {"id": customer}).done()
    caller.post(f"/customers/{customer}/wallets", {"currency": "EUR"}).done()
    caller.insist(f"/periods/{CLOSED_MONTH}/close", {"reason": "month-end"}).done(200)
    expired = caller.move(rich, shop, 1, pending={"expires_at": in_seconds(0.3)}).done()["hold_id"]
    neighbour = service.caller(service.new_book())
    theirs, others = neighbour.open_account("theirs"), neighbour.open_account("others")
    foreign_entry = neighbour.move(theirs, others, 1).done()["id"]
    foreign_hold = neighbour.hold(theirs, others, 1)
    foreign_cursor = neighbour.get("/accounts", limit=1).done(200)["next_cursor"]
    desk = Desk(
        service,
        book,
        caller,
        service.caller(book, "ledger:read", "ledger:write"),
        neighbour,
        rich,
        shop,
        caller.open_account("dollars", currency="USD"),
        frozen,
        closed,
        full,
        f"sys:2010:{customer}:eur",
        entry,
        reversed_entry,
        reversal,
        hold,
        released,
        expired,
        theirs,
        foreign_entry,
        foreign_hold,
        foreign_cursor,
    )
    service.wait_until(lambda: caller.get(f"/holds/{expired}").done(200)["status"] == "expired")
    return desk
