"""/transfers: one amount from one account to another, at once or as a hold."""

from datetime import datetime
from typing import Any

import msgspec
from pydantic import ConfigDict, Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from api.answers import told
from api.dependencies import CALLER, Caller, Rules, body_of, understood
from api.fields import AccountId, Amount, Currency, Metadata, Reference, Request, Text500, Timestamp
from api.fingerprints import fingerprint_of
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


def dated_hold() -> FieldInvalid:
    """The refusal of a hold with an effective time."""
    return FieldInvalid("A hold takes effect when it is captured.", pointer="/effective_at")


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
    metadata: Metadata = Field(default_factory=dict)
    pending: PendingRequest | None = None
    dry_run: bool = False

    def to_command(self, fresh_id: str | None = None) -> PostTransfer | PlaceHold:
        """`fresh_id` is for a transfer that is no hold; raises FieldInvalid."""
        if self.pending is None:
            return PostTransfer(
                fresh_id or new_id(ENTRY),
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
            raise dated_hold()
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

    def fingerprint(self) -> bytes:
        """What makes it the same transfer, sent alone or in a batch."""
        return fingerprint_of(
            ROUTE,
            _Asked(
                self.debit_account,
                self.credit_account,
                self.amount,
                self.currency,
                self.effective_at,
                self.reference,
                self.description,
                self.metadata,
                None if self.pending is None else {"expires_at": self.pending.expires_at},
            ),
        )


class _Asked(msgspec.Struct, omit_defaults=True):
    """What a transfer asks for, in a form that is quickly written: batches have thousands of them."""

    debit_account: str
    credit_account: str
    amount: int
    currency: str
    effective_at: datetime | None = None
    reference: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    pending: dict[str, datetime | None] | None = None


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
    needs_two=True,
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
    envelope = caller.envelope(caller.key, asked.fingerprint(), dry_run=asked.dry_run)
    return told(await caller.ask(asked.to_command(), envelope))
