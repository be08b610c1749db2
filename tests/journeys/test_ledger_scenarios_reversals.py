"""The ledger's black-box cases: reversals (E1 to E10; the twenty at once of E2 stand with the races)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.journeys.caller import Caller, Reply, moves, posting


def reverse(caller: Caller, entry: str, **how: Any) -> Reply:
    return caller.post(f"/entries/{entry}/reverse", {"reason": "a mistake", **how})


def shown(caller: Caller, entry: str) -> dict[str, Any]:
    found: dict[str, Any] = caller.get(f"/entries/{entry}").done(200)
    return found


def test_e1_a_reversal_restores_both_balances_and_is_linked_both_ways(caller: Caller) -> None:
    world, alice = caller.open_account("world"), caller.open_account("alice", min_balance=0)
    entry = caller.move(world, alice, 100).done()["id"]
    reversal = reverse(caller, entry).done()
    assert caller.posted(world, alice) == [0, 0]
    assert reversal["reverses"] == entry
    assert shown(caller, entry)["reversed_by"] == [reversal["id"]]
    assert shown(caller, reversal["id"])["reverses"] == entry


def test_e2_an_entry_is_reversed_once(caller: Caller) -> None:
    world, alice = caller.open_account("world"), caller.open_account("alice")
    entry = caller.move(world, alice, 100).done()["id"]
    reverse(caller, entry).done()
    reverse(caller, entry).refused(409, "already_reversed")
    assert caller.posted(world, alice) == [0, 0]


def test_e3_a_reversal_takes_no_money_that_has_gone_on(caller: Caller) -> None:
    """There is no `force`: whoever may change the account's floor does that first, and it is on record."""
    world, bob = caller.open_account("world"), caller.open_account("bob")
    alice = caller.open_account("alice", min_balance=0)
    entry = caller.move(world, alice, 100).done()["id"]
    caller.move(alice, bob, 100).done()
    assert reverse(caller, entry).refused(409, "insufficient_funds")["account"] == alice
    assert caller.posted(world, alice, bob) == [-100, 0, 100]
    caller.post(f"/accounts/{alice}/limits", {"min_balance": None, "max_balance": None}).done(200)
    reverse(caller, entry).done()
    assert caller.posted(world, alice, bob) == [0, -100, 100]


def test_e4_a_reversal_may_take_effect_when_the_original_did(caller: Caller) -> None:
    world, alice = caller.open_account("world"), caller.open_account("alice")
    moment = datetime.now(UTC) - timedelta(days=3)
    entry = caller.move(world, alice, 100, effective_at=moment.isoformat()).done()
    known_before = caller.position
    reversal = reverse(caller, entry["id"], effective_at="original").done()
    assert reversal["effective_at"] == entry["effective_at"]
    later = (moment + timedelta(seconds=1)).isoformat()
    assert caller.posted(world, alice, as_of=later) == [0, 0]
    assert caller.posted(world, alice, as_of=later, known_at=known_before) == [-100, 100]


def test_e6_a_rehearsed_reversal_changes_nothing(caller: Caller) -> None:
    world, alice = caller.open_account("world"), caller.open_account("alice")
    entry = caller.move(world, alice, 100).done()["id"]
    rehearsed = reverse(caller, entry, dry_run=True).done(200)
    assert rehearsed["reverses"] == entry
    assert caller.posted(world, alice) == [-100, 100]
    assert shown(caller, entry)["reversed_by"] == []
    reverse(caller, entry).done()


def test_e7_every_leg_of_an_entry_is_reversed(caller: Caller) -> None:
    payer, merchant, fee, tax = (caller.open_account(name) for name in ("payer", "merchant", "fee", "tax"))
    legs = moves((payer, merchant, 300), (payer, fee, 20), (payer, tax, 30))
    entry = caller.post("/entries", {"postings": legs}).done()["id"]
    assert caller.posted(payer, merchant, fee, tax) == [-350, 300, 20, 30]
    reverse(caller, entry).done()
    assert caller.posted(payer, merchant, fee, tax) == [0, 0, 0, 0]


def test_e8_partial_reversals_give_back_no_more_than_the_whole(caller: Caller) -> None:
    world, alice = caller.open_account("world"), caller.open_account("alice")
    entry = caller.move(world, alice, 100).done()["id"]
    reverse(caller, entry, amount=40).done()
    assert reverse(caller, entry, amount=70).refused(422, "reversal_exceeds_entry")["remaining"] == 60
    assert caller.posted(alice) == [60]
    reverse(caller, entry, amount=60).done()
    assert caller.posted(world, alice) == [0, 0]
    reverse(caller, entry, amount=1).refused(409, "already_reversed")


def test_e8_partial_reversals_share_the_legs_and_end_exactly(caller: Caller) -> None:
    payer, one, two = (caller.open_account(name) for name in ("payer", "one", "two"))
    legs = [posting(payer, "debit", 100), posting(one, "credit", 33), posting(two, "credit", 67)]
    entry = caller.post("/entries", {"postings": legs}).done()["id"]
    for _ in range(3):
        reverse(caller, entry, amount=33).done()
        assert sum(caller.posted(payer, one, two)) == 0
    reverse(caller, entry).done()
    assert caller.posted(payer, one, two) == [0, 0, 0]


def test_e9_a_reversal_is_not_reversed(caller: Caller) -> None:
    world, alice = caller.open_account("world"), caller.open_account("alice")
    entry = caller.move(world, alice, 100).done()["id"]
    reversal = reverse(caller, entry).done()["id"]
    reverse(caller, reversal).refused(409, "already_reversed")
    reverse(caller, entry).refused(409, "already_reversed")
    assert caller.posted(world, alice) == [0, 0]


def test_e10_a_transfer_between_customers_is_reversed_and_knows_its_parent(caller: Caller) -> None:
    world, bob = caller.open_account("world"), caller.open_account("bob", min_balance=0)
    alice = caller.open_account("alice", min_balance=0)
    caller.move(world, alice, 1000).done()
    entry = caller.move(alice, bob, 200).done()["id"]
    assert caller.posted(alice, bob) == [800, 200]
    assert reverse(caller, entry).done()["reverses"] == entry
    assert caller.posted(alice, bob) == [1000, 0]
