"""Fx settlements: what a foreign payment, refund or lost dispute came to, once its channel has settled it at a rate.

The merchant is owed what was quoted; the difference is our gain or loss. After it the position is zero in both units.
"""

from commands.books import Books
from commands.channel_facts import check_amount
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.policies.charges import COIN
from commands.policies.fees import channel_fee
from commands.settlement_state import batch_not_paid
from commands.system_accounts import with_accounts
from ledger.dispute import LOST
from ledger.errors import (
    DisputeNotFound,
    DisputeStateInvalid,
    ExchangeSettledAlready,
    FieldInvalid,
    PaymentNotFound,
    PaymentStateInvalid,
    RefundNotFound,
)
from ledger.events.fx import FxRealized, FxSettled
from ledger.ids import DISPUTE, REFUND, stream_of
from ledger.payment import SUCCEEDED, Payment
from ledger.payment_state import fold

# What goes back to the payer, and is settled the other way round.
_BACK = (REFUND, DISPUTE)


class SettleExchange(Command, frozen=True):
    """The channel settled `subject`, a payment, refund or lost dispute, for `settled` minor units of its money.

    `kept_fee` of the same currency is what it kept for it; None: what was expected stands.
    """

    subject: str
    settled: int
    kept_fee: int | None = None
    rate: str = ""
    reference: str = ""
    batch: str = ""
    """In which the channel pays it, where that is known."""


class ExchangeReceipt(Receipt):
    """What was quoted and what it came to, in minor units of the merchant's currency."""

    subject: str = ""
    amount: int = 0
    currency: str = ""
    quoted: int = 0
    settled: int = 0
    settled_currency: str = ""
    gain: int = 0
    loss: int = 0


def settle(books: Books, command: SettleExchange, envelope: Envelope) -> Decision:
    check_amount(command.settled)
    if command.kept_fee is not None and command.kept_fee < 0:
        raise FieldInvalid("A fee is not negative.", pointer="/kept_fee")
    payment = _payment(books, command.subject)
    created, attempt = payment.created, payment.paying_attempt
    into = created.exchange
    if into is None or attempt is None or created.method.type == COIN:
        raise PaymentStateInvalid("Nothing was exchanged for it.", payment=created.id)
    if command.subject in payment.settled_exchanges:
        raise ExchangeSettledAlready(subject=command.subject)
    back = command.subject.startswith(_BACK)
    if command.batch:
        batch_not_paid(books, attempt.channel, into.currency, command.batch)
    amount, quoted = _amounts(payment, command.subject)
    accrued = 0 if back or command.kept_fee is None else channel_fee(attempt.channel, amount)
    settled = FxSettled(
        subject=command.subject,
        channel=attempt.channel,
        amount=amount,
        currency=created.currency,
        settled=command.settled,
        settled_currency=into.currency,
        back=back,
        accrued_fee=accrued,
        kept_fee=command.kept_fee or 0,
        rate=command.rate,
        reference=command.reference,
        batch=command.batch,
    )
    gain = quoted - command.settled if back else command.settled - quoted
    realized = FxRealized(
        subject=command.subject,
        channel=attempt.channel,
        from_currency=created.currency,
        to_currency=into.currency,
        currency=into.currency,
        gain=max(0, gain),
        loss=max(0, -gain),
    )
    receipt = ExchangeReceipt(
        subject=command.subject,
        amount=amount,
        currency=created.currency,
        quoted=quoted,
        settled=command.settled,
        settled_currency=into.currency,
        gain=realized.gain,
        loss=realized.loss,
    )
    return Decision(with_accounts(books, [(created.id, settled), (created.id, realized)]), receipt)


def _payment(books: Books, subject: str) -> Payment:
    order = stream_of(subject) if subject.startswith(_BACK) else subject
    payment = fold(books.recorded(order)) if order.startswith("pay_") else None
    if payment is not None:
        return payment
    if subject.startswith(DISPUTE):
        raise DisputeNotFound(dispute=subject)
    raise RefundNotFound(refund=subject) if subject.startswith(REFUND) else PaymentNotFound(payment=subject)


def _amounts(payment: Payment, subject: str) -> tuple[int, int]:
    """What moved in the payment's currency, and what the merchant was owed or gave up for it."""
    if subject.startswith(REFUND):
        refund = payment.refund(subject)
        if refund is None:
            raise RefundNotFound(refund=subject)
        if refund.status != SUCCEEDED or refund.exchange is None:
            raise PaymentStateInvalid(f"The refund is {refund.status}.", refund=subject)
        return refund.amount, refund.exchange.cost
    if subject.startswith(DISPUTE):
        dispute = payment.dispute(subject)
        if dispute is None:
            raise DisputeNotFound(dispute=subject)
        # While nobody has decided, the channel may give it back, and what it was worth with it.
        if dispute.money != LOST or not dispute.share.currency:
            raise DisputeStateInvalid(
                f"The dispute is {dispute.status}.", dispute=subject, dispute_status=dispute.status, stage=dispute.stage
            )
        return dispute.share.held, dispute.share.cost
    into = payment.created.exchange
    if payment.status != SUCCEEDED or into is None:
        raise PaymentStateInvalid(f"The payment is {payment.status}.", payment=subject)
    return payment.captured, into.amount


def _needs(command: SettleExchange) -> Needs:
    back = command.subject.startswith(_BACK)
    return Needs(streams=(stream_of(command.subject) if back else command.subject,))


DECIDERS: dict[type[Command], Decider] = {SettleExchange: Decider(settle, _needs)}
