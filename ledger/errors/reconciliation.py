"""Reconciliation: what files, runs, breaks and settlements refuse."""

from ledger.errors.refusal import Conflict, Invalid, NotFound


class ReportFileKnown(Conflict):
    """This file was imported before: the same bytes of the same source."""


class ReportFileNotFound(NotFound):
    """There is no such report file in this book."""


class ReportFileUnreadable(Invalid):
    """The file cannot be read as a report of this source."""


class ReconciliationRunNotFound(NotFound):
    """There is no such run in this book."""


class BreakNotFound(NotFound):
    """There is no such break in this book."""


class BreakStateInvalid(Conflict):
    """The break is not in a state that allows this."""


class BreakNotUndoable(Conflict):
    """What was done for the break cannot be taken back by itself."""


class ProposalOutdated(Conflict):
    """The books have moved: the proposal would post something else than was shown. Propose it again."""


class ReceivableItemNotFound(NotFound):
    """There is no such item on a channel's receivable."""


class ItemSettledAlready(Conflict):
    """The item is not open: a line of a report has settled it, or it was offset."""


class ItemNotSettled(Conflict):
    """Nothing has settled the item."""


class SettlementMismatch(Conflict):
    """The line is about another channel, another kind of movement, or another currency than the item."""


class SettlementAmountDiffers(Conflict):
    """The reported amount is not ours: somebody has to say who bears the difference."""


class ToleranceExhausted(Conflict):
    """So many small differences were borne on this day already that a person has to look at the next one."""


class BatchPaidAlready(Conflict):
    """The bank's statement has shown this batch: nothing is added to it or taken from it."""


class SettlementBatchNotFound(NotFound):
    """There is no such batch of this channel in this book."""


class BatchRowNotFound(NotFound):
    """The batch has no such row that could be undone."""


class ItemsNotOpposite(Conflict):
    """Items are offset that are open, of one channel and currency, and together nothing."""


class ClaimExceedsOpen(Conflict):
    """No more of a claim is closed than is open."""


class BankLineClearedAlready(Conflict):
    """It is known already what this line of the bank's statement was about."""


class BankLineNotFound(NotFound):
    """There is no such line of a bank's statement."""


class BankLineMismatch(Conflict):
    """The line of the bank's statement is not over what it is said to be about."""


class EntrySeenAlready(Conflict):
    """Another line of the bank's statement is about this entry."""


class SettlementNotUndoable(Conflict):
    """What followed from it belongs to others: it is corrected, and not undone."""
