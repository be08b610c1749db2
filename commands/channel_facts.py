"""Channel facts: what payments, refunds and top-ups have in common when a channel says what became of them.

Facts arrive in any order and any number of times, and are applied by what they say: a fact that is known or has come
too late for an effect is answered like any other and leaves no event.
"""

from typing import Literal

from commands.books import Books
from commands.channels.channel import AMOUNT_MISMATCH, Unknown
from commands.envelope import Decision, Receipt
from commands.system_accounts import StreamEvents, with_accounts
from ledger.errors import AmountNotPositive, AmountOverflow
from ledger.events.event import Event, Metadata, Recorded

# recorded: it had the effect that it speaks of. unapplied: money moved that nobody waits for; it is kept apart.
# duplicate: known already. ignored: overtaken by what is known.
Effect = Literal["recorded", "unapplied", "duplicate", "ignored"]

LARGEST_ORDER = 10**17
"""Minor units. What a channel has charged has to be recorded: so no order is so large that it could not be posted,
together with its fees, and beside many like it on one account."""

# The channel gave no answer because nothing was ever sent; what the payer may do is the same as after its own trouble.
NOT_SENT_GROUP = "try_again"


class FactReceipt(Receipt):
    """What a fact did to the payment, refund or top-up with this id."""

    id: str = ""
    effect: Effect = "recorded"


def with_effect(books: Books, stream: str, events: list[Event], subject: str, effect: Effect) -> Decision:
    """The decision to record these events, with the accounts that they need."""
    whole: StreamEvents = with_accounts(books, [(stream, event) for event in events])
    return Decision(whole, FactReceipt(id=subject, effect=effect), status=200)


def without_effect(subject: str, effect: Effect, position: int) -> Decision:
    """The decision to record nothing; `position` is where what is known ends."""
    return Decision([], FactReceipt(position, subject, effect), status=200)


def imagined(books: Books, stream: str, events: list[Event]) -> list[Recorded]:
    """The stream as it will be once these events are recorded; their positions are not known yet and stand as 0."""
    known = books.recorded(stream)
    first = len(known) + 1
    nobody = Metadata("")
    return known + [Recorded(stream, first + i, 0, books.now, event, nobody) for i, event in enumerate(events)]


def is_news(silence: Unknown, still_open: bool, recorded: tuple[str, ...]) -> bool:
    """Whether a silence says something new: the first one does, and once, whenever it comes, one about another sum."""
    if silence == AMOUNT_MISMATCH:
        return silence.reason not in recorded
    return still_open and not recorded


def check_amount(amount: int) -> None:
    """1 to LARGEST_ORDER minor units; raises AmountNotPositive, AmountOverflow."""
    if amount < 1:
        raise AmountNotPositive(pointer="/amount")
    if amount > LARGEST_ORDER:
        detail = f"One order moves at most {LARGEST_ORDER} minor units."
        raise AmountOverflow(detail, pointer="/amount", most=LARGEST_ORDER)
