"""Held charges: payments under a contract that wait while its card is being replaced, and go on once that is over."""

from commands.attempts import agreed_attempt
from commands.books import Books
from commands.channel_facts import imagined
from commands.contract_charges import StreamEvents
from commands.policies.products import PRODUCTS
from ledger import contract_state, payment_state
from ledger.contract_state import ACTIVE, RESERVED, charges
from ledger.events.event import Event
from ledger.ids import PAYMENT_METHOD
from ledger.payment import CREATED


def with_held_charges(books: Books, name: str, event: Event) -> StreamEvents:
    """The event of this contract or bound card, and the charges that are sent because it is active again."""
    events: StreamEvents = [(name, event)]
    if name.startswith(PAYMENT_METHOD):
        return events
    history = imagined(books, name, [event])
    contract = contract_state.fold(history)
    if contract is None or contract.status != ACTIVE:
        return events
    for charge in charges(history).values():
        payment = payment_state.fold(books.recorded(charge.payment)) if charge.status == RESERVED else None
        if payment is None or payment.status != CREATED or payment.postponed_until is None:
            continue
        proof = PRODUCTS[payment.created.product].authenticate
        sent = agreed_attempt(books, payment.created, 1, authenticate=proof, contract=contract)
        events += [(charge.payment, each) for each in sent]
    return events
