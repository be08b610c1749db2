"""Conformance: what every channel adapter has to prove. Subclass it and fill in the channel's own words.

`TranslatorConformance` is pure; what has to hold with a process that plays the channel: counterpart_conformance.py.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeGuard

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import structs

from commands.channels.channel import (
    AMOUNT_MISMATCH,
    Authorized,
    CallbackNotice,
    Changed,
    Channel,
    Charged,
    ContractSigned,
    Declined,
    DisputeAnswered,
    ErrandNotSupported,
    HttpReply,
    NotFound,
    PaidOut,
    RefundDeclined,
    Refunded,
    Unknown,
    Verdict,
)
from commands.channels.requests import (
    AcceptDispute,
    CaptureCharge,
    ChallengeDispute,
    ChannelRequest,
    Charge,
    ConfirmCharge,
    Errand,
    ExtendCharge,
    IncrementCharge,
    QueryChange,
    QueryCharge,
    QueryContract,
    QueryDisputeAnswer,
    QueryPayout,
    QueryRefund,
    RefundCharge,
    SendPayout,
    SignContract,
    TerminateContract,
    VoidCharge,
)
from ledger.errors import CallbackUnreadable, SignatureInvalid, SignatureMalformed, TimestampOutOfWindow

NOW = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC)

# A law is stated once and tried with each adapter; what failed with one says nothing about another.
one_law_for_many = settings(suppress_health_check=[HealthCheck.differing_executors])


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
    """The laws of a pure translator.

    `kinds`: the verdicts that have to be among the recordings. What is not among them, the channel cannot do.
    """

    channel: ClassVar[Channel]
    kinds: ClassVar[frozenset[type[Verdict]]] = frozenset(
        {Charged, Declined, Refunded, RefundDeclined, NotFound, Unknown}
    )
    cannot: ClassVar[frozenset[type[ChannelRequest]]] = frozenset()
    takes_dispute_answers: ClassVar[bool] = False
    """Whether a merchant's answers to disputes reach the channel this way; most have people tell them elsewhere."""
    by_nature: ClassVar[frozenset[type[ChannelRequest]]] = frozenset()
    """What carries no id of its own, since the channel does it once for what it is about: an order is closed once."""
    unbound: ClassVar[frozenset[type[Verdict]]] = frozenset()
    """What is said without naming what it is said to: with this channel only the connection tells."""
    bare: ClassVar[frozenset[int]] = frozenset()
    """The statuses that say something without a body."""
    secret_words: ClassVar[Sequence[str]]  # how the secret could show: raw, encoded
    recordings: ClassVar[Sequence[Recording]]
    callbacks: ClassVar[Sequence[CallbackRecording]]

    @abstractmethod
    def authentic(self, request: ChannelRequest, status: int, body: bytes) -> HttpReply:
        """This reply as the channel itself would send it to this request."""

    @abstractmethod
    def authentic_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        """The headers and the body with which the channel itself would send this callback."""

    @abstractmethod
    def forged_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        """The same, signed by somebody else."""

    def read(self, recording: Recording) -> Verdict:
        return self.channel.from_wire(
            recording.request, self.authentic(recording.request, recording.status, recording.body)
        )

    def successes(self) -> list[Recording]:
        done = Charged | Authorized | Changed | Refunded | PaidOut | ContractSigned | DisputeAnswered
        return [each for each in self.recordings if isinstance(each.verdict, done)]

    def requests(self) -> list[ChannelRequest]:
        return [each.request for each in self.recordings]

    def id_of(self, request: ChannelRequest) -> str:
        """The id of ours that the request has to carry."""
        return str(request.attempt_id) if self._is_by_nature(request) else our_id(request)

    def another(self, request: ChannelRequest, *, of_what_it_is_about: bool = False) -> ChannelRequest:
        """The same request under another id, or about something else."""
        if self._is_by_nature(request):
            return structs.replace(request, attempt_id=request.attempt_id + "x")
        return _with_another_id(request, of_what_it_is_about=of_what_it_is_about)

    def _is_by_nature(self, request: ChannelRequest) -> TypeGuard[VoidCharge | QueryChange]:
        return type(request) in self.by_nature

    # --- to the channel ----------------------------------------------------------------------------------------------

    def test_the_same_request_gives_the_same_bytes(self) -> None:
        for request in self.requests():
            assert self.channel.to_wire(request) == self.channel.to_wire(request)

    def test_every_request_carries_our_id(self) -> None:
        for request in self.requests():
            wire = self.channel.to_wire(request)
            assert self.id_of(request).encode() in wire.path.encode() + wire.body

    def test_two_ids_never_give_one_request(self) -> None:
        for request in self.requests():
            assert self.channel.to_wire(request) != self.channel.to_wire(self.another(request))

    def test_what_the_channel_cannot_do_it_says(self) -> None:
        for request in EVERYTHING:
            untold = type(request) in DISPUTE_ANSWERS and not self.takes_dispute_answers
            if untold or type(request) in self.cannot:
                with pytest.raises(ErrandNotSupported):
                    self.channel.to_wire(request)
            else:
                assert self.channel.to_wire(request).body or self.channel.to_wire(request).path

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
        assert kinds >= self.kinds

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
            if type(each.verdict) in self.unbound:
                continue
            asked = self.another(each.request)
            replayed = self.authentic(each.request, each.status, each.body)
            assert isinstance(self.channel.from_wire(asked, replayed), Unknown), each.name

    def test_a_success_of_another_id_is_unknown(self) -> None:
        for each in self.successes():
            if type(each.verdict) in self.unbound:
                continue
            asked = self.another(each.request, of_what_it_is_about=True)
            confused = self.authentic(asked, each.status, each.body)
            assert isinstance(self.channel.from_wire(asked, confused), Unknown), each.name

    def test_a_success_over_another_sum_is_unknown(self) -> None:
        for each in self.successes():
            if self._is_by_nature(each.request):
                continue
            if isinstance(each.request, Errand) and hasattr(each.request, "amount"):
                amount = each.verdict.amount if isinstance(each.verdict, Authorized) else each.request.amount
                others: list[dict[str, Any]] = [{"amount": amount - 1}, {"currency": "JPY"}]
                # What is held may be less than what was asked for.
                others += [] if isinstance(each.verdict, Authorized) else [{"amount": amount + 1}]
                for other in others:
                    asked = structs.replace(each.request, **other)
                    reply = self.authentic(asked, each.status, each.body)
                    assert self.channel.from_wire(asked, reply) == AMOUNT_MISMATCH, (each.name, other)

    @one_law_for_many
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

    @one_law_for_many
    @given(status=st.integers(100, 599), body=st.binary(), data=st.data())
    def test_no_bytes_of_the_channel_itself_make_it_raise(self, status: int, body: bytes, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.requests()))
        assume(body or status not in self.bare)
        assert isinstance(self.channel.from_wire(request, self.authentic(request, status, body)), Unknown)

    def test_endless_nesting_is_unknown(self) -> None:
        for each in self.recordings:
            for body in (b"[" * 60_000, b'{"a":' * 12_000, b'{"object":"charge","x":' + b"[" * 60_000):
                reply = self.authentic(each.request, each.status, body)
                assert isinstance(self.channel.from_wire(each.request, reply), Unknown)

    # --- callbacks ---------------------------------------------------------------------------------------------------

    def test_recorded_callbacks_mean_what_is_written_beside_them(self) -> None:
        for each in self.callbacks:
            headers, sent = self.authentic_callback(each.notice.event_id, NOW, each.body)
            assert self.channel.from_callback(headers, sent, NOW) == each.notice, each.name

    def test_a_callback_altered_anywhere_is_refused(self) -> None:
        for each in self.callbacks:
            headers, sent = self.authentic_callback(each.notice.event_id, NOW, each.body)
            for place in range(len(sent)):
                altered = bytearray(sent)
                altered[place] ^= 1
                with pytest.raises((SignatureInvalid, SignatureMalformed)):
                    self.channel.from_callback(headers, bytes(altered), NOW)

    def test_a_callback_that_somebody_else_signed_is_refused(self) -> None:
        for each in self.callbacks:
            headers, sent = self.forged_callback(each.notice.event_id, NOW, each.body)
            with pytest.raises(SignatureInvalid):
                self.channel.from_callback(headers, sent, NOW)

    @one_law_for_many
    @given(body=st.binary(), data=st.data())
    def test_no_callback_of_the_channel_itself_makes_it_raise_anything_else(
        self, body: bytes, data: st.DataObject
    ) -> None:
        recorded = data.draw(st.sampled_from([each.body for each in self.callbacks]))
        cut = recorded[: data.draw(st.integers(0, len(recorded)))]
        for told in (body, cut):
            headers, sent = self.authentic_callback("evt_1", NOW, told)
            try:
                notice = self.channel.from_callback(headers, sent, NOW)
            except (CallbackUnreadable, SignatureInvalid, SignatureMalformed):
                continue
            assert notice.event_id == "evt_1"

    def test_an_old_callback_is_refused(self) -> None:
        for each in self.callbacks:
            headers, sent = self.authentic_callback(each.notice.event_id, NOW, each.body)
            with pytest.raises(TimestampOutOfWindow):
                self.channel.from_callback(headers, sent, NOW + timedelta(seconds=301))


def a_charge(name: str, token: str, amount: int = 1250, currency: str = "EUR") -> Charge:
    return Charge(f"att_{name}-1", amount, currency, token, f"order {name}", "mer_1")


# The field that holds the id under which the channel does a thing once, and the one that holds what it is about.
_OUR_ID: dict[type[ChannelRequest], tuple[str, str]] = {
    Charge: ("attempt_id", "attempt_id"),
    ConfirmCharge: ("confirm_id", "attempt_id"),
    CaptureCharge: ("capture_id", "capture_id"),
    VoidCharge: ("void_id", "void_id"),
    IncrementCharge: ("increment_id", "increment_id"),
    ExtendCharge: ("extension_id", "extension_id"),
    RefundCharge: ("refund_id", "refund_id"),
    SendPayout: ("payout_id", "payout_id"),
    SignContract: ("sign_id", "contract_id"),
    TerminateContract: ("end_id", "contract_id"),
    QueryCharge: ("attempt_id", "attempt_id"),
    QueryChange: ("change_id", "change_id"),
    QueryRefund: ("refund_id", "refund_id"),
    QueryPayout: ("payout_id", "payout_id"),
    QueryContract: ("contract_id", "contract_id"),
    AcceptDispute: ("answer_id", "dispute_reference"),
    ChallengeDispute: ("answer_id", "dispute_reference"),
    QueryDisputeAnswer: ("answer_id", "dispute_reference"),
}
EVERYTHING: tuple[ChannelRequest, ...] = (
    Charge("pay_1-1", 5, "EUR", "tok", "order", "mer_1"),
    ConfirmCharge("cfm_1-1", "pay_1-1", "ch_1", "123456", 5, "EUR"),
    CaptureCharge("cap_1-1", "pay_1-1", "ch_1", 5, "EUR"),
    VoidCharge("void_1-1", "pay_1-1", "ch_1", 5, "EUR"),
    IncrementCharge("inc_1-1", "pay_1-1", "ch_1", 5, "EUR"),
    ExtendCharge("ext_1-1", "pay_1-1", "ch_1", 5, "EUR"),
    RefundCharge("ref_1-1", "pay_1-1", "ch_1", 5, "EUR"),
    SendPayout("po_1", 5, "EUR", {"account": "1"}),
    SignContract("sig_1-1", "con_1", "ann", "card"),
    TerminateContract("end_1-1", "con_1", "co_1"),
    QueryCharge("pay_1-1"),
    QueryChange("cap_1-1", "pay_1-1"),
    QueryRefund("ref_1-1"),
    QueryPayout("po_1"),
    QueryContract("con_1"),
    AcceptDispute("ans_1-1", "pay_1-1", "dp_1", "dispute"),
    ChallengeDispute("ans_1-1", "pay_1-1", "dp_1", "dispute", {"delivery": "signed for"}),
    QueryDisputeAnswer("ans_1-1", "pay_1-1", "dp_1"),
)
DISPUTE_ANSWERS: frozenset[type[ChannelRequest]] = frozenset({AcceptDispute, ChallengeDispute, QueryDisputeAnswer})


def our_id(request: ChannelRequest) -> str:
    return str(getattr(request, _OUR_ID[type(request)][0]))


def _with_another_id(request: ChannelRequest, *, of_what_it_is_about: bool = False) -> ChannelRequest:
    name = _OUR_ID[type(request)][of_what_it_is_about]
    return structs.replace(request, **{name: getattr(request, name) + "x"})
