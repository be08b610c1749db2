"""Payment requests: what an order to pay says, and how the payer pays it."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AliasChoices,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

from api.fields import Amount, Currency, Identifier, Metadata, Reference, Request, Text500, Timestamp
from commands.payments import CreatePayment
from commands.policies.discounts import PaidBy, payable
from commands.policies.products import objections, product_of
from ledger.chart import AGENCY_PAY
from ledger.errors import CurrencyMismatch, FieldError, FieldInvalid, ProductNotSupported, Refusal
from ledger.events.payments import Discount, Method, PaymentCreated
from ledger.ids import PAYMENT, new_id

_EXAMPLE: dict[str, Any] = {
    "merchant": "shop",
    "customer": "ann",
    "amount": 6000,
    "currency": "EUR",
    "product": "quick_pay",
    "method": {"type": "card", "token": "tok_approved"},
    "capture": "automatic",
    "order_reference": "order-1729",
}


Token = Annotated[str, StringConstraints(strict=True, pattern=r"^[!-~]{1,255}$")]
"""What a vault calls a card: any printable ASCII."""

_SCENIC = ("alipay", "wechat_pay")
_PYDANTICS_OWN = frozenset(get_args(ErrorType))


class MethodRequest(Request):
    """How the payer pays. `token` stands for a card that a vault knows; card numbers never come here.

    To the simulated channels a token says what happens: tok_approved, tok_sms (the code is 123456), tok_three_ds,
    tok_late (decided later), tok_timeout_after, and tok_ before a reason to decline, as tok_insufficient_funds.

    What else is needed depends on `type`: bank_redirect `bank` (GET /v1/banks), carrier_billing `phone`, coin `coin`
    and `network`, mixed `wallet_amount`, and so on; the `scene` of alipay and wechat_pay is qr unless it is said.
    `bin`, `country`, `fingerprint` and `device` help to tell a fraud.
    """

    type: Identifier
    token: Token | None = None
    bank: Identifier | None = None
    phone: Annotated[str, StringConstraints(strict=True, pattern=r"^\+[1-9][0-9]{5,14}$")] | None = None
    contract: Identifier | None = None
    payment_method: Identifier | None = None
    scene: Literal["qr", "redirect", "app"] | None = None
    coin: Identifier | None = None
    network: Identifier | None = None
    bin: Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{6,8}$")] | None = None
    country: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z]{2}$")] | None = None
    fingerprint: Identifier | None = None
    device: Identifier | None = None
    wallet_amount: Amount | None = None

    def to_method(self) -> Method:
        details = self.model_dump(exclude={"type", "token", "wallet_amount"}, exclude_none=True)
        named = {name: str(value) for name, value in details.items()}
        if self.type in _SCENIC:
            named.setdefault("scene", "qr")
        return Method(self.type, self.token, named, self.wallet_amount or 0)


class WalletRequest(Request):
    """How much; in which currency, the address says: one that is told beside the amount has to be that one."""

    amount: Amount
    currency: Currency | None = None

    def check_currency(self, currency: str) -> None:
        """Raises CurrencyMismatch."""
        if self.currency not in (None, currency):
            raise CurrencyMismatch(f"The wallet in the address is of {currency}.", pointer="/currency")


class DiscountRequest(Request):
    """What the payer does not have to pay of `amount`. The platform's and the channel's is owed to the merchant."""

    amount: Amount
    paid_by: PaidBy

    def to_discount(self) -> Discount:
        return Discount(self.amount, self.paid_by)


class PaymentRequest(Request):
    """An order to pay. `product` is what is offered to the payer, `method` what the payer has.

    For agency_pay, which collects for a principal, `merchant` names that, and may be called `principal`. What is paid
    out for a principal is no payment: see /payouts.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    merchant: Annotated[Identifier, Field(validation_alias=AliasChoices("merchant", "principal"))]
    customer: Identifier | None = None
    amount: Amount
    currency: Currency
    product: Identifier
    method: MethodRequest
    capture: Literal["automatic", "manual"] = "automatic"
    order_reference: Reference
    description: Text500 | None = None
    metadata: Metadata = {}
    client: Metadata = {}
    return_url: Text500 | None = None
    confirm: bool = True
    expires_in_s: Annotated[int, Field(strict=True, ge=60, le=86_400)] | None = None
    scheduled_at: Timestamp | None = None
    quote: Identifier | None = None
    discount: DiscountRequest | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _judge_with_its_product(cls, order: Any, judge: ModelWrapValidatorHandler[Self]) -> Self:
        """What the product does not take is named in the one answer with everything else that is wrong."""
        try:
            judged = judge(order)
        except ValidationError as error:
            also = [_line(refused) for refusal in _objections(order) for refused in refusal.errors]
            raise ValidationError.from_exception_data(cls.__name__, [*map(_again, error.errors()), *also]) from None
        if isinstance(order, dict) and "principal" in order and judged.product != AGENCY_PAY:
            named = FieldInvalid(f"{judged.product} is paid to a merchant.", pointer="/principal")
            raise ValidationError.from_exception_data(cls.__name__, [_line(error) for error in named.errors])
        return judged

    def to_command(self) -> CreatePayment:
        return CreatePayment(
            new_id(PAYMENT),
            self.merchant,
            self.amount,
            self.currency,
            self.product,
            self.method.to_method(),
            self.order_reference,
            self.customer,
            self.capture,
            self.description,
            self.metadata,
            self.client,
            self.return_url,
            self.confirm,
            self.expires_in_s,
            scheduled_at=self.scheduled_at,
            quote=self.quote,
            discount=None if self.discount is None else self.discount.to_discount(),
        )


def as_created(command: CreatePayment) -> PaymentCreated:
    """The order as it would be recorded, without a fee: for those who only rehearse what would be decided."""
    return PaymentCreated(
        command.id,
        command.merchant,
        command.customer,
        payable(command.amount, command.discount),
        command.currency,
        command.product,
        command.method,
        command.order_reference,
        fee=0,
        capture=command.capture,
        metadata=command.metadata,
        client=command.client,
    )


def in_its_place(body: Any, *fields: str) -> Any:
    """A rehearsal's body; a payment that stands there alone, as POST /v1/payments takes it, is put into `payment`."""
    if not isinstance(body, dict) or not body or any(field in body for field in fields):
        return body
    return {"payment": {"order_reference": "rehearsal", **body}}


def _objections(order: Any) -> list[Refusal]:
    """What the product of a body that is bad anyway does not take, as far as the body says it."""
    name = order.get("product") if isinstance(order, dict) else None
    if not isinstance(name, str):
        return []
    try:
        product = product_of(name)
    except ProductNotSupported as refusal:
        return [refusal]
    method, capture = order.get("method"), order.get("capture", "automatic")
    kind = method.get("type") if isinstance(method, dict) else None
    return objections(
        product,
        kind if isinstance(kind, str) else product.methods[0],
        capture if capture in ("automatic", "manual") else product.captures[0],
        order.get("customer"),
    )


def _line(refused: FieldError) -> InitErrorDetails:
    told = PydanticCustomError(refused.code, "{detail}", {"detail": refused.detail})
    return InitErrorDetails(type=told, loc=tuple(refused.pointer.removeprefix("/").split("/")), input=None)


def _again(line: ErrorDetails) -> InitErrorDetails:
    """An error as it was found; `too_long` is a word of pydantic's and one of ours."""
    said, facts = line["type"], line.get("ctx", {})
    if said in _PYDANTICS_OWN and (said != "too_long" or "field_type" in facts):
        return InitErrorDetails(type=said, loc=line["loc"], input=line["input"], ctx=facts)
    told = PydanticCustomError(said, "{detail}", {"detail": line["msg"]})
    return InitErrorDetails(type=told, loc=line["loc"], input=line["input"])
