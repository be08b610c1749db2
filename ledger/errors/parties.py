"""Parties: what merchants, customers, contracts, payouts, channels, routing and risk refuse."""

from ledger.errors.refusal import BadRequest, Conflict, Invalid, NotFound, Refusal, Unauthenticated, Unavailable


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


class CreditLineNotFound(NotFound):
    """The customer has no credit line in this currency."""


class CreditLineExists(Conflict):
    """The customer has a credit line in this currency already."""


class CreditLineUnknown(Invalid):
    """The customer that is named has no credit line in this currency."""


class CreditLimitExceeded(Conflict):
    """The purchase is greater than what is left of the credit line."""


class CreditLossNotFound(NotFound):
    """There is no such proposal that waits for a decision."""


class LossExceedsPrincipal(Invalid):
    """No more principal is given up than is owed."""


class LossExceedsDebt(Invalid):
    """No more is written off than is owed."""


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


class BankUnknown(Invalid):
    """The bank that is named is not on the list of banks."""


class BankUnavailable(Unavailable):
    """The bank that is named is out of order at the moment."""

    retry_after_s = 60


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


class PaymentMethodNotFound(NotFound):
    """There is no such payment method in this book."""


class PaymentMethodUnknown(Invalid):
    """The payment method that is named is not an active one of this customer."""


class PaymentMethodInUse(Conflict):
    """A contract that is not over is charged with this payment method."""


class CustomerHasFunds(Conflict):
    """The customer has money in a wallet."""


class CustomerHasOpenMatters(Conflict):
    """Money of the customer is held, owed or on its way, or something of his is not decided."""


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


class SignatureMalformed(BadRequest):
    """The signature headers cannot be read."""


class SignatureInvalid(Unauthenticated):
    """The signature does not fit the body."""


class TimestampOutOfWindow(Unauthenticated):
    """The signature's time is more than 300 seconds away."""


class CallbackUnreadable(Invalid):
    """The callback is the channel's own and makes no sense."""
