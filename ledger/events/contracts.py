"""Contracts: a payer's agreement to be charged, one stream each; a bound card is one too, with the house."""

from datetime import datetime
from typing import ClassVar

import msgspec

from ledger.events.event import Event
from ledger.events.payments import Method


class PeriodLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """At most `amount` minor units in each day, week (from Monday) or month of the calendar, in UTC.

    `count`: and at most so many charges; None: any number.
    """

    amount: int
    period: str
    count: int | None = None


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What may be charged under a contract, in minor units of its currency; None: no such limit."""

    currency: str
    per_charge: int | None = None
    per_period: PeriodLimit | None = None


class ContractDrafted(Event, frozen=True, omit_defaults=True):
    """A contract is to be signed at `channel`, chosen `because`. No merchant and no limits: a card that is bound."""

    topic: ClassVar[str] = "contracts.drafted.v1"

    id: str
    customer: str
    merchant: str | None
    product: str
    method: Method
    channel: str
    because: str = ""
    limits: Limits | None = None
    single_use: bool = False
    expires_at: datetime | None = None
    return_url: str | None = None
    metadata: dict[str, str] = {}


class ContractSigningRequested(Event, frozen=True, omit_defaults=True):
    """The intent to have it signed, or to tell the channel the payer's `answer`; the channel knows it by `signing`."""

    topic: ClassVar[str] = "contracts.signing_requested.v1"

    id: str
    signing: str
    channel: str
    customer: str
    method: str
    details: dict[str, str] = {}
    answer: str | None = None
    return_url: str | None = None


class ContractActionRequired(Event, frozen=True, omit_defaults=True):
    """The payer is asked to agree: by a code that he was sent, or at `url`."""

    topic: ClassVar[str] = "contracts.action_required.v1"

    id: str
    action: str
    channel_reference: str
    url: str | None = None
    data: dict[str, str] = {}
    expires_at: datetime | None = None


class ContractUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say what became of the signing: it is asked until that is known."""

    topic: ClassVar[str] = "contracts.unanswered.v1"

    id: str
    reason: str


class ContractAnswerRefused(Event, frozen=True, omit_defaults=True):
    """The payer's answer was not taken, and he may give another. `counted`: as one of the few that he has."""

    topic: ClassVar[str] = "contracts.answer_refused.v1"

    id: str
    group: str
    channel_code: str = ""
    message: str = ""
    counted: bool = True


class ContractActivated(Event, frozen=True, omit_defaults=True):
    """The payer agreed: charges that name `channel_reference` need no other word of his."""

    topic: ClassVar[str] = "contracts.activated.v1"

    id: str
    channel_reference: str


class ContractSignedTooLate(Event, frozen=True, omit_defaults=True):
    """The payer agreed when the contract was over already: the agreement is ended at the channel too."""

    topic: ClassVar[str] = "contracts.signed_too_late.v1"

    id: str
    channel_reference: str


class ContractUpdateRequested(Event, frozen=True, omit_defaults=True):
    """The intent to have the agreement that the channel knows by `replaces` charged to another card, or to tell it the
    payer's `answer` to that. The channel knows the update by `update`, and this step of it by `step`.
    """

    topic: ClassVar[str] = "contracts.update_requested.v1"

    id: str
    update: str
    step: str
    channel: str
    replaces: str
    customer: str
    method: Method
    answer: str | None = None
    return_url: str | None = None


class ContractUpdated(Event, frozen=True, omit_defaults=True):
    """Another card is charged from now on: the `method` of our `update`, under this reference of the channel's.

    Without them the channel has learned of the new card by itself, and names that by `replacement`.
    """

    topic: ClassVar[str] = "contracts.updated.v1"

    id: str
    update: str = ""
    channel_reference: str = ""
    method: Method | None = None
    replacement: str = ""


class ContractUpdateFailed(Event, frozen=True, omit_defaults=True):
    """The card stays as it was. `group` is the project's own taxonomy of reasons."""

    topic: ClassVar[str] = "contracts.update_failed.v1"

    id: str
    update: str
    group: str
    channel_code: str = ""
    message: str = ""


class ContractFailed(Event, frozen=True, omit_defaults=True):
    """It was never signed. `group` is the project's own taxonomy of reasons."""

    topic: ClassVar[str] = "contracts.failed.v1"

    id: str
    group: str
    channel_code: str = ""
    message: str = ""


class ContractExpired(Event, frozen=True, omit_defaults=True):
    """The payer's time to sign it is over."""

    topic: ClassVar[str] = "contracts.expired.v1"

    id: str


class ContractSuspended(Event, frozen=True, omit_defaults=True):
    """Nothing is charged under it until it is resumed."""

    topic: ClassVar[str] = "contracts.suspended.v1"

    id: str
    reason: str


class ContractResumed(Event, frozen=True, omit_defaults=True):
    """It may be charged again."""

    topic: ClassVar[str] = "contracts.resumed.v1"

    id: str


class ContractTerminated(Event, frozen=True, omit_defaults=True):
    """It is over for ever. `by` is user, merchant, channel or expiry."""

    topic: ClassVar[str] = "contracts.terminated.v1"

    id: str
    by: str
    reason: str = ""


class ContractEndingRequested(Event, frozen=True, omit_defaults=True):
    """The intent to end the agreement at the channel too; the channel knows it by `ending`."""

    topic: ClassVar[str] = "contracts.ending_requested.v1"

    id: str
    ending: str
    channel: str
    channel_reference: str


class ContractEndConfirmed(Event, frozen=True, omit_defaults=True):
    """The agreement is over at the channel too."""

    topic: ClassVar[str] = "contracts.end_confirmed.v1"

    id: str
    ending: str


class ContractChargeReserved(Event, frozen=True, omit_defaults=True):
    """A payment under the contract began: its amount counts in the period of `counts_at`, whatever becomes of it."""

    topic: ClassVar[str] = "contracts.charge_reserved.v1"

    id: str
    payment: str
    amount: int
    currency: str
    counts_at: datetime


class ContractChargeConfirmed(Event, frozen=True, omit_defaults=True):
    """The payment was paid: its amount has been charged under the contract."""

    topic: ClassVar[str] = "contracts.charge_confirmed.v1"

    id: str
    payment: str


class ContractChargeReleased(Event, frozen=True, omit_defaults=True):
    """The payment will not be paid: its amount does not count any more."""

    topic: ClassVar[str] = "contracts.charge_released.v1"

    id: str
    payment: str
    because: str


ContractEvent = (
    ContractDrafted
    | ContractSigningRequested
    | ContractActionRequired
    | ContractUnanswered
    | ContractAnswerRefused
    | ContractActivated
    | ContractSignedTooLate
    | ContractUpdateRequested
    | ContractUpdated
    | ContractUpdateFailed
    | ContractFailed
    | ContractExpired
    | ContractSuspended
    | ContractResumed
    | ContractTerminated
    | ContractEndingRequested
    | ContractEndConfirmed
    | ContractChargeReserved
    | ContractChargeConfirmed
    | ContractChargeReleased
)
