"""/wallets: money out of a wallet, between wallets, and money that may not be spent for now."""

from typing import Annotated, Any

from pydantic import AliasChoices, ConfigDict, Field
from starlette.responses import Response

from api.dependencies import Calling
from api.fields import Metadata, PartyId, Reference, Request, Text500
from api.payment_requests import WalletRequest
from api.routes.payouts import SHOWN, PayoutDestinationRequest
from api.routing import Router
from commands.payouts import CreatePayout
from commands.wallets import FreezeReceipt, FreezeWallet, ReleaseFreeze, TransferToWallet, WalletTransferReceipt
from ledger.errors import (
    AccountFrozen,
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    ChannelUnavailable,
    CurrencyMismatch,
    CurrencyUnknown,
    CustomerNotFound,
    CustomerUnknown,
    FreezeNotActive,
    FreezeNotFound,
    InsufficientFunds,
    SameAccount,
    WalletNotFound,
    WalletUnknown,
)
from ledger.events.payouts import CUSTOMER
from ledger.ids import FREEZE, PAYOUT, WALLET_TRANSFER, new_id
from ledger.payout_views import PayoutView

router = Router("/v1/wallets", "wallets")

_OF_WALLETS = (
    AmountType,
    AmountNotPositive,
    AmountOverflow,
    CurrencyUnknown,
    CurrencyMismatch,
    CustomerNotFound,
    WalletNotFound,
    InsufficientFunds,
    AccountFrozen,
)
_BANK: dict[str, Any] = {"type": "bank_account", "account_number": "DE89370400440532013000", "name": "Ann Example"}
_TRANSFER: dict[str, Any] = {"to_customer": "bob", "amount": 500, "description": "For lunch"}
_FREEZE: dict[str, Any] = {"amount": 1000, "reason": "A deposit for the bicycle"}
_FROZEN: dict[str, Any] = {
    "position": 30,
    "id": "frz_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "customer": "ann",
    "amount": 1000,
    "currency": "EUR",
    "status": "active",
    "reason": "A deposit for the bicycle",
    "available": 4000,
    "frozen": 1000,
}


class WithdrawalRequest(WalletRequest):
    """How much, and where to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 2000, "destination": _BANK}]})

    destination: PayoutDestinationRequest
    reference: Reference | None = None
    metadata: Metadata = {}


class WalletTransferRequest(WalletRequest):
    """How much, and to whom; `to` is understood as well."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TRANSFER]})

    to_customer: Annotated[PartyId, Field(validation_alias=AliasChoices("to_customer", "to"))]
    description: Text500 | None = None


class WalletFreezeRequest(WalletRequest):
    """How much, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FREEZE]})

    reason: Text500


class ReleaseFreezeRequest(Request):
    """Why, if somebody wants to know."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The bicycle came back"}]})

    reason: Text500 = ""


@router.writes(
    "/{customer}/{currency}/withdrawals",
    PayoutView,
    {**SHOWN, "merchant": None, "customer": "ann", "fee": 0},
    scope="payments:write",
    may_be_late=True,
    refuses=(*_OF_WALLETS, ChannelUnavailable),
)
async def withdraw(customer: str, currency: str, asked: WithdrawalRequest, caller: Calling) -> Response:
    """Pay money out of a wallet. It is a payout: 202 while it is on its way, 201 while it waits for an approval."""
    asked.check_currency(currency)
    command = CreatePayout(
        new_id(PAYOUT),
        CUSTOMER,
        customer,
        asked.amount,
        currency,
        asked.destination.to_destination(),
        asked.reference,
        asked.metadata,
    )
    return await caller.carry_out(command, asked)


@router.writes(
    "/{customer}/{currency}/transfers",
    WalletTransferReceipt,
    {
        "position": 29,
        "id": "wtr_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
        "customer": "ann",
        "currency": "EUR",
        **_TRANSFER,
        "available": 4500,
        "recorded_at": "2026-11-21T10:20:30.123456Z",
    },
    scope="payments:write",
    refuses=(*_OF_WALLETS, SameAccount, CustomerUnknown, WalletUnknown),
)
async def transfer_to_wallet(customer: str, currency: str, asked: WalletTransferRequest, caller: Calling) -> Response:
    """Move money into another customer's wallet, at once."""
    asked.check_currency(currency)
    command = TransferToWallet(
        new_id(WALLET_TRANSFER), customer, asked.to_customer, asked.amount, currency, asked.description
    )
    return await caller.carry_out(command, asked)


@router.writes("/{customer}/{currency}/freezes", FreezeReceipt, _FROZEN, scope="payments:write", refuses=_OF_WALLETS)
async def freeze_wallet(customer: str, currency: str, asked: WalletFreezeRequest, caller: Calling) -> Response:
    """Keep money of a wallet from being spent, until it is released."""
    asked.check_currency(currency)
    command = FreezeWallet(new_id(FREEZE), customer, asked.amount, currency, asked.reason)
    return await caller.carry_out(command, asked)


@router.writes(
    "/{customer}/{currency}/freezes/{freeze}/release",
    FreezeReceipt,
    {**_FROZEN, "status": "released", "available": 5000, "frozen": 0},
    scope="payments:write",
    status=200,
    refuses=(FreezeNotFound, FreezeNotActive),
)
async def release_freeze(
    customer: str, currency: str, freeze: str, asked: ReleaseFreezeRequest, caller: Calling
) -> Response:
    """Let what was frozen be spent again."""
    return await caller.carry_out(ReleaseFreeze(freeze, customer, currency, asked.reason), asked)
