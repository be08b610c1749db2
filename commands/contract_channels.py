"""Contract channels: what is asked of a channel for a contract: to sign it, to charge another card, and to end it.

A bound card is signed and ended in the same way: it is a contract between the payer and the house.
"""

from commands.books import Books
from commands.policies.channels import CHANNELS, ChannelTerms
from commands.policies.routing import Route
from ledger.contract_state import Contract, fold
from ledger.errors import ContractNotFound, MethodNotSupported, PaymentMethodNotFound
from ledger.events.contracts import (
    ContractDrafted,
    ContractEndingRequested,
    ContractSigningRequested,
    ContractUpdateRequested,
)
from ledger.events.payments import Method
from ledger.ids import CONTRACT, CONTRACT_UPDATE, ENDING, PAYMENT_METHOD, SIGNING, child_id

CARD = "card"


def signing_route(method: str, currency: str | None) -> Route:
    """The channel that signs contracts for a method of payment, over this currency; raises MethodNotSupported."""
    signing = [terms for terms in CHANNELS if terms.contracts and _charges_in(terms, currency)]
    carriers = [terms.name for terms in signing if method in terms.methods]
    if not carriers:
        supported = sorted({each for terms in signing for each in terms.methods})
        raise MethodNotSupported(pointer="/method/type", method=method, supported=list(supported))
    because = f"the first of {len(carriers)} that sign contracts for {method}"
    return Route(carriers[0], because if len(carriers) > 1 else f"the only one that signs contracts for {method}")


def _charges_in(terms: ChannelTerms, currency: str | None) -> bool:
    return currency is None or not terms.currencies or currency in terms.currencies


def contract_named(books: Books, name: str) -> Contract:
    """The contract or bound card with this id; raises ContractNotFound, PaymentMethodNotFound."""
    contract = fold(books.recorded(name)) if name.startswith((CONTRACT, PAYMENT_METHOD)) else None
    if contract is None:
        raise (PaymentMethodNotFound if name.startswith(PAYMENT_METHOD) else ContractNotFound)(contract=name)
    return contract


def signing(drafted: ContractDrafted, number: int, answer: str | None = None) -> ContractSigningRequested:
    """The n-th intent about its signing: the first asks for it, each other one carries an answer of the payer."""
    method = drafted.method
    token = {} if method.token is None else {"token": method.token}
    return ContractSigningRequested(
        id=drafted.id,
        signing=child_id(SIGNING, drafted.id, number),
        channel=drafted.channel,
        customer=drafted.customer,
        method=method.type,
        details=method.details | token,
        answer=answer,
        return_url=drafted.return_url,
    )


def update_step(
    contract: Contract, method: Method, answer: str | None = None, return_url: str | None = None
) -> ContractUpdateRequested:
    """The intent to have another card charged, or to carry the payer's answer to that."""
    drafted = contract.drafted
    step = child_id(CONTRACT_UPDATE, drafted.id, contract.update_steps + 1)
    return ContractUpdateRequested(
        id=drafted.id,
        # An update has the id of its first step.
        update=step if contract.updating is None else contract.updating.id,
        step=step,
        channel=drafted.channel,
        replaces=contract.reference,
        customer=drafted.customer,
        method=method,
        answer=answer,
        return_url=return_url,
    )


def ending(contract: Contract, reference: str) -> ContractEndingRequested:
    """The intent to end the agreement with this reference at its channel."""
    name = contract.drafted.id
    return ContractEndingRequested(name, child_id(ENDING, name, 1), contract.drafted.channel, reference)
