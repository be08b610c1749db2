"""Open matters: what of a customer is not over, from payments to repayments; and where money of his is."""

from typing import Any, LiteralString

from psycopg import AsyncConnection

from ledger import payment_state, payout_state, repayment_state, top_up_state
from ledger.chart import Code
from ledger.dispute import UNDER_WAY
from ledger.events.event import Recorded
from ledger.ids import PAYMENT, PAYOUT, REPAYMENT, TOP_UP
from ledger.payment import (
    CANCELED,
    CREATED,
    EXPIRED,
    FAILED,
    PROCESSING,
    REJECTED,
    SUCCEEDED,
    UNKNOWN,
)
from ledger.receipt import KEPT, RETURNING
from ledger.store.connection import in_book
from ledger.store.positions import streams
from projections.audit_trail import streams_naming

_AT_ONCE = 200
_OVER = (SUCCEEDED, FAILED, CANCELED, EXPIRED, REJECTED)
_HOLD_OR_OWE = (
    Code.WALLET_AVAILABLE,
    Code.WALLET_FROZEN,
    Code.CREDIT_PRINCIPAL,
    Code.CREDIT_INTEREST_RECEIVABLE,
    Code.CREDIT_ALLOWANCE,
)
_ACCOUNTS: LiteralString = """
SELECT account
  FROM {schema}.balances
 WHERE account LIKE ANY(%s) AND posted_debits <> posted_credits
 ORDER BY account
"""


async def accounts_with_money(connection: AsyncConnection[Any], book: str, customer: str) -> tuple[str, ...]:
    """The customer's wallets with money in them, and what is owed by him."""
    escaped = customer.replace("\\", r"\\").replace("_", r"\_").replace("%", r"\%")
    patterns = [f"sys:{code.value[0]}:{escaped}:%" for code in _HOLD_OR_OWE]
    rows = await (await connection.execute(in_book(_ACCOUNTS, book), (patterns,))).fetchall()
    return tuple(account for (account,) in rows)


async def open_matters(connection: AsyncConnection[Any], book: str, customer: str) -> tuple[str, ...]:
    """What of the customer is not over, by id."""
    found: list[str] = []
    names = await streams_naming(connection, book, customer)
    for start in range(0, len(names), _AT_ONCE):
        histories = await streams(connection, book, names[start : start + _AT_ONCE])
        for name, history in histories.items():
            found += _open_in(name, history)
    return tuple(found)


def _open_in(name: str, history: list[Recorded]) -> list[str]:
    if name.startswith(PAYMENT):
        return _open_in_payment(history)
    if name.startswith(PAYOUT):
        payout = payout_state.fold(history)
        is_open = payout is not None and payout.status in (CREATED, *payout_state.OPEN)
    elif name.startswith(TOP_UP):
        top_up = top_up_state.fold(history)
        is_open = top_up is not None and top_up.status not in _OVER
    elif name.startswith(REPAYMENT):
        repayment = repayment_state.fold(history)
        is_open = repayment is not None and repayment.status not in _OVER
    else:
        is_open = False
    return [name] if is_open else []


def _open_in_payment(history: list[Recorded]) -> list[str]:
    payment = payment_state.fold(history)
    if payment is None:
        return []
    found = [] if payment.status in _OVER else [payment.created.id]
    found += [one.id for one in payment.refunds if one.status in (PROCESSING, UNKNOWN)]
    found += [one.id for one in payment.disputes if one.status in UNDER_WAY]
    if any(one.status in (KEPT, RETURNING) for one in payment.receipts) and payment.created.id not in found:
        found.append(payment.created.id)
    return found
