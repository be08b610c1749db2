"""Funds: what merchants have sold becomes available once it has waited long enough, and so does what was in reserve.

How much is due is known to a view of the log; the decision takes it as it stood at a position, and nothing twice: a
release that the view had not seen yet overtakes it.
"""

from datetime import UTC, timedelta

import msgspec

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.merchants import merchant_named
from commands.system_accounts import with_accounts
from ledger.chart import merchant_available, merchant_pending, merchant_receivable, merchant_reserve
from ledger.errors import MerchantNotFound, ReleaseOvertaken
from ledger.events.event import Event
from ledger.events.funds import FundsReleased, ReserveReleased, funds_stream
from ledger.events.merchants import merchant_stream
from ledger.money import share_in_basis_points


class Taken(msgspec.Struct, frozen=True):
    """How a sum is taken from a merchant beside its pending sales: from what is available, and as a debt to us."""

    from_available: int
    short: int


def taken_from(books: Books, merchant: str, amount: int, currency: str) -> Taken:
    """Sales that are still pending first, then what was released already; what both do not cover is a debt."""
    left = amount - min(amount, max(0, _balance(books, merchant_pending(merchant, currency))))
    from_available = min(left, max(0, _balance(books, merchant_available(merchant, currency))))
    return Taken(from_available, left - from_available)


class ReleaseFunds(Command, frozen=True):
    """Release what is due, in minor units, as it was known at the position `known_at`."""

    merchant: str
    currency: str
    pending_due: int
    reserve_due: int
    known_at: int


class ReleaseReceipt(Receipt):
    """What became of it, in minor units: available now, kept in reserve, taken for a debt, let go of the reserve."""

    merchant: str = ""
    currency: str = ""
    released: int = 0
    reserved: int = 0
    recovered: int = 0
    reserve_released: int = 0
    available: int = 0


def release(books: Books, command: ReleaseFunds, envelope: Envelope) -> Decision:
    whose = (command.merchant, command.currency)
    if not books.recorded(merchant_stream(command.merchant)):
        raise MerchantNotFound(merchant=command.merchant)
    terms = merchant_named(books, command.merchant).settlement
    today = books.now.astimezone(UTC).date()
    # Yesterday's as well, for midnight: a view that is a day behind releases nothing, see `due_funds`.
    for day in (today, today - timedelta(days=1)):
        before = books.recorded(funds_stream(*whose, day))
        if before and before[-1].position > command.known_at:
            raise ReleaseOvertaken(merchant=command.merchant, position=before[-1].position)
    stream = funds_stream(*whose, today)
    # A refund since then may have taken what was due, and nobody is released what is not there.
    due = min(command.pending_due, _balance(books, merchant_pending(*whose)))
    reserve_due = min(command.reserve_due, _balance(books, merchant_reserve(*whose)))
    decided: list[Event] = []
    recovered = reserve = 0
    if due > 0:
        recovered = min(due, max(0, _balance(books, merchant_receivable(*whose))))
        reserve = share_in_basis_points(due - recovered, terms.reserve_bps)
        decided.append(FundsReleased(command.merchant, due, command.currency, reserve, recovered))
    if reserve_due > 0:
        decided.append(ReserveReleased(command.merchant, reserve_due, command.currency))
    released = max(0, due) - recovered - reserve
    receipt = ReleaseReceipt(
        position=None if decided else command.known_at,
        merchant=command.merchant,
        currency=command.currency,
        released=released,
        reserved=reserve,
        recovered=recovered,
        reserve_released=max(0, reserve_due),
        available=_balance(books, merchant_available(*whose)) + released + max(0, reserve_due),
    )
    return Decision(with_accounts(books, [(stream, event) for event in decided]), receipt, status=200)


def _balance(books: Books, account: str) -> int:
    found = books.find_account(account)
    return 0 if found is None else found.balance


def _needs(command: ReleaseFunds) -> Needs:
    whose = (command.merchant, command.currency)
    places = (merchant_pending, merchant_available, merchant_reserve, merchant_receivable)
    return Needs(
        accounts=tuple(place(*whose) for place in places),
        streams=(merchant_stream(command.merchant),),
    )


DECIDERS: dict[type[Command], Decider] = {ReleaseFunds: Decider(release, _needs)}
