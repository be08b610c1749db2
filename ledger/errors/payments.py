"""Payments: what orders, captures, refunds, disputes and what comes after them refuse."""

from ledger.errors.refusal import Conflict, Forbidden, Invalid, NotFound


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


class InterestNotDue(Conflict):
    """Interest is charged for a month in which the line was open, and not ahead of time."""


class InterestChargedAlready(Conflict):
    """Interest for this month was charged."""


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


class AmountOutsideLimits(Invalid):
    """The amount is below or above what this way to pay takes."""


class DiscountNotSupported(Invalid):
    """This product does not take a discount that is paid by this party."""


class FeeExceedsAmount(Invalid):
    """The merchant fee is greater than the payment."""


class SelfApproval(Forbidden):
    """Whoever asked for it may not approve it: somebody else has to."""


class PaymentNotDue(Conflict):
    """The payment is for a later time, or has begun."""


class ScheduleInPast(Invalid):
    """A payment is scheduled for a time in the future."""


class ScheduleNotSupported(Invalid):
    """Only payments under a contract are scheduled for later."""


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


class RetryNotAllowed(Conflict):
    """This payment is not tried again."""


class CorrectionNotPossible(Conflict):
    """What this payment did cannot be corrected by hand."""
