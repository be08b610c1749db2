"""/routing: the rules by which channels are chosen, each version of them, and a rehearsal of a choice."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import Query
from pydantic import ConfigDict, Field, StringConstraints, model_validator
from starlette.responses import Response

from api.answers import answer
from api.dependencies import Calling, MinPosition, Rules
from api.fields import Amount, Currency, Identifier, Metadata, Name, Request, Text500
from api.payment_requests import PaymentRequest, as_created, in_its_place
from api.routing import Router
from commands.channel_choice import facts_of, rehearsed
from commands.policies.channels import CHANNELS, PAYOUT_METHODS
from commands.policies.products import product_of
from commands.policies.routing import RoutingFacts
from commands.policies.routing_language import LONGEST_CONDITION
from commands.policies.routing_rules import MOST_RULES, RoutingRules, checked, rules_of, text_of
from commands.routing_rules import ActivateRoutingRules, DeactivateRoutingRules, RulesVersion, version_in
from ledger.errors import (
    ChannelUnavailable,
    FieldInvalid,
    FieldMissing,
    MethodNotSupported,
    ProductNotSupported,
    RoutingRulesInvalid,
    RoutingRulesNotActive,
    RoutingRulesNotFound,
)
from ledger.events.routing import RULES_STREAM
from ledger.store import read

router = Router("/v1/routing", "routing")

_TIME = "2026-11-21T10:20:30.123456Z"
_EXAMPLE: dict[str, Any] = {
    "rules": [
        {
            "name": "large",
            "when": "method == 'card' && amount > 600000",
            "then": {"type": "priority", "channels": ["card_simulator_b", "card_simulator"]},
        }
    ],
    "default": {
        "type": "split",
        "shares": [
            {"channel": "card_simulator", "percent": 70},
            {"channel": "card_simulator_b", "percent": 30},
        ],
    },
    "max_attempts": 2,
    "retry_minutes": 60,
}
_CIRCUIT = {"failures": 10, "of": 20, "slow_s": 20, "open_s": 30, "probes": 3, "probe_percent": 20}
_SHOWN = {
    "position": 40,
    "version": "5f0c3e1d9a7b2c46",
    "active": True,
    "document": {**_EXAMPLE, "circuit": _CIRCUIT},
    "warnings": [],
    "activated_at": _TIME,
    "versions": ["5f0c3e1d9a7b2c46"],
    "rules": _EXAMPLE["rules"],
}
_Channels = Annotated[list[Identifier], Field(max_length=50)]
_Percent = Annotated[int, Field(strict=True)]


class PriorityRequest(Request):
    """The first of these that can take it; the next ones when it fails."""

    type: Literal["priority"]
    channels: _Channels


class ShareRequest(Request):
    """So many of a hundred payments."""

    channel: Identifier
    percent: _Percent


class SplitRequest(Request):
    """Shares of a hundred; which payment goes where is decided by its id."""

    type: Literal["split"]
    shares: Annotated[list[ShareRequest], Field(max_length=50)]


class SuccessRateRequest(Request):
    """The one that succeeded most often lately; `explore_percent` of a hundred payments try any of them."""

    type: Literal["success_rate"]
    channels: _Channels
    explore_percent: _Percent = 20
    least_results: Annotated[int, Field(strict=True)] = 5


class LeastCostRequest(Request):
    """The one that keeps least of the amount."""

    type: Literal["least_cost"]
    channels: _Channels


SelectionRequest = Annotated[
    PriorityRequest | SplitRequest | SuccessRateRequest | LeastCostRequest, Field(discriminator="type")
]


class RoutingRuleRequest(Request):
    """What is chosen where the condition (CEL) holds."""

    name: Name
    when: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_CONDITION)]
    then: SelectionRequest


class CircuitRequest(Request):
    """When a channel is given a rest and tried again: see `circuit` of the rules."""

    failures: int = 10
    of: int = 20
    slow_s: int = 20
    open_s: int = 30
    probes: int = 3
    probe_percent: int = 20


class RoutingRulesRequest(Request):
    """All rules there shall be, asked in this order; the rules before are not asked any more.

    `max_attempts`: at how many channels one payment is tried; 0 and 1: never at a second one. `retry_minutes`: for so
    long a failed payment may be tried again on demand; 0: never. What GET shows may be sent back as it is.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    rules: Annotated[list[RoutingRuleRequest], Field(max_length=MOST_RULES)] = []
    default: SelectionRequest | None = None
    max_attempts: int = 2
    retry_minutes: int = 60
    circuit: CircuitRequest = CircuitRequest()

    @model_validator(mode="before")
    @classmethod
    def _sent_back(cls, body: Any) -> Any:
        is_shown = isinstance(body, dict) and body.keys() >= {"position", "version", "document"}
        return body["document"] if is_shown else body

    def to_document(self) -> RoutingRules:
        return msgspec.convert(self.model_dump(), RoutingRules)


class DeactivationRequest(Request):
    """Why no rules are to be asked any more."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Back to the order of the list"}]})

    reason: Text500


class ChargeRequest(Request):
    """A charge as routing would see it. `seed` stands for the payment's id, which decides what is left to chance.

    A payout is `method` bank_account or token, with `product` payout, withdrawal or agency_pay.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "charge": {
                        "product": "quick_pay",
                        "method": "card",
                        "amount": 700000,
                        "currency": "EUR",
                        "merchant": "shop",
                    }
                }
            ]
        }
    )

    seed: Identifier = "rehearsal"
    product: Identifier
    method: Identifier
    amount: Amount
    currency: Currency
    merchant: Identifier = ""
    customer: Identifier = ""
    country: Annotated[str, StringConstraints(strict=True, max_length=8)] = ""
    bin: Annotated[str, StringConstraints(strict=True, pattern="^[0-9]{0,8}$")] = ""
    capture: Literal["automatic", "manual"] = "automatic"
    customer_present: bool = True
    metadata: Metadata = {}

    def to_facts(self) -> RoutingFacts:
        return RoutingFacts(**self.model_dump())


class RehearsalRequest(Request):
    """A charge or a payment, and other rules than those of now, if they are to be tried.

    The charge, or the payment as POST /v1/payments takes it, may also stand alone.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"charge": {"product": "quick_pay", "method": "card", "amount": 700000, "currency": "EUR"}}]
        }
    )

    charge: ChargeRequest | None = None
    payment: PaymentRequest | None = None
    rules: RoutingRulesRequest | None = None

    @model_validator(mode="before")
    @classmethod
    def _in_its_place(cls, body: Any) -> Any:
        is_charge = isinstance(body, dict) and isinstance(body.get("method"), str) and "charge" not in body
        return {"charge": body} if is_charge else in_its_place(body, "charge", "payment", "rules")

    def to_facts(self) -> RoutingFacts:
        """Raises FieldMissing, FieldInvalid, ProductNotSupported, MethodNotSupported."""
        if self.charge is not None and self.payment is not None:
            raise FieldInvalid("Either a charge is rehearsed or a payment.", pointer="/payment")
        if self.payment is not None:
            product_of(self.payment.product)
            facts = facts_of(as_created(self.payment.to_command()))
        elif self.charge is not None:
            facts = self.charge.to_facts()
        else:
            raise FieldMissing(pointer="/charge")
        carried = {*PAYOUT_METHODS, *(method for terms in CHANNELS for method in terms.methods)}
        if facts.method not in carried:
            place = "/charge/method" if self.payment is None else "/payment/method/type"
            raise MethodNotSupported("No channel carries this method.", pointer=place, supported=[*sorted(carried)])
        return facts


class RehearsedRoute(msgspec.Struct):
    """The channel that would be chosen, the rule that holds (null: none), and why each other channel was not chosen."""

    channel: str
    because: str
    rule: str | None
    candidates: tuple[str, ...]
    considered: dict[str, str]
    rules: str | None


@router.writes(
    "/rules",
    RulesVersion,
    _SHOWN,
    scope="payments:write",
    status=200,
    method="PUT",
    refuses=(RoutingRulesInvalid,),
)
async def change_routing_rules(asked: RoutingRulesRequest, caller: Calling) -> Response:
    """Route payments by these rules from now on.

    What cannot be read, contradicts itself, or stands behind a broader rule and never gets its turn is refused.
    """
    return await caller.carry_out(ActivateRoutingRules(asked.to_document()), asked)


@router.reads("/rules", RulesVersion, _SHOWN, scope="payments:read", refuses=(RoutingRulesNotFound,))
async def show_routing_rules(
    caller: Calling,
    version: Annotated[Identifier | None, Query(description="A version of the past.")] = None,
    min_position: MinPosition = None,
) -> Response:
    """Show the rules that payments are routed by, or were. An empty version: none are active."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        history = await read.stream(connection, caller.book, RULES_STREAM)
    return answer(version_in(history, version))


@router.writes(
    "/rules/deactivate",
    RulesVersion,
    {**_SHOWN, "version": "", "active": False, "document": {}, "activated_at": None, "rules": []},
    scope="payments:write",
    status=200,
    refuses=(RoutingRulesNotActive,),
)
async def deactivate_routing_rules(asked: DeactivationRequest, caller: Calling) -> Response:
    """Ask no rules from now on: channels are tried in the order in which they are listed."""
    return await caller.carry_out(DeactivateRoutingRules(asked.reason), asked)


@router.writes(
    "/evaluate",
    RehearsedRoute,
    {
        "channel": "card_simulator_b",
        "because": "the rule large: the first of its list",
        "rule": "large",
        "candidates": ["card_simulator_b", "card_simulator"],
        "considered": {"card_simulator": "stands at place 2 of 2"},
        "rules": "5f0c3e1d9a7b2c46",
    },
    scope="payments:read",
    status=200,
    rules=Rules("payments:read"),
    refuses=(RoutingRulesInvalid, ProductNotSupported, MethodNotSupported, ChannelUnavailable),
)
async def evaluate_routing(asked: RehearsalRequest, caller: Calling) -> Response:
    """Say which channel such a charge would go to now, and why not to the others. Nothing is stored or sent."""
    rules = None
    if asked.rules is not None:
        document = asked.rules.to_document()
        checked(document)
        rules = rules_of(*text_of(document))
    async with caller.world.reading() as connection:
        found = await rehearsed(connection, caller.book, asked.to_facts(), rules)
    return answer(
        RehearsedRoute(
            found.channel, found.because, found.rule, found.candidates, found.considered, found.rules or None
        )
    )
