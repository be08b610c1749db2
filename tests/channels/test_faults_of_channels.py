"""Faults beyond one answer: late arrivals, messages out of order or about another sum, each channel on its own."""

import stat
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from msgspec import structs

from commands.channels.channel import AMOUNT_MISMATCH, Charged, NotFound, Unknown, as_asked
from commands.channels.keys import SigningKey, our_ring, their_ring
from commands.channels.requests import QueryCharge, RefundCharge
from commands.channels.signatures import made_once, sign_message
from commands.channels.simulator.operations import Movement
from commands.channels.simulator.settlement import bounds, written
from commands.policies.channels import CHANNELS, ChannelTerms, terms_of
from ledger.errors import SignatureInvalid
from tests.channels.conformance import a_charge
from tests.channels.counterpart_conformance import ask, taken
from tests.channels.simulator_process import Receiver, SimulatorProcess, told, wait_until
from tests.channels.simulator_process import ask as ask_all

OTHER = "card_simulator_b"


def test_a_request_that_arrives_late_is_not_found_at_first(simulator: SimulatorProcess) -> None:
    simulator.set_faults({"match": {"operation": "charge"}, "fault": "arrives_late", "delay_ms": 1_500})
    charge = a_charge("late-arrival", "tok_x")
    assert isinstance(ask(simulator, charge, "timeout"), Unknown)
    assert ask(simulator, QueryCharge(charge.attempt_id)) == NotFound()
    wait_until(lambda: isinstance(ask(simulator, QueryCharge(charge.attempt_id)), Charged))
    assert taken(simulator)[charge.attempt_id] == charge.amount


def test_a_message_is_overtaken_by_a_later_one(calling: SimulatorProcess, receiver: Receiver) -> None:
    charge = a_charge("overtaken", "tok_reordered_callback")
    charged = ask(calling, charge)
    assert isinstance(charged, Charged)
    time.sleep(0.3)
    assert not receiver.got
    ask(calling, RefundCharge("ref_over", charge.attempt_id, charged.channel_reference, 1, "EUR"))
    assert [notice.subject for notice in told(calling, receiver, 2)] == ["refund", "charge"]


@pytest.mark.parametrize("fault", ["wrong_amount_callback", "wrong_currency_callback"])
def test_a_message_about_another_sum_is_genuine_and_no_success_of_ours(
    calling: SimulatorProcess, receiver: Receiver, fault: str
) -> None:
    charge = a_charge("other-sum", f"tok_{fault}")
    assert isinstance(ask(calling, charge), Charged)
    (notice,) = told(calling, receiver, 1)
    assert isinstance(notice.verdict, Charged)
    assert as_asked(notice.verdict, charge.amount, charge.currency) == AMOUNT_MISMATCH


def test_a_plan_is_for_one_channel_and_so_are_its_books(simulator: SimulatorProcess) -> None:
    simulator.set_faults({"match": {"operation": "charge"}, "fault": "decline:do_not_honor"}, channel=OTHER)
    charge = a_charge("two", "tok_x")
    (here,) = simulator.ask(charge)
    (there,) = simulator.ask(structs.replace(charge, attempt_id="att_two-2"), channel=OTHER)
    simulator.set_faults(channel=OTHER)
    assert isinstance(here, Charged)
    assert not isinstance(there, Charged)
    assert "att_two-2" not in {each["id"] for each in simulator.books()["charges"]}
    assert [each["id"] for each in simulator.books(OTHER)["charges"]][-1:] == ["att_two-2"]


def test_a_channel_does_not_believe_what_another_ones_secret_signed(simulator: SimulatorProcess) -> None:
    confused = structs.replace(simulator.settings(channel=OTHER), secret=simulator.settings().secret)
    (verdict,) = ask_all(confused, [a_charge("confused", "tok_x")])
    assert isinstance(verdict, Unknown)
    assert "att_confused-1" not in {each["id"] for each in simulator.books(OTHER)["charges"]}
    body = b"{}"
    headers = sign_message(simulator.settings().secret, "evt_1", int(time.time()), body)
    with pytest.raises(SignatureInvalid):
        simulator.translator(OTHER).from_callback(headers, body, datetime.now(UTC))


def test_the_file_of_a_day_holds_that_day_only(simulator: SimulatorProcess) -> None:
    charge = a_charge("day", "tok_x")
    ask(simulator, charge)
    assert charge.attempt_id in {row["id"] for row in simulator.settlement()}
    assert simulator.settlement(date(2026, 1, 1)) == []


def test_a_day_begins_at_midnight_in_utc() -> None:
    start, end = bounds(date(2026, 3, 29))
    assert start == int(datetime(2026, 3, 29, tzinfo=UTC).timestamp()) * 1_000
    assert end - start == 24 * 3_600_000, "also on the day on which clocks change"
    movement = Movement("charge", "pay_1-1", "pay_1-1", "ch_1", 1_250, 8, "EUR", start)
    assert written([movement], 2).splitlines()[1] == (
        "charge,pay_1-1,pay_1-1,ch_1,1250,8,1242,EUR,2026-03-29T00:00:00+00:00,2026-03-31"
    )


# --- what channels are configured with -------------------------------------------------------------------------------


def test_key_material_is_made_once_and_for_our_eyes_only(tmp_path: Path) -> None:
    ours, theirs = our_ring(tmp_path, "bank"), their_ring(tmp_path, "bank")
    message = b"a message"
    assert ours.other.verifies(message, theirs.own.signature(message))
    assert theirs.other.verifies(message, ours.own.signature(message))
    assert not ours.other.verifies(message, ours.own.signature(message))
    assert our_ring(tmp_path, "bank").own.pem() == ours.own.pem()
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {0o600}


def test_a_real_channel_is_known_by_the_public_half_that_it_sent(tmp_path: Path) -> None:
    real = SigningKey.new()
    (tmp_path / "bank.theirs.pub").write_bytes(real.verifying().pem())
    assert our_ring(tmp_path, "bank").other.verifies(b"x", real.signature(b"x"))


def test_who_comes_second_takes_what_the_first_has_made(tmp_path: Path) -> None:
    assert made_once(tmp_path / "folder" / "key", lambda: b"first") == b"first"
    assert made_once(tmp_path / "folder" / "key", lambda: b"second") == b"first"


def test_the_names_of_channels_are_different() -> None:
    assert len({terms.name for terms in CHANNELS}) == len(CHANNELS)
    assert terms_of("card_simulator") == CHANNELS[0]
    assert terms_of("nobody") is None


@pytest.mark.parametrize(
    ("amount", "currency", "taken_"),
    [(10, "EUR", True), (9, "EUR", False), (20, "EUR", True), (21, "EUR", False), (15, "USD", False)],
)
def test_terms_say_which_sums_are_taken(amount: int, currency: str, taken_: bool) -> None:
    terms = ChannelTerms("x", ("card",), 1, currencies=("EUR",), minimum=10, maximum=20)
    assert terms.takes(amount, currency) is taken_
