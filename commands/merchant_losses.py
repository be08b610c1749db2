"""Merchant losses: one person proposes to write off what a merchant owes us, and another one decides.

ProposeMerchantLoss ──▶ proposed ──DecideMerchantLoss──▶ written off | rejected
"""

from collections.abc import Sequence

from commands.books import Books
from commands.channel_facts import check_amount
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.system_accounts import with_accounts
from ledger.chart import merchant_receivable
from ledger.errors import CreditLossNotFound, LossExceedsDebt, MerchantNotFound, SecondPersonRequired
from ledger.events.event import Event
from ledger.events.merchant_losses import (
    MerchantDebtWrittenOff,
    MerchantLossProposed,
    MerchantLossRejected,
    merchant_losses_stream,
)
from ledger.events.merchants import merchant_stream


class ProposeMerchantLoss(Command, frozen=True):
    """Propose to write off `amount` minor units of what the merchant owes us."""

    merchant: str
    amount: int
    currency: str
    reason: str


class DecideMerchantLoss(Command, frozen=True):
    """Agree to a proposal or reject it. Only somebody else than its maker can agree."""

    merchant: str
    currency: str
    number: int
    agree: bool
    reason: str = ""


class MerchantLossReceipt(Receipt):
    """The proposal with what became of it: proposed, written_off or rejected."""

    merchant: str = ""
    currency: str = ""
    number: int = 0
    amount: int = 0
    reason: str = ""
    status: str = "proposed"


def propose(books: Books, command: ProposeMerchantLoss, envelope: Envelope) -> Decision:
    check_amount(command.amount)
    if not books.recorded(merchant_stream(command.merchant)):
        raise MerchantNotFound(merchant=command.merchant)
    _check(books, command.merchant, command.currency, command.amount)
    stream = merchant_losses_stream(command.merchant, command.currency)
    number = 1 + sum(isinstance(event, MerchantLossProposed) for event in books.history(stream))
    proposed = MerchantLossProposed(
        number, command.merchant, command.amount, command.currency, command.reason, envelope.who
    )
    return Decision([(stream, proposed)], _receipt(proposed, "proposed"))


def _check(books: Books, merchant: str, currency: str, amount: int) -> None:
    """No more is given up than is owed."""
    debt = books.find_account(merchant_receivable(merchant, currency))
    most = 0 if debt is None else max(0, debt.balance)
    if amount > most:
        raise LossExceedsDebt(pointer="/amount", amount=amount, most=most)


def decide(books: Books, command: DecideMerchantLoss, envelope: Envelope) -> Decision:
    stream = merchant_losses_stream(command.merchant, command.currency)
    proposal = _waiting(books.history(stream), command.number)
    if not command.agree:
        rejected = MerchantLossRejected(proposal.number, envelope.who, command.reason)
        return Decision([(stream, rejected)], _receipt(proposal, "rejected"))
    if envelope.who == proposal.maker:
        raise SecondPersonRequired(maker=proposal.maker)
    # Since it was proposed, sales may have paid the debt.
    _check(books, proposal.merchant, proposal.currency, proposal.amount)
    written_off = MerchantDebtWrittenOff(
        proposal.number, proposal.merchant, proposal.amount, proposal.currency, proposal.maker, envelope.who
    )
    return Decision(with_accounts(books, [(stream, written_off)]), _receipt(proposal, "written_off"))


def _waiting(history: Sequence[Event], number: int) -> MerchantLossProposed:
    """The proposal with this number that nobody has decided on; raises CreditLossNotFound."""
    found: MerchantLossProposed | None = None
    for event in history:
        match event:
            case MerchantLossProposed() if event.number == number:
                found = event
            case MerchantLossRejected() | MerchantDebtWrittenOff() if event.number == number:
                found = None
    if found is None:
        raise CreditLossNotFound(number=number)
    return found


def _receipt(proposal: MerchantLossProposed, status: str) -> MerchantLossReceipt:
    return MerchantLossReceipt(
        merchant=proposal.merchant,
        currency=proposal.currency,
        number=proposal.number,
        amount=proposal.amount,
        reason=proposal.reason,
        status=status,
    )


def _needs(command: ProposeMerchantLoss | DecideMerchantLoss) -> Needs:
    whose = (command.merchant, command.currency)
    return Needs(
        accounts=(merchant_receivable(*whose),),
        streams=(merchant_stream(command.merchant), merchant_losses_stream(*whose)),
    )


DECIDERS: dict[type[Command], Decider] = {
    ProposeMerchantLoss: Decider(propose, _needs),
    DecideMerchantLoss: Decider(decide, _needs),
}
