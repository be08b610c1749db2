"""Contract updates: the card that a contract is charged to is replaced by another, here and at the channel.

UpdateContractMethod ──▶ updating ──▶ active, with the new card
                             └──────▶ active, with the old one: the payer did not agree, or not in time

The payer may be asked for a code, as when he signed: ConfirmContract tells it. Charges whose time comes meanwhile wait.
The agreement is the same one: what the channel calls it from now on, its answer says.
"""

from commands.books import Books
from commands.channel_facts import NOT_SENT_GROUP, FactReceipt, is_news, with_effect, without_effect
from commands.channels.channel import ActionRequired, ContractDeclined, ContractSigned, NotSent, Unknown, Verdict
from commands.contract_channels import contract_named, update_step
from commands.contract_charges import MANDATE_ENDED, check_bound_card, ended
from commands.contracts import MOST_ANSWERS, answered, method_at_channel, of_merchant, state_invalid
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.held_charges import with_held_charges
from ledger.contract_state import ACTIVE, SIGNED, Contract
from ledger.errors import ContractMismatch, ContractNotFound, MethodNotSupported
from ledger.events.contracts import (
    ContractActionRequired,
    ContractAnswerRefused,
    ContractUnanswered,
    ContractUpdated,
    ContractUpdateFailed,
    ContractUpdateRequested,
)
from ledger.events.event import Event
from ledger.events.payments import Method
from ledger.ids import CONTRACT_UPDATE, stream_of


class UpdateContractMethod(Command, frozen=True):
    """Have another card charged under this contract."""

    contract: str
    method: Method
    return_url: str | None = None


class RecordContractUpdate(Command, frozen=True):
    """What the channel says of an update of ours."""

    update: str
    channel: str
    verdict: Verdict


# --- the merchant's word --------------------------------------------------------------------------------------------


def update(books: Books, command: UpdateContractMethod, envelope: Envelope) -> Decision:
    contract = of_merchant(books, command.contract)
    if contract.status != ACTIVE:
        raise state_invalid(contract, ACTIVE)
    if command.method.type != contract.method.type:
        detail = f"The contract is charged to a {contract.method.type}, and goes on with one."
        supported = [contract.method.type]
        raise MethodNotSupported(detail, pointer="/method/type", method=command.method.type, supported=list(supported))
    check_bound_card(books, contract.drafted.customer, command.method)
    method, bound_at = method_at_channel(books, command.method)
    if bound_at not in (None, contract.drafted.channel):
        detail = "The bound card is with another channel than the contract."
        raise ContractMismatch(detail, pointer="/method/payment_method", contract=command.contract)
    asked = update_step(contract, method, return_url=command.return_url)
    return answered(books, command.contract, [(command.contract, asked)], 202)


# --- the channel's --------------------------------------------------------------------------------------------------


def record_result(books: Books, command: RecordContractUpdate, envelope: Envelope) -> Decision:
    name, verdict = stream_of(command.update), command.verdict
    contract = contract_named(books, name)
    known = _requested(books, name, command.update)
    # A channel speaks for what was sent to it, and for nothing else.
    if known is None or contract.drafted.channel != command.channel:
        raise ContractNotFound(update=command.update, channel=command.channel)
    pending = contract.updating is not None and contract.updating.id == command.update
    unheard = pending and contract.awaits_channel
    match verdict:
        case ContractSigned() if command.update in contract.updates:
            return without_effect(name, "duplicate", contract.position)
        case ContractSigned() if contract.status in SIGNED:
            # Also one that we have given up: what the channel charges is a fact.
            done = ContractUpdated(name, command.update, verdict.channel_reference, known.method)
            return _going_on(books, name, done)
        case ActionRequired() if unheard:
            asked = ContractActionRequired(
                name, verdict.action, verdict.channel_reference, verdict.url, verdict.data, verdict.expires_at
            )
            return with_effect(books, name, [asked], name, "recorded")
        case ContractDeclined() if pending:
            return _declined(books, contract, command.update, verdict)
        case NotSent() if unheard and contract.action is not None:
            untold = ContractAnswerRefused(name, NOT_SENT_GROUP, message=verdict.reason, counted=False)
            return with_effect(books, name, [untold], name, "recorded")
        case NotSent() if unheard:
            failed = ContractUpdateFailed(name, command.update, NOT_SENT_GROUP, message=verdict.reason)
            return _going_on(books, name, failed)
        case Unknown() if is_news(verdict, unheard, contract.unanswered):
            return with_effect(books, name, [ContractUnanswered(name, verdict.reason)], name, "recorded")
        case _:
            return without_effect(name, "ignored", contract.position)


def _requested(books: Books, name: str, update: str) -> ContractUpdateRequested | None:
    """The first step of this update, which has its name."""
    asked = (each for each in books.history(name) if isinstance(each, ContractUpdateRequested))
    return next((each for each in asked if each.step == each.update == update), None)


def _declined(books: Books, contract: Contract, update: str, no: ContractDeclined) -> Decision:
    """A wrong code may be told again, a few times; whatever else is declined leaves the old card where it was."""
    name, code, message = contract.drafted.id, no.channel_code, no.message
    if no.reason == MANDATE_ENDED:
        events = ended(books, name, "channel", "the channel says that it has ended", channel_knows=True)
        return Decision(events, FactReceipt(id=name, effect="recorded"), status=200)
    if no.retryable and contract.wrong_answers + 1 < MOST_ANSWERS:
        return with_effect(books, name, [ContractAnswerRefused(name, no.reason, code, message)], name, "recorded")
    return _going_on(books, name, ContractUpdateFailed(name, update, no.reason, code, message))


def _going_on(books: Books, name: str, event: Event) -> Decision:
    """What ends the update, and the charges that have waited for that."""
    return Decision(with_held_charges(books, name, event), FactReceipt(id=name, effect="recorded"), status=200)


def _update_needs(command: UpdateContractMethod) -> Needs:
    return Needs(streams=(command.contract,))


def _result_needs(command: RecordContractUpdate) -> Needs:
    name = stream_of(command.update) if command.update.startswith(CONTRACT_UPDATE) else ""
    return Needs(streams=(name,) if name else ())


DECIDERS: dict[type[Command], Decider] = {
    UpdateContractMethod: Decider(update, _update_needs),
    RecordContractUpdate: Decider(record_result, _result_needs),
}
