"""Confirmations: what the payer answers to a channel that asked for a code or a proof; in the payment's stream."""

from typing import ClassVar

from ledger.events.event import Event


class PaymentConfirmationSent(Event, frozen=True, omit_defaults=True):
    """The intent to pass the payer's answer on, recorded before it is sent; the channel knows it by `confirmation`.

    `answer` is in a seal: only the service that has to tell it to the channel can open it.
    """

    topic: ClassVar[str] = "payments.confirmation_sent.v1"

    confirmation: str
    attempt: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    answer: str = ""


class PaymentConfirmationFailed(Event, frozen=True, omit_defaults=True):
    """The answer changed nothing and the payer is asked again: it was `wrong`, `not_done` yet, or `not_sent` at all.

    `tries_left`: how many more wrong answers are taken; None where they are not counted.
    """

    topic: ClassVar[str] = "payments.confirmation_failed.v1"

    confirmation: str
    attempt: str
    because: str
    tries_left: int | None = None
