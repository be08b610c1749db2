"""Credit losses: principal that is written down or given up. One person proposes it and another one decides.

ProposeCreditLoss ──▶ proposed ──DecideCreditLoss──▶ impaired | written off | rejected
"""

from typing import Literal

from commands.books import Books
from commands.channel_facts import check_amount
from commands.credit_lines import line_of, principal_of
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.system_accounts import with_accounts
from ledger.chart import credit_principal
from ledger.credit_line_state import CreditLine
from ledger.errors import CreditLossNotFound, LossExceedsPrincipal, SecondPersonRequired
from ledger.events.credit_lines import (
    CreditImpaired,
    CreditLossProposed,
    CreditLossRejected,
    CreditWrittenOff,
    credit_line_stream,
)
from ledger.events.event import Event

IMPAIRMENT = "impairment"
WRITE_OFF = "write_off"


class ProposeCreditLoss(Command, frozen=True):
    """Propose to write down (impairment) or off (write_off) `amount` minor units of principal."""

    customer: str
    currency: str
    kind: Literal["impairment", "write_off"]
    amount: int
    reason: str


class DecideCreditLoss(Command, frozen=True):
    """Agree to a proposal or reject it. Only somebody else than its maker can agree."""

    customer: str
    currency: str
    number: int
    agree: bool
    reason: str = ""


class CreditLossReceipt(Receipt):
    """The proposal with what became of it: proposed, impaired, written_off or rejected."""

    customer: str = ""
    currency: str = ""
    number: int = 0
    kind: str = ""
    amount: int = 0
    reason: str = ""
    status: str = "proposed"


def propose(books: Books, command: ProposeCreditLoss, envelope: Envelope) -> Decision:
    check_amount(command.amount)
    line = line_of(books, command.customer, command.currency)
    _check(books, line, command.kind, command.amount)
    proposed = CreditLossProposed(
        line.proposed + 1,
        command.kind,
        command.customer,
        command.amount,
        command.currency,
        command.reason,
        envelope.who,
    )
    stream = credit_line_stream(command.customer, command.currency)
    return Decision([(stream, proposed)], _receipt(proposed, "proposed"))


def _check(books: Books, line: CreditLine, kind: str, amount: int) -> None:
    """No more is given up than is owed, and no more is written down than is not written down yet."""
    principal = principal_of(books, line.opened.customer, line.opened.currency)
    most = principal if kind == WRITE_OFF else max(0, principal - line.allowance)
    if amount > most:
        raise LossExceedsPrincipal(pointer="/amount", amount=amount, most=most)


def decide(books: Books, command: DecideCreditLoss, envelope: Envelope) -> Decision:
    line = line_of(books, command.customer, command.currency)
    proposal = next((one for one in line.proposals if one.number == command.number), None)
    if proposal is None:
        raise CreditLossNotFound(number=command.number)
    stream = credit_line_stream(command.customer, command.currency)
    if not command.agree:
        rejected = CreditLossRejected(proposal.number, envelope.who, command.reason)
        return Decision([(stream, rejected)], _receipt(proposal, "rejected"))
    if envelope.who == proposal.maker:
        raise SecondPersonRequired(maker=proposal.maker)
    _check(books, line, proposal.kind, proposal.amount)
    customer, amount, currency = proposal.customer, proposal.amount, proposal.currency
    event: Event
    if proposal.kind == IMPAIRMENT:
        event = CreditImpaired(proposal.number, customer, amount, currency, proposal.maker, envelope.who)
    else:
        expensed = max(0, amount - line.allowance)
        event = CreditWrittenOff(proposal.number, customer, amount, currency, expensed, proposal.maker, envelope.who)
    status = "impaired" if proposal.kind == IMPAIRMENT else "written_off"
    return Decision(with_accounts(books, [(stream, event)]), _receipt(proposal, status))


def _receipt(proposal: CreditLossProposed, status: str) -> CreditLossReceipt:
    return CreditLossReceipt(
        customer=proposal.customer,
        currency=proposal.currency,
        number=proposal.number,
        kind=proposal.kind,
        amount=proposal.amount,
        reason=proposal.reason,
        status=status,
    )


def _needs(command: ProposeCreditLoss | DecideCreditLoss) -> Needs:
    return Needs(
        accounts=(credit_principal(command.customer, command.currency),),
        streams=(credit_line_stream(command.customer, command.currency),),
    )


DECIDERS: dict[type[Command], Decider] = {
    ProposeCreditLoss: Decider(propose, _needs),
    DecideCreditLoss: Decider(decide, _needs),
}
