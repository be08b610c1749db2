"""Sub-ledgers: what each event does to what is open behind a control account, by itself and without the journal: pure.

    2210  refund in transit          refunds, and receipts given back, that are under way or came back
    2220  payout in transit          payouts and withdrawals that nobody has seen leave
    2230  agency in transit          the same, out of a principal's balance
    2020  wallet frozen              what is set aside in wallets, by payment or freeze
    1230  dispute receivable         disputes that are not decided
    2140  merchant dispute hold      the same, of whoever bears them

Written without the posting rules on purpose: that both come to the same is the check.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ledger import chart
from ledger.accounts import DEBIT_NORMAL
from ledger.events import payouts
from ledger.events.authorizations import PaymentCapturedFromWallet, PaymentFrozenInWallet, PaymentUnfrozenInWallet
from ledger.events.disputes import DisputeFundsReturned, DisputeFundsTaken, DisputeLossReversed, DisputeLost
from ledger.events.entries import EntryPosted, ReversalPosted
from ledger.events.event import Event, Recorded
from ledger.events.holds import HoldCaptured
from ledger.events.payments import PaymentCaptured, PaymentWalletFrozen, PaymentWalletUnfrozen
from ledger.events.receipts import ReceiptReturned, ReceiptReturnFailed, ReceiptReturnRequested
from ledger.events.refunds import RefundFailed, RefundPaidByBank, RefundRequested, RefundReturned, RefundSucceeded
from ledger.events.transfers import TransferPosted
from ledger.events.wallets import WalletFrozen, WalletReleased
from ledger.posting_rules import movements_for

CONTROLS = (
    chart.Code.DISPUTE_RECEIVABLE,
    chart.Code.WALLET_FROZEN,
    chart.Code.MERCHANT_DISPUTE_HOLD,
    chart.Code.REFUND_IN_TRANSIT,
    chart.Code.PAYOUT_IN_TRANSIT,
    chart.Code.AGENCY_IN_TRANSIT,
)
_PREFIXES = tuple(f"sys:{code.number}:" for code in CONTROLS)


class Flow(msgspec.Struct, frozen=True):
    """By `amount` minor units more is open of `subject`, below 0 less, on the normal side of its control account."""

    account: str
    subject: str
    currency: str
    amount: int


Flows = Iterator[Flow]
# Keyed by the event's class, each rule takes just that class.
Rules = dict[type[Event], Callable[[Any, Recorded], Flows]]


def flows(recorded: Recorded) -> list[Flow]:
    """What this event does to what is open; nothing, for most."""
    rule = _RULES.get(type(recorded.event))
    return [] if rule is None else [flow for flow in rule(recorded.event, recorded) if flow.amount]


# --- refunds ----------------------------------------------------------------------------------------------------------

_Refund = RefundRequested | RefundSucceeded | RefundFailed | RefundReturned | RefundPaidByBank


def _refund(event: _Refund | ReceiptReturnRequested | ReceiptReturned | ReceiptReturnFailed, amount: int) -> Flows:
    yield Flow(chart.refund_in_transit(event.merchant, event.currency), event.id, event.currency, amount)


def _refund_begun(event: RefundRequested, recorded: Recorded) -> Flows:
    return _refund(event, event.amount + event.to_wallet)


def _refund_over(event: RefundSucceeded | RefundFailed, recorded: Recorded) -> Flows:
    return _refund(event, -event.amount - event.to_wallet)


def _owed_again(event: RefundReturned | ReceiptReturnRequested, recorded: Recorded) -> Flows:
    return _refund(event, event.amount)


def _owed_no_more(event: RefundPaidByBank, recorded: Recorded) -> Flows:
    return _refund(event, -event.amount)


def _receipt_over(event: ReceiptReturned | ReceiptReturnFailed, recorded: Recorded) -> Flows:
    # A late return, or one that bounced, was not on its way any more.
    aside = event.late if isinstance(event, ReceiptReturned) else event.bounced
    return _refund(event, 0 if aside else -event.amount)


# --- payouts ----------------------------------------------------------------------------------------------------------

_Payout = (
    payouts.PayoutReserved
    | payouts.PayoutPaid
    | payouts.PayoutDebited
    | payouts.PayoutRejected
    | payouts.PayoutReturned
    | payouts.PayoutGivenBack
)


def _payout(event: _Payout, amount: int) -> Flows:
    match event.source:
        case payouts.PRINCIPAL:
            account = chart.agency_in_transit(event.party, event.currency)
        case payouts.CUSTOMER:
            account = chart.withdrawal_in_transit(event.party, event.currency)
        case _:
            account = chart.payout_in_transit(event.party, event.currency)
    yield Flow(account, event.id, event.currency, amount)


def _payout_begun(event: payouts.PayoutReserved, recorded: Recorded) -> Flows:
    return _payout(event, event.amount)


def _payout_paid(event: payouts.PayoutPaid, recorded: Recorded) -> Flows:
    # Of any other the statement of the bank is waited for.
    return _payout(event, -event.amount if event.prefunded else 0)


def _payout_gone(
    event: payouts.PayoutDebited | payouts.PayoutRejected | payouts.PayoutGivenBack, recorded: Recorded
) -> Flows:
    return _payout(event, -event.amount)


def _payout_there_again(event: payouts.PayoutDebitUndone, recorded: Recorded) -> Flows:
    return _payout(event.debited, event.debited.amount)


def _payout_returned(event: payouts.PayoutReturned, recorded: Recorded) -> Flows:
    return _payout(event, event.amount if event.prefunded or event.bank_account else 0)


# --- wallets ----------------------------------------------------------------------------------------------------------


def _wallet(customer: str, subject: str, currency: str, amount: int) -> Flows:
    yield Flow(chart.wallet_frozen(customer, currency), subject, currency, amount)


def _set_aside(event: PaymentFrozenInWallet | PaymentWalletFrozen, recorded: Recorded) -> Flows:
    return _wallet(event.customer, recorded.stream, event.currency, event.amount)


def _let_go(event: PaymentUnfrozenInWallet | PaymentWalletUnfrozen, recorded: Recorded) -> Flows:
    return _wallet(event.customer, recorded.stream, event.currency, -event.amount)


def _taken(event: PaymentCapturedFromWallet, recorded: Recorded) -> Flows:
    return _wallet(event.customer, recorded.stream, event.currency, -event.amount - event.unfrozen)


def _taken_with_card(event: PaymentCaptured, recorded: Recorded) -> Flows:
    if event.from_wallet:
        yield from _wallet(event.customer or "", recorded.stream, event.currency, -event.from_wallet)


def _frozen(event: WalletFrozen, recorded: Recorded) -> Flows:
    return _wallet(event.customer, event.id, event.currency, event.amount)


def _released(event: WalletReleased, recorded: Recorded) -> Flows:
    return _wallet(event.customer, event.id, event.currency, -event.amount)


# --- disputes ---------------------------------------------------------------------------------------------------------

_Dispute = DisputeFundsTaken | DisputeFundsReturned | DisputeLost | DisputeLossReversed


def _dispute(event: _Dispute, sign: int) -> Flows:
    currency = event.share.currency or event.currency
    hold = chart.principal_dispute_hold if event.share.collected else chart.merchant_dispute_hold
    for account in (chart.dispute_receivable(event.channel, currency), hold(event.merchant, currency)):
        yield Flow(account, event.id, currency, sign * event.share.borne)


def _undecided(event: DisputeFundsTaken | DisputeLossReversed, recorded: Recorded) -> Flows:
    return _dispute(event, 1)


def _decided(event: DisputeFundsReturned | DisputeLost, recorded: Recorded) -> Flows:
    return _dispute(event, -1)


# --- what people post themselves --------------------------------------------------------------------------------------


def _by_hand(event: TransferPosted | EntryPosted | ReversalPosted | HoldCaptured, recorded: Recorded) -> Flows:
    """Somebody moved the control account: the entry stands in the sub-ledger too, until another takes it back."""
    if isinstance(event, TransferPosted) and not (
        event.debit_account.startswith(_PREFIXES) or event.credit_account.startswith(_PREFIXES)
    ):
        return  # The commonest event by far.
    for move in movements_for(event):
        if move.account.startswith(_PREFIXES):
            net = move.debit - move.credit
            debit_normal = chart.code_of(move.account).kind in DEBIT_NORMAL
            yield Flow(move.account, recorded.stream, move.currency, net if debit_normal else -net)


_RULES: Rules = {
    RefundRequested: _refund_begun,
    RefundSucceeded: _refund_over,
    RefundFailed: _refund_over,
    RefundReturned: _owed_again,
    RefundPaidByBank: _owed_no_more,
    ReceiptReturnRequested: _owed_again,
    ReceiptReturned: _receipt_over,
    ReceiptReturnFailed: _receipt_over,
    payouts.PayoutReserved: _payout_begun,
    payouts.PayoutPaid: _payout_paid,
    payouts.PayoutDebited: _payout_gone,
    payouts.PayoutDebitUndone: _payout_there_again,
    payouts.PayoutRejected: _payout_gone,
    payouts.PayoutReturned: _payout_returned,
    payouts.PayoutGivenBack: _payout_gone,
    PaymentFrozenInWallet: _set_aside,
    PaymentUnfrozenInWallet: _let_go,
    PaymentCapturedFromWallet: _taken,
    PaymentCaptured: _taken_with_card,
    PaymentWalletFrozen: _set_aside,
    PaymentWalletUnfrozen: _let_go,
    WalletFrozen: _frozen,
    WalletReleased: _released,
    DisputeFundsTaken: _undecided,
    DisputeFundsReturned: _decided,
    DisputeLost: _decided,
    DisputeLossReversed: _undecided,
    TransferPosted: _by_hand,
    EntryPosted: _by_hand,
    ReversalPosted: _by_hand,
    HoldCaptured: _by_hand,
}
