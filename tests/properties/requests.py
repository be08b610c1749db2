"""Requests of the ledger's interface as plain values: what the model decides and what a driver sends."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Json = dict[str, Any]
Side = Literal["debit", "credit"]


def _given(**fields: Any) -> Json:
    """The fields that are not None, with times as RFC 3339 text."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in fields.items()
        if value is not None
    }


@dataclass(frozen=True, slots=True)
class OpenAccount:
    id: str
    kind: str
    currency: str
    min_balance: int | None = None
    max_balance: int | None = None

    @property
    def path(self) -> str:
        return "/v1/accounts"

    def body(self) -> Json:
        limits = _given(min_balance=self.min_balance, max_balance=self.max_balance)
        return {"id": self.id, "name": self.id, "kind": self.kind, "currency": self.currency, **limits}


@dataclass(frozen=True, slots=True)
class ChangeLimits:
    account: str
    min_balance: int | None
    max_balance: int | None

    @property
    def path(self) -> str:
        return f"/v1/accounts/{self.account}/limits"

    def body(self) -> Json:
        return {"min_balance": self.min_balance, "max_balance": self.max_balance}


@dataclass(frozen=True, slots=True)
class ChangeStatus:
    account: str
    to: Literal["freeze", "unfreeze", "close"]

    @property
    def path(self) -> str:
        return f"/v1/accounts/{self.account}/{self.to}"

    def body(self) -> Json:
        return {"reason": "asked to"}


@dataclass(frozen=True, slots=True)
class Transfer:
    debit_account: str
    credit_account: str
    amount: int
    currency: str
    effective_at: datetime | None = None
    reference: str | None = None

    @property
    def path(self) -> str:
        return "/v1/transfers"

    def body(self) -> Json:
        return _given(
            debit_account=self.debit_account,
            credit_account=self.credit_account,
            amount=self.amount,
            currency=self.currency,
            effective_at=self.effective_at,
            reference=self.reference,
        )


@dataclass(frozen=True, slots=True)
class PlaceHold:
    debit_account: str
    credit_account: str
    amount: int
    currency: str
    expires_at: datetime | None = None
    reference: str | None = None

    @property
    def path(self) -> str:
        return "/v1/transfers"

    def body(self) -> Json:
        return _given(
            debit_account=self.debit_account,
            credit_account=self.credit_account,
            amount=self.amount,
            currency=self.currency,
            reference=self.reference,
            pending=_given(expires_at=self.expires_at),
        )


@dataclass(frozen=True, slots=True)
class Posting:
    account: str
    direction: Side
    amount: int
    currency: str

    def body(self) -> Json:
        return {
            "account": self.account,
            "direction": self.direction,
            "amount": self.amount,
            "currency": self.currency,
        }


@dataclass(frozen=True, slots=True)
class PostEntry:
    postings: tuple[Posting, ...]
    effective_at: datetime | None = None
    reference: str | None = None
    dry_run: bool = False

    @property
    def path(self) -> str:
        return "/v1/entries"

    @property
    def balances(self) -> bool:
        net: dict[str, int] = {}
        for posting in self.postings:
            signed = posting.amount if posting.direction == "debit" else -posting.amount
            net[posting.currency] = net.get(posting.currency, 0) + signed
        return not any(net.values())

    def body(self) -> Json:
        return _given(
            postings=[posting.body() for posting in self.postings],
            effective_at=self.effective_at,
            reference=self.reference,
            dry_run=True if self.dry_run else None,
        )


@dataclass(frozen=True, slots=True)
class Reverse:
    entry: str
    amount: int | None = None
    effective_at: datetime | Literal["original"] | None = None

    @property
    def path(self) -> str:
        return f"/v1/entries/{self.entry}/reverse"

    def body(self) -> Json:
        return _given(reason="mistake", amount=self.amount, effective_at=self.effective_at)


@dataclass(frozen=True, slots=True)
class Capture:
    hold: str
    amount: int | None = None
    final: bool = False

    @property
    def path(self) -> str:
        return f"/v1/holds/{self.hold}/capture"

    def body(self) -> Json:
        return _given(amount=self.amount, final=True if self.final else None)


@dataclass(frozen=True, slots=True)
class Release:
    """`expired`: what a timer asks for; there is no address for it."""

    hold: str
    expired: bool = False

    @property
    def path(self) -> str:
        return f"/v1/holds/{self.hold}/{'expire' if self.expired else 'release'}"

    def body(self) -> Json:
        return {}


@dataclass(frozen=True, slots=True)
class ChangePeriod:
    period: str
    to: Literal["close", "reopen"]

    @property
    def path(self) -> str:
        return f"/v1/periods/{self.period}/{self.to}"

    def body(self) -> Json:
        return {"reason": "month-end"} | ({"carry_forward": False} if self.to == "close" else {})


@dataclass(frozen=True, slots=True)
class Batch:
    """Transfers, each with its own key."""

    mode: Literal["atomic", "independent"]
    items: tuple[tuple[str, "Transfer | PlaceHold"], ...]

    @property
    def path(self) -> str:
        return "/v1/batches"

    def body(self) -> Json:
        transfers = [{**transfer.body(), "idempotency_key": key} for key, transfer in self.items]
        return {"mode": self.mode, "transfers": transfers}


Single = (
    OpenAccount
    | ChangeLimits
    | ChangeStatus
    | Transfer
    | PlaceHold
    | PostEntry
    | Reverse
    | Capture
    | Release
    | ChangePeriod
)
Request = Single | Batch


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: a code where it was refused, the body as a caller reads it."""

    status: int
    code: str | None
    body: Json
    replayed: bool
