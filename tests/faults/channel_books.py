"""Channels' books: what every channel of the simulator took, gave back and holds, held against our own log.

Payment by payment and channel by channel: each taking and each giving back stands in both, once, with its amount; what
the settlement files come to is what our postings to the channel's receivable come to, fees included, to the minor unit;
what the channel still holds is what we count as held. `differences` names whatever is otherwise.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import httpx2

from ledger.chart import Code, authorized, channel_receivable
from ledger.events.authorizations import AuthorizationIncremented
from ledger.events.event import Event, Recorded
from ledger.events.payments import PaymentCaptured, PaymentCreated, PaymentReceiptUnapplied
from ledger.events.payouts import PayoutPaid, PayoutReturned, PayoutReturnUnapplied, PayoutUnapplied
from ledger.events.receipts import ReceiptReturned, ReceiptReturnFailed
from ledger.events.refunds import RefundReturned, RefundSucceeded, RefundUnapplied
from ledger.events.repayments import RepaymentReceiptUnapplied, RepaymentRequested, RepaymentSucceeded
from ledger.events.top_ups import TopUpReceiptUnapplied, TopUpRequested, TopUpSucceeded
from ledger.events.voids import PaymentRevoked
from ledger.ids import stream_of
from ledger.posting_rules import movements_for

Json = dict[str, Any]
# Rows of a settlement file that are not about what the channel owes us for charges.
_PAYOUT_ROWS = ("payout", "payout_returned")
_UNAPPLIED_RECEIPTS = f"sys:{Code.UNAPPLIED_RECEIPTS.number}:"
# By channel, order and currency, in minor units.
_Sums = dict[tuple[str, str, str], int]
# Money that moved though nobody waited for it.
UNAPPLIED = PaymentReceiptUnapplied | TopUpReceiptUnapplied | RepaymentReceiptUnapplied | RefundUnapplied


class Moved(NamedTuple):
    """Money that moved at a channel for one order of ours: `way` is in or out, seen from us, or paid_out, came_back."""

    channel: str
    order: str
    way: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class ChannelBooks:
    """What one channel says: its books, and the rows of its settlement files, oldest first."""

    name: str
    books: Json
    rows: Sequence[Mapping[str, str]]


def read_channels(simulator_url: str, since: date | None = None) -> list[ChannelBooks]:
    """Every channel that the simulator plays, with the files of all days since then, or of yesterday and today."""
    today = datetime.now(UTC).date()
    begin = since or today - timedelta(days=1)
    days = [begin + timedelta(days=number) for number in range((today - begin).days + 1)]
    with httpx2.Client(base_url=simulator_url, trust_env=False, timeout=60) as client:

        def read(name: str) -> ChannelBooks:
            books = client.get(f"/{name}/books").raise_for_status().json()
            rows: list[Mapping[str, str]] = []
            for day in days:
                asked = {"date": day.isoformat(), "channel": name}
                file = client.get("/control/settlement", params=asked).raise_for_status().text
                rows += csv.DictReader(io.StringIO(file))
            return ChannelBooks(name, books, rows)

        return [read(name) for name in client.get("/health").raise_for_status().json()["channels"]]


def differences(log: Sequence[Recorded], channels: Iterable[ChannelBooks]) -> list[str]:
    """Everything in which our log and the channels' books are not alike, in words; empty if all is well."""
    theirs = list(channels)
    names = [channel.name for channel in theirs]
    return [
        *_unlike("moved", _our_moves(log), _their_moves(theirs)),
        *_unlike("comes to", _our_postings(log, channel_receivable, names), _their_nets(theirs)),
        *_unlike("is held", _our_postings(log, authorized, names), _their_holds(theirs)),
    ]


def _unlike(what: str, ours: Mapping[Any, int], theirs: Mapping[Any, int]) -> Iterator[str]:
    for key in sorted({*ours, *theirs}):
        if ours.get(key, 0) != theirs.get(key, 0):
            yield f"{' '.join(map(str, key))} {what}: {ours.get(key, 0)} with us, {theirs.get(key, 0)} with them"


# --- each time that money moved ---------------------------------------------------------------------------------------


def _our_moves(log: Iterable[Recorded]) -> Counter[Moved]:
    channels: dict[str, str] = {}
    found: Counter[Moved] = Counter()
    for fact in log:
        event = fact.event
        if isinstance(event, RepaymentRequested):
            channels[event.id] = event.channel
        found.update(_move_of(fact.stream, event, channels))
    return found


def _move_of(stream: str, event: Event, channels: Mapping[str, str]) -> Iterator[Moved]:
    match event:
        case PaymentCaptured() | TopUpSucceeded() | PaymentReceiptUnapplied() | TopUpReceiptUnapplied():
            yield Moved(event.channel, stream, "in", event.amount, event.currency)
        case RepaymentSucceeded():
            yield Moved(channels[event.id], stream, "in", event.amount, event.currency)
        case RepaymentReceiptUnapplied():
            yield Moved(event.channel, stream, "in", event.amount, event.currency)
        case RefundReturned():
            yield Moved(event.channel, stream, "in", event.amount, event.currency)
        case ReceiptReturnFailed() if event.bounced:
            yield Moved(event.channel, stream, "in", event.amount, event.currency)
        case RefundSucceeded() | RefundUnapplied() | PaymentRevoked() | ReceiptReturned():
            yield Moved(event.channel, stream, "out", event.amount, event.currency)
        case PayoutPaid() | PayoutUnapplied():
            yield Moved(event.channel, stream, "paid_out", event.amount, event.currency)
        case PayoutReturned() | PayoutReturnUnapplied() if event.channel:
            yield Moved(event.channel, stream, "came_back", event.amount, event.currency)


def _their_moves(channels: Iterable[ChannelBooks]) -> Counter[Moved]:
    found: Counter[Moved] = Counter()
    for channel in channels:
        for about, way, one in _their_operations(channel.books):
            found[Moved(channel.name, stream_of(about), way, one["amount"], one["currency"])] += 1
    return found


def _their_operations(books: Json) -> Iterator[tuple[str, str, Json]]:
    """Our id that it is about, which way money went, and the operation: once for each time that it went."""
    done = [one for one in books["changes"] if one["status"] == "succeeded"]
    taken_back = {one["takes_back"] for one in done if one["object"] == "void" and one.get("takes_back")}
    for charge in books["charges"]:
        # What was only held is taken by its captures.
        if charge.get("capture", True) and (charge["status"] == "succeeded" or charge["id"] in taken_back):
            yield charge["id"], "in", charge
    for change in books["changes"]:
        if change["object"] == "capture" and (change["status"] == "succeeded" or change["id"] in taken_back):
            yield change["charge_id"], "in", change
        if change["object"] == "void" and change["status"] == "succeeded" and change.get("takes_back"):
            yield change["charge_id"], "out", change
    for refund in books["refunds"]:
        if refund["status"] in ("succeeded", "returned"):
            yield refund["charge_id"], "out", refund
        if refund["status"] == "returned":
            yield refund["charge_id"], "in", refund
    for payout in books["payouts"]:
        if payout["status"] in ("succeeded", "returned"):
            yield payout["id"], "paid_out", payout
        if payout["status"] == "returned":
            yield payout["id"], "came_back", payout


# --- what it comes to, and what is held -------------------------------------------------------------------------------


def _our_postings(log: Iterable[Recorded], account_of: Callable[[str, str], str], channels: Iterable[str]) -> _Sums:
    """By channel, order and currency: what was posted to this account of the channel; all of it under no order."""
    names = list(channels)
    accounts: dict[str, dict[str, str]] = defaultdict(dict)
    found: _Sums = defaultdict(int)
    for fact in log:
        for movement in movements_for(fact.event):
            currency = movement.currency
            if currency not in accounts:
                accounts[currency] = {account_of(name, currency): name for name in names}
            channel = accounts[currency].get(movement.account)
            if channel is not None:
                for order in (fact.stream, ""):
                    found[channel, order, currency] += movement.debit - movement.credit
    return found


def _their_nets(channels: Iterable[ChannelBooks]) -> _Sums:
    """The same by the settlement files, leaving payouts out: they are paid from our float or our own bank account."""
    found: _Sums = defaultdict(int)
    for channel in channels:
        for row in channel.rows:
            assert int(row["net"]) == int(row["gross"]) - int(row["fee"]), row
            if row["type"] not in _PAYOUT_ROWS:
                for order in (stream_of(row["charge_id"]), ""):
                    found[channel.name, order, row["currency"]] += int(row["net"])
    return found


def _their_holds(channels: Iterable[ChannelBooks]) -> _Sums:
    found: _Sums = defaultdict(int)
    for channel in channels:
        for charge in channel.books["charges"]:
            for order in (stream_of(charge["id"]), ""):
                found[channel.name, order, charge["currency"]] += charge["open"]
    return found


# --- nobody pays twice ------------------------------------------------------------------------------------------------


def paid_twice(log: Iterable[Recorded], channels: Iterable[ChannelBooks]) -> list[str]:
    """Orders of which channels have kept more than was asked for, unless the rest stands apart in our 2310.

    What was taken and given back is by the channels' own books, what was asked for and stands apart by our log.
    """
    asked: Counter[str] = Counter()
    apart: Counter[str] = Counter()
    for fact in log:
        match fact.event:
            case PaymentCreated(amount=amount) | TopUpRequested(amount=amount) | RepaymentRequested(amount=amount):
                asked[fact.stream] = amount
            case AuthorizationIncremented(amount=amount):
                asked[fact.stream] += amount
        for movement in movements_for(fact.event):
            if movement.account.startswith(_UNAPPLIED_RECEIPTS):
                apart[fact.stream] += movement.credit - movement.debit
    kept: Counter[str] = Counter()
    for moved, times in _their_moves(channels).items():
        if moved.way in ("in", "out"):
            kept[moved.order] += (1 if moved.way == "in" else -1) * moved.amount * times
    return [
        f"{order} was asked for {asked[order]}, {amount} was taken and {apart[order]} of it stands apart"
        for order, amount in kept.items()
        if amount - apart[order] > asked[order]
    ]
