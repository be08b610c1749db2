"""Receivable items: what each event does to the items that a channel's receivable (1110) is made of.

One table over all events, for the view that lists what is open and for whoever decides what settles it. Whatever posts
to the receivable opens an item, changes an open one or closes one, so that at every moment

    Σ gross − fee of the open items of a channel and currency  =  balance of sys:1110:<channel>:<currency>

A revocation opens an item of its own, because channels report the sale and its revocation in two lines; so do a refund
that came back and a dispute that was won. Where a channel reports neither of two, they are offset against each other.

At a bank there are no items: a line of its statement may clear what stands on these accounts, and nothing else.

    1120 channel settlement pending   a batch that its channel pays (A10), or takes, if it is below 0
    2220, 2230 in transit             a payout that the bank shows leaving (D2), or coming back (D4)
    2210 refund in transit            a refund that came back, and was then paid by a bank transfer (B7)
    1020, 1010 bank itself            an entry that has moved the account already, because people said so: a principal's
                                      funding (E1), a float that was fed (E2), a sweep (A12), D2 and B7 told by hand
    1910, 2910 suspense               whatever nobody can explain yet (J5, J6)
"""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from ledger.chart import Code, sales
from ledger.events.coins import CoinsSold, PaymentCoinsReversed, PaymentPaidInCoins
from ledger.events.credit_lines import CreditRepaid
from ledger.events.entries import EntryPosted, ReversalPosted
from ledger.events.event import Event, Recorded
from ledger.events.holds import HoldCaptured
from ledger.events.payments import PaymentCaptured, PaymentReceiptUnapplied, attempt_id
from ledger.events.receipts import ReceiptReturned, ReceiptReturnFailed
from ledger.events.refunds import RefundReturned, RefundSucceeded, RefundUnapplied
from ledger.events.repayments import RepaymentReceiptUnapplied
from ledger.events.settlements import FractionRounded
from ledger.events.top_ups import TopUpReceiptUnapplied, TopUpSucceeded
from ledger.events.transfers import TransferPosted
from ledger.events.voids import PaymentRevoked
from ledger.posting_rules import movements_for
from ledger.receivable_dispute_items import DISPUTE_RULES
from ledger.receivable_item import OFFSET, Changed, Items, ReceivableItem, Rules, closed, names_of, opened
from ledger.receivable_settling import SETTLING_RULES

_PREFIX = f"sys:{Code.CHANNEL_RECEIVABLE.number}:"


def _sales(items: Items, *names: str) -> list[ReceivableItem]:
    """The sales of the stream that carry one of these names, or all of them where none does."""
    found = [item for item in items.values() if item.kind == "sale"]
    return [item for item in found if {item.subject, *item.theirs} & {*names}] or found


def _about(found: list[ReceivableItem]) -> dict[str, Any]:
    """What an item says of the sales that it is about."""
    names = dict.fromkeys(name for item in found for name in (*item.theirs, *item.ours))
    return {"about": tuple(names), "bearer": next((item.bearer for item in found if item.bearer), "")}


# --- payments ---------------------------------------------------------------------------------------------------------


def captured(items: Items, event: PaymentCaptured, recorded: Recorded) -> Changed:
    if event.receipt:
        return []  # It came before, and is an item already.
    into, kept = event.exchange, not event.fee_payable
    return opened(
        recorded,
        event.channel,
        "sale",
        event.currency,
        event.amount,
        event.channel_fee if kept else 0,
        subject=event.capture or event.attempt,
        ours=names_of(event.capture, event.attempt, recorded.stream),
        theirs=names_of(event.channel_reference),
        payable=0 if kept else event.channel_fee,
        bearer=sales(event.product, event.merchant, event.currency) if into is None else "",
        worth=0 if into is None else into.amount,
        worth_currency="" if into is None else into.currency,
    )


def receipt_unapplied(items: Items, event: PaymentReceiptUnapplied, recorded: Recorded) -> Changed:
    kept = not event.fee_payable
    return opened(
        recorded,
        event.channel,
        "sale",
        event.currency,
        event.amount,
        event.channel_fee if kept else 0,
        subject=event.attempt,
        ours=names_of(event.attempt, recorded.stream),
        theirs=names_of(event.channel_reference),
        payable=0 if kept else event.channel_fee,
    )


def revoked(items: Items, event: PaymentRevoked, recorded: Recorded) -> Changed:
    """K2 says that the channel never had it, and will report neither; a void at the channel is a movement there."""
    fee = 0 if event.fee_payable else event.channel_fee
    sale = items.get(event.reverses)
    if not event.id and sale is not None and sale.is_open and (sale.gross, sale.fee) == (event.amount, fee):
        return [closed(sale, recorded, OFFSET)]
    return opened(
        recorded,
        event.channel,
        "reversed",
        event.currency,
        -event.amount,
        -fee,
        subject=event.id or event.takes_back,
        ours=names_of(event.id),
        payable=-event.channel_fee if event.fee_payable else 0,
        **_about([sale] if sale is not None else _sales(items, event.takes_back)),
    )


def paid_in_coins(items: Items, event: PaymentPaidInCoins, recorded: Recorded) -> Changed:
    fee = 0 if event.fee_payable else event.channel_fee
    names = {"ours": names_of(event.attempt, recorded.stream), "theirs": names_of(event.txid)}
    return opened(recorded, event.channel, "fee", event.currency, 0, fee, subject=event.attempt, **names)


def coins_reversed(items: Items, event: PaymentCoinsReversed, recorded: Recorded) -> Changed:
    paid = event.paid
    fee = 0 if paid.fee_payable else paid.channel_fee
    for item in items.values():
        if item.is_open and item.kind == "fee" and paid.txid in item.theirs and item.fee == fee:
            return [closed(item, recorded, OFFSET)]
    names = {"ours": names_of(paid.attempt, recorded.stream), "theirs": names_of(paid.txid)}
    return opened(recorded, paid.channel, "fee", paid.currency, 0, -fee, subject=paid.attempt, **names)


# --- refunds, and receipts that are given back ------------------------------------------------------------------------


def refunded(items: Items, event: RefundSucceeded, recorded: Recorded) -> Changed:
    back = 0 if event.fee_payable else event.channel_fee_back
    return opened(
        recorded,
        event.channel,
        "refund",
        event.currency,
        -event.amount,
        -back,
        subject=event.id,
        ours=names_of(event.id),
        theirs=names_of(event.channel_reference),
        payable=-event.channel_fee_back if event.fee_payable else 0,
        **_about(_sales(items)),
    )


def refund_returned(items: Items, event: RefundReturned, recorded: Recorded) -> Changed:
    return opened(
        recorded,
        event.channel,
        "refund_returned",
        event.currency,
        event.amount,
        0,
        subject=event.id,
        ours=names_of(event.id),
        theirs=names_of(event.channel_reference),
        about=_refund_names(items, event.id),
    )


def refund_unapplied(items: Items, event: RefundUnapplied, recorded: Recorded) -> Changed:
    return opened(
        recorded,
        event.channel,
        "refund",
        event.currency,
        -event.amount,
        0,
        subject=event.id,
        ours=names_of(event.id),
        theirs=names_of(event.channel_reference),
        about=_about(_sales(items))["about"],
    )


def receipt_returned(items: Items, event: ReceiptReturned, recorded: Recorded) -> Changed:
    return opened(
        recorded,
        event.channel,
        "refund",
        event.currency,
        -event.amount,
        0,
        subject=event.id,
        ours=names_of(event.id),
        theirs=names_of(event.channel_reference),
        about=_about(_sales(items))["about"],
    )


def receipt_bounced(items: Items, event: ReceiptReturnFailed, recorded: Recorded) -> Changed:
    if not event.bounced:
        return []
    names = {"ours": names_of(event.id), "about": _refund_names(items, event.id)}
    return opened(
        recorded, event.channel, "refund_returned", event.currency, event.amount, 0, subject=event.id, **names
    )


def _refund_names(items: Items, refund: str) -> tuple[str, ...]:
    found = [item for item in items.values() if item.kind == "refund" and item.subject == refund]
    return names_of(*(name for item in found for name in (*item.theirs, *item.ours)))


# --- what else comes by a channel -------------------------------------------------------------------------------------


def topped_up(items: Items, event: TopUpSucceeded | TopUpReceiptUnapplied, recorded: Recorded) -> Changed:
    return _came(event.id, event, event.amount, recorded, event.channel_reference)


def repaid(items: Items, event: CreditRepaid, recorded: Recorded) -> Changed:
    whole = event.fees + event.interest + event.principal + event.to_wallet
    return _came(event.repayment, event, whole, recorded, event.channel_reference) if whole else []


def repaid_twice(items: Items, event: RepaymentReceiptUnapplied, recorded: Recorded) -> Changed:
    return _came(event.id, event, event.amount, recorded, event.channel_reference)


def _came(
    name: str,
    event: TopUpSucceeded | TopUpReceiptUnapplied | CreditRepaid | RepaymentReceiptUnapplied,
    amount: int,
    recorded: Recorded,
    reference: str,
) -> Changed:
    kept = not event.fee_payable
    return opened(
        recorded,
        event.channel,
        "sale",
        event.currency,
        amount,
        event.channel_fee if kept else 0,
        subject=name,
        ours=names_of(attempt_id(name, 1), name),
        theirs=names_of(reference),
        payable=0 if kept else event.channel_fee,
    )


def coins_sold(items: Items, event: CoinsSold, recorded: Recorded) -> Changed:
    return opened(
        recorded,
        event.exchange,
        "sale",
        event.settled_currency,
        event.proceeds,
        0,
        subject=event.id,
        ours=names_of(event.id),
        theirs=names_of(event.reference),
    )


def fraction_rounded(items: Items, event: FractionRounded, recorded: Recorded) -> Changed:
    return opened(recorded, event.channel, "fee", event.currency, 0, event.amount, subject=recorded.stream)


# --- what people post themselves --------------------------------------------------------------------------------------


def posted(
    items: Items, event: TransferPosted | EntryPosted | ReversalPosted | HoldCaptured, recorded: Recorded
) -> Changed:
    """An item for each channel's receivable that somebody moved by hand, for somebody has to say what became of it."""
    if not concerns(event):
        return []
    found: list[ReceivableItem] = []
    for movement in movements_for(event):
        net = movement.debit - movement.credit
        if net and movement.account.startswith(_PREFIX):
            channel = movement.account[len(_PREFIX) :].rpartition(":")[0]
            (item,) = opened(recorded, channel, "adjustment", movement.currency, net, 0, subject=recorded.stream)
            found.append(replace(item, id=f"{item.id}#{len(found) + 1}") if found else item)
    return found


# --- the table --------------------------------------------------------------------------------------------------------


OPENING_RULES: Rules = {
    PaymentCaptured: captured,
    PaymentReceiptUnapplied: receipt_unapplied,
    PaymentRevoked: revoked,
    PaymentPaidInCoins: paid_in_coins,
    PaymentCoinsReversed: coins_reversed,
    RefundSucceeded: refunded,
    RefundReturned: refund_returned,
    RefundUnapplied: refund_unapplied,
    ReceiptReturned: receipt_returned,
    ReceiptReturnFailed: receipt_bounced,
    TopUpSucceeded: topped_up,
    TopUpReceiptUnapplied: topped_up,
    CreditRepaid: repaid,
    RepaymentReceiptUnapplied: repaid_twice,
    CoinsSold: coins_sold,
    FractionRounded: fraction_rounded,
    TransferPosted: posted,
    EntryPosted: posted,
    ReversalPosted: posted,
    HoldCaptured: posted,
}
ITEM_RULES: Rules = OPENING_RULES | DISPUTE_RULES | SETTLING_RULES
EVENTS: frozenset[type[Event]] = frozenset(ITEM_RULES)
# What these open does not depend on what was there before.
STANDALONE: frozenset[type[Event]] = frozenset(
    {
        PaymentCaptured,
        PaymentReceiptUnapplied,
        PaymentPaidInCoins,
        TopUpSucceeded,
        TopUpReceiptUnapplied,
        CreditRepaid,
        RepaymentReceiptUnapplied,
        CoinsSold,
        FractionRounded,
        TransferPosted,
        EntryPosted,
        ReversalPosted,
        HoldCaptured,
    }
)


def concerns(event: Event) -> bool:
    """Whether an event with a rule may have items at all: transfers are the commonest by far, and hardly ever do."""
    return not isinstance(event, TransferPosted) or (
        event.debit_account.startswith(_PREFIX) or event.credit_account.startswith(_PREFIX)
    )


def changes(items: Items, recorded: Recorded) -> list[ReceivableItem]:
    """The items that this event opens, changes or closes, as they are after it; `items` are those of its stream."""
    rule = ITEM_RULES.get(type(recorded.event))
    return [] if rule is None else list(rule(items, recorded.event, recorded))


def fold(*histories: Sequence[Recorded]) -> Items:
    """The items of a stream after all of its history; the settling stream's comes behind it, where that is another."""
    items: Items = {}
    for history in histories:
        for recorded in history:
            items |= {item.id: item for item in changes(items, recorded)}
    return items
