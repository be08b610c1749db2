"""Break undoing: what takes back what was carried out for a break, to the cent and to the state of each row and item.

carried out                                     undone by
settle_with, merchant_bears, platform_bears     the line is undone, unless a batch with it was paid
clear_with                                      the line is undone, and stands in suspense again where it did before;
                                                of a channel's row, the opposite entry
suspend                                         the row or line is undone
correct_payment                                 the other status
give_up_claim, claim_paid                       the claim stands again
ignore                                          nothing
take_evidence, offset                           by nothing: a channel's word stays said
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

from commands.bank_lines import ClearBankLine, SuspendBankLine, UndoBankLine
from commands.books import Books
from commands.break_resolutions import Resolution, resolution_of
from commands.claims import ReopenClaim
from commands.corrections import CorrectPayment
from commands.entries import PostEntry, ReverseEntry
from commands.settlement_batches import SettleBatchRow, UndoBatchRow
from commands.settlements import CloseClaim, SettleLine, UndoSettlement
from commands.system_accounts import StreamEvents
from ledger.break_state import Break
from ledger.errors import BreakNotUndoable
from ledger.events.bank_lines import BankLineCleared, BankLineRecognized, BankLineReopened, BankLineSuspended
from ledger.events.breaks import BreakProposed
from ledger.events.event import Event
from ledger.events.settlements import BatchRowUndone, ClaimReopened, LineUnsettled
from ledger.ids import ENTRY
from ledger.journal import Posting, opposite


def undoing(books: Books, found: Break, carried_out: BreakProposed) -> Resolution:
    """The exact opposite of what was carried out; raises BreakNotUndoable."""
    name = found.opened.id
    done = resolution_of(books, found, carried_out.number, carried_out.resolution, carried_out.parameters).command
    match done:
        case None:
            return Resolution(None)
        case SettleLine():
            return Resolution(UndoSettlement(done.item, name))
        case SettleBatchRow():
            return Resolution(UndoBatchRow(done.channel, done.currency, done.batch, done.row, name))
        case ClearBankLine():
            line = done.line
            return Resolution(UndoBankLine(line.bank_account, line.key, name), _suspended_again(books, line.stream))
        case SuspendBankLine():
            return Resolution(UndoBankLine(done.line.bank_account, done.line.key, name))
        case CorrectPayment():
            other: Literal["succeeded", "failed"] = "failed" if done.status == "succeeded" else "succeeded"
            return Resolution(CorrectPayment(done.payment, other, name, done.channel_reference))
        case CloseClaim():
            return Resolution(ReopenClaim(done.item, name))
        case PostEntry():
            back = ENTRY + hashlib.sha256(f"undo {done.id}".encode()).hexdigest()[:32]
            return Resolution(ReverseEntry(back, done.id, name), own_accounts=True)
    raise BreakNotUndoable(id=name, resolution=carried_out.resolution)


def check_opposite(
    found: Break, carried_out: BreakProposed, events: Iterable[Event], postings: tuple[Posting, ...]
) -> None:
    """Raises BreakNotUndoable where it would take back something else than what was carried out for the break."""
    name = found.opened.id
    expected = {(one.account, one.direction, one.amount, one.currency) for one in opposite(carried_out.postings)}
    if {(one.account, one.direction, one.amount, one.currency) for one in postings} != expected:
        words = "The books have moved since: its opposite is not what would be posted."
        raise BreakNotUndoable(words, id=name, resolution=carried_out.resolution)
    for event in events:
        match event:
            case LineUnsettled(settled=told) | BatchRowUndone(settled=told) if told.reason != name:
                pass
            case ClaimReopened(closed=closed) if closed.reason != name:
                pass
            case BankLineReopened(cleared=cleared) if cleared.reason != name:
                pass
            case _:
                continue
        raise BreakNotUndoable("Somebody else has resolved it since.", id=name, resolution=carried_out.resolution)


def _suspended_again(books: Books, stream: str) -> StreamEvents:
    """The line's suspense, where it left that by being cleared."""
    history = books.history(stream)
    cleared = [place for place, event in enumerate(history) if isinstance(event, BankLineCleared)]
    if not cleared or not cleared[-1] or not isinstance(history[cleared[-1] - 1], BankLineRecognized):
        return []
    before = [event for event in history[: cleared[-1]] if isinstance(event, BankLineSuspended)]
    return [(stream, before[-1])]
