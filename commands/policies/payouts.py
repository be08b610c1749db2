"""Payouts: what routing knows of them, where they may go, and above which amount a second person has to agree."""

from commands.policies.channels import PAYOUT_METHODS
from commands.policies.routing import RoutingFacts
from ledger.chart import AGENCY_PAY
from ledger.currencies import asset_of
from ledger.errors import FieldInvalid, FieldMissing, Refusal
from ledger.events.approvals import ApprovalPolicyChanged
from ledger.events.payouts import CUSTOMER, MERCHANT, PRINCIPAL, Destination

# Where nothing else is agreed: above so many whole units of the currency.
APPROVE_ABOVE_UNITS = 10_000
BANK_ACCOUNT, VAULTED = PAYOUT_METHODS
ENTITIES = ("individual", "company")


# What routing rules know each kind of owner's payouts by, as `product`.
_PRODUCTS = {MERCHANT: "payout", PRINCIPAL: AGENCY_PAY, CUSTOMER: "withdrawal"}


def facts_of_payout(
    name: str,
    source: str,
    party: str,
    amount: int,
    currency: str,
    destination: Destination,
    metadata: dict[str, str],
) -> RoutingFacts:
    """What routing may look at of a payout: nothing of its receiver but the kind and the country."""
    return RoutingFacts(
        seed=name,
        product=_PRODUCTS[source],
        method=destination.type,
        amount=amount,
        currency=currency,
        merchant=party if source == MERCHANT else "",
        customer=party if source == CUSTOMER else "",
        country=destination.country,
        customer_present=False,
        metadata=metadata,
    )


def approve_above(stated: int | None, currency: str, policy: ApprovalPolicyChanged | None = None) -> int:
    """Above how many minor units a payout needs a second person: as agreed, else as the house has it.

    The policy of a book makes that stricter, and never milder.
    """
    agreed = APPROVE_ABOVE_UNITS * 10 ** asset_of(currency).exponent if stated is None else stated
    return agreed if policy is None or policy.payouts is None else min(agreed, policy.payouts.get(currency, 0))


def objections_to(destination: Destination) -> list[Refusal]:
    """Everything about the destination that no channel takes, so that a caller hears of all of it at once."""
    found: list[Refusal] = []
    if destination.type not in PAYOUT_METHODS:
        words = f"A destination is one of {', '.join(PAYOUT_METHODS)}."
        found.append(FieldInvalid(words, pointer="/destination/type"))
    if destination.entity not in ENTITIES:
        words = f"A receiver is one of {', '.join(ENTITIES)}."
        found.append(FieldInvalid(words, pointer="/destination/entity"))
    if destination.type == BANK_ACCOUNT and not destination.account_number:
        found.append(FieldMissing("A bank account has a number.", pointer="/destination/account_number"))
    if destination.type == BANK_ACCOUNT and not destination.name:
        found.append(FieldMissing("A bank account has a holder.", pointer="/destination/name"))
    if destination.type == VAULTED and not destination.token:
        found.append(FieldMissing("A token is named.", pointer="/destination/token"))
    return found
