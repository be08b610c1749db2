"""What if merchants had paid a flat two percent of every capture? An example for `ledger replay --what-if`.

    ledger replay --book main --what-if posting-rules=docs/examples/flat_merchant_fee.py

RULES says for classes of events what they post, each as a function of the event; None: it moves nothing. All other
events post by the rules of the ledger. What does not balance is refused.
"""

import msgspec

from ledger.events.payments import PaymentCaptured
from ledger.journal import JournalEntry
from ledger.money import share_in_basis_points
from ledger.posting_rules import payments

TWO_PERCENT = 200


def captured(event: PaymentCaptured) -> JournalEntry:
    """As the ledger posts it, with another fee."""
    return payments.captured(msgspec.structs.replace(event, fee=share_in_basis_points(event.amount, TWO_PERCENT)))


RULES = {PaymentCaptured: captured}
