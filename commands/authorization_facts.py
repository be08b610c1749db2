"""Authorization facts: what a channel's word that it holds money, or that it took what it held, makes of a payment.

Facts are applied by what they say: one that is overtaken has no effect, and a hold that no order waits for is let go.
"""

from datetime import timedelta

import msgspec
from msgspec.structs import replace

from commands.books import Books
from commands.channel_facts import imagined, with_effect, without_effect
from commands.channels.channel import Authorized
from commands.envelope import Decision
from commands.payees import payee_of
from commands.policies.fees import Fee, channel_fee, invoices_fee, next_fee
from ledger.events.authorizations import (
    AuthorizationExpired,
    AuthorizationReleased,
    PaymentAuthorized,
    PaymentFrozenInWallet,
)
from ledger.events.event import Event
from ledger.events.payments import (
    PaymentAttemptDeclined,
    PaymentAttemptUnanswered,
    PaymentCaptured,
    PaymentCreated,
    PaymentFailed,
    PaymentReceiptUnapplied,
)
from ledger.events.voids import VoidRequested
from ledger.ids import VOID, child_id
from ledger.payment import PROCESSING, REQUIRES_ACTION, UNKNOWN, Attempt, Payment
from ledger.payment_state import fold

NOBODY_WAITS = "no order waits for this hold"
IN_PART, IN_PART_GROUP = "only a part of it could be held", "insufficient_funds"
# What is noted where the channel speaks of the whole and we have asked for parts: which part it means nobody can say.
BESIDE_CAPTURES = "charged beside captures"
# Our own wallets hold money for so long; a channel says by itself for how long it does.
HELD_IN_WALLET_FOR = timedelta(days=7)


def record_authorized(books: Books, payment: Payment, attempt: Attempt, said: Authorized) -> Decision:
    """The channel holds money under this attempt."""
    name, held = payment.created.id, payment.authorization
    in_part = said.amount < attempt.amount
    if _waits(payment, attempt) and in_part and (payment.frozen or payment.created.exchange is not None):
        # Nobody can take a part of a sum from two sources or in two currencies.
        surplus = void_requested(payment, attempt, said.channel_reference, said.amount, IN_PART, surplus=True)
        no = PaymentAttemptDeclined(attempt.id, IN_PART_GROUP, message=IN_PART)
        return with_effect(books, name, [surplus, no, PaymentFailed(no.group, no.message)], name, "recorded")
    if _waits(payment, attempt):
        authorized = PaymentAuthorized(
            attempt=attempt.id,
            channel=attempt.channel,
            channel_reference=said.channel_reference,
            amount=said.amount,
            currency=attempt.currency,
            fee=payee_of(books, payment.created.product, payment.created.merchant).fee,
            capture_before=said.capture_before,
            # Over a part of the sum the merchant decides, whatever was agreed for the whole.
            by_channel=payment.created.capture == "automatic" and not in_part,
        )
        return with_effect(books, name, [authorized], name, "recorded")
    of_this_attempt = held is not None and held.attempt == attempt.id
    let_go = any(void.surplus and void.attempt == attempt.id for void in payment.voids)
    if of_this_attempt or let_go or payment.capture(attempt.id) is not None:
        return without_effect(name, "duplicate", payment.position)
    surplus = void_requested(payment, attempt, said.channel_reference, said.amount, NOBODY_WAITS, surplus=True)
    return with_effect(books, name, [surplus], name, "unapplied")


def _waits(payment: Payment, attempt: Attempt) -> bool:
    open_attempt = attempt.status in (PROCESSING, UNKNOWN, REQUIRES_ACTION)
    return open_attempt and payment.status in (PROCESSING, REQUIRES_ACTION) and payment.authorization is None


def record_charged(books: Books, payment: Payment, attempt: Attempt, charge: PaymentCaptured) -> Decision:
    """The channel took, at once and by itself, what it held under this attempt; `charge` says so of one in one step."""
    name, held = payment.created.id, payment.authorization
    if held is None:
        raise AssertionError(f"nothing was held for {attempt.id}")
    known = {*attempt.unapplied, *(capture.reference for capture in payment.captures if capture.reference)}
    if charge.channel_reference in known or payment.capture(attempt.id) is not None:
        return without_effect(name, "duplicate", payment.position)
    if payment.captures:
        if BESIDE_CAPTURES in attempt.unanswered:
            return without_effect(name, "ignored", payment.position)
        return with_effect(books, name, [PaymentAttemptUnanswered(attempt.id, BESIDE_CAPTURES)], name, "recorded")
    if not held.open:
        late = unapplied(attempt, charge.channel_reference, charge.amount, f"the payment is {payment.status} already")
        return with_effect(books, name, [late], name, "unapplied")
    taken = replace(charge, released=min(held.open, charge.amount), final=True)
    return with_effect(books, name, with_rest(books, payment, [taken]), name, "recorded")


def record_gone(books: Books, payment: Payment) -> Decision:
    """The channel does not hold it any more: its time was over there, or the payer's bank has let go of it."""
    name, held = payment.created.id, payment.authorization
    if held is None or held.channel is None or held.is_over or not held.open:
        return without_effect(name, "ignored", payment.position)
    gone = max(0, held.open - payment.reserved)
    expired = AuthorizationExpired(held.channel, gone, payment.created.currency)
    return with_effect(books, name, [expired], name, "recorded")


def frozen_in_wallet(books: Books, created: PaymentCreated) -> Event:
    """How a payment that is held in a wallet begins (the account refuses what is not there)."""
    if created.customer is None:
        raise AssertionError(f"{created.id} is held for nobody")
    terms = payee_of(books, created.product, created.merchant).fee
    return PaymentFrozenInWallet(
        created.customer, created.amount, created.currency, terms, books.now + HELD_IN_WALLET_FOR
    )


# --- what follows from it -------------------------------------------------------------------------------------------


def with_rest(books: Books, payment: Payment, events: list[Event]) -> list[Event]:
    """The events, and the release of what is held for nothing after them: an authorization that is over holds none."""
    after = fold(imagined(books, payment.created.id, events))
    held = None if after is None else after.authorization
    if after is None or held is None or held.channel is None or not held.is_over:
        return events
    rest = held.open - after.reserved
    return events if rest <= 0 else [*events, AuthorizationReleased(held.channel, rest, payment.created.currency)]


def void_requested(
    payment: Payment,
    attempt: Attempt,
    reference: str,
    amount: int,
    reason: str,
    *,
    takes_back: str = "",
    surplus: bool = False,
) -> VoidRequested:
    """The intent to have the channel let go of, or give back, this amount."""
    return VoidRequested(
        id=child_id(VOID, payment.created.id, len(payment.voids) + 1),
        attempt=attempt.id,
        channel=attempt.channel,
        channel_reference=reference,
        amount=amount,
        currency=attempt.currency,
        reason=reason,
        takes_back=takes_back,
        surplus=surplus,
    )


def unapplied(attempt: Attempt, reference: str, amount: int, because: str) -> Event:
    """Money that came and that nobody waits for is kept apart."""
    return PaymentReceiptUnapplied(
        attempt=attempt.id,
        channel=attempt.channel,
        channel_reference=reference,
        amount=amount,
        currency=attempt.currency,
        channel_fee=channel_fee(attempt.channel, amount),
        fee_payable=invoices_fee(attempt.channel),
        because=because,
    )


class Sale(msgspec.Struct, frozen=True):
    """What a capture means for its merchant: what it pays, and what we pay beside the payer. In minor units."""

    fee: Fee
    subsidy: int


def sale_of_next(payment: Payment, amount: int) -> Sale:
    """What it means to take this much: with it, all captures together cost what one over their sum would."""
    held, created = payment.authorization, payment.created
    if held is None:
        raise AssertionError(f"nothing is held for {created.id}")
    taken = payment.taken
    before = sum(capture.amount for capture in taken)
    subsidized = sum(capture.subsidy for capture in taken)
    # Of a discount goes with each capture as much as of the order does, and all of it with the whole.
    share = created.subsidy * min(before + amount, created.amount) // created.amount
    subsidy = max(0, share - subsidized)
    fees = tuple(Fee(capture.fee, capture.tax) for capture in taken)
    return Sale(next_fee(held.fee, fees, before + subsidized, amount + subsidy), subsidy)
