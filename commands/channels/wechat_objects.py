"""WeChat Pay's objects: orders, refunds, addresses and messages as they are written, and what each of them means."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from commands.channels.channel import (
    PENDING,
    Changed,
    ChangeDeclined,
    Charged,
    Declined,
    NotFound,
    RefundDeclined,
    Refunded,
    RefundReturned,
    Unknown,
    Verdict,
)
from commands.channels.declines import shown
from ledger.money import LARGEST

_Word = Annotated[str, Meta(pattern=r"^[!-~]{1,128}\Z")]
_Fen = Annotated[int, Meta(ge=1, le=LARGEST)]
_Time = Annotated[datetime, Meta(tz=True)]


class OrderSum(Struct, frozen=True):
    total: _Fen
    currency: _Word = "CNY"


class RefundSum(Struct, frozen=True):
    refund: _Fen
    currency: _Word = "CNY"


class Transaction(Struct, frozen=True):
    """An order as the platform has it; one that nobody has paid has no number of the platform's."""

    out_trade_no: _Word
    trade_state: Literal["SUCCESS", "REFUND", "NOTPAY", "CLOSED", "REVOKED", "USERPAYING", "PAYERROR"]
    amount: OrderSum
    transaction_id: _Word | None = None
    success_time: _Time | None = None
    trade_state_desc: str = ""

    def verdict(self) -> Verdict:
        match self:
            # REFUND: it was paid, and at least a part was given back.
            case Transaction(
                trade_state="SUCCESS" | "REFUND", transaction_id=str() as reference, success_time=datetime() as at
            ):
                return Charged(reference, self.amount.total, self.amount.currency, None, at.astimezone(UTC))
            case Transaction(trade_state="NOTPAY"):
                # Only the answer to the order tells where the payer has to go: it has to be asked for again.
                return NotFound()
            case Transaction(trade_state="USERPAYING"):
                return PENDING
            case Transaction(trade_state="PAYERROR"):
                return Declined("generic_decline", "PAYERROR", shown(self.trade_state_desc), hard=False)
            case Transaction(trade_state="CLOSED"):
                return Declined("session_expired", "CLOSED", "", hard=False)
            case Transaction(trade_state="REVOKED"):
                return Declined("cancelled_by_user", "REVOKED", "", hard=False)
            case _:
                return Unknown("the order contradicts itself")

    def closed(self, at: datetime) -> Verdict:
        """Whether it is closed: the platform keeps no other trace of a closing."""
        match self.trade_state:
            case "CLOSED" | "REVOKED" | "PAYERROR":
                return Changed(self.out_trade_no, self.amount.total, self.amount.currency, at)
            case "SUCCESS" | "REFUND":
                return ChangeDeclined("integration", "ORDERPAID", "")
            case "NOTPAY":
                return NotFound()
            case _:
                return PENDING


class Refund(Struct, frozen=True):
    refund_id: _Word
    out_refund_no: _Word
    amount: RefundSum
    status: Literal["SUCCESS", "CLOSED", "PROCESSING", "ABNORMAL"] | None = None
    refund_status: Literal["SUCCESS", "CLOSED", "PROCESSING", "ABNORMAL"] | None = None  # as a message names it
    success_time: _Time | None = None

    def verdict(self) -> Verdict:
        amount, currency = self.amount.refund, self.amount.currency
        at = None if self.success_time is None else self.success_time.astimezone(UTC)
        match self.status or self.refund_status:
            case "SUCCESS" if at is not None:
                return Refunded(self.refund_id, amount, currency, None, at)
            case "ABNORMAL" if at is not None:
                return RefundReturned(self.refund_id, amount, currency, "ABNORMAL", "", at)
            case "ABNORMAL":
                return RefundDeclined("account_invalid", "ABNORMAL", "", hard=True)
            case "CLOSED":
                return RefundDeclined("generic_decline", "CLOSED", "", hard=False)
            case "PROCESSING":
                return PENDING
            case _:
                return Unknown("the refund contradicts itself")


class Address(Struct, frozen=True):
    code_url: str = ""
    h5_url: str = ""
    trade_state: str | None = None


class Error(Struct, frozen=True):
    code: _Word
    message: str = ""


class Resource(Struct, frozen=True):
    """What a message tells, encrypted."""

    original_type: Literal["transaction", "refund"]
    algorithm: Literal["AEAD_AES_256_GCM"]
    ciphertext: str
    nonce: str
    associated_data: str = ""


class Message(Struct, frozen=True):
    id: _Word
    resource: Resource
