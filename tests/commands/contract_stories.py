"""What the stories about contracts begin with: one that is asked for, or signed, and charges under it."""

from datetime import datetime
from typing import Any

from commands.channels.channel import (
    ActionRequired,
    ContractDeclined,
    ContractEnded,
    ContractSigned,
    Declined,
    Verdict,
)
from commands.contract_results import RecordContractResult
from commands.contract_updates import RecordContractUpdate, UpdateContractMethod
from commands.contracts import (
    ConfirmContract,
    CreateContract,
)
from commands.envelope import Command
from commands.payments import CreatePayment, RecordAttemptResult
from ledger.contract_state import charges
from ledger.contract_views import ContractView, contract_view
from ledger.events.contracts import (
    ContractUpdated,
    ContractUpdateRequested,
    Limits,
    PeriodLimit,
)
from ledger.events.payments import Method, PaymentAttemptInitiated
from ledger.payment_views import payment_view
from tests.commands.given import NOON, Story, given
from tests.commands.stories import CHANNEL, PARTIES, charged

LIMITS = Limits("EUR", per_charge=5_000, per_period=PeriodLimit(10_000, "month"))
SMS = ActionRequired("agr_1", "sms_code")
SIGNED = ContractSigned("agr_1", NOON)
WRONG_CODE = ContractDeclined("authentication_failed", "wrong_code", "The code is wrong.", retryable=True)
REFUSED = ContractDeclined("generic_decline", "05", "The bank does not agree.")
BY_USER = ContractEnded("user", NOON)
MANDATE_ENDED = Declined("mandate_ended", "R1", "Revoked.", hard=True)


def contract(
    limits: Limits = LIMITS, *, single_use: bool = False, expires_at: datetime | None = None
) -> CreateContract:
    method = Method("card", "tok_sms")
    return CreateContract("con_1", "ann", "acme", "protocol_pay", method, limits, single_use, expires_at)


def says(verdict: Verdict) -> RecordContractResult:
    return RecordContractResult("con_1", CHANNEL, verdict)


def asked(limits: Limits = LIMITS, *, single_use: bool = False, expires_at: datetime | None = None) -> Story:
    """The customer has been sent a code."""
    return given(*PARTIES, contract(limits, single_use=single_use, expires_at=expires_at), says(SMS))


def active(limits: Limits = LIMITS, *, single_use: bool = False, expires_at: datetime | None = None) -> Story:
    story = asked(limits, single_use=single_use, expires_at=expires_at)
    return story.given(ConfirmContract("con_1", "123456"), says(SIGNED))


def charge(amount: int = 3_000, payment: str = "pay_1", at: datetime | None = None) -> CreatePayment:
    method = Method("contract", details={"contract": "con_1"})
    return CreatePayment(
        payment, "acme", amount, "EUR", "protocol_pay", method, "order-1", customer="ann", scheduled_at=at
    )


def outcome(verdict: Verdict, payment: str = "pay_1") -> RecordAttemptResult:
    return RecordAttemptResult(f"{payment}-1", CHANNEL, verdict)


def paid(amount: int = 3_000, payment: str = "pay_1") -> tuple[Command, Command]:
    return charge(amount, payment), outcome(charged(amount, f"ch_{payment}"), payment)


def shown(story: Story) -> ContractView:
    return contract_view(story.stream("con_1"))


def counted(story: Story) -> dict[str, str]:
    """payment -> reserved, confirmed or released."""
    return {name: one.status for name, one in charges(story.stream("con_1")).items()}


def status_of(story: Story, payment: str = "pay_1") -> str:
    return payment_view(story.stream(payment)).status


# --- its card is replaced --------------------------------------------------------------------------------------------

NEW = Method("card", "tok_new")
UPDATE = UpdateContractMethod("con_1", NEW)
FIRST, SECOND = "upd_1-1", "upd_1-2"
AGREED = ContractSigned("agr_1", NOON)
REQUESTED = ContractUpdateRequested("con_1", FIRST, FIRST, CHANNEL, "agr_1", "ann", NEW)
UPDATED = ContractUpdated("con_1", FIRST, "agr_1", NEW)
BECAUSE = "the card of the contract is being replaced"


def of_update(verdict: Verdict, update: str = FIRST) -> RecordContractUpdate:
    return RecordContractUpdate(update, CHANNEL, verdict)


def updating(**terms: Any) -> Story:
    return active(**terms).given(UPDATE)


def card_of(story: Story, payment: str) -> tuple[str | None, str | None]:
    """The token that the first attempt of a payment is to charge, and under which of the channel's references."""
    events = (one.event for one in story.stream(payment))
    attempt = next(event for event in events if isinstance(event, PaymentAttemptInitiated))
    return attempt.token, attempt.contract
