"""What merchants say in disputes, at the card simulator: on the wire as recorded, and before the bank that it plays."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from commands.channels.channel import (
    NOT_SUPPORTED,
    PENDING,
    CallbackNotice,
    Charged,
    DisputeAnswerDeclined,
    DisputeAnswered,
    DisputeMoved,
    HttpReply,
    NotFound,
    Unknown,
    Verdict,
)
from commands.channels.registry import ChannelSettings
from commands.channels.requests import (
    AcceptDispute,
    ChallengeDispute,
    ChannelRequest,
    QueryDisputeAnswer,
)
from commands.channels.signatures import Secret, sign_message
from tests.channels import simulator_process
from tests.channels.conformance import CallbackRecording, Recording, TranslatorConformance, a_charge
from tests.channels.counterpart_conformance import ask
from tests.channels.simulator_process import Receiver, SimulatorProcess, told, wait_until
from tests.channels.test_card_simulator_errands import DISPUTED, dispute_body
from tests.channels.test_card_simulator_wire import AT, CHANNEL, KEY, error, no_answer, signed_reply

ACCEPT = AcceptDispute("ans_7-1", "pay_7-1", "dp_1", "dispute")
CHALLENGE = ChallengeDispute("ans_7-2", "pay_7-1", "dp_1", "dispute", {"delivery": "Signed for: 李"})
ASKED = QueryDisputeAnswer("ans_7-2", "pay_7-1", "dp_1")
TAKEN = DisputeAnswered("an_1", AT)
TOO_LATE = DisputeAnswerDeclined("session_expired", "evidence_too_late", "")


def answered(kind: str, ours: str, **changes: object) -> dict[str, object]:
    body: dict[str, object] = {"object": "dispute_answer", "id": ours, "kind": kind, "dispute_id": "dp_1"}
    body |= {"status": "succeeded", "reference": "an_1", "decided_at": "2026-03-29T01:59:59.123Z", "decline": None}
    return body | changes


NOT_YET = {"status": "pending", "decided_at": None}
REFUSED = {"status": "declined", "decline": {"code": "do_not_honor", "message": "No."}}

# name, request, status, body, verdict
TABLE: list[tuple[str, ChannelRequest, int, dict[str, object], Verdict]] = [
    ("accepted", ACCEPT, 200, answered("accept", "ans_7-1"), TAKEN),
    ("challenged", CHALLENGE, 200, answered("challenge", "ans_7-2"), TAKEN),
    ("challenged later", CHALLENGE, 202, answered("challenge", "ans_7-2", **NOT_YET), PENDING),
    ("accepted in place of challenged", CHALLENGE, 200, answered("accept", "ans_7-2"), no_answer(200)),
    ("challenged in place of accepted", ACCEPT, 200, answered("challenge", "ans_7-1"), no_answer(200)),
    ("about another dispute", ACCEPT, 200, answered("accept", "ans_7-1", dispute_id="dp_2"), no_answer(200)),
    (
        "declined",
        CHALLENGE,
        200,
        answered("challenge", "ans_7-2", **REFUSED),
        DisputeAnswerDeclined("generic_decline", "do_not_honor", "No."),
    ),
    ("too late", CHALLENGE, 422, error("evidence_too_late"), TOO_LATE),
    (
        "decided already",
        ACCEPT,
        422,
        error("dispute_decided"),
        DisputeAnswerDeclined("session_expired", "dispute_decided", ""),
    ),
    (
        "never decided",
        ACCEPT,
        200,
        answered("accept", "ans_7-1", decided_at=None),
        Unknown("the answer to the dispute contradicts itself"),
    ),
    ("asked: taken", ASKED, 200, answered("challenge", "ans_7-2"), TAKEN),
    ("asked: no such answer", ASKED, 404, error("not_found"), NotFound()),
    ("a refusal is no answer to a question", ASKED, 422, error("evidence_too_late"), no_answer(422)),
    ("not found is no answer to evidence", CHALLENGE, 404, error("not_found"), no_answer(404)),
]


class TestAnswers(TranslatorConformance):
    channel = CHANNEL
    takes_dispute_answers = True
    secret_words = (KEY.decode(), KEY.hex())
    kinds = frozenset({DisputeAnswered, DisputeAnswerDeclined, NotFound, Unknown})
    recordings = tuple(
        Recording(name, request, status, json.dumps(body).encode(), verdict)
        for name, request, status, body, verdict in TABLE
    )
    callbacks = (
        CallbackRecording(
            "challenged",
            json.dumps(dispute_body(status="challenged")).encode(),
            CallbackNotice("evt_1", "dispute", "pay_7-1", structs.replace(DISPUTED, status="challenged")),
        ),
    )

    def authentic(self, request: ChannelRequest, status: int, body: bytes) -> HttpReply:
        return signed_reply(request, status, body)

    def authentic_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return sign_message(Secret(KEY), event_id, int(at.timestamp()), body), body

    def forged_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return sign_message(Secret(KEY[::-1]), event_id, int(at.timestamp()), body), body


def test_answers_are_written_like_this() -> None:
    written = [(CHANNEL.to_wire(each).path, json.loads(CHANNEL.to_wire(each).body)) for each in (ACCEPT, CHALLENGE)]
    assert written == [
        ("/disputes/dp_1/accept", {"id": "ans_7-1", "charge_id": "pay_7-1", "stage": "dispute"}),
        (
            "/disputes/dp_1/challenge",
            {"id": "ans_7-2", "charge_id": "pay_7-1", "stage": "dispute", "evidence": {"delivery": "Signed for: 李"}},
        ),
    ]
    assert CHANNEL.to_wire(ASKED).path == "/dispute_answers/ans_7-2"


# --- with the process that plays the bank -----------------------------------------------------------------------------


def disputed(simulator: SimulatorProcess, name: str, **words: object) -> tuple[str, str]:
    """A charge of ours, and the channel's reference of the dispute that was opened about it."""
    charge = a_charge(name, "tok_x")
    assert isinstance(ask(simulator, charge), Charged)
    simulator.control("disputes", {"charge": charge.attempt_id} | words)
    (opened,) = (one for one in simulator.books()["disputes"] if one["charge_id"] == charge.attempt_id)
    return charge.attempt_id, str(opened["id"])


def test_an_answer_is_taken_once_and_moves_the_dispute(calling: SimulatorProcess, receiver: Receiver) -> None:
    charge, dispute = disputed(calling, "challenged")
    evidence = {"delivery": "Signed for", "invoice": "2026-1729"}
    answer = ChallengeDispute("ans_c-1", charge, dispute, "dispute", evidence)
    taken = ask(calling, answer)
    assert isinstance(taken, DisputeAnswered)
    assert ask(calling, answer) == ask(calling, answer.question()) == taken
    more = structs.replace(answer, answer_id="ans_c-2")
    assert isinstance(ask(calling, more), DisputeAnswered)
    assert isinstance(ask(calling, AcceptDispute("ans_c-3", charge, dispute, "dispute")), DisputeAnswered)
    assert isinstance(ask(calling, structs.replace(answer, answer_id="ans_c-4")), DisputeAnswerDeclined)
    assert isinstance(ask(calling, structs.replace(answer, evidence={"delivery": "another"})), Unknown)
    moves = [notice.verdict for notice in told(calling, receiver, 5)]
    stood = [each.status for each in moves if isinstance(each, DisputeMoved)]
    assert sorted(stood) == ["accepted", "challenged", "challenged", "opened"]
    booked = calling.books()["dispute_answers"]
    assert [(one["id"], one["status"]) for one in booked] == [(f"ans_c-{n}", "succeeded") for n in (1, 2, 3)]
    assert booked[0]["evidence"] == evidence
    # It costs nothing and moves nothing: the bank does that.
    assert [row["type"] for row in calling.settlement()] == ["charge", "dispute"]


def test_what_comes_too_late_is_refused_and_nothing_is_kept(simulator: SimulatorProcess) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    charge, dispute = disputed(simulator, "late", evidence_due_at=past)
    answer = ChallengeDispute("ans_l-1", charge, dispute, "dispute", {"a": "b"})
    late = ask(simulator, answer)
    assert isinstance(late, DisputeAnswerDeclined)
    assert (late.reason, late.channel_code) == ("session_expired", "evidence_too_late")
    assert ask(simulator, answer.question()) == NotFound()
    # Giving up is never too late.
    assert isinstance(ask(simulator, AcceptDispute("ans_l-2", charge, dispute, "dispute")), DisputeAnswered)


@pytest.mark.parametrize(
    "words",
    [{"status": "won"}, {"status": "lost"}, {"status": "canceled"}, {"stage": "pre_arbitration"}],
    ids=lambda words: "-".join(words.values()),
)
def test_what_is_decided_or_has_gone_on_is_not_answered(simulator: SimulatorProcess, words: dict[str, str]) -> None:
    name = "-".join(words.values())
    charge, dispute = disputed(simulator, f"over-{name}")
    simulator.control("disputes", {"charge": charge} | words)
    for request in (
        AcceptDispute(f"ans_{name}-1", charge, dispute, "dispute"),
        ChallengeDispute(f"ans_{name}-2", charge, dispute, "dispute", {"a": "b"}),
    ):
        verdict = ask(simulator, request)
        assert isinstance(verdict, DisputeAnswerDeclined)
        assert verdict.channel_code == "dispute_decided"


def test_there_is_no_answer_to_what_is_not_disputed(simulator: SimulatorProcess) -> None:
    charge, _ = disputed(simulator, "other")
    verdict = ask(simulator, AcceptDispute("ans_o-1", charge, "dp_none", "dispute"))
    assert isinstance(verdict, DisputeAnswerDeclined)
    assert verdict.channel_code == "dispute_not_found"


@pytest.mark.parametrize(
    ("fault", "then"),
    [
        ("timeout_before", NotFound),
        ("error_500_before", NotFound),
        ("timeout_after", DisputeAnswered),
        ("malformed_body", DisputeAnswered),
        ("decline:do_not_honor", DisputeAnswerDeclined),
    ],
)
def test_trouble_with_an_answer_is_unknown_and_then_found_out(
    own_simulator: SimulatorProcess, fault: str, then: type[Verdict]
) -> None:
    charge, dispute = disputed(own_simulator, "trouble")
    own_simulator.set_faults({"match": {"operation": "challenge_dispute"}, "fault": fault, "times": 1})
    answer = ChallengeDispute("ans_t-1", charge, dispute, "dispute", {"a": "b"})
    first = ask(own_simulator, answer, fault)
    assert isinstance(first, DisputeAnswerDeclined if then is DisputeAnswerDeclined else Unknown)
    assert isinstance(ask(own_simulator, answer.question()), then)


@pytest.mark.parametrize(("word", "end"), [("", DisputeAnswered), ("won", DisputeAnswerDeclined)])
def test_a_late_answer_is_pending_and_then_taken_or_overtaken(
    own_simulator: SimulatorProcess, word: str, end: type[Verdict]
) -> None:
    late = {"match": {"operation": "challenge_dispute"}, "fault": "late_success", "delay_ms": 300}
    own_simulator.set_faults(late)
    charge, dispute = disputed(own_simulator, "late")
    answer = ChallengeDispute("ans_late-1", charge, dispute, "dispute", {"a": "b"})
    assert ask(own_simulator, answer) == PENDING
    if word:
        own_simulator.control("disputes", {"charge": charge, "status": word})
    wait_until(lambda: isinstance(ask(own_simulator, answer.question()), end))


def test_a_channel_that_takes_no_answers_says_so_before_a_byte_has_left() -> None:
    nobody_listens = ChannelSettings("coin_gateway", "http://127.0.0.1:9", Secret(KEY), adapter="coin_gateway")
    assert simulator_process.ask(nobody_listens, [ACCEPT, CHALLENGE, ASKED]) == [NOT_SUPPORTED] * 3
