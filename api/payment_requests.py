"""Payment requests: what an order to pay says, and how the payer pays it."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
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
from commands.policies.products import objections, product_of
from ledger.errors import FieldError, ProductNotSupported, Refusal
from ledger.events.payments import Method
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

_PYDANTICS_OWN = frozenset(get_args(ErrorType))


class MethodRequest(Request):
    """How the payer pays. `token` stands for a card that a vault knows; card numbers never come here.

    What else is needed depends on `type`: bank_redirect `bank` (GET /v1/banks), alipay and wechat_pay `scene`, carrier
    `phone`, coin `coin` and `network`, mixed `wallet_amount`, and so on. `bin`, `country`, `fingerprint` and
    `device` help to tell a fraud.
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
        return Method(self.type, self.token, named, self.wallet_amount or 0)


class PaymentRequest(Request):
    """An order to pay. `product` is what is offered to the payer, `method` what the payer has."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    merchant: Identifier
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

    @model_validator(mode="wrap")
    @classmethod
    def _judge_with_its_product(cls, order: Any, judge: ModelWrapValidatorHandler[Self]) -> Self:
        """What the product does not take is named in the one answer with everything else that is wrong."""
        try:
            return judge(order)
        except ValidationError as error:
            also = [_line(refused) for refusal in _objections(order) for refused in refusal.errors]
            raise ValidationError.from_exception_data(cls.__name__, [*map(_again, error.errors()), *also]) from None

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
        )


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
