"""Approvals: what is refused where a second person has to agree, and where a period is closed."""

from ledger.errors.refusal import Conflict, Forbidden, Invalid, NotFound


class ApprovalNotFound(NotFound):
    """There is no such approval in this book."""


class ApprovalRequired(Conflict):
    """A second person has to agree to this: ask for it in a request of its own."""


class ApprovalMismatch(Conflict):
    """The digest is not that of the command that would be carried out."""


class ApprovalExpired(Conflict):
    """The time to agree to this is over: it has to be asked for again."""


class ApprovalNotPending(Conflict):
    """The approval was decided already."""


class MakerOnly(Forbidden):
    """Only who asked for it may take it back; somebody else may reject it."""


class PersonRequired(Forbidden):
    """Only a key that is in the hands of a named person may do that here."""


class AdjustmentMisplaced(Invalid):
    """An adjusting entry takes effect in the closed period that it names."""


class PeriodChecksFailed(Conflict):
    """The period cannot be closed as things stand."""
