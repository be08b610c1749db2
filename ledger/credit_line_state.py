"""Credit line state: what the facts of one line add up to. The principal is not here: its account says it.

Purchases and refunds are recorded with their payments, so only fees and interest are counted from the line's stream.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from ledger.events.credit_lines import (
    CreditImpaired,
    CreditInterestCharged,
    CreditLimitChanged,
    CreditLineOpened,
    CreditLossProposed,
    CreditLossRejected,
    CreditRepaid,
    CreditWrittenOff,
)
from ledger.events.event import Recorded
from ledger.evolving.settlements import SETTLING


class CreditLine(msgspec.Struct, frozen=True):
    """Terms, what is due beside the principal, the months that were charged, and losses; minor units."""

    opened: CreditLineOpened
    opened_at: datetime
    position: int
    limit: int
    fees_due: int = 0
    interest_due: int = 0
    charged: frozenset[str] = frozenset()
    proposals: tuple[CreditLossProposed, ...] = ()
    """Losses that a second person has still to decide about."""
    proposed: int = 0
    """How many losses were ever proposed: each has its number."""
    allowance: int = 0
    written_off: int = 0


def evolve(line: CreditLine | None, recorded: Recorded) -> CreditLine:
    """The line after one more event of its stream."""
    event = recorded.event
    if line is None:
        if not isinstance(event, CreditLineOpened):
            raise AssertionError(f"a credit line begins with its opening, not with {event}")
        return CreditLine(event, recorded.recorded_at, recorded.position, event.limit)
    line = replace(line, position=recorded.position)
    if isinstance(event, SETTLING):
        return line
    match event:
        case CreditLimitChanged():
            return replace(line, limit=event.limit)
        case CreditInterestCharged():
            return replace(
                line,
                fees_due=line.fees_due + event.fees,
                interest_due=line.interest_due + event.interest,
                charged=line.charged | {event.period},
            )
        case CreditRepaid():
            return replace(line, fees_due=line.fees_due - event.fees, interest_due=line.interest_due - event.interest)
        case CreditLossProposed():
            return replace(line, proposals=(*line.proposals, event), proposed=event.number)
        case CreditLossRejected():
            return _decided(line, event.number)
        case CreditImpaired():
            return replace(_decided(line, event.number), allowance=line.allowance + event.amount)
        case CreditWrittenOff():
            left = line.allowance + event.expensed - event.amount
            return replace(_decided(line, event.number), allowance=left, written_off=line.written_off + event.amount)
    raise AssertionError(f"{event} does not belong into the stream of a credit line")


def _decided(line: CreditLine, number: int) -> CreditLine:
    return replace(line, proposals=tuple(one for one in line.proposals if one.number != number))


def fold(history: Sequence[Recorded]) -> CreditLine | None:
    """The line after all of its history; None for no history."""
    line: CreditLine | None = None
    for recorded in history:
        line = evolve(line, recorded)
    return line


class Split(msgspec.Struct, frozen=True):
    """What a repayment pays, in minor units."""

    fees: int
    interest: int
    principal: int
    to_wallet: int


def split(amount: int, fees_due: int, interest_due: int, principal: int) -> Split:
    """The order is fixed: fees, then interest, then principal; what is too much is the customer's."""
    fees = min(amount, fees_due)
    interest = min(amount - fees, interest_due)
    repaid = min(amount - fees - interest, principal)
    return Split(fees, interest, repaid, amount - fees - interest - repaid)
