"""Merchant losses: what a merchant owes us is written off when two people agree, and never more than it owes."""

import pytest

from commands.envelope import Command
from commands.funds import ReleaseFunds
from commands.merchant_losses import DecideMerchantLoss, ProposeMerchantLoss
from ledger.errors import AmountNotPositive, CreditLossNotFound, LossExceedsDebt, MerchantNotFound, SecondPersonRequired
from ledger.events.merchant_losses import MerchantDebtWrittenOff, MerchantLossProposed, MerchantLossRejected
from tests.commands.given import given
from tests.commands.stories import MERCHANT_DEBT, PAID_FROM_WALLET, from_wallet, refund

# Acme has given back more than it was owed, and owes us 130.
INDEBTED: tuple[Command, ...] = (*PAID_FROM_WALLET, refund())
LOSS = "sys:5050:merchant:eur"


def propose(amount: int = 130) -> ProposeMerchantLoss:
    return ProposeMerchantLoss("acme", amount, "EUR", "insolvent")


def decide(number: int = 1, *, agree: bool = True) -> DecideMerchantLoss:
    return DecideMerchantLoss("acme", "EUR", number, agree)


def test_a_debt_is_written_off_when_somebody_else_agrees() -> None:
    story = given(*INDEBTED)
    story.when(propose()).then(MerchantLossProposed(1, "acme", 130, "EUR", "insolvent", "key_tests")).answered(
        201, number=1, status="proposed"
    )
    assert story.balance(MERCHANT_DEBT) == 130
    story.by("key_checker").when(decide()).then(
        MerchantDebtWrittenOff(1, "acme", 130, "EUR", "key_tests", "key_checker")
    ).answered(201, status="written_off")
    assert (story.balance(MERCHANT_DEBT), story.balance(LOSS)) == (0, 130)


def test_its_maker_cannot_agree_but_can_take_it_back() -> None:
    story = given(*INDEBTED, propose())
    story.when(decide()).refused(SecondPersonRequired, maker="key_tests")
    story.when(decide(agree=False)).then(MerchantLossRejected(1, "key_tests"))
    story.by("key_checker").when(decide()).refused(CreditLossNotFound)
    assert story.balance(LOSS) == 0


def test_each_proposal_is_decided_once() -> None:
    story = given(*INDEBTED, propose(30), propose(40)).by("key_checker")
    story.when(decide(2)).answered(201, amount=40)
    story.when(decide(2)).refused(CreditLossNotFound, number=2)
    story.when(decide(3)).refused(CreditLossNotFound, number=3)
    story.when(decide(1)).answered(201, amount=30)
    assert story.balance(MERCHANT_DEBT) == 130 - 70


@pytest.mark.parametrize(("amount", "kind"), [(131, LossExceedsDebt), (0, AmountNotPositive)])
def test_no_more_is_written_off_than_is_owed(amount: int, kind: type[LossExceedsDebt | AmountNotPositive]) -> None:
    given(*INDEBTED).when(propose(amount)).refused(kind, "/amount")


def test_a_debt_that_was_paid_meanwhile_is_not_written_off() -> None:
    story = given(*INDEBTED, propose(), from_wallet("pay_2", 2_000), ReleaseFunds("acme", "EUR", 1_950, 0, 1_000_000))
    assert story.balance(MERCHANT_DEBT) == 0
    story.by("key_checker").when(decide()).refused(LossExceedsDebt, most=0)


def test_nobody_owes_who_is_not_there() -> None:
    given().when(propose()).refused(MerchantNotFound)
