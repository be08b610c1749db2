"""The simulator: its books over kill -9, its callbacks until they are heard, and a fault plan that can be repeated."""

import asyncio
import json
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec import structs

from commands.channels.card_simulator import CardSimulator
from commands.channels.channel import (
    CallbackNotice,
    Charged,
    Declined,
    NotFound,
    NotSent,
    RefundDeclined,
    Refunded,
    Unknown,
    Verdict,
)
from commands.channels.dispatcher import Dispatcher
from commands.channels.registry import Registry
from commands.channels.requests import QueryCharge, RefundCharge
from commands.channels.signatures import SIGNATURE_HEADER
from ledger.errors import SignatureInvalid
from tests.channels.conformance import a_charge
from tests.channels.simulator_process import Receiver, SimulatorProcess, wait_until


def notices(simulator: SimulatorProcess, got: Sequence[tuple[dict[str, str], bytes]]) -> list[CallbackNotice]:
    channel = simulator.translator()
    return [channel.from_callback(headers, body, datetime.now(UTC)) for headers, body in got]


# --- books -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "fee"),
    [(1, 0), (83, 0), (84, 1), (166, 1), (249, 1), (250, 2), (10_000, 60), (2**63 - 1, 55340232221128655)],
)
def test_the_fee_is_60_basis_points_half_a_unit_rounded_up(simulator: SimulatorProcess, amount: int, fee: int) -> None:
    (charged,) = simulator.ask(a_charge(f"fee-{amount}", "tok_approved", amount))
    assert isinstance(charged, Charged)
    assert (charged.amount, charged.channel_fee) == (amount, fee)


def test_refunds_of_the_largest_charge_are_summed_exactly(simulator: SimulatorProcess) -> None:
    largest = a_charge("largest", "tok_approved", 2**63 - 1)
    (charged,) = simulator.ask(largest)
    assert isinstance(charged, Charged)
    refund = RefundCharge("ref_largest", largest.attempt_id, charged.channel_reference, 2**63 - 1, "EUR")
    (first,) = simulator.ask(refund)
    (second,) = simulator.ask(structs.replace(refund, refund_id="ref_largest_2"))
    assert isinstance(first, Refunded)
    assert isinstance(second, RefundDeclined)


def test_refunds_at_once_give_back_no_more_than_the_charge(simulator: SimulatorProcess) -> None:
    charge = a_charge("raced", "tok_approved", 1_000)
    (charged,) = simulator.ask(charge)
    assert isinstance(charged, Charged)
    refunds = [
        RefundCharge(f"ref_raced_{number}", charge.attempt_id, charged.channel_reference, 100, "EUR")
        for number in range(50)
    ]
    verdicts = simulator.ask(*refunds)
    assert sum(isinstance(verdict, Refunded) for verdict in verdicts) == 10
    assert sum(isinstance(verdict, RefundDeclined) for verdict in verdicts) == 40


@pytest.mark.parametrize("token", ["tok_stolen_card", "tok_late"])
def test_a_charge_that_did_not_succeed_is_not_refunded(simulator: SimulatorProcess, token: str) -> None:
    charge = a_charge(f"no-refund-{token}", token)
    simulator.ask(charge)
    (booked,) = (each for each in simulator.books()["charges"] if each["id"] == charge.attempt_id)
    refund = RefundCharge(f"ref_{token}", charge.attempt_id, booked["reference"], 1, "EUR")
    (verdict,) = simulator.ask(refund)
    assert isinstance(verdict, RefundDeclined)
    assert verdict.channel_code == "charge_not_refundable"


def test_a_refund_in_another_currency_or_of_another_reference_is_refused(simulator: SimulatorProcess) -> None:
    charge = a_charge("strange-refund", "tok_approved")
    (charged,) = simulator.ask(charge)
    assert isinstance(charged, Charged)
    refund = RefundCharge("ref_strange", charge.attempt_id, charged.channel_reference, 1, "EUR")
    for strange in (structs.replace(refund, currency="USD"), structs.replace(refund, channel_reference="ch_other")):
        (verdict,) = simulator.ask(strange)
        assert isinstance(verdict, RefundDeclined)


def test_a_token_may_decide_the_refund_of_a_charge_that_goes_well(simulator: SimulatorProcess) -> None:
    charge = a_charge("refund-token", "tok_refund_do_not_honor")
    (charged,) = simulator.ask(charge)
    assert isinstance(charged, Charged)
    (refund,) = simulator.ask(RefundCharge("ref_token", charge.attempt_id, charged.channel_reference, 5, "EUR"))
    assert isinstance(refund, RefundDeclined)
    assert refund.channel_code == "do_not_honor"


def test_a_request_that_is_not_signed_is_refused_and_does_nothing(simulator: SimulatorProcess) -> None:
    charge = a_charge("unsigned", "tok_approved")
    wire = CardSimulator("card_simulator", simulator.secret).to_wire(charge)
    with httpx2.Client(trust_env=False) as client:
        for headers, body in (
            ({}, wire.body),
            (wire.headers, wire.body + b" "),
            ({SIGNATURE_HEADER: "v1,x"}, wire.body),
        ):
            assert client.post(simulator.url + "/charges", content=body, headers=headers).status_code == 401
        assert client.get(simulator.url + "/charges/att_unsigned-1").status_code == 401
    assert charge.attempt_id not in {each["id"] for each in simulator.books()["charges"]}


@pytest.mark.parametrize(
    ("what", "charge"),
    [
        ("an amount of nothing", a_charge("refused", "tok_approved", 0)),
        ("an amount below nothing", a_charge("refused", "tok_approved", -1)),
        ("an amount over 64 bits", a_charge("refused", "tok_approved", 2**63)),
        ("no currency", a_charge("refused", "tok_approved", currency="")),
        ("a currency in small letters", a_charge("refused", "tok_approved", currency="eur")),
        ("no token", a_charge("refused", "")),
        ("an id with a space", a_charge("refu sed", "tok_approved")),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_by_its_name(
    simulator: SimulatorProcess, what: str, charge: Any
) -> None:
    (verdict,) = simulator.ask(charge)
    assert isinstance(verdict, Declined), what
    assert (verdict.reason, verdict.channel_code) == ("integration", "invalid_request")


def test_an_id_is_used_for_one_thing_only(simulator: SimulatorProcess) -> None:
    charge = a_charge("used", "tok_approved")
    simulator.ask(charge)
    for other in (structs.replace(charge, merchant="mer_2"), structs.replace(charge, token="tok_stolen_card")):
        assert simulator.ask(other) == [Unknown("http 409 is no answer to this request")]
    assert simulator.ask(charge) == simulator.ask(QueryCharge(charge.attempt_id))


def test_two_simulators_never_share_their_books(own_simulator: SimulatorProcess) -> None:
    with own_simulator.launch() as second:
        try:
            assert second.wait(timeout=20) == 1
        finally:
            second.kill()


# --- killed ----------------------------------------------------------------------------------------------------------


def test_kill_9_keeps_what_was_answered(own_simulator: SimulatorProcess) -> None:
    charges = [a_charge(f"kept-{number}", "tok_approved") for number in range(20)]
    before = own_simulator.ask(*charges)
    books = own_simulator.books()
    own_simulator.end(signal.SIGKILL)
    assert own_simulator.ask(charges[0]) == [NotSent("ConnectError")]
    own_simulator.start()
    assert own_simulator.books() == books
    assert own_simulator.ask(*(QueryCharge(charge.attempt_id) for charge in charges)) == before


def test_kill_9_in_the_middle_leaves_no_answer_that_is_not_in_the_books(own_simulator: SimulatorProcess) -> None:
    charges = [a_charge(f"middle-{number}", "tok_approved") for number in range(300)]

    async def until_killed() -> list[Verdict]:
        async with Dispatcher(Registry([own_simulator.settings()])) as dispatcher:
            asking = [asyncio.create_task(dispatcher.ask("card_simulator", charge)) for charge in charges]
            while sum(task.done() for task in asking) < 20:
                await asyncio.sleep(0.001)
            own_simulator.end(signal.SIGKILL)
            return await asyncio.gather(*asking)

    verdicts = asyncio.run(until_killed())
    own_simulator.start()
    booked = {each["id"] for each in own_simulator.books()["charges"]}
    afterwards = own_simulator.ask(*(QueryCharge(charge.attempt_id) for charge in charges))
    for charge, verdict, after in zip(charges, verdicts, afterwards, strict=True):
        if isinstance(verdict, NotSent):
            assert charge.attempt_id not in booked
        elif isinstance(verdict, Charged):
            assert after == verdict
        else:
            assert isinstance(verdict, Unknown)
        assert isinstance(after, Charged if charge.attempt_id in booked else NotFound)
    # Killed in the middle indeed: some had their answer, some had not.
    assert 20 <= sum(isinstance(verdict, Charged) for verdict in verdicts) < 300


def test_a_simulator_that_hangs_ends_when_it_is_told_to(own_simulator: SimulatorProcess) -> None:
    own_simulator.set_faults({"match": {"operation": "charge"}, "fault": "hang"})

    async def ended_while_asked() -> tuple[int, Verdict]:
        async with Dispatcher(Registry([own_simulator.settings(read_ms=9_000)])) as dispatcher:
            asking = asyncio.create_task(dispatcher.ask("card_simulator", a_charge("7", "tok_approved")))
            await asyncio.sleep(0.3)
            code = await asyncio.to_thread(own_simulator.end, signal.SIGTERM)
            return code, await asking

    code, verdict = asyncio.run(ended_while_asked())
    assert code in (0, -signal.SIGTERM)
    assert isinstance(verdict, Unknown)


# --- callbacks -------------------------------------------------------------------------------------------------------


def test_every_final_outcome_is_told_once_and_as_it_is(calling: SimulatorProcess, receiver: Receiver) -> None:
    charge, refused = a_charge("told", "tok_approved"), a_charge("told-no", "tok_stolen_card")
    charged, declined = calling.ask(charge, refused)
    assert isinstance(charged, Charged)
    (refunded,) = calling.ask(RefundCharge("ref_told", charge.attempt_id, charged.channel_reference, 5, "EUR"))
    told = notices(calling, receiver.wait_for(3))
    assert {(each.subject, each.subject_id): each.verdict for each in told} == {
        ("charge", charge.attempt_id): charged,
        ("charge", refused.attempt_id): declined,
        ("refund", "ref_told"): refunded,
    }
    wait_until(lambda: calling.owed() == 0)
    assert len(receiver.got) == 3
    assert len({each.event_id for each in told}) == 3


def test_a_callback_is_repeated_until_it_is_answered_with_2xx(calling: SimulatorProcess, receiver: Receiver) -> None:
    receiver.script = [500, 302, 404]
    calling.ask(a_charge("repeated", "tok_approved"))
    told = notices(calling, receiver.wait_for(4))
    assert len(set(told)) == 1
    wait_until(lambda: calling.owed() == 0)
    assert len(receiver.got) == 4


def test_kill_9_forgets_no_callback(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script = [503] * 1_000
    charges = [a_charge(f"owed-{number}", "tok_approved") for number in range(10)]
    with SimulatorProcess(tmp_path, receiver.url) as running:
        running.ask(*charges)
        receiver.wait_for(10)
        running.end(signal.SIGKILL)
        receiver.script, receiver.got = [], []
        running.start()
        wait_until(lambda: running.owed() == 0, patience_s=20)
        assert {each.subject_id for each in notices(running, receiver.got)} == {each.attempt_id for each in charges}


def test_a_late_success_is_pending_then_told_and_then_found(calling: SimulatorProcess, receiver: Receiver) -> None:
    late, never = a_charge("late", "tok_late"), a_charge("never", "tok_late_decline")
    assert calling.ask(late, never) == [Unknown("pending")] * 2
    assert calling.ask(QueryCharge(late.attempt_id)) == [Unknown("pending")]
    told = {each.subject_id: each.verdict for each in notices(calling, receiver.wait_for(2))}
    assert isinstance(told[late.attempt_id], Charged)
    assert isinstance(told[never.attempt_id], Declined)
    assert calling.ask(QueryCharge(late.attempt_id)) == [told[late.attempt_id]]


def test_kill_9_forgets_no_late_success(own_simulator: SimulatorProcess) -> None:
    late = a_charge("late", "tok_late")
    own_simulator.ask(late)
    own_simulator.end(signal.SIGKILL)
    own_simulator.start()
    wait_until(lambda: isinstance(own_simulator.ask(QueryCharge(late.attempt_id))[0], Charged))


def test_a_duplicate_callback_comes_twice_under_one_id(calling: SimulatorProcess, receiver: Receiver) -> None:
    calling.ask(a_charge("twice", "tok_duplicate_callback"))
    first, second = notices(calling, receiver.wait_for(2))
    assert first == second
    wait_until(lambda: calling.owed() == 0)
    assert len(receiver.got) == 2


def test_a_wrongly_signed_callback_is_repeated_with_the_right_one(
    calling: SimulatorProcess, receiver: Receiver
) -> None:
    receiver.script = [401]
    calling.ask(a_charge("forged", "tok_wrong_signature_callback"))
    wrong, right = receiver.wait_for(2)
    with pytest.raises(SignatureInvalid):
        notices(calling, [wrong])
    (notice,) = notices(calling, [right])
    assert isinstance(notice.verdict, Charged)
    assert wrong[1] == right[1]


def test_a_callback_may_be_late_or_never_come(calling: SimulatorProcess, receiver: Receiver) -> None:
    calling.set_faults(
        {"match": {"operation": "charge", "token": "late"}, "fault": "late_callback", "delay_ms": 800},
        {"match": {"operation": "charge", "token": "never"}, "fault": "no_callback"},
    )
    calling.ask(a_charge("late", "late"), a_charge("never", "never"), a_charge("soon", "soon"))
    receiver.wait_for(1)
    assert calling.owed() <= 1
    assert [each.subject_id for each in notices(calling, receiver.wait_for(2))] == ["att_soon-1", "att_late-1"]
    assert calling.owed() == 0


# --- the fault plan over HTTP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plan",
    [
        "",
        "[]",
        "{",
        '{"seed": "x"}',
        '{"rules": [{"match": {"operation": "charge"}, "fault": "explode"}]}',
        '{"rules": [{"match": {"operation": "charge"}, "fault": "decline:because"}]}',
        '{"rules": [{"match": {"operation": "charge"}, "fault": "decline"}]}',
        '{"rules": [{"match": {"operation": "dispute"}, "fault": "hang"}]}',
        '{"rules": [{"match": {"operation": "charge"}, "fault": "hang", "delay_ms": 30001}]}',
        '{"rules": [{"match": {"operation": "charge"}, "fault": "hang", "probability_permille": 1001}]}',
        '{"rules": [{"match": {"operation": "charge", "nth": 0}, "fault": "hang"}]}',
        '{"rules": [{"match": {"operation": "charge"}, "fault": "hang", "often": 1}]}',
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_and_the_old_one_stays(simulator: SimulatorProcess, plan: str) -> None:
    simulator.set_faults({"match": {"operation": "charge"}, "fault": "no_callback"}, seed=5)
    with httpx2.Client(trust_env=False) as client:
        reply = client.put(simulator.url + "/faults", content=plan)
        kept = client.get(simulator.url + "/faults").json()
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert (kept["seed"], [each["rule"]["fault"] for each in kept["rules"]]) == (5, ["no_callback"])


def test_kill_9_forgets_neither_the_plan_nor_how_far_it_is(own_simulator: SimulatorProcess) -> None:
    own_simulator.set_faults({"match": {"operation": "charge", "nth": 2}, "fault": "error_500_before"}, seed=2**70)
    first, second, third = (a_charge(f"plan-{number}", "tok_approved") for number in range(3))
    assert isinstance(own_simulator.ask(first)[0], Charged)
    own_simulator.end(signal.SIGKILL)
    own_simulator.start()
    assert own_simulator.ask(second) == [Unknown("http 500")]
    assert isinstance(own_simulator.ask(third)[0], Charged)
    with httpx2.Client(trust_env=False) as client:
        plan = json.loads(client.get(own_simulator.url + "/faults").text)
    assert (plan["seed"], plan["rules"][0]["seen"], plan["rules"][0]["fired"]) == (2**70, 3, 1)
