"""Accounts: what accounts, entries, holds, batches and imports refuse."""

from ledger.errors.refusal import BadRequest, Conflict, Invalid, NotFound, Refusal


class RouteNotFound(NotFound):
    """There is nothing at this address."""


class AccountNotFound(NotFound):
    """There is no such account in this book."""


class AccountUnknown(Invalid):
    """An account that is named in the request does not exist in this book."""


class IdExistsDifferent(Conflict):
    """This id exists already with other content."""


class AccountFrozen(Conflict):
    """The account is frozen."""


class AccountNotFrozen(Conflict):
    """The account is not frozen."""


class AccountClosed(Conflict):
    """The account is closed."""


class AccountNotEmpty(Conflict):
    """An account is closed at a balance of zero, with nothing pending."""


class LimitsInvalid(Invalid):
    """min_balance is not greater than max_balance."""


class InsufficientFunds(Conflict):
    """The account would fall below its minimum balance."""


class BalanceLimitExceeded(Conflict):
    """The account would rise above its maximum balance."""


class BalanceOverflow(Conflict):
    """The account's turnover would pass 2^63-1."""


class Unbalanced(Invalid):
    """Debits and credits of an entry are equal in each currency."""


class TooFewPostings(Invalid):
    """An entry has at least two postings."""


class TooManyPostings(Invalid):
    """An entry has at most 100 postings."""


class SameAccount(Invalid):
    """A transfer goes from one account to another."""


class CurrencyMismatch(Invalid):
    """The currency differs from the account's."""


class ReferenceExists(Conflict):
    """This reference is taken by another entry of this book."""


class EffectiveDateInFuture(Invalid):
    """An effective time does not lie in the future."""


class PeriodClosed(Conflict):
    """The accounting period of this effective time is closed."""


class PeriodNotClosed(Conflict):
    """The period is not closed."""


class PeriodNotOver(Conflict):
    """A period is closed after its last day."""


class EntryNotFound(NotFound):
    """There is no such entry in this book."""


class AlreadyReversed(Conflict):
    """The entry is reversed already, or is itself a reversal."""


class ReversalExceedsEntry(Invalid):
    """A reversal gives back no more than what is not yet reversed."""


class PartialReversalAmbiguous(Invalid):
    """An entry of several currencies is reversed as a whole."""


class HoldNotFound(NotFound):
    """There is no such hold in this book."""


class HoldNotActive(Conflict):
    """The hold is captured, released or expired."""


class CaptureExceedsHold(Invalid):
    """A capture takes no more than what is still held."""


class ExpiryInPast(Invalid):
    """A hold expires in the future."""


class BatchRejected(Invalid):
    """An atomic batch is applied as a whole or not at all; these of its transfers were refused."""


class BatchTooLarge(Refusal):
    """A batch has at most 10,000 transfers."""

    status = 413


class BatchEmpty(Invalid):
    """A batch has at least one transfer."""


class DuplicateInBatch(Invalid):
    """An idempotency key stands twice in one batch."""


class VersionConflict(Refusal):
    """The thing has changed since the version that was named."""

    status = 412


class RowMalformed(BadRequest):
    """The row does not fit the header, or its quotes do not."""


class RowNotUtf8(BadRequest):
    """The row is not UTF-8."""


class RowTooLong(BadRequest):
    """The row is longer than a request may be."""
