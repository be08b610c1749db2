"""Mixed payments: a part from the customer's wallet, the rest by card; both or nothing.

The wallet's part is frozen first, then the card is asked. Both succeeded: one capture takes both. The card refused, or
the order ended otherwise: exactly what was frozen is free again. Unknown: it stays frozen until it is known.
"""

from commands.policies.charges import MIXED
from ledger.errors import FieldInvalid, FieldMissing, Refusal
from ledger.events.event import Event
from ledger.events.payments import Method, PaymentCreated, PaymentWalletFrozen


def mixed_objections(method: Method, amount: int, customer: str | None) -> list[Refusal]:
    """Everything that a mixed payment does not take, and a wallet's part of what is not mixed."""
    found: list[Refusal] = []
    if method.type != MIXED:
        if method.wallet_amount:
            found.append(FieldInvalid("Only a mixed payment has a wallet's part.", pointer="/method/wallet_amount"))
        return found
    if customer is None:
        found.append(FieldMissing("A mixed payment is paid by a customer.", pointer="/customer"))
    if not 0 < method.wallet_amount < amount:
        detail = "The wallet's part is at least 1, and smaller than the whole."
        found.append(FieldInvalid(detail, pointer="/method/wallet_amount"))
    return found


def wallet_part(created: PaymentCreated) -> list[Event]:
    """What is set aside before a card is asked for the rest."""
    if created.method.type != MIXED:
        return []
    if created.customer is None:
        raise AssertionError(f"{created.id} went on without a customer")
    return [PaymentWalletFrozen(created.customer, created.method.wallet_amount, created.currency)]
