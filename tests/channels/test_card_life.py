"""The life of a charge at the card simulator: held, captured in parts, let go, raised, asked of the payer."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from msgspec import structs

from commands.channels.channel import (
    ActionRequired,
    Authorized,
    Changed,
    ChangeDeclined,
    Charged,
    Declined,
    NotFound,
    Unknown,
)
from commands.channels.requests import (
    CaptureCharge,
    Charge,
    ConfirmCharge,
    ExtendCharge,
    IncrementCharge,
    QueryChange,
    QueryCharge,
    RefundCharge,
    SignContract,
    VoidCharge,
)
from tests.channels.conformance import a_charge
from tests.channels.counterpart_conformance import ask
from tests.channels.simulator_process import Receiver, SimulatorProcess, told, wait_until

DAY = timedelta(days=1)


def held(simulator: SimulatorProcess, name: str, by: str = "tok_x", amount: int = 6_000) -> tuple[Charge, str]:
    """An authorization: what was asked for, and the channel's reference."""
    charge = structs.replace(a_charge(name, by, amount), capture=False)
    authorized = ask(simulator, charge)
    assert isinstance(authorized, Authorized)
    return charge, authorized.channel_reference


def capture(charge: Charge, reference: str, number: int, amount: int, *, final: bool = False) -> CaptureCharge:
    name = f"cap_{charge.attempt_id}-{number}"
    return CaptureCharge(name, charge.attempt_id, reference, amount, charge.currency, final)


# --- authorizations --------------------------------------------------------------------------------------------------


def test_captures_in_parts_take_what_is_held_and_not_one_unit_more(simulator: SimulatorProcess) -> None:
    charge, reference = held(simulator, "parts")
    for number in (1, 2, 3):
        taken = ask(simulator, capture(charge, reference, number, 2_000))
        assert isinstance(taken, Changed)
        assert taken.amount == 2_000
    refused = ask(simulator, capture(charge, reference, 4, 1))
    assert isinstance(refused, ChangeDeclined)
    assert ask(simulator, QueryChange(f"cap_{charge.attempt_id}-4", charge.attempt_id)) == NotFound()
    assert sum(int(row["gross"]) for row in simulator.settlement() if row["charge_id"] == charge.attempt_id) == 6_000


def test_a_capture_is_done_once_however_often_it_is_sent(simulator: SimulatorProcess) -> None:
    charge, reference = held(simulator, "capture-once")
    first = ask(simulator, capture(charge, reference, 1, 2_000))
    assert isinstance(first, Changed)
    assert [ask(simulator, capture(charge, reference, 1, 2_000)) for _ in range(3)] == [first] * 3
    assert ask(simulator, QueryChange(f"cap_{charge.attempt_id}-1", charge.attempt_id)) == first
    assert isinstance(ask(simulator, capture(charge, reference, 1, 2_001)), Unknown)
    (booked,) = (each for each in simulator.books()["charges"] if each["id"] == charge.attempt_id)
    assert (booked["captured"], booked["open"]) == (2_000, 4_000)


def test_more_than_is_held_is_refused_by_its_name(simulator: SimulatorProcess) -> None:
    charge, reference = held(simulator, "over")
    refused = ask(simulator, capture(charge, reference, 1, 6_001))
    assert isinstance(refused, ChangeDeclined)
    assert (refused.reason, refused.channel_code) == ("amount_limits", "capture_exceeds_authorization")


@pytest.mark.parametrize(("amount", "taken"), [(6_900, True), (6_901, False)])
def test_the_second_channel_takes_up_to_15_percent_more(simulator: SimulatorProcess, amount: int, taken: bool) -> None:
    charge = structs.replace(a_charge(f"over-{amount}", "tok_x", 6_000), capture=False)
    (authorized,) = simulator.ask(charge, channel="card_simulator_b")
    assert isinstance(authorized, Authorized)
    (verdict,) = simulator.ask(
        capture(charge, authorized.channel_reference, 1, amount, final=True), channel="card_simulator_b"
    )
    assert isinstance(verdict, Changed if taken else ChangeDeclined)


def test_a_final_capture_lets_go_of_the_rest(simulator: SimulatorProcess) -> None:
    charge, reference = held(simulator, "final")
    ask(simulator, capture(charge, reference, 1, 4_000, final=True))
    void = VoidCharge("void_final-1", charge.attempt_id, reference, 2_000, "EUR")
    for refused in (ask(simulator, void), ask(simulator, capture(charge, reference, 2, 1))):
        assert isinstance(refused, ChangeDeclined)


def test_a_void_lets_go_of_what_is_open(simulator: SimulatorProcess) -> None:
    charge, reference = held(simulator, "void")
    ask(simulator, capture(charge, reference, 1, 1_000))
    void = VoidCharge("void_v-1", charge.attempt_id, reference, 5_000, "EUR")
    done = ask(simulator, void)
    assert isinstance(done, Changed)
    assert done.amount == 5_000
    assert ask(simulator, void) == done
    assert isinstance(ask(simulator, capture(charge, reference, 2, 1)), ChangeDeclined)
    assert isinstance(ask(simulator, structs.replace(void, void_id="void_v-2")), ChangeDeclined)


def test_a_void_of_everything_leaves_nothing(simulator: SimulatorProcess) -> None:
    charge, reference = held(simulator, "void-all")
    assert isinstance(ask(simulator, VoidCharge("void_a-1", charge.attempt_id, reference, 6_000, "EUR")), Changed)
    assert isinstance(ask(simulator, QueryCharge(charge.attempt_id)), Declined)
    assert not [row for row in simulator.settlement() if row["charge_id"] == charge.attempt_id]


def test_what_was_taken_today_is_taken_back_whole(simulator: SimulatorProcess) -> None:
    charge, reference = held(simulator, "back")
    captured = capture(charge, reference, 1, 4_000)
    ask(simulator, captured)
    back = VoidCharge("void_b-1", charge.attempt_id, reference, 4_000, "EUR", captured.capture_id)
    assert isinstance(ask(simulator, back), Changed)
    assert isinstance(ask(simulator, structs.replace(back, void_id="void_b-2")), ChangeDeclined)
    assert isinstance(ask(simulator, capture(charge, reference, 2, 6_000)), Changed), "it is held again"
    sale = a_charge("sale", "tok_x", 6_000)
    paid = ask(simulator, sale)
    assert isinstance(paid, Charged)
    undone = VoidCharge("void_s-1", sale.attempt_id, paid.channel_reference, 6_000, "EUR", sale.attempt_id)
    assert isinstance(ask(simulator, undone), Changed)
    moved = [(row["gross"], row["fee"]) for row in simulator.settlement() if row["charge_id"] == sale.attempt_id]
    assert moved == [("6000", "36"), ("-6000", "-36")]


def test_what_was_given_back_is_not_taken_back_too(simulator: SimulatorProcess) -> None:
    sale = a_charge("refunded", "tok_x", 6_000)
    paid = ask(simulator, sale)
    assert isinstance(paid, Charged)
    ask(simulator, RefundCharge("ref_tb", sale.attempt_id, paid.channel_reference, 1, "EUR"))
    undone = VoidCharge("void_tb-1", sale.attempt_id, paid.channel_reference, 6_000, "EUR", sale.attempt_id)
    assert isinstance(ask(simulator, undone), ChangeDeclined)


def test_more_is_held_and_for_longer(simulator: SimulatorProcess) -> None:
    charge, reference = held(simulator, "more", "tok_expires_60")
    assert isinstance(ask(simulator, IncrementCharge("inc_m-1", charge.attempt_id, reference, 2_000, "EUR")), Changed)
    longer = ask(simulator, ExtendCharge("ext_m-1", charge.attempt_id, reference, 8_000, "EUR"))
    assert isinstance(longer, Changed)
    assert longer.capture_before is not None
    assert longer.capture_before > datetime.now(UTC) + 6 * DAY
    assert isinstance(ask(simulator, capture(charge, reference, 1, 8_000)), Changed)
    for late in (
        IncrementCharge("inc_m-2", charge.attempt_id, reference, 1, "EUR"),
        ExtendCharge("ext_m-2", charge.attempt_id, reference, 1, "EUR"),
    ):
        assert isinstance(ask(simulator, late), ChangeDeclined)


def test_an_authorization_that_has_expired_is_not_captured(simulator: SimulatorProcess) -> None:
    charge, reference = held(simulator, "expired")
    simulator.control(f"charges/{charge.attempt_id}/capture_before", {"at": "2026-01-01T00:00:00Z"})
    by_itself, its_reference = held(simulator, "expires", "tok_expires_0")
    for one, of in ((charge, reference), (by_itself, its_reference)):
        refused = ask(simulator, capture(one, of, 1, 1))
        assert isinstance(refused, ChangeDeclined)
        assert refused.channel_code == "authorization_expired"


def test_an_issuer_may_hold_less_than_was_asked_for(simulator: SimulatorProcess) -> None:
    charge = structs.replace(a_charge("part", "tok_partial_75", 6_000), capture=False)
    authorized = ask(simulator, charge)
    assert isinstance(authorized, Authorized)
    assert authorized.amount == 4_500
    assert isinstance(ask(simulator, capture(charge, authorized.channel_reference, 1, 4_501)), ChangeDeclined)


@pytest.mark.parametrize("token", ["tok_capture_do_not_honor", "tok_capture_timeout_after", "tok_capture_late"])
def test_a_token_says_how_captures_go(simulator: SimulatorProcess, token: str) -> None:
    charge, reference = held(simulator, token, token)
    first = ask(simulator, capture(charge, reference, 1, 2_000), token)
    query = QueryChange(f"cap_{charge.attempt_id}-1", charge.attempt_id)
    if token == "tok_capture_do_not_honor":
        assert isinstance(first, ChangeDeclined)
        assert ask(simulator, query) == first
    else:
        assert isinstance(first, Unknown)
        wait_until(lambda: isinstance(ask(simulator, query), Changed))


def test_nothing_is_let_go_while_a_capture_is_under_way(simulator: SimulatorProcess) -> None:
    charge, reference = held(simulator, "under-way", "tok_capture_late")
    assert ask(simulator, capture(charge, reference, 1, 6_000)) == Unknown("pending")
    assert isinstance(ask(simulator, capture(charge, reference, 2, 1)), ChangeDeclined), "it is counted already"
    assert isinstance(
        ask(simulator, VoidCharge("void_u-1", charge.attempt_id, reference, 6_000, "EUR")), ChangeDeclined
    )
    wait_until(
        lambda: isinstance(ask(simulator, QueryChange(f"cap_{charge.attempt_id}-1", charge.attempt_id)), Changed)
    )


def test_a_capture_that_comes_too_late_takes_nothing(simulator: SimulatorProcess) -> None:
    charge, reference = held(simulator, "too-late", "tok_capture_late")
    ask(simulator, capture(charge, reference, 1, 6_000))
    simulator.control(f"charges/{charge.attempt_id}/expire")
    query = QueryChange(f"cap_{charge.attempt_id}-1", charge.attempt_id)
    wait_until(lambda: isinstance(ask(simulator, query), ChangeDeclined))
    assert not [row for row in simulator.settlement() if row["charge_id"] == charge.attempt_id]


# --- the payer -------------------------------------------------------------------------------------------------------


def test_a_code_from_a_message_pays_within_three_tries(simulator: SimulatorProcess) -> None:
    charge = a_charge("sms", "tok_sms")
    asked = ask(simulator, charge)
    assert isinstance(asked, ActionRequired)
    wrong = ConfirmCharge("cfm_1", charge.attempt_id, asked.channel_reference, "000000", charge.amount, "EUR")
    again = ask(simulator, wrong)
    assert isinstance(again, ActionRequired)
    assert again.data == {"tries_left": "2"}
    assert ask(simulator, wrong) == again, "the same answer counts once"
    right = structs.replace(wrong, confirm_id="cfm_2", answer="123456")
    paid = ask(simulator, right)
    assert isinstance(paid, Charged)
    assert ask(simulator, right) == paid


@pytest.mark.parametrize("token", ["tok_three_ds", "tok_redirect", "tok_qr"])
def test_the_payers_page_asks_once(simulator: SimulatorProcess, token: str) -> None:
    charge = structs.replace(a_charge(token, token), return_url="https://shop.example/back")
    asked = ask(simulator, charge)
    assert isinstance(asked, ActionRequired)
    page = asked.url or asked.data["qr"]
    with httpx2.Client(trust_env=False) as client:
        assert "1250 EUR" in client.get(page).text
        assert client.post(page, data={"action": "steal"}).status_code == 422
        back = client.post(page, data={"action": "approve"})
        assert (back.status_code, back.headers["location"]) == (303, "https://shop.example/back")
        assert client.post(page, data={"action": "refuse"}).status_code == 409, "it is paid"
    assert isinstance(ask(simulator, QueryCharge(charge.attempt_id)), Charged)


def test_the_payer_proves_that_it_is_him_where_we_ask_for_it(simulator: SimulatorProcess) -> None:
    plain = a_charge("plain", "tok_visa")
    proven = structs.replace(a_charge("proven", "tok_visa"), authenticate=True)
    assert isinstance(ask(simulator, plain), Charged)
    asked = ask(simulator, proven)
    assert isinstance(asked, ActionRequired)
    assert asked.action == "three_ds"
    no_questions = structs.replace(a_charge("easy", "tok_frictionless"), authenticate=True)
    assert isinstance(ask(simulator, no_questions), Charged)


def test_an_order_that_nobody_pays_in_time_is_over(calling: SimulatorProcess, receiver: Receiver) -> None:
    charge = a_charge("slow", "tok_redirect+tok_expires_0")
    ask(calling, charge)
    (notice,) = told(calling, receiver, 1)
    assert (notice.subject, notice.subject_id) == ("charge", charge.attempt_id)
    assert isinstance(notice.verdict, Declined)
    assert notice.verdict.reason == "session_expired"


def test_a_charge_that_was_declined_may_succeed_after_all(calling: SimulatorProcess, receiver: Receiver) -> None:
    charge = a_charge("after-all", "tok_issuer_not_available")
    declined = ask(calling, charge)
    assert isinstance(declined, Declined)
    calling.control(f"charges/{charge.attempt_id}/succeed")
    late = ask(calling, QueryCharge(charge.attempt_id))
    assert isinstance(late, Charged)
    heard = sorted(told(calling, receiver, 2), key=lambda notice: notice.event_id)
    assert [notice.verdict for notice in heard] == [declined, late]
    assert [row["type"] for row in calling.settlement()] == ["charge"]


# --- kept ------------------------------------------------------------------------------------------------------------


def test_kill_9_forgets_nothing_of_all_this(own_simulator: SimulatorProcess) -> None:
    charge, reference = held(own_simulator, "kept")
    ask(own_simulator, capture(charge, reference, 1, 1_000))
    ask(own_simulator, a_charge("asked", "tok_sms"))
    ask(own_simulator, SignContract("sig_k", "con_k", "ann", "card"))
    own_simulator.control("disputes", {"charge": charge.attempt_id, "amount": 10})
    books, rows = own_simulator.books(), own_simulator.settlement()
    own_simulator.end()
    own_simulator.start()
    assert (own_simulator.books(), own_simulator.settlement()) == (books, rows)
    assert isinstance(ask(own_simulator, capture(charge, reference, 2, 5_000)), Changed)
