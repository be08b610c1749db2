"""Shares: what the events of its shares make of a payment."""

from msgspec.structs import replace

from ledger.events.event import Recorded
from ledger.events.shares import PaymentShared, PaymentShareReturned
from ledger.evolving.payments import Evolvers
from ledger.payment import Payment, Share


def shared(payment: Payment, event: PaymentShared, recorded: Recorded) -> Payment:
    share = Share(event.id, event.receiver, event.amount, recorded.recorded_at, recorded.position)
    return replace(payment, shares=(*payment.shares, share))


def returned(payment: Payment, event: PaymentShareReturned, recorded: Recorded) -> Payment:
    shares = (
        replace(share, returned=share.returned + event.amount, position=recorded.position)
        if share.id == event.id
        else share
        for share in payment.shares
    )
    return replace(payment, shares=tuple(shares))


EVOLVERS: Evolvers = {PaymentShared: shared, PaymentShareReturned: returned}
