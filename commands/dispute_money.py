"""Dispute money: where the money of a payment's disputes belongs now, and the events that bring it there.

It follows from which words were said and from what was captured and refunded, not from the order of all that: whenever
one of them changes, every dispute is looked at again. The merchant bears no more than it has of the payment, in the
currency that it is owed; what the channel took beyond that, or in another currency than the payer had paid in, stands
in suspense and is for people to look at.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from commands.books import Books
from commands.channel_facts import imagined
from commands.payees import Payee, payee_of
from commands.policies.charges import COIN
from commands.refund_ways import cost_at_the_rate
from ledger.chart import (
    AGENCY_PAY,
    agency_balance,
    merchant_available,
    merchant_pending,
    merchant_receivable,
    principal_receivable,
)
from ledger.dispute import LOST, NONE, PLATFORM, TAKEN, Dispute, DisputeShare, money_after
from ledger.events.disputes import DisputeFundsReturned, DisputeFundsTaken, DisputeLossReversed, DisputeLost
from ledger.events.event import Event
from ledger.payment import FAILED, Payment
from ledger.payment_state import fold
from ledger.posting_rules import movements_for


def dispute_events(books: Books, stream: str, decided: Sequence[Event]) -> list[Event]:
    """What follows for the disputes of a payment from these events of its stream, which are decided already."""
    more: list[Event] = []
    payment = _payment(books, stream, decided)
    for number in range(len(payment.disputes)):
        dispute = payment.disputes[number]
        steps = _Steps(books, payment, dispute, [*decided, *more]).taken()
        if steps:
            more += steps
            payment = _payment(books, stream, [*decided, *more])
    return more


def _payment(books: Books, stream: str, decided: Sequence[Event]) -> Payment:
    payment = fold(imagined(books, stream, list(decided)))
    if payment is None:
        raise AssertionError(f"{stream} is empty")
    return payment


def merchants_part(payment: Payment, dispute: Dispute) -> int:
    """How much of what the channel took the merchant can be asked for, in minor units."""
    created = payment.created
    if dispute.currency != created.currency or created.method.type == COIN:
        return 0  # Nobody knows what that is in the currency that the merchant is owed.
    refunded = sum(refund.amount for refund in payment.refunds if refund.status != FAILED)
    before = payment.disputes[: payment.disputes.index(dispute)]
    disputed = sum(other.share.held for other in before if other.money != NONE)
    return max(0, min(dispute.amount, payment.captured - refunded - disputed))


class _Steps:
    """The steps of one dispute, each seeing the balances that those before it leave."""

    def __init__(self, books: Books, payment: Payment, dispute: Dispute, decided: Sequence[Event]) -> None:
        self._books, self._payment, self._dispute = books, payment, dispute
        created = payment.created
        self._merchant, self._currency = created.merchant, dispute.currency
        self._collected = created.product == AGENCY_PAY
        into = None if created.method.type == COIN else created.exchange
        self._owed_in = dispute.currency if into is None else into.currency
        debt = principal_receivable if self._collected else merchant_receivable
        self._debt = debt(self._merchant, self._owed_in)
        self._decided = list(decided)
        self._steps: list[Event] = []

    def taken(self) -> list[Event]:
        dispute, belongs = self._dispute, money_after(self._dispute.words)
        money, share = dispute.money, dispute.share
        held = merchants_part(self._payment, dispute)
        shared_anew = belongs != NONE and money != NONE and share.held != held
        if money == LOST and (belongs != LOST or shared_anew):
            share = self._reverse_loss(share)
            money = TAKEN
        if money == TAKEN and (belongs == NONE or shared_anew):
            self._return(share)
            money = NONE
        if money == NONE and (belongs != NONE or (dispute.is_charged_back and not dispute.was_taken)):
            share = self._take(held)
            money = TAKEN
            if belongs == NONE:  # How it ended was heard first: it was taken and came back, for its fee.
                self._return(share)
                money = NONE
        if belongs == LOST and money == TAKEN:
            self._lose(share)
        return self._steps

    def _take(self, held: int) -> DisputeShare:
        dispute, terms = self._dispute, self._payee()
        share = self._share(held)
        # Once for each dispute, in the currency that it was agreed in, and not for what the merchant has no part in.
        owes_fee = held and not dispute.fee and terms.currency == self._owed_in
        fee = terms.after_sale.dispute_fee if owes_fee else 0
        whole = self._from_merchant(share.borne + fee)
        self._add(
            DisputeFundsTaken(
                id=dispute.id,
                merchant=self._merchant,
                channel=dispute.channel,
                stage=dispute.stage,
                amount=dispute.amount,
                currency=self._currency,
                share=share,
                fee=fee,
                fee_from_available=whole[0] - share.from_available,
                fee_short=whole[1] - share.short,
            )
        )
        return share

    def _share(self, held: int) -> DisputeShare:
        """Who bears what the channel takes: so much of it whoever was paid, and the rest nobody."""
        dispute, suspended = self._dispute, self._dispute.amount - held
        if not held:
            return DisputeShare(suspended=suspended)
        if self._owed_in == self._currency:
            from_available, short = self._from_merchant(held)
            return DisputeShare(held, from_available, short, suspended, collected=self._collected)
        before = self._payment.disputes[: self._payment.disputes.index(dispute)]
        cost = cost_at_the_rate(self._payment, held, before)
        from_available, short = self._from_merchant(cost)
        return DisputeShare(held, from_available, short, suspended, cost, self._owed_in)

    def _return(self, share: DisputeShare) -> None:
        dispute = self._dispute
        self._add(
            DisputeFundsReturned(
                id=dispute.id,
                merchant=self._merchant,
                channel=dispute.channel,
                stage=dispute.stage,
                amount=dispute.amount,
                currency=self._currency,
                share=self._as_owed(share),
            )
        )

    def _lose(self, share: DisputeShare) -> None:
        dispute = self._dispute
        liable = self._payee().after_sale.dispute_liability
        self._add(
            DisputeLost(
                id=dispute.id,
                merchant=self._merchant,
                channel=dispute.channel,
                stage=dispute.stage,
                amount=dispute.amount,
                currency=self._currency,
                share=self._as_owed(share) if liable == PLATFORM else share,
                liable=liable,
            )
        )

    def _reverse_loss(self, share: DisputeShare) -> DisputeShare:
        dispute = self._dispute
        if dispute.liable == PLATFORM:
            # The merchant has had it back, and it is to be found once more wherever it is now.
            from_available, short = self._from_merchant(share.borne)
            share = replace(share, from_available=from_available, short=short)
        self._add(
            DisputeLossReversed(
                id=dispute.id,
                merchant=self._merchant,
                channel=dispute.channel,
                stage=dispute.stage,
                amount=dispute.amount,
                currency=self._currency,
                share=share,
                liable=dispute.liable,
            )
        )
        return share

    def _as_owed(self, share: DisputeShare) -> DisputeShare:
        """The share as it is given back: a debt that was paid meanwhile becomes money of the merchant."""
        short = min(share.short, max(0, self._balance(self._debt)))
        return replace(share, from_available=share.from_available + share.short - short, short=short)

    def _from_merchant(self, amount: int) -> tuple[int, int]:
        """What of a sum is taken from what was released, and as a debt; pending sales come first.

        A principal has one balance with us, and nothing is pending there.
        """
        owner = (self._merchant, self._owed_in)
        pending = 0 if self._collected else self._balance(merchant_pending(*owner))
        left = amount - min(amount, max(0, pending))
        there = self._balance(agency_balance(*owner) if self._collected else merchant_available(*owner))
        available = min(left, max(0, there))
        return available, left - available

    def _payee(self) -> Payee:
        return payee_of(self._books, self._payment.created.product, self._merchant)

    def _balance(self, account: str) -> int:
        """After everything that is decided; of an account of the chart on its normal side."""
        found = self._books.find_account(account)
        decided = [move for event in self._decided for move in movements_for(event) if move.account == account]
        net = sum(move.debit - move.credit for move in decided)
        return (0 if found is None else found.balance) + (net if account == self._debt else -net)

    def _add(self, event: Event) -> None:
        self._decided.append(event)
        self._steps.append(event)
