"""Refusals: every "no" a caller can understand, drawn as one tree.

Refusal                        the class docstring is the message, the class name in snake_case is the wire code
├── BadRequest          400    the request cannot be read
├── Unauthenticated     401    who is asking is not known
├── Forbidden           403    who is asking may not
├── NotFound            404    it is not there, or not in the caller's book
├── Conflict            409    it does not fit the state the book is in
├── Invalid             422    it can be read and makes no sense
└── Unavailable         503    not now; the same request may be sent again

An *outcome* (a card was declined) is an event and not a refusal; a *bug* raises AssertionError and is not one either.
Shapes follow RFC 9457 (problem details); `api/problems.py` is the only place that speaks them over HTTP.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

JsonValue = None | bool | int | str | list["JsonValue"] | dict[str, "JsonValue"]

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One refused field: a JSON pointer into the request (RFC 6901), its code, and a sentence."""

    pointer: str
    code: str
    detail: str


class Refusal(Exception):
    """The request was refused."""

    status: ClassVar[int] = 422
    retryable: ClassVar[bool] = False
    retry_after_s: ClassVar[int | None] = None

    def __init__(
        self,
        detail: str | None = None,
        *,
        pointer: str | None = None,
        errors: tuple[FieldError, ...] = (),
        **facts: JsonValue,
    ) -> None:
        """`detail` replaces the class docstring; `facts` are the numbers and names a caller needs to act on it."""
        self.detail = detail or self.title()
        self.facts = facts
        own = (FieldError(pointer, self.code(), self.detail),) if pointer is not None else ()
        self.errors = errors or own
        super().__init__(self.detail)

    @classmethod
    def code(cls) -> str:
        return _WORD_START.sub("_", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or "").strip().splitlines()[0]


class BadRequest(Refusal):
    """The request cannot be read."""

    status = 400


class Unauthenticated(Refusal):
    """A valid API key is needed."""

    status = 401


class Forbidden(Refusal):
    """This key may not do that."""

    status = 403


class NotFound(Refusal):
    """There is no such thing in this book."""

    status = 404


class Conflict(Refusal):
    """The request does not fit the present state."""

    status = 409


class Invalid(Refusal):
    """The request can be read and makes no sense."""

    status = 422


class Unavailable(Refusal):
    """The service cannot answer right now; the same request may be sent again."""

    status = 503
    retryable = True
    retry_after_s = 1


# --- reading a request ---------------------------------------------------------------------------------------------


class JsonMalformed(BadRequest):
    """The body is not one well-formed JSON value."""


class JsonNotUtf8(BadRequest):
    """The body is not UTF-8."""


class JsonFractionalNumber(BadRequest):
    """Numbers are whole: no fraction and no exponent."""


class JsonNonFinite(BadRequest):
    """NaN and Infinity are not JSON."""


class JsonIntegerTooLarge(BadRequest):
    """A number is larger than 2^63-1 or smaller than its opposite."""


class JsonDuplicateKey(BadRequest):
    """A key stands twice in one object."""


class JsonTooDeep(BadRequest):
    """The body is nested too deeply."""


class JsonTooManyNodes(BadRequest):
    """The body has too many values."""


class TextForbiddenCharacter(BadRequest):
    """A text holds a control character, a lone surrogate, a zero-width or a direction-changing character."""


class ContentLengthMismatch(BadRequest):
    """The body does not have the length that was announced."""


class FramingConflict(BadRequest):
    """Content-Length and Transfer-Encoding were both sent, so the end of the body is in doubt."""


class RequestTimeout(Refusal):
    """The body did not arrive in time."""

    status = 408
    retryable = True


class HeadersTooLarge(Refusal):
    """The address and the headers are longer than is taken here."""

    status = 431


class BodyTooLarge(Refusal):
    """The body is larger than this address takes."""

    status = 413


class UnsupportedMediaType(Refusal):
    """The body has to be application/json."""

    status = 415


class UnsupportedEncoding(Refusal):
    """The body has to be sent without a content encoding."""

    status = 415


class MethodNotAllowed(Refusal):
    """This address does not answer this method."""

    status = 405


class RateLimited(Refusal):
    """Too many requests; wait before the next."""

    status = 429
    retryable = True
    retry_after_s = 1


class BodyType(Invalid):
    """The body has to be a JSON object."""


class UnknownField(Invalid):
    """This field is not known here."""


class UnknownParameter(Invalid):
    """This query parameter is not known here."""


class FieldMissing(Invalid):
    """This field is required."""


class FieldType(Invalid):
    """This field has the wrong type."""


class FieldInvalid(Invalid):
    """This field has a value that is not allowed."""


class AmountType(Invalid):
    """An amount is a whole number of minor units, written as a JSON integer."""


class AmountNotPositive(Invalid):
    """An amount is at least 1 minor unit."""


class AmountOverflow(Invalid):
    """The amounts of one request add up to more than 2^63-1."""


class CurrencyUnknown(Invalid):
    """This is not a currency or asset that is known here."""


class MetadataType(Invalid):
    """Metadata maps text to text."""


class TooLong(Invalid):
    """This text is too long."""


class TooManyKeys(Invalid):
    """Metadata has too many keys."""


class TimestampFormat(Invalid):
    """A time is written as in RFC 3339, with its offset."""


class TimestampRange(Invalid):
    """This time lies outside of the years 1970 to 9998."""


class LimitRange(Invalid):
    """limit is a whole number from 1 to 500."""


class PanNotAllowed(Invalid):
    """A text looks like a card number, and card numbers are never stored here."""


class SensitiveFieldNotAllowed(Invalid):
    """Security codes, PINs and track data are never taken here."""


class AccountCodeInvalid(Invalid):
    """An account id is 1 to 64 of a-z 0-9 _ : . - without empty segments, and not of a reserved name."""


class CursorInvalid(BadRequest):
    """This cursor was not given out for this list."""


class IdempotencyKeyMissing(BadRequest):
    """A request that changes something carries an Idempotency-Key."""


class IdempotencyKeyInvalid(BadRequest):
    """An Idempotency-Key is 1 to 255 printable ASCII characters, given once."""


class IdempotencyKeyReused(Invalid):
    """This Idempotency-Key was used for another request."""


class IdempotencyInProgress(Conflict):
    """The first request with this Idempotency-Key is still running."""

    retryable = True
    retry_after_s = 1


# --- who may -------------------------------------------------------------------------------------------------------


class ScopeMissing(Forbidden):
    """This key lacks the scope that is needed."""


class AccountProtected(Forbidden):
    """This account belongs to the system and is posted to by its events only."""


# --- accounts ------------------------------------------------------------------------------------------------------


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


# --- entries, holds, batches ----------------------------------------------------------------------------------------


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


# --- importing a file -----------------------------------------------------------------------------------------------


class RowMalformed(BadRequest):
    """The row does not fit the header, or its quotes do not."""


class RowNotUtf8(BadRequest):
    """The row is not UTF-8."""


class RowTooLong(BadRequest):
    """The row is longer than a request may be."""


# --- payments -------------------------------------------------------------------------------------------------------


class MerchantNotFound(NotFound):
    """There is no such merchant in this book."""


class MerchantUnknown(Invalid):
    """The merchant that is named does not exist in this book."""


class CustomerNotFound(NotFound):
    """There is no such customer in this book."""


class CustomerUnknown(Invalid):
    """The customer that is named does not exist in this book."""


class WalletNotFound(NotFound):
    """The customer has no wallet in this currency."""


class WalletExists(Conflict):
    """The customer has a wallet in this currency already."""


class WalletUnknown(Invalid):
    """The customer that is named has no wallet in this currency."""


class TopUpNotFound(NotFound):
    """There is no such top-up in this book."""


class PaymentNotFound(NotFound):
    """There is no such payment in this book."""


class DisputeNotFound(NotFound):
    """There is no such dispute in this book."""


class RefundStateInvalid(Conflict):
    """This cannot be done with the refund as it stands."""


class ReceiptNotFound(NotFound):
    """The payment has no such receipt."""


class ReceiptStateInvalid(Conflict):
    """This cannot be done with the receipt, or with its payment, as they stand."""


class DisputeStateInvalid(Conflict):
    """This cannot be done with the dispute as it stands."""


class DisputeOpen(Conflict):
    """The payment is disputed: nothing of it is given back while its bank has not decided."""


class EvidenceTooLate(Conflict):
    """The time for evidence is over."""


class RefundNotFound(NotFound):
    """There is no such refund in this book."""


class CreditLineNotFound(NotFound):
    """The customer has no credit line in this currency."""


class CreditLineExists(Conflict):
    """The customer has a credit line in this currency already."""


class CreditLineUnknown(Invalid):
    """The customer that is named has no credit line in this currency."""


class CreditLimitExceeded(Conflict):
    """The purchase is greater than what is left of the credit line."""


class InterestNotDue(Conflict):
    """Interest is charged for a month in which the line was open, and not ahead of time."""


class InterestChargedAlready(Conflict):
    """Interest for this month was charged."""


class CreditLossNotFound(NotFound):
    """There is no such proposal that waits for a decision."""


class LossExceedsPrincipal(Invalid):
    """No more principal is given up than is owed."""


class LossExceedsDebt(Invalid):
    """No more is written off than is owed."""


class SecondPersonRequired(Forbidden):
    """Somebody else than who proposed it has to agree."""


class RepaymentNotFound(NotFound):
    """There is no such repayment in this book."""


class PaymentStateInvalid(Conflict):
    """The payment is not in a state that allows this."""


class AuthExpired(Conflict):
    """The authorization has expired: nothing is held any more."""


class CaptureExceedsAuthorization(Invalid):
    """A capture takes no more than is held and not under another capture."""


class ChangeUnderWay(Conflict):
    """Something else about this authorization is still under way at the channel."""


class ChangeNotSupported(Invalid):
    """The channel that holds the money cannot do this."""


class ChangeNotFound(NotFound):
    """There is no such capture, void or increment in this book."""


class RefundNotSupported(Conflict):
    """What was paid in this way cannot be given back."""


class QuoteUnknown(Invalid):
    """The quote that is named does not exist in this book."""


class QuoteNotFound(NotFound):
    """There is no such quote in this book."""


class QuoteExpired(Refusal):
    """The quote has expired; ask for a new one."""

    status = 410


class QuoteUsed(Conflict):
    """A quote is for one payment, and this one is taken."""


class QuoteMismatch(Invalid):
    """The quote is for another amount or other currencies."""


class RateInvalid(Invalid):
    """A rate is a decimal number greater than 0, as text."""


class RateUnknown(Invalid):
    """There is no rate between these currencies."""


class ExchangeSettledAlready(Conflict):
    """What the channel settled it for is known already."""


class CoinNotSupported(Invalid):
    """This coin is not taken."""


class SaleExceedsPosition(Conflict):
    """No more coins are sold than payments brought and were not sold yet."""


class CoinsNotUnapplied(Conflict):
    """No more coins are given back than are kept apart for this payment."""


class CapExceeded(Conflict):
    """This way of paying takes no more, by its terms."""


class RefundExceedsPayment(Invalid):
    """A refund gives back no more than was captured and not yet refunded."""


class ProductNotSupported(Invalid):
    """This payment product is not offered."""


class MethodNotSupported(Invalid):
    """This payment method does not fit the product."""


class CaptureNotSupported(Invalid):
    """This payment product is not captured in this way."""


class BankUnknown(Invalid):
    """The bank that is named is not on the list of banks."""


class BankUnavailable(Unavailable):
    """The bank that is named is out of order at the moment."""

    retry_after_s = 60


class AmountOutsideLimits(Invalid):
    """The amount is below or above what this way to pay takes."""


class DiscountNotSupported(Invalid):
    """This product does not take a discount that is paid by this party."""


class FeeExceedsAmount(Invalid):
    """The merchant fee is greater than the payment."""


class RiskRuleInvalid(Invalid):
    """A rule's condition cannot be understood, or is not a question that is answered with true or false."""


class RiskListEntryNotFound(NotFound):
    """This value does not stand on this list."""


class ReviewNotFound(NotFound):
    """There is no such review in this book."""


class ReviewNotOpen(Conflict):
    """The review is decided already."""


class ReviewNotDue(Conflict):
    """The review's deadline has not passed, or it is decided already."""


class SelfApproval(Forbidden):
    """Whoever asked for it may not approve it: somebody else has to."""


class ContractNotFound(NotFound):
    """There is no such contract in this book."""


class ContractUnknown(Invalid):
    """The contract that is named does not exist in this book."""


class ContractMismatch(Invalid):
    """The contract is one of other parties."""


class ContractNotActive(Conflict):
    """Nothing can be charged under this contract: it is not active."""


class ContractUsedUp(Conflict):
    """The contract was for one charge, and that is made."""


class ContractLimitExceeded(Invalid):
    """The charge would exceed a limit of the contract."""


class ContractStateInvalid(Conflict):
    """The contract is not in a state that allows this."""


class ContractAlreadyEnded(Conflict):
    """The contract is over already."""


class ContractNotDue(Conflict):
    """The contract's time has not run out."""


class PaymentNotDue(Conflict):
    """The payment is for a later time, or has begun."""


class ScheduleInPast(Invalid):
    """A payment is scheduled for a time in the future."""


class ScheduleNotSupported(Invalid):
    """Only payments under a contract are scheduled for later."""


class PaymentMethodNotFound(NotFound):
    """There is no such payment method in this book."""


class PaymentMethodUnknown(Invalid):
    """The payment method that is named is not an active one of this customer."""


class PaymentMethodInUse(Conflict):
    """A contract that is not over is charged with this payment method."""


class CustomerHasFunds(Conflict):
    """The customer has money in a wallet."""


class CustomerHasContracts(Conflict):
    """The customer has contracts or payment methods that are not over."""


class PayoutNotFound(NotFound):
    """There is no such payout in this book."""


class PayoutStateInvalid(Conflict):
    """The payout is not in a state that allows this."""


class PrincipalNotFound(NotFound):
    """There is no such principal in this book."""


class PrincipalUnknown(Invalid):
    """The principal that is named does not exist in this book."""


class FreezeNotFound(NotFound):
    """This wallet has no such freeze."""


class FreezeNotActive(Conflict):
    """The freeze was released already."""


class ShareNotFound(NotFound):
    """This payment has no such share."""


class ShareExceedsPayment(Invalid):
    """Shares and the fee together are no more than what was captured."""


class ShareExceedsReturn(Invalid):
    """No more of a share is returned than was shared."""


class ReleaseOvertaken(Unavailable):
    """Funds of this merchant were released a moment ago."""


class SweepExceedsEarned(Invalid):
    """No more is swept than what was earned."""


class ChannelNotFound(NotFound):
    """There is no such channel."""


class ChannelUnavailable(Unavailable):
    """No channel can take this payment at the moment."""


class RoutingRulesInvalid(Invalid):
    """The routing rules cannot be used as they stand; each thing that is wrong with them is named."""


class RoutingRulesNotFound(NotFound):
    """There are no routing rules of this version in this book."""


class RoutingRulesNotActive(Conflict):
    """No routing rules are active."""


class RetryNotAllowed(Conflict):
    """This payment is not tried again."""


class CorrectionNotPossible(Conflict):
    """What this payment did cannot be corrected by hand."""


class SignatureMalformed(BadRequest):
    """The signature headers cannot be read."""


class SignatureInvalid(Unauthenticated):
    """The signature does not fit the body."""


class TimestampOutOfWindow(Unauthenticated):
    """The signature's time is more than 300 seconds away."""


class CallbackUnreadable(Invalid):
    """The callback is the channel's own and makes no sense."""


# --- reconciliation --------------------------------------------------------------------------------------------------


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


# --- the service ----------------------------------------------------------------------------------------------------


class WebhookEndpointNotFound(NotFound):
    """There is no such webhook endpoint in this book."""


class WebhookEndpointStateInvalid(Conflict):
    """The webhook endpoint is not in a state that allows this."""


class WebhookDeliveryNotFound(NotFound):
    """There is no such delivery to this webhook endpoint."""


class UrlNotAllowed(Invalid):
    """An address is of https, on the public internet, without a user in it, and at most 500 characters long."""


class BookNotFound(NotFound):
    """There is no such book."""


class BookExists(Conflict):
    """There is a book of this name already."""


class PositionNotReached(NotFound):
    """The log has not reached this position."""


class NotCaughtUp(Unavailable):
    """The view has not reached this position yet."""


class Overloaded(Unavailable):
    """Too many requests are waiting."""


class StorageFull(Unavailable):
    """The database has no room."""

    retry_after_s = 30


class ProblemNotFound(NotFound):
    """There is no problem of this code in the catalogue."""


class InternalError(Refusal):
    """Something is wrong here and not in the request; it was logged."""

    status = 500
