"""What the stories about disputes, receipts and returned refunds are made of."""

from datetime import datetime, timedelta
from typing import Any

from commands.channels.channel import DisputeMoved, RefundReturned, Verdict
from commands.dispute_answers import RecordDisputeAnswer
from commands.disputes import AcceptDispute, ChallengeDispute, RecordDisputeWord
from commands.envelope import Command
from commands.merchants import CreateMerchant
from ledger.dispute_views import DisputeView, dispute_view
from ledger.events.merchants import AfterSaleTerms, FeeTerms
from tests.commands.given import NOON, Story
from tests.commands.stories import CHANNEL, PARTIES, attempt_of, by_card, charged

HOLD = "sys:2140:acme:eur"
CLAIM = "sys:1230:card_simulator:eur"
AVAILABLE = "sys:2120:acme:eur"
DISPUTE_FEES = "sys:4020:acme:eur"
DISPUTE_COSTS = "sys:5030:card_simulator:eur"
LOSSES = "sys:5020:card_simulator:eur"
DUE = NOON + timedelta(days=10)
EVIDENCE = {"delivery": "signed for"}


def merchant(**terms: Any) -> CreateMerchant:
    """The merchant of the stories, with terms for what comes after a sale."""
    return CreateMerchant("acme", "Acme", FeeTerms(200, 10), "EUR", after_sale=AfterSaleTerms(**terms))


def parties(**terms: Any) -> tuple[Command, ...]:
    return (merchant(**terms), *PARTIES[1:])


def paid(**terms: Any) -> tuple[Command, ...]:
    """60.00 by card, of which the merchant is owed 58.70."""
    return (*parties(**terms), by_card(), attempt_of("pay_1", charged()))


def word(
    status: str = "opened",
    stage: str = "dispute",
    amount: int = 6_000,
    currency: str = "EUR",
    fee: int = 0,
    reference: str = "dp_1",
    due: datetime | None = DUE,
) -> RecordDisputeWord:
    """The channel says where a dispute stands."""
    told: dict[str, Any] = {"stage": stage, "status": status}
    said = DisputeMoved(
        dispute_reference=reference,
        channel_reference="ch_1",
        amount=amount,
        currency=currency,
        fee=fee,
        reason="fraudulent",
        evidence_due_at=due,
        at=NOON,
        **told,
    )
    return RecordDisputeWord("pay_1-1", CHANNEL, said)


def accept(number: int = 1) -> AcceptDispute:
    return AcceptDispute(f"dis_1-{number}")


def challenge(number: int = 1) -> ChallengeDispute:
    return ChallengeDispute(f"dis_1-{number}", EVIDENCE)


def heard(verdict: Verdict, number: int = 1) -> RecordDisputeAnswer:
    """The channel says what became of the n-th answer of the payment."""
    return RecordDisputeAnswer(f"ans_1-{number}", CHANNEL, verdict)


def shown(story: Story, number: int = 1) -> DisputeView:
    return dispute_view(story.stream("pay_1"), f"dis_1-{number}")


def returned(amount: int = 6_000, reference: str = "rr_1") -> RefundReturned:
    return RefundReturned(reference, amount, "EUR", "account_closed", "The account is closed.", NOON)
