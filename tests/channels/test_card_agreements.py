"""Money that comes back, payouts and contracts at the card simulator."""

from msgspec import structs

from commands.channels.channel import (
    ActionRequired,
    Charged,
    ContractDeclined,
    ContractEnded,
    ContractSigned,
    Declined,
    DisputeMoved,
    NotFound,
    PaidOut,
    PayoutDeclined,
    PayoutReturned,
    Refunded,
    RefundReturned,
    Unknown,
)
from commands.channels.requests import (
    QueryContract,
    QueryPayout,
    QueryRefund,
    RefundCharge,
    SendPayout,
    SignContract,
    TerminateContract,
)
from tests.channels.conformance import a_charge
from tests.channels.counterpart_conformance import ask
from tests.channels.simulator_process import Receiver, SimulatorProcess, told, wait_until

# --- money that comes back -------------------------------------------------------------------------------------------


def test_a_dispute_takes_the_money_and_may_give_it_back(calling: SimulatorProcess, receiver: Receiver) -> None:
    charge = a_charge("disputed", "tok_x")
    paid = ask(calling, charge)
    assert isinstance(paid, Charged)
    due = "2026-12-01T00:00:00Z"
    about: dict[str, object] = {"charge": charge.attempt_id}
    for words in ({"stage": "pre_dispute"}, {"evidence_due_at": due}, {"status": "challenged"}, {"status": "won"}):
        calling.control("disputes", about | words)
    moves = [notice.verdict for notice in told(calling, receiver, 5)[1:]]
    disputes = sorted((each for each in moves if isinstance(each, DisputeMoved)), key=lambda each: each.at)
    assert len({each.dispute_reference for each in disputes}) == 1
    stood = [(each.stage, each.status, each.amount, each.fee) for each in disputes]
    assert stood == [
        ("pre_dispute", "opened", 1_250, 0),
        ("dispute", "opened", 1_250, 1_500),
        ("dispute", "challenged", 1_250, 0),
        ("dispute", "won", 1_250, 0),
    ]
    rows = [(row["type"], row["gross"], row["fee"]) for row in calling.settlement()]
    assert rows == [("charge", "1250", "8"), ("dispute", "-1250", "1500"), ("dispute_reversed", "1250", "0")]


def test_a_refund_comes_back_by_its_token(calling: SimulatorProcess, receiver: Receiver) -> None:
    charge = a_charge("comes-back", "tok_refund_returned")
    paid = ask(calling, charge)
    assert isinstance(paid, Charged)
    assert isinstance(
        ask(calling, RefundCharge("ref_cb", charge.attempt_id, paid.channel_reference, 9, "EUR")), Refunded
    )
    ours = [notice.verdict for notice in told(calling, receiver, 3) if notice.subject == "refund"]
    assert [type(each) for each in ours] == [Refunded, RefundReturned]
    assert ask(calling, QueryRefund("ref_cb")) == ours[1]
    whole = RefundCharge("ref_cb2", charge.attempt_id, paid.channel_reference, charge.amount, "EUR")
    assert isinstance(ask(calling, whole), Refunded), "what came back can be given back again"


def test_payouts_are_paid_declined_unanswered_or_sent_back(simulator: SimulatorProcess) -> None:
    payout = SendPayout("po_1", 500, "EUR", {"account": "DE00"})
    paid = ask(simulator, payout)
    assert isinstance(paid, PaidOut)
    assert paid.channel_fee == 25
    assert ask(simulator, payout) == ask(simulator, QueryPayout("po_1")) == paid

    def as_told(name: str, word: str) -> SendPayout:
        return SendPayout(name, 500, "EUR", {"account": "DE00", "simulate": word})

    assert isinstance(ask(simulator, as_told("po_2", "name_mismatch")), PayoutDeclined)
    assert isinstance(ask(simulator, as_told("po_3", "timeout_after"), "timeout"), Unknown)
    assert isinstance(ask(simulator, QueryPayout("po_3")), PaidOut)
    assert isinstance(ask(simulator, as_told("po_4", "timeout_before"), "timeout"), Unknown)
    assert ask(simulator, QueryPayout("po_4")) == NotFound()
    assert isinstance(ask(simulator, as_told("po_5", "returned")), PaidOut)
    wait_until(lambda: isinstance(ask(simulator, QueryPayout("po_5")), PayoutReturned))
    simulator.control("payouts/po_1/return")
    assert isinstance(ask(simulator, QueryPayout("po_1")), PayoutReturned)


# --- contracts -------------------------------------------------------------------------------------------------------


def test_a_contract_is_signed_by_a_code_and_charged_without_a_word(simulator: SimulatorProcess) -> None:
    sign = SignContract("sig_1", "con_1", "ann", "card")
    asked = ask(simulator, sign)
    assert isinstance(asked, ActionRequired)
    assert ask(simulator, sign) == ask(simulator, QueryContract("con_1")) == asked
    unsigned = structs.replace(a_charge("unsigned", "tok_x"), contract=asked.channel_reference)
    refused = ask(simulator, unsigned)
    assert isinstance(refused, Declined)
    assert refused.reason == "mandate_ended"
    wrong = ask(simulator, structs.replace(sign, sign_id="sig_2", answer="0"))
    assert isinstance(wrong, ContractDeclined)
    assert wrong.retryable
    signed = ask(simulator, structs.replace(sign, sign_id="sig_3", answer="123456"))
    assert isinstance(signed, ContractSigned)
    assert ask(simulator, QueryContract("con_1")) == signed
    under = structs.replace(a_charge("under", "tok_three_ds"), contract=signed.channel_reference, authenticate=True)
    assert isinstance(ask(simulator, under), Charged)


def test_three_wrong_codes_are_the_end_of_a_signing(simulator: SimulatorProcess) -> None:
    sign = SignContract("sig_w0", "con_w", "ann", "card")
    ask(simulator, sign)
    answers = [ask(simulator, structs.replace(sign, sign_id=f"sig_w{n}", answer="0")) for n in (1, 2, 3)]
    assert [each.retryable for each in answers if isinstance(each, ContractDeclined)] == [True, True, False]


def test_a_contract_is_ended_by_us_or_by_the_user(calling: SimulatorProcess, receiver: Receiver) -> None:
    contracts = []
    for name in ("con_u", "con_m"):
        signed = ask(calling, SignContract(f"sig_{name}", name, "ann", "card", {"sign": "at_once"}))
        assert isinstance(signed, ContractSigned)
        contracts.append(signed.channel_reference)
    calling.control("contracts/con_u/end")
    end = TerminateContract("end_m", "con_m", contracts[1])
    ended = ask(calling, end)
    assert isinstance(ended, ContractEnded)
    assert ask(calling, end) == ended
    heard = told(calling, receiver, 4)
    over = [(each.subject_id, each.verdict.by) for each in heard if isinstance(each.verdict, ContractEnded)]
    assert sorted(over) == [("con_m", "merchant"), ("con_u", "user")]
    for reference in contracts:
        refused = ask(calling, structs.replace(a_charge(reference, "tok_x"), contract=reference))
        assert isinstance(refused, Declined)


def test_a_contract_may_be_signed_on_a_page_or_not_at_all(simulator: SimulatorProcess) -> None:
    asked = ask(simulator, SignContract("sig_p", "con_p", "ann", "card", {"sign": "redirect"}))
    assert isinstance(asked, ActionRequired)
    assert asked.url is not None
    assert simulator.payer_does(asked.url, "approve") == 200
    assert isinstance(ask(simulator, QueryContract("con_p")), ContractSigned)
    assert isinstance(
        ask(simulator, SignContract("sig_d", "con_d", "ann", "card", {"sign": "declined"})), ContractDeclined
    )


# --- another card for a contract --------------------------------------------------------------------------------------


def replaced(simulator: SimulatorProcess, name: str, **how: str) -> tuple[SignContract, object]:
    """An agreement `agr_<name>` is signed, and another card asked for: the errand, and what was answered to it."""
    signed = ask(simulator, SignContract(f"sig_{name}", f"con_{name}", "ann", "card", {"sign": "at_once"}))
    assert isinstance(signed, ContractSigned)
    asked = SignContract(f"upd_{name}", f"upd_{name}", "ann", "card", how, replaces=signed.channel_reference)
    return asked, ask(simulator, asked)


def test_another_card_is_agreed_to_by_a_code_and_the_agreement_goes_on(simulator: SimulatorProcess) -> None:
    asked, waits = replaced(simulator, "new_r")
    assert isinstance(waits, ActionRequired)
    assert ask(simulator, QueryContract("upd_new_r")) == waits
    wrong = ask(simulator, structs.replace(asked, sign_id="upd_new_r2", answer="0"))
    assert isinstance(wrong, ContractDeclined)
    agreed = ask(simulator, structs.replace(asked, sign_id="upd_new_r3", answer="123456"))
    assert isinstance(agreed, ContractSigned)
    assert agreed.channel_reference == asked.replaces
    charge = structs.replace(a_charge("new_r", "tok_new"), contract=agreed.channel_reference)
    assert isinstance(ask(simulator, charge), Charged)


def test_another_card_may_be_refused_or_asked_for_on_a_page_by_its_token(simulator: SimulatorProcess) -> None:
    assert isinstance(replaced(simulator, "new_d", token="tok_declined")[1], ContractDeclined)
    assert isinstance(replaced(simulator, "new_o", token="tok_at_once")[1], ContractSigned)
    page = replaced(simulator, "new_p", token="tok_redirect")[1]
    assert isinstance(page, ActionRequired)
    assert page.url is not None
    assert simulator.payer_does(page.url, "approve") == 200
    assert isinstance(ask(simulator, QueryContract("upd_new_p")), ContractSigned)


def test_no_card_is_replaced_where_the_agreement_is_over(simulator: SimulatorProcess) -> None:
    asked, _ = replaced(simulator, "new_e")
    simulator.control("contracts/con_new_e/end")
    late = ask(simulator, structs.replace(asked, sign_id="upd_e2", answer="123456"))
    again = ask(simulator, structs.replace(asked, sign_id="upd_e3", contract_id="upd_e3"))
    for verdict in (late, again):
        assert isinstance(verdict, ContractDeclined)
        assert verdict.reason == "mandate_ended"
    unknown = ask(simulator, structs.replace(asked, sign_id="upd_e4", contract_id="upd_e4", replaces="co_none"))
    assert isinstance(unknown, ContractDeclined)
    assert unknown.reason == "integration"


def test_a_card_that_the_bank_replaces_is_told_of_each_time(calling: SimulatorProcess, receiver: Receiver) -> None:
    signed = ask(calling, SignContract("sig_b", "con_b", "ann", "card", {"sign": "at_once"}))
    assert isinstance(signed, ContractSigned)
    for _ in range(2):
        calling.control("contracts/con_b/replace_card")
    told_of = [each.verdict for each in told(calling, receiver, 3) if isinstance(each.verdict, ContractSigned)]
    assert len({verdict.replacement for verdict in told_of}) == 3
    assert {verdict.channel_reference for verdict in told_of} == {signed.channel_reference}
