"""Attempts: how a payment that may go on begins to be paid, and the tries that it makes at channels.

`begin` is called once risk control lets a payment go: at its creation, after a step-up, or after a review.
"""

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from commands.authorization_facts import frozen_in_wallet
from commands.books import Books
from commands.channel_choice import chosen_for, facts_of, routed
from commands.contract_charges import agreed_contract, agreement_of, is_agreed, no_agreement
from commands.credit_purchases import paid_on_credit
from commands.mixed_payments import wallet_part
from commands.policies.charges import MIXED, charge_of
from commands.policies.products import PRODUCTS
from commands.policies.routing import Route
from ledger.contract_state import UPDATING, Contract
from ledger.errors import ContractNotActive
from ledger.events.event import Event
from ledger.events.payments import (
    PaymentAttemptInitiated,
    PaymentCreated,
    PaymentPaidFromWallet,
    PaymentPostponed,
    PaymentRouted,
    attempt_id,
)

_LOOKS_AGAIN = timedelta(minutes=1)


def begin(books: Books, created: PaymentCreated, *, authenticate: bool = False) -> list[Event]:
    """What sets the payment in motion: final at once from a wallet, or an intent for a channel.

    `authenticate`: the channel is to have the payer prove that it is him. Raises ChannelUnavailable.
    """
    if created.scheduled_at is not None and created.scheduled_at > books.now:
        return []  # The payer was told that he will be charged then: the timer comes back to it.
    product = PRODUCTS[created.product]
    if product.source == "wallet" and created.method.type != MIXED:
        manual = created.capture == "manual"
        return [frozen_in_wallet(books, created) if manual else _paid_from_wallet(created)]
    if product.source == "credit":
        return [paid_on_credit(books, created)]
    if is_agreed(created):
        authenticate = authenticate or product.authenticate
        return agreed_attempt(books, created, 1, wallet_part(created), authenticate=authenticate)
    facts = facts_of(created)
    chosen = chosen_for(books, facts)
    intent = initiated(created, 1, chosen, authenticate=authenticate or product.authenticate)
    return [*wallet_part(created), routed(chosen, facts.method), intent]


def agreed_attempt(
    books: Books,
    created: PaymentCreated,
    number: int,
    before: Sequence[Event] = (),
    *,
    authenticate: bool = False,
    contract: Contract | None = None,
) -> list[Event]:
    """The n-th attempt at the channel that the payer agreed with: no other one may charge him without asking.

    `before`: what comes first where there is an attempt. Where the agreement is over meanwhile, the payment is too, and
    while its card is being replaced the payment waits. `contract`: as it will stand once the decision is recorded.
    """
    contract = contract or agreed_contract(books, created)
    if contract.status == UPDATING:
        until = max(contract.due_at or books.now, books.now + _LOOKS_AGAIN)
        return [PaymentPostponed(until, "the card of the contract is being replaced")]
    try:
        agreement = agreement_of(books, created, contract)
    except ContractNotActive as refusal:
        return [no_agreement(refusal)]
    chosen = agreement.route
    plain = initiated(created, number, chosen, authenticate=authenticate)
    intent = replace(
        plain,
        token=agreement.method.token,
        method=agreement.method.type,
        details=plain.details | agreement.method.details,
        contract=agreement.reference,
    )
    return [*before, PaymentRouted(chosen.channel, chosen.because, (chosen.channel,)), intent]


def initiated(
    created: PaymentCreated, number: int, chosen: Route, *, authenticate: bool = False
) -> PaymentAttemptInitiated:
    """The intent of the n-th attempt: it is in the log before a byte of it is sent."""
    charge = charge_of(created)
    return PaymentAttemptInitiated(
        attempt=attempt_id(created.id, number),
        channel=chosen.channel,
        amount=charge.amount,
        currency=charge.currency,
        token=created.method.token,
        merchant=created.merchant,
        order_reference=created.order_reference,
        capture=created.capture == "automatic",
        method=charge.method,
        details=charge.details,
        return_url=created.return_url,
        authenticate=authenticate,
    )


def _paid_from_wallet(created: PaymentCreated) -> Event:
    if created.customer is None:
        raise AssertionError(f"{created.product} went on without a customer")
    return PaymentPaidFromWallet(
        customer=created.customer,
        merchant=created.merchant,
        product=created.product,
        amount=created.amount,
        currency=created.currency,
        fee=created.fee,
        tax=created.tax,
        invoiced=created.invoiced,
        subsidy=created.subsidy,
    )
