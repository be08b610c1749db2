"""Intents: which events ask a channel for something, and which say what became of it. Pure tables over events.

A new errand is one line in each table, next to the events that begin and end it.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from commands.channels.requests import (
    AcceptDispute,
    CaptureCharge,
    ChallengeDispute,
    Charge,
    ConfirmCharge,
    Errand,
    ExtendCharge,
    IncrementCharge,
    RefundCharge,
    SendPayout,
    SignContract,
    TerminateContract,
    VoidCharge,
)
from ledger.events.authorizations import (
    AuthorizationExtended,
    AuthorizationIncremented,
    CaptureDeclined,
    CaptureRequested,
    IncrementDeclined,
    IncrementRequested,
    PaymentAuthorized,
)
from ledger.events.closings import PaymentClosingDeclined, PaymentClosingRequested
from ledger.events.coins import PaymentPaidInCoins
from ledger.events.confirmations import PaymentConfirmationFailed, PaymentConfirmationSent
from ledger.events.contracts import (
    ContractActivated,
    ContractEndConfirmed,
    ContractEndingRequested,
    ContractExpired,
    ContractFailed,
    ContractSigningRequested,
    ContractTerminated,
    ContractUpdated,
    ContractUpdateFailed,
    ContractUpdateRequested,
)
from ledger.events.disputes import (
    DisputeAccepted,
    DisputeAnswerDeclined,
    DisputeAnswerNotSupported,
    DisputeAnswerTaken,
    DisputeChallenged,
)
from ledger.events.event import Event
from ledger.events.payments import (
    PaymentAttemptDeclined,
    PaymentAttemptInitiated,
    PaymentCanceled,
    PaymentCaptured,
    PaymentExpired,
    PaymentReceiptUnapplied,
    attempt_id,
)
from ledger.events.payouts import PayoutPaid, PayoutRejected, PayoutReserved, PayoutReturned
from ledger.events.receipts import ReceiptReturned, ReceiptReturnFailed, ReceiptReturnRequested
from ledger.events.refunds import RefundFailed, RefundRequested, RefundSucceeded
from ledger.events.repayments import RepaymentFailed, RepaymentRequested, RepaymentSucceeded
from ledger.events.top_ups import TopUpFailed, TopUpRequested, TopUpSucceeded
from ledger.events.voids import AuthorizationVoided, PaymentRevoked, VoidDeclined, VoidRequested
from ledger.ids import SIGNING, child_id

CARD_ON_FILE = "on_file"
# Whom a top-up is charged for: the house itself.
HOUSE = "house"


class Intent(msgspec.Struct, frozen=True):
    """What a channel is to be asked for."""

    channel: str
    errand: Errand


def _attempt(event: PaymentAttemptInitiated) -> Intent:
    charge = Charge(
        attempt_id=event.attempt,
        amount=event.amount,
        currency=event.currency,
        token=event.token or CARD_ON_FILE,
        order_reference=event.order_reference,
        merchant=event.merchant,
        capture=event.capture,
        method=event.method,
        details=event.details,
        contract=event.contract,
        return_url=event.return_url,
        authenticate=event.authenticate,
    )
    return Intent(event.channel, charge)


def _confirmation(event: PaymentConfirmationSent) -> Intent:
    confirmation = ConfirmCharge(
        confirm_id=event.confirmation,
        attempt_id=event.attempt,
        channel_reference=event.channel_reference,
        answer=event.answer,
        amount=event.amount,
        currency=event.currency,
    )
    return Intent(event.channel, confirmation)


def _closing(event: PaymentClosingRequested) -> Intent:
    closing = VoidCharge(
        void_id=event.closing,
        attempt_id=event.attempt,
        channel_reference=event.channel_reference,
        amount=event.amount,
        currency=event.currency,
    )
    return Intent(event.channel, closing)


def _capture(event: CaptureRequested) -> Intent:
    capture = CaptureCharge(
        capture_id=event.id,
        attempt_id=event.attempt,
        channel_reference=event.channel_reference,
        amount=event.amount,
        currency=event.currency,
        final=event.final,
    )
    return Intent(event.channel, capture)


def _void(event: VoidRequested) -> Intent:
    void = VoidCharge(
        void_id=event.id,
        attempt_id=event.attempt,
        channel_reference=event.channel_reference,
        amount=event.amount,
        currency=event.currency,
        takes_back=event.takes_back,
    )
    return Intent(event.channel, void)


def _increment(event: IncrementRequested) -> Intent:
    errand = ExtendCharge if event.extends else IncrementCharge
    return Intent(event.channel, errand(event.id, event.attempt, event.channel_reference, event.amount, event.currency))


def _top_up(event: TopUpRequested | RepaymentRequested) -> Intent:
    charge = Charge(
        attempt_id=event.attempt,
        amount=event.amount,
        currency=event.currency,
        token=event.token or CARD_ON_FILE,
        order_reference=event.id,
        merchant=HOUSE,
    )
    return Intent(event.channel, charge)


def _refund(event: RefundRequested) -> Intent:
    refund = RefundCharge(
        refund_id=event.id,
        attempt_id=event.attempt,
        channel_reference=event.channel_reference,
        amount=event.amount,
        currency=event.currency,
    )
    return Intent(event.channel, refund)


def _return(event: ReceiptReturnRequested) -> Intent:
    back = RefundCharge(
        refund_id=event.id,
        attempt_id=event.attempt,
        channel_reference=event.channel_reference,
        amount=event.amount,
        currency=event.currency,
    )
    return Intent(event.channel, back)


def _signing(event: ContractSigningRequested) -> Intent:
    signing = SignContract(
        sign_id=event.signing,
        contract_id=event.id,
        customer=event.customer,
        method=event.method,
        details=event.details,
        answer=event.answer,
        return_url=event.return_url,
    )
    return Intent(event.channel, signing)


def _update(event: ContractUpdateRequested) -> Intent:
    token = {} if event.method.token is None else {"token": event.method.token}
    signing = SignContract(
        sign_id=event.step,
        contract_id=event.update,
        customer=event.customer,
        method=event.method.type,
        details=event.method.details | token,
        answer=event.answer,
        return_url=event.return_url,
        replaces=event.replaces,
    )
    return Intent(event.channel, signing)


def _ending(event: ContractEndingRequested) -> Intent:
    return Intent(event.channel, TerminateContract(event.ending, event.id, event.channel_reference))


def _first_signing(event: ContractActivated | ContractFailed | ContractExpired | ContractTerminated) -> str:
    """The one that goes on being asked about while the payer is asked; one with his answer ends by itself."""
    return child_id(SIGNING, event.id, 1)


def _payout(event: PayoutReserved) -> Intent:
    destination = {name: word for name, word in msgspec.structs.asdict(event.destination).items() if word}
    return Intent(event.channel, SendPayout(event.id, event.amount, event.currency, destination))


def _acceptance(event: DisputeAccepted) -> Intent | None:
    """None: it was recorded before channels were told."""
    if not event.answer:
        return None
    return Intent(event.channel, AcceptDispute(event.answer, event.attempt, event.reference, event.stage))


def _challenge(event: DisputeChallenged) -> Intent | None:
    if not event.answer:
        return None
    words = ChallengeDispute(event.answer, event.attempt, event.reference, event.stage, event.evidence)
    return Intent(event.channel, words)


# What each of these events asks for; None: nothing, after all.
INTENTS: dict[type[Event], Callable[[Any], Intent | None]] = {
    PaymentAttemptInitiated: _attempt,
    PaymentConfirmationSent: _confirmation,
    PaymentClosingRequested: _closing,
    CaptureRequested: _capture,
    VoidRequested: _void,
    IncrementRequested: _increment,
    TopUpRequested: _top_up,
    RepaymentRequested: _top_up,
    RefundRequested: _refund,
    ReceiptReturnRequested: _return,
    PayoutReserved: _payout,
    ContractSigningRequested: _signing,
    ContractUpdateRequested: _update,
    ContractEndingRequested: _ending,
    DisputeAccepted: _acceptance,
    DisputeChallenged: _challenge,
}

# The id of the errand that is over once this is recorded.
OUTCOMES: dict[type[Event], Callable[[Any], str]] = {
    PaymentCaptured: lambda event: event.capture or event.attempt,
    PaymentPaidInCoins: lambda event: event.attempt,
    # What its channel goes on to take by itself is not over yet.
    PaymentAuthorized: lambda event: "" if event.by_channel else event.attempt,
    CaptureDeclined: lambda event: event.id,
    AuthorizationVoided: lambda event: event.id,
    PaymentRevoked: lambda event: event.id,
    VoidDeclined: lambda event: event.id,
    AuthorizationIncremented: lambda event: event.id,
    AuthorizationExtended: lambda event: event.id,
    IncrementDeclined: lambda event: event.id,
    PaymentAttemptDeclined: lambda event: event.attempt,
    PaymentReceiptUnapplied: lambda event: event.attempt,
    PaymentConfirmationFailed: lambda event: event.confirmation,
    PaymentClosingDeclined: lambda event: event.closing,
    PaymentCanceled: lambda event: event.attempt,
    PaymentExpired: lambda event: event.attempt,
    TopUpSucceeded: lambda event: attempt_id(event.id, 1),
    TopUpFailed: lambda event: attempt_id(event.id, 1),
    RepaymentSucceeded: lambda event: attempt_id(event.id, 1),
    RepaymentFailed: lambda event: attempt_id(event.id, 1),
    RefundSucceeded: lambda event: event.id,
    RefundFailed: lambda event: event.id,
    ReceiptReturned: lambda event: event.id,
    # What bounced was over before.
    ReceiptReturnFailed: lambda event: event.id,
    PayoutPaid: lambda event: event.id,
    PayoutRejected: lambda event: event.id,
    PayoutReturned: lambda event: event.id,
    ContractActivated: _first_signing,
    ContractFailed: _first_signing,
    ContractExpired: _first_signing,
    ContractTerminated: _first_signing,
    ContractUpdated: lambda event: event.update,
    ContractUpdateFailed: lambda event: event.update,
    ContractEndConfirmed: lambda event: event.ending,
    DisputeAnswerTaken: lambda event: event.answer,
    DisputeAnswerDeclined: lambda event: event.answer,
    DisputeAnswerNotSupported: lambda event: event.answer,
}


def intent_of(event: Event) -> Intent | None:
    """What a channel is asked for because of this event."""
    intend = INTENTS.get(type(event))
    return None if intend is None else intend(event)


def closed_by(event: Event) -> str | None:
    """The errand whose outcome this event records."""
    close = OUTCOMES.get(type(event))
    return None if close is None else close(event)
