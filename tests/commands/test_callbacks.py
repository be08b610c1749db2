"""Callbacks: from a channel's message to the one command that it can be."""

import pytest

from commands.callbacks import part_of, stream_of
from commands.channel_results import command_for, key_for
from commands.channels.channel import PENDING, CallbackNotice, NotSent, Verdict
from commands.payments import RecordAttemptResult
from commands.refunds import RecordRefundResult
from commands.top_ups import RecordTopUpResult
from tests.commands.stories import CHANNEL, DECLINED, REFUND_DECLINED, charged, refunded


def notice(subject_id: str, verdict: Verdict, event_id: str = "evt_1") -> CallbackNotice:
    return CallbackNotice(event_id, "refund" if subject_id.startswith("ref") else "charge", subject_id, verdict)


def test_an_id_says_what_a_message_is_about() -> None:
    for subject_id, stream, command in (
        ("pay_1-1", "pay_1", RecordAttemptResult("pay_1-1", CHANNEL, charged())),
        ("top_1-1", "top_1", RecordTopUpResult("top_1-1", CHANNEL, charged())),
    ):
        message = notice(subject_id, charged())
        part = part_of(CHANNEL, message)
        assert part is not None
        assert (stream_of(message), part.command) == (stream, command)
    message = notice("ref_1-2", refunded())
    part = part_of(CHANNEL, message)
    assert part is not None
    assert (stream_of(message), part.command) == ("pay_1", RecordRefundResult("ref_1-2", CHANNEL, refunded()))


@pytest.mark.parametrize("name", ["", "pay_1", "ord_1-1", "pay_1-x", "pay_1-", "acc_1-1", "merchant/a-1"])
def test_an_id_that_is_none_of_ours_makes_no_command(name: str) -> None:
    assert part_of(CHANNEL, notice(name, charged())) is None


def test_a_charge_is_no_refund() -> None:
    assert part_of(CHANNEL, CallbackNotice("evt_1", "charge", "ref_1-1", charged())) is None
    assert part_of(CHANNEL, CallbackNotice("evt_1", "refund", "pay_1-1", refunded())) is None


def test_one_message_has_one_key_and_its_content_one_fingerprint() -> None:
    first, again = part_of(CHANNEL, notice("pay_1-1", charged())), part_of(CHANNEL, notice("pay_1-1", charged()))
    other = part_of(CHANNEL, notice("pay_1-1", charged(1)))
    next_one = part_of(CHANNEL, notice("pay_1-1", charged(), "evt_2"))
    elsewhere = part_of("another", notice("pay_1-1", charged()))
    assert first is not None
    assert other is not None
    assert next_one is not None
    assert elsewhere is not None
    assert first == again
    assert (first.envelope.key, first.envelope.fingerprint != other.envelope.fingerprint) == (other.envelope.key, True)
    assert len({first.envelope.key, next_one.envelope.key, elsewhere.envelope.key}) == 3


def test_no_caller_can_take_the_service_s_own_keys() -> None:
    part = part_of(CHANNEL, notice("pay_1-1", charged()))
    assert part is not None
    assert not part.envelope.key.isascii()
    assert not part.envelope.keeps_refusals


def test_different_words_about_one_attempt_have_different_keys() -> None:
    words: list[Verdict] = [charged(), charged(1), charged(reference="ch_2"), DECLINED, PENDING, NotSent("x")]
    words += [refunded(), REFUND_DECLINED]
    assert len({key_for("pay_1-1", word) for word in words}) == len(words)
    assert command_for("acc_1-1", CHANNEL, charged()) is None
