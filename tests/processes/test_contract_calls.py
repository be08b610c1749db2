"""Contracts at a channel that misbehaves: signed once, ended for sure, and never believed where nothing is known."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from commands.channels.simulator.conduct import CODE
from commands.contract_updates import UpdateContractMethod
from commands.contracts import ConfirmContract, CreateContract, TerminateContract
from commands.envelope import Command
from commands.payments import CreatePayment
from commands.processes.timers import keep_dates
from ledger.contract_state import Contract, fold
from ledger.events.contracts import ContractEndConfirmed, Limits
from ledger.events.payments import Method
from ledger.ids import CONTRACT, new_id
from tests.processes.house import House, until
from tests.writing import body_of

LOST = ("timeout_before", "timeout_after", "error_500_before", "error_500_after", "malformed_body")
CARD = Method("card", "tok_visa")


def contract(house: House, name: str) -> Contract:
    found = fold(house.history(name))
    assert found is not None
    return found


def becomes(house: House, name: str, status: str) -> Contract:
    """The contract once it has this status."""
    return until(lambda: found if (found := contract(house, name)).status == status else None)


def drafted(house: House, **terms: Any) -> str:
    name = new_id(CONTRACT)
    house.pen.do(CreateContract(name, "ann", "acme", "protocol_pay", CARD, Limits("EUR"), **terms))
    return name


def misbehave(house: House, operation: str, *faults: str) -> None:
    rules = [{"match": {"operation": operation}, "fault": fault, "times": 1} for fault in faults]
    house.simulator.set_faults(*rules)


@pytest.mark.parametrize("fault", LOST)
def test_a_signing_whose_answer_is_lost_is_found_out_about(house: House, fault: str) -> None:
    misbehave(house, "sign", fault)
    house.start_worker()
    name = drafted(house)
    becomes(house, name, "pending_user")
    misbehave(house, "sign", fault)
    house.pen.do(ConfirmContract(name, CODE))
    until(lambda: True if contract(house, name).status != "confirming" else None)
    if contract(house, name).status == "pending_user":
        # The code never came there: it may be told again.
        house.pen.do(ConfirmContract(name, CODE))
    becomes(house, name, "active")


@pytest.mark.parametrize("fault", LOST)
def test_a_new_card_whose_answer_is_lost_is_found_out_about(house: House, fault: str) -> None:
    house.start_worker()
    name = drafted(house)
    becomes(house, name, "pending_user")
    house.pen.do(ConfirmContract(name, CODE))
    becomes(house, name, "active")
    misbehave(house, "sign", fault)
    house.pen.do(UpdateContractMethod(name, Method("card", "tok_new")))
    until(lambda: True if contract(house, name).awaits_payer else None)
    misbehave(house, "sign", fault)
    house.pen.do(ConfirmContract(name, CODE))
    until(lambda: True if not contract(house, name).awaits_channel else None)
    if contract(house, name).awaits_payer:
        # The code never came there: it may be told again.
        house.pen.do(ConfirmContract(name, CODE))
    assert becomes(house, name, "active").method.token == "tok_new"


@pytest.mark.parametrize("fault", LOST)
def test_an_end_that_is_lost_on_its_way_comes_to_the_channel_in_the_end(house: House, fault: str) -> None:
    house.start_worker()
    name = drafted(house)
    becomes(house, name, "pending_user")
    house.pen.do(ConfirmContract(name, CODE))
    becomes(house, name, "active")
    misbehave(house, "end", fault)
    house.pen.do(TerminateContract(name, "moved"))
    assert contract(house, name).status == "terminated"
    until(lambda: True if contract(house, name).end_confirmed else None)
    ends = [r for r in house.history(name) if isinstance(r.event, ContractEndConfirmed)]
    assert len(ends) == 1


def test_a_notice_about_a_contract_that_nobody_knows_is_answered(house: House) -> None:
    house.start_worker()
    name = drafted(house)
    becomes(house, name, "pending_user")
    position = house.position()
    body = b'{"object":"contract","id":"con_0193a0b0c0d0e0f0a0b0c0d0e0f0a0b0","status":"ended","reference":"agr_9",'
    body += b'"decided_at":"2026-11-21T12:00:00+00:00","ended_by":"user"}'
    assert house.callback("evt_unknown", body) == 200
    assert house.position() == position
    assert contract(house, name).status == "pending_user"


def test_what_the_user_ends_at_the_channel_is_ended_here(house: House) -> None:
    house.start_worker()
    name = drafted(house)
    becomes(house, name, "pending_user")
    house.pen.do(ConfirmContract(name, CODE))
    becomes(house, name, "active")
    with httpx2.Client(trust_env=False) as client:
        assert client.post(f"{house.simulator.url}/control/contracts/{name}/end").status_code == 200
    assert becomes(house, name, "terminated").ended_by == "user"


def test_who_agrees_at_the_channel_is_heard_of_by_its_notice(house: House) -> None:
    house.start_worker()
    name = new_id(CONTRACT)
    method = Method("card", "tok_visa", {"sign": "redirect"})
    house.pen.do(CreateContract(name, "ann", "acme", "protocol_pay", method, Limits("EUR")))
    action = becomes(house, name, "pending_user").action
    assert action is not None
    assert (action.action, bool(action.url)) == ("redirect", True)
    with httpx2.Client(trust_env=False) as client:
        assert client.post(f"{house.simulator.url}/control/contracts/{name}/approve").status_code == 200
    becomes(house, name, "active")


def test_an_end_that_nobody_told_us_of_shows_at_the_next_charge(house: House) -> None:
    house.start_worker()
    name = drafted(house)
    becomes(house, name, "pending_user")
    house.pen.do(ConfirmContract(name, CODE))
    becomes(house, name, "active")
    queued = _announced(house, name, 3_600)
    house.door.held.clear()
    with httpx2.Client(trust_env=False) as client:
        assert client.post(f"{house.simulator.url}/control/contracts/{name}/end").status_code == 200
    method = Method("contract", details={"contract": name})
    charge = CreatePayment(new_id("pay_"), "acme", 1_000, "EUR", "protocol_pay", method, "o", customer="ann")
    payment = str(body_of(house.pen.do(charge))["id"])
    (failed,) = house.settled(payment)
    house.door.held.set()
    assert (failed.status, failed.error and failed.error.code) == ("failed", "mandate_ended")
    assert becomes(house, name, "terminated").ended_by == "channel"
    assert house.payment(queued).status == "canceled"


def test_dates_are_kept_by_the_clock_whatever_the_view_says(house: House) -> None:
    house.start_worker()
    name = drafted(house)
    becomes(house, name, "pending_user")
    house.pen.do(ConfirmContract(name, CODE))
    becomes(house, name, "active")
    soon, later = (_announced(house, name, seconds) for seconds in (1, 3_600))

    async def due(book: str, now: datetime) -> Sequence[str]:
        # A view that names too many, again and again: the decision looks for itself.
        return soon, later, name

    async def submit(book: str, part: Any) -> Any:
        return house.pen.submit([part])()[0]

    async def keep() -> None:
        await keep_dates(house.book, due, submit)

    def is_sent() -> bool | None:
        asyncio.run(keep())
        return True if house.payment(soon).status != "created" else None

    until(is_sent)
    (paid,) = house.settled(soon)
    assert (paid.status, house.payment(later).status) == ("succeeded", "created")
    assert contract(house, name).status == "active"


def _announced(house: House, name: str, seconds: float) -> str:
    method = Method("contract", details={"contract": name})
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    command: Command = CreatePayment(
        new_id("pay_"), "acme", 1_000, "EUR", "protocol_pay", method, "order-1", customer="ann", scheduled_at=at
    )
    return str(body_of(house.pen.do(command))["id"])
