"""Payer letters: whether the payers of a merchant are written to when they have paid, and when they have money back.

Nobody is written to unasked: a merchant's payers hear of what happens from when it is switched on, and only by e-mail.
"""

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.merchants import merchant_named
from ledger.errors import MerchantNotFound, MerchantUnknown
from ledger.events.event import Recorded
from ledger.events.merchants import PayerLettersSwitched, merchant_stream


class SwitchPayerLetters(Command, frozen=True):
    """Write to this merchant's payers from now on, or no more."""

    merchant: str
    to_payers: bool


class PayerLettersReceipt(Receipt):
    """Whether the payers of this merchant are written to."""

    merchant: str = ""
    to_payers: bool = False


def switch(books: Books, command: SwitchPayerLetters, envelope: Envelope) -> Decision:
    try:
        merchant_named(books, command.merchant)
    except MerchantUnknown:
        raise MerchantNotFound(merchant=command.merchant) from None
    stream = merchant_stream(command.merchant)
    history = books.recorded(stream)
    receipt = PayerLettersReceipt(merchant=command.merchant, to_payers=command.to_payers)
    if are_wanted(history) == command.to_payers:
        receipt.position = history[-1].position
        return Decision([], receipt, status=200)
    return Decision([(stream, PayerLettersSwitched(command.merchant, command.to_payers))], receipt, status=200)


def are_wanted(history: list[Recorded]) -> bool:
    """What a merchant's stream says of it last; no, where it says nothing."""
    events = (recorded.event for recorded in reversed(history))
    return next((event.to_payers for event in events if isinstance(event, PayerLettersSwitched)), False)


def _needs(command: SwitchPayerLetters) -> Needs:
    return Needs(streams=(merchant_stream(command.merchant),))


DECIDERS: dict[type[Command], Decider] = {SwitchPayerLetters: Decider(switch, _needs)}
