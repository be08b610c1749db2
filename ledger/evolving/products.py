"""Products: what a payment becomes by the wallet part of a mixed payment, a purchase on credit, a settled exchange."""

from msgspec.structs import replace

from ledger.events.event import Recorded
from ledger.events.fx import FxRealized, FxSettled
from ledger.events.payments import PaymentPaidOnCredit, PaymentWalletFrozen, PaymentWalletUnfrozen
from ledger.evolving.payments import Evolvers
from ledger.payment import SUCCEEDED, Payment


def wallet_frozen(payment: Payment, event: PaymentWalletFrozen, recorded: Recorded) -> Payment:
    return replace(payment, frozen=payment.frozen + event.amount)


def wallet_unfrozen(payment: Payment, event: PaymentWalletUnfrozen, recorded: Recorded) -> Payment:
    return replace(payment, frozen=payment.frozen - event.amount)


def paid_on_credit(payment: Payment, event: PaymentPaidOnCredit, recorded: Recorded) -> Payment:
    paid, subsidized = payment.captured + event.amount, payment.subsidized + event.subsidy
    return replace(payment, status=SUCCEEDED, captured=paid, subsidized=subsidized)


def exchange_settled(payment: Payment, event: FxSettled, recorded: Recorded) -> Payment:
    return replace(payment, settled_exchanges=(*payment.settled_exchanges, event.subject))


def exchange_realized(payment: Payment, event: FxRealized, recorded: Recorded) -> Payment:
    return payment


EVOLVERS: Evolvers = {
    PaymentWalletFrozen: wallet_frozen,
    PaymentWalletUnfrozen: wallet_unfrozen,
    PaymentPaidOnCredit: paid_on_credit,
    FxSettled: exchange_settled,
    FxRealized: exchange_realized,
}
