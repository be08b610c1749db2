"""Credit lines: opened with their terms, charged with interest month by month, written down and off by two persons."""

from datetime import datetime

from commands.books import Books
from commands.channel_facts import LARGEST_ORDER
from commands.customers import customer_exists, wallet_openings
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.system_accounts import StreamEvents, with_accounts
from ledger.chart import credit_principal, system_account, wallet_available
from ledger.credit_line_state import CreditLine, fold
from ledger.currencies import asset_of
from ledger.errors import (
    CreditLineExists,
    CreditLineNotFound,
    CustomerNotFound,
    FieldInvalid,
    InterestChargedAlready,
    InterestNotDue,
)
from ledger.events.accounts import AccountLimitsChanged, AccountOpened, account_stream
from ledger.events.credit_lines import CreditInterestCharged, CreditLimitChanged, CreditLineOpened, credit_line_stream
from ledger.events.customers import customer_stream
from ledger.events.event import Event
from ledger.money import BASIS_POINTS, share_in_basis_points
from ledger.periods import is_period


class OpenCreditLine(Command, frozen=True):
    """Lend a customer up to `limit` minor units of one currency; interest in ten-thousandths of the principal."""

    customer: str
    currency: str
    limit: int
    interest_bps_per_month: int = 0
    instalment_fee: int = 0


class ChangeCreditLimit(Command, frozen=True):
    """From now on lend up to `limit`. Who owes more already owes it still, and buys nothing."""

    customer: str
    currency: str
    limit: int


class ChargeInterest(Command, frozen=True):
    """Interest and fee for the month `period` (`2026-11`) on the principal of now; once for each month.

    `over`: only if the month is over, as the timer asks for it.
    """

    customer: str
    currency: str
    period: str
    over: bool = False


class CreditLineReceipt(Receipt):
    """What is owed on a credit line, in minor units: `total` is principal, interest and fees."""

    customer: str = ""
    currency: str = ""
    limit: int = 0
    available: int = 0
    principal: int = 0
    interest: int = 0
    fees: int = 0
    total: int = 0
    allowance: int = 0
    written_off: int = 0
    interest_bps_per_month: int = 0
    instalment_fee: int = 0
    opened_at: datetime | None = None


def credit_line(books: Books, customer: str, currency: str) -> CreditLine | None:
    """The line as it stands."""
    return fold(books.recorded(credit_line_stream(customer, currency)))


def line_of(books: Books, customer: str, currency: str) -> CreditLine:
    """The line that an address names; raises CreditLineNotFound."""
    line = credit_line(books, customer, currency)
    if line is None:
        raise CreditLineNotFound(customer=customer, currency=currency)
    return line


def principal_of(books: Books, customer: str, currency: str) -> int:
    """What the customer owes of principal, in minor units."""
    account = books.find_account(credit_principal(customer, currency))
    return 0 if account is None else account.balance


def receipt_of(line: CreditLine, principal: int, position: int | None = None) -> CreditLineReceipt:
    opened = line.opened
    return CreditLineReceipt(
        position,
        opened.customer,
        opened.currency,
        line.limit,
        max(0, line.limit - principal),
        principal,
        line.interest_due,
        line.fees_due,
        principal + line.interest_due + line.fees_due,
        line.allowance,
        line.written_off,
        opened.interest_bps_per_month,
        opened.instalment_fee,
        line.opened_at,
    )


def open_line(books: Books, command: OpenCreditLine, envelope: Envelope) -> Decision:
    asset_of(command.currency)
    _check_limit(command.limit)
    if not 0 <= command.interest_bps_per_month <= BASIS_POINTS:
        raise FieldInvalid("A share is 0 to 10000 ten-thousandths.", pointer="/interest_bps_per_month")
    if not 0 <= command.instalment_fee <= LARGEST_ORDER:
        raise FieldInvalid("A fee is not negative.", pointer="/instalment_fee")
    customer, currency = command.customer, command.currency
    if not customer_exists(books, customer):
        raise CustomerNotFound(customer=customer)
    if credit_line(books, customer, currency) is not None:
        raise CreditLineExists(pointer="/currency", customer=customer, currency=currency)
    opened = CreditLineOpened(customer, currency, command.limit, command.interest_bps_per_month, command.instalment_fee)
    # What is paid back too much goes into the wallet, so there is one.
    events: StreamEvents = wallet_openings(books, customer, currency)
    events += [_principal_account(command), (credit_line_stream(customer, currency), opened)]
    line = CreditLine(opened, books.now, 0, command.limit)
    return Decision(events, receipt_of(line, 0))


def _check_limit(limit: int) -> None:
    if not 0 <= limit <= LARGEST_ORDER:
        raise FieldInvalid(f"A limit is 0 to {LARGEST_ORDER} minor units.", pointer="/limit")


def _principal_account(command: OpenCreditLine) -> tuple[str, Event]:
    """The account of the principal keeps the limit too: whatever a decision overlooks, it refuses."""
    name = credit_principal(command.customer, command.currency)
    account = system_account(name, command.currency)
    title = f"credit principal {command.customer}"
    opened = AccountOpened(
        name, title, str(account.kind), command.currency, account.min_balance, command.limit, protected=True
    )
    return account_stream(name), opened


def change_limit(books: Books, command: ChangeCreditLimit, envelope: Envelope) -> Decision:
    _check_limit(command.limit)
    line = line_of(books, command.customer, command.currency)
    name = credit_principal(command.customer, command.currency)
    events: StreamEvents = [
        (account_stream(name), AccountLimitsChanged(name, 0, command.limit)),
        (
            credit_line_stream(command.customer, command.currency),
            CreditLimitChanged(command.customer, command.currency, command.limit),
        ),
    ]
    receipt = receipt_of(line, principal_of(books, command.customer, command.currency))
    receipt.limit, receipt.available = command.limit, max(0, command.limit - receipt.principal)
    return Decision(events, receipt)


def charge_interest(books: Books, command: ChargeInterest, envelope: Envelope) -> Decision:
    line = line_of(books, command.customer, command.currency)
    if not is_period(command.period):
        raise FieldInvalid("A month is written like 2026-11.", pointer="/period")
    month, first = books.now.strftime("%Y-%m"), line.opened_at.strftime("%Y-%m")
    if not first <= command.period <= month or (command.over and command.period == month):
        raise InterestNotDue(pointer="/period", period=command.period, first=first, last=month)
    if command.period in line.charged:
        raise InterestChargedAlready(pointer="/period", period=command.period)
    principal = principal_of(books, command.customer, command.currency)
    terms = line.opened
    charged = CreditInterestCharged(
        command.customer,
        command.currency,
        command.period,
        principal,
        share_in_basis_points(principal, terms.interest_bps_per_month),
        terms.instalment_fee if principal else 0,
    )
    receipt = receipt_of(line, principal)
    receipt.interest += charged.interest
    receipt.fees += charged.fees
    receipt.total += charged.interest + charged.fees
    return Decision(with_accounts(books, [(credit_line_stream(command.customer, command.currency), charged)]), receipt)


def _needs(command: OpenCreditLine | ChangeCreditLimit | ChargeInterest) -> Needs:
    """What every command about a line looks at, and what it goes on writing in."""
    principal = credit_principal(command.customer, command.currency)
    return Needs(
        accounts=(principal, wallet_available(command.customer, command.currency)),
        streams=(
            customer_stream(command.customer),
            credit_line_stream(command.customer, command.currency),
            account_stream(principal),
        ),
    )


DECIDERS: dict[type[Command], Decider] = {
    OpenCreditLine: Decider(open_line, _needs),
    ChangeCreditLimit: Decider(change_limit, _needs),
    ChargeInterest: Decider(charge_interest, _needs),
}
