"""Channel results: from what a channel says about one of our ids to the command that records it."""

from collections.abc import Callable

import msgspec

from commands.changes import RecordChangeResult
from commands.channels.channel import DisputeMoved, NotSent, Unknown, Verdict
from commands.closings import RecordClosingResult
from commands.confirmations import RecordConfirmationResult
from commands.contract_results import RecordContractResult
from commands.contract_updates import RecordContractUpdate
from commands.dispute_answers import RecordDisputeAnswer
from commands.disputes import RecordDisputeWord
from commands.envelope import Command
from commands.payments import RecordAttemptResult
from commands.payouts import RecordPayoutResult
from commands.receipts import RecordReturnResult
from commands.refunds import RecordRefundResult
from commands.repayments import RecordRepaymentResult
from commands.top_ups import RecordTopUpResult
from ledger.ids import (
    CAPTURE,
    CLOSING,
    CONFIRMATION,
    CONTRACT,
    CONTRACT_UPDATE,
    DISPUTE_ANSWER,
    INCREMENT,
    PAYMENT,
    PAYMENT_METHOD,
    PAYOUT,
    RECEIPT_RETURN,
    REFUND,
    REPAYMENT,
    TOP_UP,
    VOID,
)

# Who takes a channel's word about the ids that begin so: (subject, channel, verdict) -> the command.
_TAKERS: dict[str, Callable[[str, str, Verdict], Command]] = {
    CONTRACT: RecordContractResult,
    CONTRACT_UPDATE: RecordContractUpdate,
    PAYMENT_METHOD: RecordContractResult,
    PAYMENT: RecordAttemptResult,
    CONFIRMATION: RecordConfirmationResult,
    CLOSING: RecordClosingResult,
    CAPTURE: RecordChangeResult,
    VOID: RecordChangeResult,
    INCREMENT: RecordChangeResult,
    TOP_UP: RecordTopUpResult,
    REPAYMENT: RecordRepaymentResult,
    REFUND: RecordRefundResult,
    RECEIPT_RETURN: RecordReturnResult,
    PAYOUT: RecordPayoutResult,
    DISPUTE_ANSWER: RecordDisputeAnswer,
}
_NEVER_TWICE_THE_SAME = ("at", "message", "channel_fee")


def command_for(subject: str, channel: str, verdict: Verdict) -> Command | None:
    """The command that takes a channel's word about something of ours; None for an id that is none of ours."""
    if isinstance(verdict, DisputeMoved):
        return RecordDisputeWord(subject, channel, verdict) if subject.startswith(PAYMENT) else None
    take = _TAKERS.get(subject[: subject.find("_") + 1])
    return None if take is None else take(subject, channel, verdict)


def key_for(subject: str, verdict: Verdict) -> str:
    """The same word about the same subject has the same key, however often and from where it comes."""
    return f"attempt/{subject}/{_said(verdict)}"


def _said(verdict: Verdict) -> str:
    tag = str(verdict.__struct_config__.tag)
    if isinstance(verdict, Unknown | NotSent):
        return f"{tag}/{verdict.reason}"
    words = msgspec.to_builtins(verdict)
    told = (str(word) for name, word in words.items() if name not in _NEVER_TWICE_THE_SAME and name != "verdict")
    return "/".join((tag, *told))
