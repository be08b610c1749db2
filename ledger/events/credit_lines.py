"""Credit lines: what we lend a customer in one currency; one stream for each line."""

from typing import ClassVar

from ledger.events.event import Event


def credit_line_stream(customer: str, currency: str) -> str:
    return f"credit_line/{customer}/{currency.lower()}"


class CreditLineOpened(Event, frozen=True, omit_defaults=True):
    """The customer may buy on credit up to `limit` of principal. Terms: a share of the principal each month, and a fee.

    `interest_bps_per_month` are ten-thousandths, `instalment_fee` minor units for each month with a debt.
    """

    topic: ClassVar[str] = "credit_lines.opened.v1"

    customer: str
    currency: str
    limit: int
    interest_bps_per_month: int = 0
    instalment_fee: int = 0


class CreditLimitChanged(Event, frozen=True):
    """From here on the customer may owe so much principal."""

    topic: ClassVar[str] = "credit_lines.limit_changed.v1"

    customer: str
    currency: str
    limit: int


class CreditInterestCharged(Event, frozen=True, omit_defaults=True):
    """For the month `period` (`2026-11`) interest and an instalment fee are due on `principal`."""

    topic: ClassVar[str] = "credit_lines.interest_charged.v1"

    customer: str
    currency: str
    period: str
    principal: int
    interest: int
    fees: int = 0


class CreditRepaid(Event, frozen=True, omit_defaults=True):
    """A repayment came through a channel: first the fees, then interest, then principal, the rest into the wallet."""

    topic: ClassVar[str] = "credit_lines.repaid.v1"

    repayment: str
    customer: str
    channel: str
    currency: str
    channel_fee: int
    fees: int = 0
    interest: int = 0
    principal: int = 0
    to_wallet: int = 0
    fee_payable: bool = False
    channel_reference: str = ""


class CreditLossProposed(Event, frozen=True, omit_defaults=True):
    """Somebody proposes to write principal down (impairment) or off (write_off); a second person decides."""

    topic: ClassVar[str] = "credit_lines.loss_proposed.v1"

    number: int
    kind: str
    customer: str
    amount: int
    currency: str
    reason: str
    maker: str


class CreditLossRejected(Event, frozen=True, omit_defaults=True):
    """The second person did not agree, or the first one thought better of it."""

    topic: ClassVar[str] = "credit_lines.loss_rejected.v1"

    number: int
    checker: str
    reason: str = ""


class CreditImpaired(Event, frozen=True):
    """`amount` of the principal is not expected to come back any more; the customer owes it all the same."""

    topic: ClassVar[str] = "credit_lines.impaired.v1"

    number: int
    customer: str
    amount: int
    currency: str
    maker: str
    checker: str


class CreditWrittenOff(Event, frozen=True):
    """`amount` of the principal is given up. `expensed` is the part that was not written down before."""

    topic: ClassVar[str] = "credit_lines.written_off.v1"

    number: int
    customer: str
    amount: int
    currency: str
    expensed: int
    maker: str
    checker: str
