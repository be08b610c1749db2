"""Contracts: the merchant's word about an agreement to charge a payer; for the channel's see contract_results.

CreateContract ──▶ draft ──▶ pending_user ──ConfirmContract──▶ confirming ──▶ active ──TerminateContract──▶ terminated
                                                                              active ⇄ suspended
                                                                              active ⇄ updating: contract_updates.py
"""

from datetime import datetime

from commands.books import Books
from commands.channel_facts import LARGEST_ORDER, imagined
from commands.contract_channels import contract_named, signing, signing_route, update_step
from commands.contract_charges import METHOD_TYPE, StreamEvents, check_bound_card, ended
from commands.customers import customer_exists
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.held_charges import with_held_charges
from commands.payees import payee_of, payee_stream
from commands.policies.products import product_of
from commands.policies.routing import Route
from ledger.contract_limits import PERIODS
from ledger.contract_state import (
    ACTIVE,
    EXPIRED,
    FAILED,
    PENDING_USER,
    SUSPENDED,
    TERMINATED,
    UNSIGNED,
    Contract,
)
from ledger.contract_views import contract_view, payment_method_view
from ledger.currencies import ASSETS
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    ContractAlreadyEnded,
    ContractNotDue,
    ContractNotFound,
    ContractStateInvalid,
    CurrencyMismatch,
    CurrencyUnknown,
    CustomerUnknown,
    ExpiryInPast,
    FieldInvalid,
    IdExistsDifferent,
    ProductNotSupported,
    Refusal,
)
from ledger.events.contracts import (
    ContractDrafted,
    ContractExpired,
    ContractResumed,
    ContractSuspended,
    ContractUpdateFailed,
    Limits,
)
from ledger.events.customers import CustomerContractAdded, customer_stream
from ledger.events.event import Event
from ledger.events.payments import Method
from ledger.ids import CONTRACT, PAYMENT_METHOD

CODE = "sms_code"
"""What the payer is asked for through us; everything else he does at the channel."""
MOST_ANSWERS = 3
"""How many wrong answers a payer may give before the contract has failed."""


class CreateContract(Command, frozen=True):
    """Have the customer asked for an agreement that the merchant may charge him within `limits`; `id` is fresh.

    For agency pay `merchant` names the principal that is collected for.
    """

    id: str
    customer: str
    merchant: str
    product: str
    method: Method
    limits: Limits
    single_use: bool = False
    expires_at: datetime | None = None
    return_url: str | None = None
    metadata: dict[str, str] = {}


class ConfirmContract(Command, frozen=True):
    """Tell the channel the code that the payer was sent."""

    contract: str
    answer: str


class SuspendContract(Command, frozen=True):
    """Have nothing charged under it for a while."""

    contract: str
    reason: str


class ResumeContract(Command, frozen=True):
    """Have it charged again."""

    contract: str


class TerminateContract(Command, frozen=True):
    """End it for ever, here and at the channel."""

    contract: str
    reason: str


class ExpireContract(Command, frozen=True):
    """Its time has run out."""

    contract: str


def create(books: Books, command: CreateContract, envelope: Envelope) -> Decision:
    _check(books, command)
    drafted = ContractDrafted(
        id=command.id,
        customer=command.customer,
        merchant=command.merchant,
        product=command.product,
        method=command.method,
        channel="",
        limits=command.limits,
        single_use=command.single_use,
        expires_at=command.expires_at,
        return_url=command.return_url,
        metadata=command.metadata,
    )
    return draft(books, drafted)


def draft(books: Books, drafted: ContractDrafted) -> Decision:
    """The decision to draft a contract whose parties are checked, and to have it signed at the channel for its method.

    With a bound card it is signed where the card is. Raises MethodNotSupported, PaymentMethodUnknown.
    """
    name, method = drafted.id, drafted.method
    if books.recorded(name):
        raise IdExistsDifferent(f"There is a contract {name} already.", pointer="/id", contract=name)
    check_bound_card(books, drafted.customer, method)
    chosen = signing_route(method.type, None if drafted.limits is None else drafted.limits.currency)
    method, bound_at = method_at_channel(books, method)
    if bound_at is not None:
        chosen = Route(bound_at, "the bound card is with this channel")
    begun = ContractDrafted(
        **{field: getattr(drafted, field) for field in drafted.__struct_fields__}
        | {"method": method, "channel": chosen.channel, "because": chosen.because}
    )
    whole: list[Event] = [begun, signing(begun, 1)]
    added = CustomerContractAdded(begun.customer, name)
    return answered(books, name, [(customer_stream(begun.customer), added), *((name, event) for event in whole)], 202)


def method_at_channel(books: Books, method: Method) -> tuple[Method, str | None]:
    """The method as its channel knows it, and for a bound card, which is checked already, that channel."""
    bound = method.details.get("payment_method")
    if bound is None:
        return method, None
    card = contract_named(books, bound)
    known = {"payment_method": bound, "payment_method_reference": card.reference}
    return Method(method.type, card.method.token, method.details | known), card.drafted.channel


def _check(books: Books, command: CreateContract) -> None:
    """Raises one refusal that names every field that is refused; then what does not fit together."""
    product, limits = product_of(command.product), command.limits
    found: list[Refusal] = []
    if METHOD_TYPE not in product.methods:
        detail = f"{product.name} is not paid under contracts."
        found.append(ProductNotSupported(detail, pointer="/product", product=product.name))
    if limits.currency not in ASSETS:
        found.append(CurrencyUnknown(pointer="/limits/currency"))
    found += _amount_objections(limits.per_charge, "/limits/per_charge")
    if limits.per_period is not None:
        found += _amount_objections(limits.per_period.amount, "/limits/per_period/amount")
        if limits.per_period.period not in PERIODS:
            detail = f"A period is one of {', '.join(PERIODS)}."
            found.append(FieldInvalid(detail, pointer="/limits/per_period/period"))
        if limits.per_period.count is not None and limits.per_period.count < 1:
            found.append(FieldInvalid("At least one charge is allowed.", pointer="/limits/per_period/count"))
    if command.expires_at is not None and command.expires_at <= books.now:
        found.append(ExpiryInPast("A contract expires in the future.", pointer="/expires_at"))
    if found:
        first = found[0]
        first.errors = tuple(error for refusal in found for error in refusal.errors)
        raise first
    payee = payee_of(books, product.name, command.merchant)
    if payee.currency not in (None, limits.currency):
        detail = f"{payee.id} is settled in {payee.currency}, and nothing is exchanged here yet."
        raise CurrencyMismatch(detail, pointer="/limits/currency", currency=payee.currency)
    if not customer_exists(books, command.customer):
        raise CustomerUnknown(pointer="/customer", customer=command.customer)


def _amount_objections(amount: int | None, pointer: str) -> list[Refusal]:
    if amount is not None and amount < 1:
        return [AmountNotPositive(pointer=pointer)]
    if amount is not None and amount > LARGEST_ORDER:
        return [AmountOverflow(pointer=pointer, most=LARGEST_ORDER)]
    return []


def confirm(books: Books, command: ConfirmContract, envelope: Envelope) -> Decision:
    contract = contract_named(books, command.contract)
    if not contract.awaits_payer or contract.action is None:
        raise state_invalid(contract, PENDING_USER)
    if contract.action.action != CODE:
        detail = f"The payer agrees at the channel ({contract.action.action}): there is nothing to confirm here."
        raise state_invalid(contract, PENDING_USER, detail=detail)
    if not command.answer:
        raise FieldInvalid("An answer is not empty.", pointer="/answer")
    asked: Event = signing(contract.drafted, contract.signings + 1, command.answer)
    if contract.updating is not None:
        asked = update_step(contract, contract.updating.method, command.answer)
    return answered(books, command.contract, [(command.contract, asked)], 202)


def suspend(books: Books, command: SuspendContract, envelope: Envelope) -> Decision:
    contract = of_merchant(books, command.contract)
    if contract.status != ACTIVE:
        raise state_invalid(contract, ACTIVE)
    return answered(books, command.contract, [(command.contract, ContractSuspended(command.contract, command.reason))])


def resume(books: Books, command: ResumeContract, envelope: Envelope) -> Decision:
    contract = of_merchant(books, command.contract)
    if contract.status != SUSPENDED:
        raise state_invalid(contract, SUSPENDED)
    return answered(books, command.contract, [(command.contract, ContractResumed(command.contract))])


def terminate(books: Books, command: TerminateContract, envelope: Envelope) -> Decision:
    contract = of_merchant(books, command.contract)
    if contract.status in (TERMINATED, FAILED, EXPIRED):
        detail = f"The contract is {contract.status} already."
        raise ContractAlreadyEnded(
            detail, contract=command.contract, contract_status=contract.status, terminated_by=contract.ended_by
        )
    return answered(books, command.contract, ended(books, command.contract, "merchant", command.reason))


def expire(books: Books, command: ExpireContract, envelope: Envelope) -> Decision:
    name = command.contract
    contract = contract_named(books, name)
    due_at = contract.due_at
    if due_at is None or due_at > books.now:
        raise ContractNotDue(contract=name, due_at=None if due_at is None else due_at.isoformat())
    if contract.status in UNSIGNED:
        return answered(books, name, [(name, ContractExpired(name))])
    until = contract.drafted.expires_at
    if contract.updating is not None and (until is None or until > books.now):
        late = ContractUpdateFailed(name, contract.updating.id, "session_expired")
        return answered(books, name, with_held_charges(books, name, late))
    return answered(books, name, ended(books, name, "expiry", "it was agreed until now"))


def answered(books: Books, name: str, events: StreamEvents, status: int = 200) -> Decision:
    """The decision to record these events, answered with the contract, or the bound card, as it then is."""
    history = imagined(books, name, [event for stream, event in events if stream == name])
    view = payment_method_view(history) if name.startswith(PAYMENT_METHOD) else contract_view(history)
    view.position = None
    return Decision(events, view, status)


def of_merchant(books: Books, name: str) -> Contract:
    """A contract with a merchant, which a bound card is not; raises ContractNotFound."""
    if not name.startswith(CONTRACT):
        raise ContractNotFound(contract=name)
    return contract_named(books, name)


def state_invalid(contract: Contract, expected: str, *, detail: str | None = None) -> ContractStateInvalid:
    detail = detail or f"The contract is {contract.status} and has to be {expected} for this."
    return ContractStateInvalid(
        detail, contract=contract.drafted.id, contract_status=contract.status, expected_status=expected
    )


def _create_needs(command: CreateContract) -> Needs:
    payee = payee_stream(command.product, command.merchant)
    return Needs(streams=(command.id, payee, customer_stream(command.customer)))


def _needs(command: ConfirmContract | SuspendContract | ResumeContract | TerminateContract | ExpireContract) -> Needs:
    return Needs(streams=(command.contract,))


DECIDERS: dict[type[Command], Decider] = {
    CreateContract: Decider(create, _create_needs),
    ConfirmContract: Decider(confirm, _needs),
    SuspendContract: Decider(suspend, _needs),
    ResumeContract: Decider(resume, _needs),
    TerminateContract: Decider(terminate, _needs),
    ExpireContract: Decider(expire, _needs),
}
