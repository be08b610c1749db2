"""Attempts: how a payment that may go on begins to be paid, and the tries that it makes at channels.

`begin` is called once risk control lets a payment go: at its creation, after a step-up, or after a review.
"""

from commands.books import Books
from commands.policies.products import PRODUCTS
from commands.policies.routing import Route, route
from ledger.events.event import Event
from ledger.events.payments import (
    PaymentAttemptInitiated,
    PaymentCreated,
    PaymentPaidFromWallet,
    PaymentRouted,
    attempt_id,
)


def begin(books: Books, created: PaymentCreated, *, authenticate: bool = False) -> list[Event]:
    """What sets the payment in motion: final at once from a wallet, or an intent for a channel.

    `authenticate`: the channel is to have the payer prove that it is him. Raises ChannelUnavailable.
    """
    match PRODUCTS[created.product].source:
        case "wallet":
            return [_paid_from_wallet(created)]
        case "channel":
            chosen = route(created.method.type)
            routed = PaymentRouted(chosen.channel, chosen.because)
            return [routed, initiated(created, 1, chosen, authenticate=authenticate)]


def initiated(created: PaymentCreated, number: int, chosen: Route, *, authenticate: bool = False) -> Event:
    """The intent of the n-th attempt: it is in the log before a byte of it is sent."""
    return PaymentAttemptInitiated(
        attempt=attempt_id(created.id, number),
        channel=chosen.channel,
        amount=created.amount,
        currency=created.currency,
        token=created.method.token,
        merchant=created.merchant,
        order_reference=created.order_reference,
        capture=created.capture == "automatic",
        method=created.method.type,
        details=created.method.details,
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
    )
