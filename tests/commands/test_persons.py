"""Persons: wherever a second one has to agree, two keys of one person are one person, and who it was is recorded."""

from collections.abc import Callable

import pytest

from commands.approval_policy import ChangeApprovalPolicy
from commands.breaks import ApproveResolution
from commands.credit_losses import DecideCreditLoss, ProposeCreditLoss
from commands.envelope import Command, Envelope
from commands.handler import metadata_of
from commands.merchant_losses import DecideMerchantLoss, ProposeMerchantLoss
from commands.payouts import ApprovePayout
from commands.reviews import ApproveReview
from ledger.errors import Refusal, SecondPersonRequired, SelfApproval
from ledger.events.event import Metadata
from ledger.payout_state import fold
from tests.commands.break_stories import APPROVE, broken, found, row
from tests.commands.break_stories import propose as propose_resolution
from tests.commands.given import Story, given
from tests.commands.payout_stories import FUNDED, payout
from tests.commands.settlement_stories import item_of
from tests.commands.stories import PARTIES, attempt_of, by_card, charged
from tests.commands.test_credit import OWING
from tests.commands.test_merchant_losses import INDEBTED
from tests.commands.test_risk_decisions import order
from tests.commands.test_risk_decisions import story as story_of_risk


def _break() -> tuple[Story, Command]:
    story = given(*PARTIES, by_card(amount=20_000), attempt_of("pay_1", charged(20_000)))
    item = item_of(story, "sale")
    story.given(found(broken("amount_ours_more", row(9_900, item.fee), items=(item,)))).by("key_1", "ann")
    return story.given(propose_resolution("merchant_bears")), APPROVE


def _merchant_loss() -> tuple[Story, Command]:
    story = given(*INDEBTED).by("key_1", "ann").given(ProposeMerchantLoss("acme", 130, "EUR", "insolvent"))
    return story, DecideMerchantLoss("acme", "EUR", 1, True)


def _credit_loss() -> tuple[Story, Command]:
    story = given(*OWING).by("key_1", "ann").given(ProposeCreditLoss("ann", "EUR", "write_off", 6_000, "insolvent"))
    return story, DecideCreditLoss("ann", "EUR", 1, True)


def _payout() -> tuple[Story, Command]:
    story = given(*FUNDED, ChangeApprovalPolicy("auditor", payouts={"EUR": 100})).by("key_1", "ann").given(payout())
    return story, ApprovePayout("po_1")


def _review() -> tuple[Story, Command]:
    return story_of_risk("review").by("key_1", "ann").given(order()), ApproveReview("rev_1-1")


@pytest.mark.parametrize(
    ("begun", "kind"),
    [
        (_break, SecondPersonRequired),
        (_merchant_loss, SecondPersonRequired),
        (_credit_loss, SecondPersonRequired),
        (_payout, SelfApproval),
        (_review, SelfApproval),
    ],
    ids=lambda value: value.__name__.strip("_"),
)
def test_another_key_of_the_same_person_is_the_same_person(
    begun: Callable[[], tuple[Story, Command]], kind: type[Refusal]
) -> None:
    story, agree = begun()
    story.by("key_2", "ann").when(agree).refused(kind)
    told = story.by("key_3", "ben").when(agree)
    assert told.decision is not None, told.refusal


def test_makers_and_checkers_are_told_as_persons() -> None:
    story, agree = _payout()
    story.by("key_3", "ben").given(agree)
    sent = fold(story.stream("po_1"))
    assert sent is not None
    assert (sent.maker, sent.approver) == ("ann", "ben")
    story, agree = _break()
    assert isinstance(agree, ApproveResolution)
    told = story.by("key_3", "ben").when(agree)
    assert told.decision is not None
    (resolved,) = [event for _, event in told.decision.events if event.topic == "breaks.resolved.v1"]
    assert (getattr(resolved, "maker", None), getattr(resolved, "checker", None)) == ("ann", "ben")


@pytest.mark.parametrize(("limit", "status"), [({"EUR": 6_000}, 202), ({"EUR": 5_999}, 201), ({}, 201), (None, 202)])
def test_the_policy_of_a_book_makes_payouts_stricter(limit: dict[str, int] | None, status: int) -> None:
    """6,000 would be paid at once: what is agreed with the merchant asks for nobody."""
    story = given(*FUNDED, ChangeApprovalPolicy("auditor", payouts=limit, reversals=True))
    story.when(payout()).answered(status, approval="waiting" if status == 201 else "not_needed")


@pytest.mark.parametrize(
    ("person", "who", "metadata"),
    [("", "key_1", Metadata("key_1", "k")), ("ann", "ann", Metadata("key_1", "k", person="ann"))],
)
def test_both_the_key_and_the_person_are_recorded(person: str, who: str, metadata: Metadata) -> None:
    envelope = Envelope("k", b"", "key_1", person=person)
    assert metadata_of(envelope) == metadata
    assert metadata.who == envelope.who == who
