"""Channel results: from what a channel says about one of our ids to the command that records it."""

from commands.channels.channel import (
    Charged,
    Declined,
    NotFound,
    NotSent,
    RefundDeclined,
    Refunded,
    Unknown,
    Verdict,
)
from commands.envelope import Command
from commands.payments import RecordAttemptResult
from commands.refunds import RecordRefundResult
from commands.top_ups import RecordTopUpResult
from ledger.ids import PAYMENT, REFUND, TOP_UP


def command_for(subject: str, channel: str, verdict: Verdict) -> Command | None:
    """The command that takes a channel's word about an attempt or a refund; None for an id that is none of ours."""
    if subject.startswith(PAYMENT):
        return RecordAttemptResult(subject, channel, verdict)
    if subject.startswith(TOP_UP):
        return RecordTopUpResult(subject, channel, verdict)
    if subject.startswith(REFUND):
        return RecordRefundResult(subject, channel, verdict)
    return None


def key_for(subject: str, verdict: Verdict) -> str:
    """The same word about the same subject has the same key, however often and from where it comes."""
    return f"attempt/{subject}/{_said(verdict)}"


def _said(verdict: Verdict) -> str:
    match verdict:
        case Charged():
            return f"charged/{verdict.channel_reference}/{verdict.amount}/{verdict.currency}"
        case Refunded():
            return f"refunded/{verdict.channel_reference}/{verdict.amount}/{verdict.currency}"
        case Declined():
            return f"declined/{verdict.channel_code}"
        case RefundDeclined():
            return f"refund_declined/{verdict.channel_code}"
        case NotFound():
            return "not_found"
        case Unknown():
            return f"unknown/{verdict.reason}"
        case NotSent():
            return f"not_sent/{verdict.reason}"
