"""Contract results: what a channel says became of a contract, of a card that is bound, or of the end of either."""

from commands.books import Books
from commands.channel_facts import NOT_SENT_GROUP, FactReceipt, is_news, with_effect, without_effect
from commands.channels.channel import (
    ActionRequired,
    ContractDeclined,
    ContractEnded,
    ContractSigned,
    NotSent,
    Unknown,
    Verdict,
)
from commands.contract_channels import contract_named, ending
from commands.contract_charges import StreamEvents, ended
from commands.contracts import MOST_ANSWERS
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from ledger.contract_state import CONFIRMING, DRAFT, SIGNED, TERMINATED, UNSIGNED, Contract
from ledger.errors import ContractNotFound
from ledger.events.contracts import (
    ContractActionRequired,
    ContractActivated,
    ContractAnswerRefused,
    ContractEndConfirmed,
    ContractExpired,
    ContractFailed,
    ContractSignedTooLate,
    ContractUnanswered,
    ContractUpdated,
)
from ledger.events.event import Event


class RecordContractResult(Command, frozen=True):
    """What the channel says of a contract or a bound card of ours."""

    contract: str
    channel: str
    verdict: Verdict


def record_result(books: Books, command: RecordContractResult, envelope: Envelope) -> Decision:
    name, verdict = command.contract, command.verdict
    contract = contract_named(books, name)
    # A channel speaks for what was sent to it, and for nothing else.
    if contract.drafted.channel != command.channel:
        raise ContractNotFound(contract=name, channel=command.channel)
    under_way = contract.status in (DRAFT, CONFIRMING)
    match verdict:
        case ContractSigned():
            return _signed(books, contract, verdict)
        case ActionRequired() if under_way:
            return with_effect(books, name, [_action(name, verdict)], name, "recorded")
        case ContractDeclined() if contract.status in UNSIGNED:
            return with_effect(books, name, [_declined(contract, verdict)], name, "recorded")
        case ContractEnded():
            return _ended(books, contract, verdict)
        case NotSent() if under_way:
            return with_effect(books, name, [_not_sent(contract, verdict)], name, "recorded")
        case Unknown() if is_news(verdict, under_way, contract.unanswered):
            return with_effect(books, name, [ContractUnanswered(name, verdict.reason)], name, "recorded")
        case _:
            return without_effect(name, "ignored", contract.position)


def _signed(books: Books, contract: Contract, signed: ContractSigned) -> Decision:
    name, reference = contract.drafted.id, signed.channel_reference
    if contract.status in UNSIGNED:
        return with_effect(books, name, [ContractActivated(name, reference)], name, "recorded")
    if contract.status in SIGNED and signed.replacement and signed.replacement not in contract.updates:
        # The bank has given the payer another card, and the channel has heard of it.
        return with_effect(books, name, [ContractUpdated(name, replacement=signed.replacement)], name, "recorded")
    if contract.status in SIGNED or contract.reference:
        return without_effect(name, "duplicate", contract.position)
    # The payer agreed to something that is over: the channel must not go on believing in it.
    late: list[Event] = [ContractSignedTooLate(name, reference), ending(contract, reference)]
    return with_effect(books, name, late, name, "unapplied")


def _action(name: str, asked: ActionRequired) -> Event:
    return ContractActionRequired(name, asked.action, asked.channel_reference, asked.url, asked.data, asked.expires_at)


def _declined(contract: Contract, no: ContractDeclined) -> Event:
    """A wrong code may be told again, a few times; whatever else is declined has failed."""
    name, code, message = contract.drafted.id, no.channel_code, no.message
    if no.retryable and contract.wrong_answers + 1 < MOST_ANSWERS:
        return ContractAnswerRefused(name, no.reason, code, message)
    if no.reason == "session_expired":
        return ContractExpired(name)
    return ContractFailed(name, no.reason, code, message)


def _not_sent(contract: Contract, silence: NotSent) -> Event:
    name = contract.drafted.id
    if contract.status == CONFIRMING:
        return ContractAnswerRefused(name, NOT_SENT_GROUP, message=silence.reason, counted=False)
    return ContractFailed(name, NOT_SENT_GROUP, message=silence.reason)


def _ended(books: Books, contract: Contract, notice: ContractEnded) -> Decision:
    name = contract.drafted.id
    if contract.ending and not contract.end_confirmed:
        return with_effect(books, name, [ContractEndConfirmed(name, contract.ending)], name, "recorded")
    if contract.status == TERMINATED:
        return without_effect(name, "duplicate", contract.position)
    because = {"user": "the payer ended it at the channel", "merchant": "it was ended at the channel for the merchant"}
    events: StreamEvents = ended(
        books, name, notice.by, because.get(notice.by, "the channel ended it"), channel_knows=True
    )
    if not events:
        return without_effect(name, "ignored", contract.position)
    return Decision(events, FactReceipt(id=name, effect="recorded"), status=200)


def _needs(command: RecordContractResult) -> Needs:
    return Needs(streams=(command.contract,))


DECIDERS: dict[type[Command], Decider] = {RecordContractResult: Decider(record_result, _needs)}
