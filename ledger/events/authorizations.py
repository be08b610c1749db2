"""Authorizations: money that is held for a payment, at a channel or in a wallet, and is taken later, or not at all.

They are recorded in the stream of the payment. A capture that succeeded is `PaymentCaptured` of payments.py, with the
id of the capture; what is held counts as memo until then.
"""

from datetime import datetime
from typing import ClassVar

from ledger.events.event import Event
from ledger.events.merchants import FeeTerms


class PaymentAuthorized(Event, frozen=True, omit_defaults=True):
    """The channel holds `amount`, which may be less than was asked for. `fee`: the merchant's terms for what is taken.

    `by_channel`: the channel goes on to take it by itself, and nobody here captures it.
    """

    topic: ClassVar[str] = "payments.authorized.v1"

    attempt: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    fee: FeeTerms
    capture_before: datetime | None = None
    by_channel: bool = False


class PaymentFrozenInWallet(Event, frozen=True, omit_defaults=True):
    """`amount` of the customer's wallet is set aside; with `increment`, the id of one, on top of what was before."""

    topic: ClassVar[str] = "payments.frozen_in_wallet.v1"

    customer: str
    amount: int
    currency: str
    fee: FeeTerms
    capture_before: datetime | None = None
    increment: str = ""


class PaymentUnfrozenInWallet(Event, frozen=True, omit_defaults=True):
    """`amount` is the customer's to spend again. `because`: voided, under the id of a void, or expired."""

    topic: ClassVar[str] = "payments.unfrozen_in_wallet.v1"

    customer: str
    amount: int
    currency: str
    because: str
    reason: str = ""
    id: str = ""


class PaymentCapturedFromWallet(Event, frozen=True, omit_defaults=True):
    """`amount` of what was set aside is the merchant's, less `fee` and `tax`; `unfrozen` goes back to the customer.

    `subsidy` comes on top of it; `invoiced`: fee and tax stand as an invoice.
    """

    topic: ClassVar[str] = "payments.captured_from_wallet.v1"

    id: str
    customer: str
    merchant: str
    product: str
    amount: int
    currency: str
    fee: int
    unfrozen: int = 0
    final: bool = False
    tax: int = 0
    invoiced: bool = False
    subsidy: int = 0


class CaptureRequested(Event, frozen=True, omit_defaults=True):
    """The merchant takes `amount` of what is held; with `final` the rest is let go once it succeeds."""

    topic: ClassVar[str] = "captures.requested.v1"

    id: str
    attempt: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    final: bool = False


class CaptureUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say what became of the capture: unknown, and asked again until it is known."""

    topic: ClassVar[str] = "captures.unanswered.v1"

    id: str
    reason: str


class CaptureDeclined(Event, frozen=True, omit_defaults=True):
    """The channel took nothing: the capture's amount is open again."""

    topic: ClassVar[str] = "captures.declined.v1"

    id: str
    group: str
    channel_code: str = ""
    message: str = ""


class AuthorizationReleased(Event, frozen=True, omit_defaults=True):
    """What the channel still held beside the captures is held no more: the authorization is over."""

    topic: ClassVar[str] = "authorizations.released.v1"

    channel: str
    amount: int
    currency: str


class AuthorizationExpired(Event, frozen=True, omit_defaults=True):
    """The time until which the channel holds the money has passed; `amount` was open and under no capture."""

    topic: ClassVar[str] = "authorizations.expired.v1"

    channel: str
    amount: int
    currency: str


class IncrementRequested(Event, frozen=True, omit_defaults=True):
    """More is to be held: `amount` on top. With `extends` it is to be held for longer, and `amount` is what is held."""

    topic: ClassVar[str] = "authorizations.increment_requested.v1"

    id: str
    attempt: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    extends: bool = False


class IncrementUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say whether it holds more, or for longer: asked again until it is known."""

    topic: ClassVar[str] = "authorizations.increment_unanswered.v1"

    id: str
    reason: str


class IncrementDeclined(Event, frozen=True, omit_defaults=True):
    """The channel holds what it held, and until when it held it."""

    topic: ClassVar[str] = "authorizations.increment_declined.v1"

    id: str
    group: str
    channel_code: str = ""
    message: str = ""


class AuthorizationIncremented(Event, frozen=True, omit_defaults=True):
    """The channel holds `amount` more."""

    topic: ClassVar[str] = "authorizations.incremented.v1"

    id: str
    channel: str
    amount: int
    currency: str
    capture_before: datetime | None = None


class AuthorizationExtended(Event, frozen=True, omit_defaults=True):
    """The money is held for longer: until `capture_before`, where that is known."""

    topic: ClassVar[str] = "authorizations.extended.v1"

    id: str
    capture_before: datetime | None = None
