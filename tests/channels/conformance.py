"""Conformance: what every channel adapter has to prove. Subclass both classes, fill in the channel's own words.

`TranslatorConformance` is pure; `CounterpartConformance` asks a process that plays the channel, over the dispatcher.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from commands.channels.channel import (
    AMOUNT_MISMATCH,
    CallbackNotice,
    Channel,
    Charged,
    Declined,
    HttpReply,
    NotFound,
    RefundDeclined,
    Refunded,
    Unknown,
    Verdict,
)
from commands.channels.requests import ChannelRequest, Charge, QueryCharge, QueryRefund, RefundCharge
from ledger.errors import SignatureInvalid, TimestampOutOfWindow

NOW = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC)


@dataclass(frozen=True)
class Recording:
    """One reply of the channel and what it means."""

    name: str
    request: ChannelRequest
    status: int
    body: bytes
    verdict: Verdict


@dataclass(frozen=True)
class CallbackRecording:
    """One callback of the channel and what it means; the event id is chosen by the test."""

    name: str
    body: bytes
    notice: CallbackNotice


class TranslatorConformance(ABC):
    """The laws of a pure translator."""

    channel: ClassVar[Channel]
    secret_words: ClassVar[Sequence[str]]  # how the secret could show: raw, encoded
    recordings: ClassVar[Sequence[Recording]]
    callbacks: ClassVar[Sequence[CallbackRecording]]

    @abstractmethod
    def authentic(self, request: ChannelRequest, status: int, body: bytes) -> HttpReply:
        """This reply as the channel itself would send it to this request."""

    @abstractmethod
    def authentic_callback(self, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
        """The headers with which the channel itself would send this callback."""

    def read(self, recording: Recording) -> Verdict:
        return self.channel.from_wire(
            recording.request, self.authentic(recording.request, recording.status, recording.body)
        )

    def successes(self) -> list[Recording]:
        return [each for each in self.recordings if isinstance(each.verdict, Charged | Refunded)]

    def requests(self) -> list[ChannelRequest]:
        return [each.request for each in self.recordings]

    # --- to the channel ----------------------------------------------------------------------------------------------

    def test_the_same_request_gives_the_same_bytes(self) -> None:
        for request in self.requests():
            assert self.channel.to_wire(request) == self.channel.to_wire(request)

    def test_every_request_carries_our_id(self) -> None:
        for request in self.requests():
            wire = self.channel.to_wire(request)
            assert _our_id(request).encode() in wire.path.encode() + wire.body

    def test_two_ids_never_give_one_request(self) -> None:
        for request in self.requests():
            assert self.channel.to_wire(request) != self.channel.to_wire(_with_another_id(request))

    def test_no_secret_shows(self) -> None:
        shown = repr(self.channel) + "".join(repr(self.channel.to_wire(request)) for request in self.requests())
        assert not [word for word in self.secret_words if word in shown]

    # --- from the channel --------------------------------------------------------------------------------------------

    def test_recorded_replies_mean_what_is_written_beside_them(self) -> None:
        assert {each.name: self.read(each) for each in self.recordings} == {
            each.name: each.verdict for each in self.recordings
        }

    def test_every_kind_of_verdict_is_recorded(self) -> None:
        kinds = {type(each.verdict) for each in self.recordings}
        assert kinds >= {Charged, Declined, Refunded, RefundDeclined, NotFound, Unknown}

    def test_a_server_error_is_never_an_answer(self) -> None:
        for each in self.recordings:
            for status in (500, 502, 503, 504, 599):
                reply = self.authentic(each.request, status, each.body)
                assert isinstance(self.channel.from_wire(each.request, reply), Unknown), (each.name, status)

    def test_an_answer_cut_anywhere_is_unknown(self) -> None:
        for each in self.recordings:
            for length in range(len(each.body)):
                reply = self.authentic(each.request, each.status, each.body[:length])
                assert isinstance(self.channel.from_wire(each.request, reply), Unknown), (each.name, length)

    def test_an_answer_altered_on_its_way_is_unknown(self) -> None:
        for each in self.recordings:
            sent = self.authentic(each.request, each.status, each.body)
            for place in range(len(each.body)):
                altered = bytearray(sent.body)
                altered[place] ^= 1
                reply = structs.replace(sent, body=bytes(altered))
                assert isinstance(self.channel.from_wire(each.request, reply), Unknown), (each.name, place)

    def test_an_answer_with_a_foreign_byte_anywhere_is_read_as_it_was_or_not_at_all(self) -> None:
        for each in self.recordings:
            for place in range(len(each.body)):
                body = each.body[:place] + b"\xff" + each.body[place + 1 :]
                verdict = self.channel.from_wire(each.request, self.authentic(each.request, each.status, body))
                assert isinstance(verdict, Unknown) or verdict == each.verdict, (each.name, place)

    def test_an_answer_to_another_request_is_unknown(self) -> None:
        """The channel's own words, signed for something else: a replayed answer proves nothing."""
        for each in self.recordings:
            asked = _with_another_id(each.request)
            replayed = self.authentic(each.request, each.status, each.body)
            assert isinstance(self.channel.from_wire(asked, replayed), Unknown), each.name

    def test_a_success_of_another_id_is_unknown(self) -> None:
        for each in self.successes():
            asked = _with_another_id(each.request)
            confused = self.authentic(asked, each.status, each.body)
            assert isinstance(self.channel.from_wire(asked, confused), Unknown), each.name

    def test_a_success_over_another_sum_is_unknown(self) -> None:
        for each in self.successes():
            if isinstance(each.request, Charge | RefundCharge):
                for asked in (
                    structs.replace(each.request, amount=each.request.amount + 1),
                    structs.replace(each.request, amount=each.request.amount - 1),
                    structs.replace(each.request, currency="JPY"),
                ):
                    reply = self.authentic(asked, each.status, each.body)
                    assert self.channel.from_wire(asked, reply) == AMOUNT_MISMATCH, each.name

    @given(status=st.integers(100, 599), names=st.dictionaries(st.text(), st.text()), body=st.binary(), data=st.data())
    def test_no_words_of_a_stranger_are_an_answer(
        self, status: int, names: dict[str, str], body: bytes, data: st.DataObject
    ) -> None:
        recording = data.draw(st.sampled_from(self.recordings))
        written = data.draw(st.sampled_from([body, recording.body]))
        genuine = self.authentic(recording.request, recording.status, recording.body)
        strange = {name: data.draw(st.text()) for name in genuine.headers}
        for headers in (names, strange, {}):
            reply = HttpReply(status, {name.lower(): value for name, value in headers.items()}, written)
            assert isinstance(self.channel.from_wire(recording.request, reply), Unknown)

    @given(status=st.integers(100, 599), body=st.binary(), data=st.data())
    def test_no_bytes_of_the_channel_itself_make_it_raise(self, status: int, body: bytes, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.requests()))
        assert isinstance(self.channel.from_wire(request, self.authentic(request, status, body)), Unknown)

    def test_endless_nesting_is_unknown(self) -> None:
        for each in self.recordings:
            for body in (b"[" * 60_000, b'{"a":' * 12_000, b'{"object":"charge","x":' + b"[" * 60_000):
                reply = self.authentic(each.request, each.status, body)
                assert isinstance(self.channel.from_wire(each.request, reply), Unknown)

    # --- callbacks ---------------------------------------------------------------------------------------------------

    def test_recorded_callbacks_mean_what_is_written_beside_them(self) -> None:
        for each in self.callbacks:
            headers = self.authentic_callback(each.notice.event_id, NOW, each.body)
            assert self.channel.from_callback(headers, each.body, NOW) == each.notice, each.name

    def test_a_callback_altered_anywhere_is_refused(self) -> None:
        for each in self.callbacks:
            headers = self.authentic_callback(each.notice.event_id, NOW, each.body)
            for place in range(len(each.body)):
                altered = bytearray(each.body)
                altered[place] ^= 1
                with pytest.raises(SignatureInvalid):
                    self.channel.from_callback(headers, bytes(altered), NOW)

    def test_an_old_callback_is_refused(self) -> None:
        for each in self.callbacks:
            headers = self.authentic_callback(each.notice.event_id, NOW, each.body)
            with pytest.raises(TimestampOutOfWindow):
                self.channel.from_callback(headers, each.body, NOW + timedelta(seconds=301))


@dataclass(frozen=True)
class Counterpart:
    """A running channel: a way to ask it, its own books (our id → minor units, successes only), its magic tokens."""

    ask: Callable[[ChannelRequest], Verdict]
    charged: Callable[[], Mapping[str, int]]
    refunded: Callable[[], Mapping[str, int]]
    approved: str
    declined: Mapping[str, str]  # token → our reason group
    silent_before: str
    silent_after: str
    late: str


class CounterpartConformance:
    """What has to hold between us and the running channel. Subclasses give the fixture `counterpart`."""

    def test_a_charge_is_taken_once_however_often_it_is_sent(self, counterpart: Counterpart) -> None:
        charge = a_charge("once", counterpart.approved)
        first = counterpart.ask(charge)
        assert isinstance(first, Charged)
        assert (first.amount, first.currency) == (charge.amount, charge.currency)
        assert [counterpart.ask(charge) for _ in range(3)] == [first] * 3
        assert counterpart.ask(QueryCharge(charge.attempt_id)) == first
        assert counterpart.charged()[charge.attempt_id] == charge.amount

    def test_an_id_that_is_taken_is_not_charged_with_another_sum(self, counterpart: Counterpart) -> None:
        charge = a_charge("taken", counterpart.approved)
        counterpart.ask(charge)
        assert isinstance(counterpart.ask(structs.replace(charge, amount=charge.amount + 1)), Unknown)
        assert counterpart.charged()[charge.attempt_id] == charge.amount

    def test_an_id_that_nobody_sent_is_not_found(self, counterpart: Counterpart) -> None:
        assert counterpart.ask(QueryCharge("att_nobody")) == NotFound()
        assert counterpart.ask(QueryRefund("ref_nobody")) == NotFound()

    def test_a_decline_has_its_group_and_stays_a_decline(self, counterpart: Counterpart) -> None:
        for token, reason in counterpart.declined.items():
            charge = a_charge(f"declined-{token}", token)
            verdict = counterpart.ask(charge)
            assert isinstance(verdict, Declined), token
            assert verdict.reason == reason
            assert counterpart.ask(QueryCharge(charge.attempt_id)) == verdict
            assert charge.attempt_id not in counterpart.charged()

    def test_silence_before_the_effect_is_unknown_and_then_not_found(self, counterpart: Counterpart) -> None:
        charge = a_charge("silent-before", counterpart.silent_before)
        assert isinstance(counterpart.ask(charge), Unknown)
        assert counterpart.ask(QueryCharge(charge.attempt_id)) == NotFound()

    def test_silence_after_the_effect_is_unknown_and_then_charged(self, counterpart: Counterpart) -> None:
        charge = a_charge("silent-after", counterpart.silent_after)
        assert isinstance(counterpart.ask(charge), Unknown)
        assert isinstance(counterpart.ask(QueryCharge(charge.attempt_id)), Charged)
        assert counterpart.charged()[charge.attempt_id] == charge.amount

    def test_a_late_answer_is_pending(self, counterpart: Counterpart) -> None:
        assert counterpart.ask(a_charge("late", counterpart.late)) == Unknown("pending")

    def test_refunds_give_back_the_charge_and_not_one_unit_more(self, counterpart: Counterpart) -> None:
        charge = a_charge("refunds", counterpart.approved)
        charged = counterpart.ask(charge)
        assert isinstance(charged, Charged)
        refund = RefundCharge("ref_1", charge.attempt_id, charged.channel_reference, 400, charge.currency)
        first = counterpart.ask(refund)
        assert isinstance(first, Refunded)
        assert counterpart.ask(refund) == counterpart.ask(QueryRefund("ref_1")) == first
        rest = charge.amount - 400
        too_much = counterpart.ask(structs.replace(refund, refund_id="ref_2", amount=rest + 1))
        assert isinstance(too_much, RefundDeclined)
        assert isinstance(counterpart.ask(structs.replace(refund, refund_id="ref_3", amount=rest)), Refunded)
        assert {each: counterpart.refunded().get(each) for each in ("ref_1", "ref_2", "ref_3")} == {
            "ref_1": 400,
            "ref_2": None,
            "ref_3": rest,
        }

    def test_a_charge_that_does_not_exist_is_not_refunded(self, counterpart: Counterpart) -> None:
        refund = RefundCharge("ref_of_nothing", "att_nobody", "ch_nobody", 1, "EUR")
        assert isinstance(counterpart.ask(refund), RefundDeclined)


def a_charge(name: str, token: str, amount: int = 1250, currency: str = "EUR") -> Charge:
    return Charge(f"att_{name}-1", amount, currency, token, f"order {name}", "mer_1")


def _our_id(request: ChannelRequest) -> str:
    match request:
        case Charge() | QueryCharge():
            return request.attempt_id
        case RefundCharge() | QueryRefund():
            return request.refund_id
        case _:
            raise AssertionError(f"{request} has no law yet")


def _with_another_id(request: ChannelRequest) -> ChannelRequest:
    match request:
        case Charge() | QueryCharge():
            return structs.replace(request, attempt_id=request.attempt_id + "x")
        case RefundCharge() | QueryRefund():
            return structs.replace(request, refund_id=request.refund_id + "x")
        case _:
            raise AssertionError(f"{request} has no law yet")
