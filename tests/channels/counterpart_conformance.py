"""Counterpart conformance: what has to hold between an adapter and the process that plays its channel.

Subclass it, name the channel, and say what it cannot do: everything else is asked over the dispatcher.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from msgspec import structs

from commands.channels.channel import (
    ActionRequired,
    Changed,
    ChangeDeclined,
    Charged,
    Declined,
    NotFound,
    RefundDeclined,
    Refunded,
    RefundReturned,
    Unknown,
    Verdict,
)
from commands.channels.requests import (
    ChannelRequest,
    Charge,
    QueryChange,
    QueryCharge,
    QueryRefund,
    RefundCharge,
    VoidCharge,
)
from ledger.errors import SignatureInvalid
from tests.channels.conformance import a_charge
from tests.channels.simulator_process import Receiver, SimulatorProcess, wait_until

AT_ONCE = "tok_at_once"


class CounterpartConformance:
    """`declined`: tokens and the groups of reasons that we make of them; `unpaid`: the same of what payers do."""

    channel: ClassVar[str]
    currency: ClassVar[str] = "EUR"
    acknowledgement: ClassVar[bytes] = b""  # what the channel has to be answered, beside the status
    refunds: ClassVar[bool] = True  # the channel gives something back
    closes: ClassVar[bool] = True  # the channel closes an order that nobody has paid
    closes_by_nature: ClassVar[bool] = False  # an order is closed once, whatever id of ours asks for it
    while_asked: ClassVar[Verdict | None] = None  # to a question before the payer acts; None: what was said at first
    is_known_at_once: ClassVar[bool] = True  # the channel has a reference of its own before anybody has paid
    unpaid: ClassVar[Mapping[str, str]] = {"refuse": "cancelled_by_user", "expire": "session_expired"}
    declined: ClassVar[Mapping[str, str]] = {
        "tok_insufficient_funds": "insufficient_funds",
        "tok_stolen_card": "blocked",
        "tok_do_not_honor": "generic_decline",
        "tok_issuer_not_available": "try_again",
        "tok_invalid_account": "account_invalid",
    }

    @pytest.fixture(scope="class")
    @classmethod
    def played(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SimulatorProcess, Receiver]]:
        folder = tmp_path_factory.mktemp(cls.channel)
        with (
            Receiver(cls.acknowledgement) as receiver,
            SimulatorProcess(folder, receiver.url, [cls.channel]) as running,
        ):
            yield running, receiver

    @pytest.fixture
    def simulator(self, played: tuple[SimulatorProcess, Receiver]) -> SimulatorProcess:
        return played[0]

    @pytest.fixture
    def receiver(self, played: tuple[SimulatorProcess, Receiver]) -> Receiver:
        return played[1]

    # --- charges -----------------------------------------------------------------------------------------------------

    def test_a_charge_is_taken_once_however_often_it_is_sent(self, simulator: SimulatorProcess) -> None:
        charge = self.a_charge("once", AT_ONCE)
        first = ask(simulator, charge)
        assert isinstance(first, Charged)
        assert (first.amount, first.currency) == (charge.amount, charge.currency)
        assert [ask(simulator, charge) for _ in range(3)] == [first] * 3
        assert ask(simulator, QueryCharge(charge.attempt_id)) == first
        assert taken(simulator)[charge.attempt_id] == charge.amount

    def test_an_id_that_is_taken_is_not_charged_with_another_sum(self, simulator: SimulatorProcess) -> None:
        charge = self.a_charge("taken", AT_ONCE)
        ask(simulator, charge)
        assert isinstance(ask(simulator, structs.replace(charge, amount=charge.amount + 1)), Unknown)
        assert taken(simulator)[charge.attempt_id] == charge.amount

    def test_an_id_that_nobody_sent_is_not_found(self, simulator: SimulatorProcess) -> None:
        assert ask(simulator, QueryCharge("att_nobody")) == NotFound()
        if self.refunds:
            assert ask(simulator, QueryRefund("ref_nobody", "att_nobody")) == NotFound()
        if self.closes:
            assert ask(simulator, QueryChange("void_nobody", "att_nobody")) == NotFound()

    def test_a_decline_has_its_group_and_stays_a_decline(self, simulator: SimulatorProcess) -> None:
        for token, reason in self.declined.items():
            charge = self.a_charge(f"declined-{token}", f"{AT_ONCE}+{token}")
            verdict = ask(simulator, charge)
            assert isinstance(verdict, Declined), token
            assert verdict.reason == reason
            assert ask(simulator, QueryCharge(charge.attempt_id)) == verdict
            assert charge.attempt_id not in taken(simulator)

    @pytest.mark.parametrize("fault", ["timeout_before", "error_500_before"])
    def test_trouble_before_the_effect_is_unknown_and_then_not_found(
        self, simulator: SimulatorProcess, fault: str
    ) -> None:
        charge = self.a_charge(f"before-{fault}", f"{AT_ONCE}+tok_{fault}")
        assert isinstance(ask(simulator, charge, fault), Unknown)
        assert ask(simulator, QueryCharge(charge.attempt_id)) == NotFound()

    @pytest.mark.parametrize(
        "fault", ["timeout_after", "error_500_after", "malformed_body", "wrong_amount", "wrong_currency"]
    )
    def test_trouble_after_the_effect_is_unknown_and_then_charged(
        self, simulator: SimulatorProcess, fault: str
    ) -> None:
        charge = self.a_charge(f"after-{fault}", f"{AT_ONCE}+tok_{fault}")
        assert isinstance(ask(simulator, charge, fault), Unknown)
        assert isinstance(ask(simulator, QueryCharge(charge.attempt_id)), Charged)
        assert taken(simulator)[charge.attempt_id] == charge.amount

    def test_a_late_answer_is_pending_and_then_charged(self, simulator: SimulatorProcess) -> None:
        charge = self.a_charge("late", f"{AT_ONCE}+tok_late")
        assert ask(simulator, charge) == Unknown("pending")
        wait_until(lambda: isinstance(ask(simulator, QueryCharge(charge.attempt_id)), Charged))

    # --- what the payer does -----------------------------------------------------------------------------------------

    def test_a_payer_who_approves_has_paid(self, simulator: SimulatorProcess, receiver: Receiver) -> None:
        charge = self.a_charge("approves", self.asking())
        asked = ask(simulator, charge)
        assert isinstance(asked, ActionRequired)
        assert ask(simulator, QueryCharge(charge.attempt_id)) == (self.while_asked or asked)
        assert charge.attempt_id not in taken(simulator)
        simulator.control(f"charges/{charge.attempt_id}/approve")
        paid = ask(simulator, QueryCharge(charge.attempt_id))
        assert isinstance(paid, Charged)
        assert paid.channel_reference == asked.channel_reference or not self.is_known_at_once
        assert self.told(simulator, receiver, charge.attempt_id) == [paid]

    @pytest.mark.parametrize("word", ["refuse", "expire"])
    def test_a_payer_who_does_not_pay_has_not_paid(
        self, simulator: SimulatorProcess, receiver: Receiver, word: str
    ) -> None:
        charge = self.a_charge(f"not-{word}", self.asking())
        ask(simulator, charge)
        simulator.control(f"charges/{charge.attempt_id}/{word}")
        declined = ask(simulator, QueryCharge(charge.attempt_id))
        assert isinstance(declined, Declined)
        assert declined.reason == self.unpaid[word]
        assert self.told(simulator, receiver, charge.attempt_id) == [declined]
        assert charge.attempt_id not in taken(simulator)

    def test_an_order_that_nobody_paid_is_closed_once(self, simulator: SimulatorProcess) -> None:
        if not self.closes:
            pytest.skip("this channel closes nothing")
        charge = self.a_charge("closed", self.asking())
        asked = ask(simulator, charge)
        assert isinstance(asked, ActionRequired)
        void = VoidCharge("void_c-1", charge.attempt_id, asked.channel_reference, charge.amount, charge.currency)
        closed = ask(simulator, void)
        assert isinstance(closed, Changed)
        again = ask(simulator, void), ask(simulator, QueryChange("void_c-1", charge.attempt_id))
        assert [same_sum(one, closed) for one in again] == [True, True]
        assert isinstance(ask(simulator, QueryCharge(charge.attempt_id)), Declined)
        another = ask(simulator, structs.replace(void, void_id="void_c-2"))
        assert isinstance(another, Changed if self.closes_by_nature else ChangeDeclined)

    # --- refunds -----------------------------------------------------------------------------------------------------

    def test_refunds_give_back_the_charge_and_not_one_unit_more(self, simulator: SimulatorProcess) -> None:
        self._refunds_or_skip()
        charge = self.a_charge("refunds", AT_ONCE)
        charged = ask(simulator, charge)
        assert isinstance(charged, Charged)
        refund = RefundCharge("ref_1", charge.attempt_id, charged.channel_reference, 400, charge.currency)
        first = ask(simulator, refund)
        assert isinstance(first, Refunded)
        assert ask(simulator, refund) == ask(simulator, QueryRefund("ref_1", charge.attempt_id)) == first
        rest = charge.amount - 400
        too_much = ask(simulator, structs.replace(refund, refund_id="ref_2", amount=rest + 1))
        assert isinstance(too_much, RefundDeclined)
        assert isinstance(ask(simulator, structs.replace(refund, refund_id="ref_3", amount=rest)), Refunded)
        given_back = {each["id"]: each["amount"] for each in simulator.books()["refunds"]}
        assert {name: given_back.get(name) for name in ("ref_1", "ref_2", "ref_3")} == {
            "ref_1": 400,
            "ref_2": None,
            "ref_3": rest,
        }

    def test_a_charge_that_does_not_exist_is_not_refunded(self, simulator: SimulatorProcess) -> None:
        self._refunds_or_skip()
        refund = RefundCharge("ref_of_nothing", "att_nobody", "ch_nobody", 1, self.currency)
        assert isinstance(ask(simulator, refund), RefundDeclined)

    def test_a_refund_may_come_back_after_it_has_succeeded(
        self, simulator: SimulatorProcess, receiver: Receiver
    ) -> None:
        self._refunds_or_skip()
        charge = self.a_charge("returned", AT_ONCE)
        charged = ask(simulator, charge)
        assert isinstance(charged, Charged)
        refund = RefundCharge("ref_r", charge.attempt_id, charged.channel_reference, 7, charge.currency)
        refunded = ask(simulator, refund)
        assert isinstance(refunded, Refunded)
        simulator.control("refunds/ref_r/return")
        returned = ask(simulator, QueryRefund("ref_r", charge.attempt_id))
        assert isinstance(returned, RefundReturned)
        assert self.told(simulator, receiver, "ref_r", 2) == [refunded, returned]

    # --- callbacks and the settlement file ---------------------------------------------------------------------------

    @pytest.mark.parametrize("fault", ["wrong_signature_callback", "altered_callback"])
    def test_a_callback_that_is_not_genuine_is_refused(
        self, simulator: SimulatorProcess, receiver: Receiver, fault: str
    ) -> None:
        receiver.got.clear()
        receiver.script = [401]
        charge = self.a_charge(f"forged-{fault}", f"{AT_ONCE}+tok_{fault}")
        charged = ask(simulator, charge)
        (headers, body), right = receiver.wait_for(2)[:2]
        with pytest.raises(SignatureInvalid):
            simulator.translator().from_callback(headers, body, datetime.now(UTC))
        assert simulator.translator().from_callback(*right, datetime.now(UTC)).verdict == charged

    def test_the_settlement_file_is_the_sum_of_what_moved(self, simulator: SimulatorProcess) -> None:
        books = simulator.books()
        charges = [each for each in books["charges"] if each["status"] == "succeeded"]
        refunds = [each for each in books["refunds"] if each["status"] == "succeeded"]
        owed = sum(each["amount"] - each["fee"] for each in charges) - sum(
            each["amount"] + each["fee"] for each in refunds
        )
        assert charges
        assert sum(int(row["net"]) for row in simulator.settlement()) == owed

    # --- below -------------------------------------------------------------------------------------------------------

    def _refunds_or_skip(self) -> None:
        if not self.refunds:
            pytest.skip("this channel gives nothing back")

    def a_charge(self, name: str, token: str) -> Charge:
        return a_charge(name, token, currency=self.currency)

    def asking(self) -> str:
        """A token with which the payer has to do something."""
        return "tok_any"

    def told(self, simulator: SimulatorProcess, receiver: Receiver, our_id: str, count: int = 1) -> list[Verdict]:
        """What callbacks said about this id."""

        def verdicts() -> list[Verdict]:
            heard = []
            for each in list(receiver.got):
                with suppress(SignatureInvalid):  # another test's, which had it forged
                    heard.append(simulator.translator().from_callback(*each, datetime.now(UTC)))
            return [notice.verdict for notice in heard if notice.subject_id == our_id]

        wait_until(lambda: len(verdicts()) >= count)
        return verdicts()


def same_sum(one: Verdict, closed: Changed) -> bool:
    """Whether it says that the same was closed. Not every channel has a time and a reference for it."""
    return isinstance(one, Changed) and (one.amount, one.currency) == (closed.amount, closed.currency)


def ask(simulator: SimulatorProcess, request: ChannelRequest, fault: str = "") -> Verdict:
    """An answer that comes is waited for, however busy the machine is; one that this fault keeps back is not."""
    (verdict,) = simulator.ask(request, read_ms=400 if "timeout" in fault else 10_000)
    return verdict


def taken(simulator: SimulatorProcess) -> dict[str, int]:
    """The channel's own books: our id and what it took."""
    return {each["id"]: each["amount"] for each in simulator.books()["charges"] if each["status"] == "succeeded"}
