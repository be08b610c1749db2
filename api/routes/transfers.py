"""/transfers: one amount from one account to another, at once or as a hold."""

from typing import Any

from pydantic import ConfigDict
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from api.answers import told
from api.dependencies import CALLER, Caller, Rules, body_of, understood
from api.fields import AccountId, Amount, Currency, Metadata, Reference, Request, Text500, Timestamp
from api.fingerprints import fingerprint
from api.routing import Router
from commands.transfers import HoldPlacedReceipt, PlaceHold, PostTransfer, TransferReceipt
from ledger.errors import (
    AccountClosed,
    AccountFrozen,
    AccountProtected,
    AccountUnknown,
    AmountNotPositive,
    AmountType,
    BalanceLimitExceeded,
    BalanceOverflow,
    CurrencyMismatch,
    CurrencyUnknown,
    EffectiveDateInFuture,
    ExpiryInPast,
    FieldInvalid,
    InsufficientFunds,
    PeriodClosed,
    ReferenceExists,
    SameAccount,
)
from ledger.ids import ENTRY, HOLD, new_id

ROUTE = "POST /v1/transfers"
router = Router("/v1/transfers", "transfers")

_EXAMPLE: dict[str, Any] = {
    "debit_account": "cash",
    "credit_account": "customer:17",
    "amount": 1250,
    "currency": "EUR",
    "reference": "order-1729",
    "description": "Payment of order 1729",
}


class PendingRequest(Request):
    """What makes a transfer a hold."""

    expires_at: Timestamp | None = None


class TransferRequest(Request):
    """Money travels in whole minor units: 1250 EUR is twelve euro fifty. `pending` makes it a hold."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    debit_account: AccountId
    credit_account: AccountId
    amount: Amount
    currency: Currency
    effective_at: Timestamp | None = None
    reference: Reference | None = None
    description: Text500 | None = None
    metadata: Metadata = {}
    pending: PendingRequest | None = None
    dry_run: bool = False

    def to_command(self) -> PostTransfer | PlaceHold:
        if self.pending is None:
            return PostTransfer(
                new_id(ENTRY),
                self.debit_account,
                self.credit_account,
                self.amount,
                self.currency,
                self.effective_at,
                self.reference,
                self.description,
                self.metadata,
            )
        if self.effective_at is not None:
            raise FieldInvalid("A hold takes effect when it is captured.", pointer="/effective_at")
        return PlaceHold(
            new_id(HOLD),
            self.debit_account,
            self.credit_account,
            self.amount,
            self.currency,
            self.pending.expires_at,
            self.reference,
            self.description,
            self.metadata,
        )


POSTING_REFUSALS = (
    AccountUnknown,
    AccountProtected,
    AccountFrozen,
    AccountClosed,
    AmountType,
    AmountNotPositive,
    BalanceLimitExceeded,
    BalanceOverflow,
    CurrencyMismatch,
    CurrencyUnknown,
    EffectiveDateInFuture,
    InsufficientFunds,
    PeriodClosed,
    ReferenceExists,
)
_RECORDED = {
    "position": 17,
    "id": "ent_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    **_EXAMPLE,
    "effective_at": "2026-11-21T10:20:30.123456Z",
    "recorded_at": "2026-11-21T10:20:30.123456Z",
    "metadata": {},
}


@router.writes(
    "",
    (TransferReceipt, HoldPlacedReceipt),
    _RECORDED,
    scope="ledger:write",
    refuses=(*POSTING_REFUSALS, SameAccount, ExpiryInPast),
    rules=Rules("ledger:write", takes_key=True, may_rehearse=True, thin=True),
    body=TransferRequest,
)
async def post_transfer(request: HttpRequest) -> Response:
    """Move an amount from one account to another, or set it aside with `pending`.

    The debit account is debited and the credit account is credited, in one entry. Limits are judged on the balance
    after it. With `dry_run` the answer is what would have been answered, and nothing is stored.
    """
    caller: Caller = request.scope[CALLER]
    asked = understood(TransferRequest, body_of(request))
    envelope = caller.envelope(caller.key, fingerprint(ROUTE, asked), dry_run=asked.dry_run)
    return told(await caller.ask(asked.to_command(), envelope))
