"""Contract charges: payments under a contract, and what the end of either means for the other.

A payment reserves its amount in the contract's stream in the one decision that creates it, so payments which come at
the same moment cannot exceed a limit together. Whatever decides about the payment later, `settling` reads what became
of it and confirms or releases the amount in the same transaction.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from commands.books import Books
from commands.channel_facts import imagined
from commands.closings import withdrawn
from commands.contract_channels import CARD, ending
from commands.envelope import Decision, Envelope
from commands.policies.charges import MIXED
from commands.policies.routing import Route
from ledger import contract_state, payment_state
from ledger.chart import AGENCY_PAY
from ledger.contract_limits import excess
from ledger.contract_state import ACTIVE, CONFIRMED, RESERVED, UPDATING, Contract, charges
from ledger.errors import (
    ContractLimitExceeded,
    ContractMismatch,
    ContractNotActive,
    ContractUnknown,
    ContractUsedUp,
    CurrencyMismatch,
    FieldInvalid,
    PaymentMethodUnknown,
)
from ledger.events.contracts import (
    ContractChargeConfirmed,
    ContractChargeReleased,
    ContractChargeReserved,
    ContractTerminated,
    ContractUpdateFailed,
)
from ledger.events.event import Event
from ledger.events.payments import (
    Method,
    PaymentAttemptDeclined,
    PaymentAttemptInitiated,
    PaymentCanceled,
    PaymentCreated,
)
from ledger.ids import CONTRACT, PAYMENT, PAYMENT_METHOD
from ledger.payment import CANCELED, CREATED, EXPIRED, FAILED, IN_REVIEW, REJECTED, REQUIRES_ACTION, Payment

METHOD_TYPE = "contract"
MANDATE_ENDED = "mandate_ended"

StreamEvents = list[tuple[str, Event]]
_Decide = Callable[[Books, Any, Envelope], Decision]

_OVER = (FAILED, CANCELED, EXPIRED, REJECTED)
_NOT_BEGUN = (CREATED, IN_REVIEW, REQUIRES_ACTION)


# --- a payment begins -----------------------------------------------------------------------------------------------


def reserve(books: Books, created: PaymentCreated) -> StreamEvents:
    """What stands in the contract's stream for this payment; nothing for a payment that is under none.

    Raises ContractUnknown, ContractMismatch, CurrencyMismatch, ContractUsedUp, ContractNotActive,
    ContractLimitExceeded.
    """
    if created.method.type != METHOD_TYPE:
        return []
    name = created.method.details.get("contract", "")
    contract = contract_state.fold(books.recorded(name)) if name.startswith(CONTRACT) else None
    if contract is None or contract.drafted.limits is None:
        raise ContractUnknown(pointer="/method/contract", contract=name)
    _check_parties(contract, created)
    known = charges(books.recorded(name))
    used = [charge for charge in known.values() if charge.counts]
    if contract.drafted.single_use and used:
        raise ContractUsedUp(pointer="/method/contract", contract=name, payment=used[0].payment)
    counts_at = created.scheduled_at or books.now
    if contract.status != UPDATING or created.scheduled_at is None:
        # What is charged later waits for its time anyway, and for the new card if that takes so long.
        _check_active(contract, counts_at)
    over = excess(contract.drafted.limits, used, created.amount, counts_at)
    if over is not None:
        raise ContractLimitExceeded(
            pointer="/amount", contract=name, limit=over.limit, most=over.most, used=over.used, left=over.left
        )
    return [(name, ContractChargeReserved(name, created.id, created.amount, created.currency, counts_at))]


def _check_parties(contract: Contract, created: PaymentCreated) -> None:
    drafted = contract.drafted
    for field in ("customer", "merchant"):
        if getattr(drafted, field) != getattr(created, field):
            detail = f"The contract is one of another {field}."
            raise ContractMismatch(detail, pointer=f"/{field}", contract=drafted.id)
    if (drafted.product == AGENCY_PAY) != (created.product == AGENCY_PAY):
        # A principal may have the id of a merchant: the payer has agreed with one of them.
        detail = f"The contract is one for {drafted.product}."
        raise ContractMismatch(detail, pointer="/product", contract=drafted.id)
    if drafted.limits is not None and drafted.limits.currency != created.currency:
        detail = f"The contract is over {drafted.limits.currency}."
        raise CurrencyMismatch(detail, pointer="/currency", currency=drafted.limits.currency)


def _check_active(contract: Contract, at: datetime) -> None:
    """Raises ContractNotActive where nothing may be charged under it at this moment."""
    drafted = contract.drafted
    if contract.status != ACTIVE:
        raise ContractNotActive(pointer="/method/contract", contract=drafted.id, contract_status=contract.status)
    if drafted.expires_at is not None and at >= drafted.expires_at:
        detail = "The contract will be over by then."
        raise ContractNotActive(detail, pointer="/method/contract", contract=drafted.id, contract_status=EXPIRED)


def check_bound_card(books: Books, customer: str | None, method: Method) -> None:
    """A method that names a bound card names one of this customer that is active.

    Raises FieldInvalid, PaymentMethodUnknown.
    """
    name = method.details.get("payment_method")
    if name is None:
        return
    if method.type not in (CARD, MIXED):
        raise FieldInvalid("Only a card is bound and paid with by its name.", pointer="/method/payment_method")
    card = _bound_card(books, name)
    if card is None or card.drafted.customer != customer or card.status != ACTIVE:
        raise PaymentMethodUnknown(pointer="/method/payment_method", payment_method=name)


def _bound_card(books: Books, name: str) -> Contract | None:
    return contract_state.fold(books.recorded(name)) if name.startswith(PAYMENT_METHOD) else None


# --- a payment goes to its channel ----------------------------------------------------------------------------------


class Agreement:
    """The agreement that a charge goes under: at which channel, by which of its references, with which method."""

    def __init__(self, contract: Contract, token: str | None = None) -> None:
        drafted = contract.drafted
        self.reference = contract.reference
        self.method = Method(contract.method.type, token or contract.method.token, contract.method.details)
        what = "bound card" if drafted.id.startswith(PAYMENT_METHOD) else "contract"
        self.route = Route(drafted.channel, f"the {what} is with this channel")


def is_agreed(created: PaymentCreated) -> bool:
    """Whether the payment is charged under a contract or with a bound card."""
    return _agreed(created.method) is not None


def with_bound_card(created: PaymentCreated) -> bool:
    """Whether the payer is here and pays with a card that he has bound."""
    return created.method.type != METHOD_TYPE and is_agreed(created)


def agreement_streams(method: Method) -> tuple[str, ...]:
    """The stream of the contract or bound card that a method names."""
    name = _agreed(method) or ""
    return (name,) if name.startswith((CONTRACT, PAYMENT_METHOD)) else ()


def _agreed(method: Method) -> str | None:
    return method.details.get("contract" if method.type == METHOD_TYPE else "payment_method")


def agreed_contract(books: Books, created: PaymentCreated) -> Contract:
    """The contract or bound card that the payment is charged under, as it stands."""
    name = _agreed(created.method) or ""
    contract = contract_state.fold(books.recorded(name))
    if contract is None:
        raise AssertionError(f"{created.id} is under {name}, which is not there")
    return contract


def agreement_of(books: Books, created: PaymentCreated, contract: Contract) -> Agreement:
    """What the payment is charged under.

    Raises ContractNotActive if that is over: whoever lets a payment go on that waited cancels it then.
    """
    _check_active(contract, books.now)
    # What stands beside a bound card is a code for this one payment, which the payer has typed.
    return Agreement(contract, created.method.token)


def no_agreement(refusal: ContractNotActive) -> Event:
    """What becomes of a payment that waited until its contract was over."""
    return PaymentCanceled(refusal.detail, MANDATE_ENDED)


# --- a payment ends -------------------------------------------------------------------------------------------------


def settling(decide: _Decide) -> _Decide:
    """The decider, and what its decision about payments means for the contracts that they are under."""

    def decide_and_settle(books: Books, command: Any, envelope: Envelope) -> Decision:
        decision = decide(books, command, envelope)
        more = _settled(books, decision.events)
        return replace(decision, events=[*decision.events, *more]) if more else decision

    return decide_and_settle


def _settled(books: Books, decided: StreamEvents) -> StreamEvents:
    more: StreamEvents = []
    for stream in dict.fromkeys(stream for stream, _ in decided if stream.startswith(PAYMENT)):
        fresh = [event for name, event in decided if name == stream]
        known = books.recorded(stream)
        created = known[0].event if known else fresh[0]
        if not isinstance(created, PaymentCreated) or (name := _agreed(created.method)) is None:
            continue
        if created.method.type == METHOD_TYPE:
            payment = payment_state.fold(imagined(books, stream, fresh))
            if payment is None:
                raise AssertionError(f"{stream} is empty")
            more += _settle_one(books, payment, [*decided, *more])
        if any(_says_that_it_ended(books, name, [*(each.event for each in known), *fresh], no) for no in fresh):
            because = "the channel says that it has ended"
            more += ended(books, name, "channel", because, [*decided, *more], channel_knows=True)
    return more


def _says_that_it_ended(books: Books, name: str, history: list[Event], no: Event) -> bool:
    """Whether this declines a charge because the agreement is over; one from before an update says nothing of it."""
    if not isinstance(no, PaymentAttemptDeclined) or no.group != MANDATE_ENDED:
        return False
    contract = contract_state.fold(books.recorded(name))
    attempts = (each for each in history if isinstance(each, PaymentAttemptInitiated) and each.attempt == no.attempt)
    return contract is not None and any(each.contract == contract.reference for each in attempts)


def _settle_one(books: Books, payment: Payment, decided: StreamEvents) -> StreamEvents:
    name = payment.created.method.details["contract"]
    history = imagined(books, name, [event for stream, event in decided if stream == name])
    charge = charges(history).get(payment.created.id)
    if charge is None:
        raise AssertionError(f"{payment.created.id} was never reserved in {name}")
    if payment.captured > 0:
        # Also after a release: the channel took the money after all, so it counts after all.
        if charge.status == CONFIRMED:
            return []
        paid: StreamEvents = [(name, ContractChargeConfirmed(name, charge.payment))]
        contract = contract_state.fold(history)
        if contract is None or not contract.drafted.single_use:
            return paid
        return paid + ended(books, name, "expiry", "it was for one charge", [*decided, *paid])
    if payment.status in _OVER and charge.status == RESERVED:
        return [(name, ContractChargeReleased(name, charge.payment, f"the payment is {payment.status}"))]
    return []


# --- a contract ends ------------------------------------------------------------------------------------------------


def ended(
    books: Books,
    name: str,
    by: str,
    reason: str,
    decided: StreamEvents | None = None,
    *,
    channel_knows: bool = False,
) -> StreamEvents:
    """The end of a signed or unsigned contract, beside what is `decided` already; nothing if it is over.

    The channel is told unless it knows, and charges of which no attempt has begun are canceled. What is at the
    channel already stays there: its outcome is a fact that will be told.
    """
    known = decided or []
    history = imagined(books, name, [event for stream, event in known if stream == name])
    contract = contract_state.fold(history)
    if contract is None or contract.status not in (*contract_state.UNSIGNED, *contract_state.SIGNED):
        return []
    events: StreamEvents = []
    if contract.updating is not None:
        events.append((name, ContractUpdateFailed(name, contract.updating.id, MANDATE_ENDED)))
    events.append((name, ContractTerminated(name, by, reason)))
    for charge in charges(history).values():
        payment = _waiting(books, charge.payment, known) if charge.status == RESERVED else None
        if payment is not None:
            canceled = PaymentCanceled("the contract has ended", MANDATE_ENDED)
            events += [(charge.payment, event) for event in (*withdrawn(payment, canceled.reason), canceled)]
            events.append((name, ContractChargeReleased(name, charge.payment, "the contract has ended")))
    if contract.reference and not channel_knows:
        events.append((name, ending(contract, contract.reference)))
    return events


def _waiting(books: Books, payment: str, decided: StreamEvents) -> Payment | None:
    """The payment, if nothing of it is at a channel yet."""
    found = payment_state.fold(imagined(books, payment, [event for stream, event in decided if stream == payment]))
    return found if found is not None and not found.attempts and found.status in _NOT_BEGUN else None
