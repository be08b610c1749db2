"""Codec: an event as its topic word and JSON bytes, and back through the upcasters.

Topics are words of our own and resolved by this list only: a module may move, and a row in the log can never name code.
"""

import msgspec

from ledger.events import accounts, customers, entries, holds, merchants, payments, periods, refunds, top_ups, transfers
from ledger.events.event import Event, Metadata
from ledger.store.upcasters import UPCASTERS

EVENT_TYPES: tuple[type[Event], ...] = (
    accounts.AccountOpened,
    accounts.AccountLimitsChanged,
    accounts.AccountFrozen,
    accounts.AccountUnfrozen,
    accounts.AccountClosed,
    transfers.TransferPosted,
    entries.EntryPosted,
    entries.ReversalPosted,
    entries.EntryReversed,
    holds.HoldPlaced,
    holds.HoldCaptured,
    holds.HoldReleased,
    holds.HoldExpired,
    periods.PeriodClosed,
    periods.PeriodReopened,
    merchants.MerchantCreated,
    customers.CustomerCreated,
    customers.WalletOpened,
    top_ups.TopUpRequested,
    top_ups.TopUpUnanswered,
    top_ups.TopUpSucceeded,
    top_ups.TopUpFailed,
    top_ups.TopUpReceiptUnapplied,
    payments.PaymentCreated,
    payments.PaymentRiskAssessed,
    payments.PaymentRouted,
    payments.PaymentAttemptInitiated,
    payments.PaymentAttemptUnanswered,
    payments.PaymentAttemptDeclined,
    payments.PaymentCaptured,
    payments.PaymentPaidFromWallet,
    payments.PaymentFailed,
    payments.PaymentReceiptUnapplied,
    refunds.RefundRequested,
    refunds.RefundUnanswered,
    refunds.RefundSucceeded,
    refunds.RefundFailed,
    refunds.RefundPaidToWallet,
    refunds.RefundUnapplied,
)
TOPICS: dict[str, type[Event]] = {event_type.topic: event_type for event_type in EVENT_TYPES}

_ENCODER = msgspec.json.Encoder()
_EVENT_DECODERS = {topic: msgspec.json.Decoder(event_type) for topic, event_type in TOPICS.items()}
_METADATA_DECODER = msgspec.json.Decoder(Metadata)
_VALUES_DECODER = msgspec.json.Decoder(dict)


class UnknownTopic(Exception):
    """The log holds a topic that this version of the program does not know."""


encode = _ENCODER.encode


def decode(topic: str, state: bytes) -> Event:
    """The event that was recorded under this topic; raises UnknownTopic."""
    decoder = _EVENT_DECODERS.get(topic)
    if decoder is not None:
        return decoder.decode(state)
    if topic not in UPCASTERS:
        raise UnknownTopic(topic)
    values = _VALUES_DECODER.decode(state)
    while topic in UPCASTERS:
        topic, upcast = UPCASTERS[topic]
        values = upcast(values)
    return msgspec.convert(values, TOPICS[topic])


def decode_metadata(stored: bytes) -> Metadata:
    return _METADATA_DECODER.decode(stored)
