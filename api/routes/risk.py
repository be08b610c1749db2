"""/risk: the rules that payments are judged by, rehearsed on an order or on payments of the past; and the lists."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query
from pydantic import AliasChoices, ConfigDict, Field, StringConstraints, model_validator
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import Calling, Cursor, Limit, MinPosition, Rules
from api.fields import DEFAULT_PAGE, Identifier, Name, Request, Text500, Timestamp
from api.payment_requests import PaymentRequest, as_created, in_its_place
from api.risk_past import BacktestReport, back_test
from api.routing import Router
from commands.payees import payee_stream
from commands.payments import CreatePayment
from commands.policies.risk import DEFAULT_RULES, FailMode, OnDeadline, RuleSet, SignalValue, StepUp, Verdict
from commands.risk_decisions import judge
from commands.risk_lists import ListName, PutOnRiskList, RiskListReceipt, TakeOffRiskList
from commands.risk_rules import ChangeRiskRules, RiskRulesReceipt, checked
from ledger.chart import AGENCY_PAY
from ledger.errors import (
    CursorInvalid,
    CustomerUnknown,
    ExpiryInPast,
    FieldInvalid,
    LimitRange,
    MerchantUnknown,
    PrincipalUnknown,
    RiskListEntryNotFound,
    RiskRuleInvalid,
    RouteNotFound,
)
from ledger.events.customers import customer_stream
from ledger.events.risk import RULES_STREAM, RiskPolicy, RiskRule, RiskRulesChanged
from ledger.store import read
from projections.risk_lists import ListedValue, RiskLists, listed

router = Router("/v1/risk", "risk")

_TIME = "2026-11-21T10:20:30.123456Z"
_RULE: dict[str, Any] = {"name": "many cards", "condition": "ip_declines_1h >= 3", "verdict": "reject"}
_EXAMPLE: dict[str, Any] = {"rules": [_RULE], "policy": {"fail_mode": "open"}}
_SHOWN: dict[str, Any] = {
    "position": 40,
    "version": "5f0c3e1d9a7b2c46",
    "rules": [{**_RULE, "points": 0, "products": []}],
    "policy": msgspec.to_builtins(RiskPolicy()),
    "changed_at": _TIME,
}
_LISTED: dict[str, Any] = {
    "position": 44,
    "list": "block",
    "type": "ip",
    "value": "203.0.113.9",
    "reason": "Card testing",
    "author": "key_operations",
    "added_at": _TIME,
    "expires_at": None,
}
_PAYMENT: dict[str, Any] = {
    "merchant": "shop",
    "amount": 6000,
    "currency": "EUR",
    "product": "quick_pay",
    "method": {"type": "card", "token": "tok_approved"},
    "order_reference": "order-1729",
    "client": {"ip": "203.0.113.9"},
}
_REPORT: dict[str, Any] = {
    "version": "5f0c3e1d9a7b2c46",
    "judged": 1,
    "challenged": [],
    "reviewed": [],
    "rejected": [
        {"payment": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f", "was": "accept", "score": 0, "reasons": ["many cards"]}
    ],
    "next_position": None,
}

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN_BESIDE = {"position", "version", "changed_at"}
_Score = Annotated[int, Field(strict=True, ge=1, le=100)] | None


class RuleRequest(Request):
    """One rule: a condition in CEL, and a verdict, points, or both."""

    name: Name
    condition: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1_000)]
    verdict: Verdict | None = None
    points: Annotated[int, Field(strict=True, ge=-100, le=100)] = 0
    products: Annotated[list[Identifier], Field(max_length=50)] = []

    def to_rule(self) -> RiskRule:
        return RiskRule(self.name, self.condition, self.verdict or "", self.points, tuple(self.products))


class PolicyRequest(Request):
    """What is decided beside the rules; what is left out is as it is by default."""

    challenge_at: _Score = 60
    review_at: _Score = 75
    reject_at: _Score = 90
    step_up: StepUp = "one_time_code"
    challenge_minutes: Annotated[int, Field(strict=True, ge=1, le=60)] = 10
    challenge_tries: Annotated[int, Field(strict=True, ge=1, le=10)] = 3
    review_hours: Annotated[int, Field(strict=True, ge=0, le=720)] = 72
    on_deadline: OnDeadline = "reject"
    four_eyes: bool = True
    fail_mode: FailMode = "open"
    fail_modes: Annotated[dict[Identifier, FailMode], Field(max_length=50)] = {}
    patience_ms: Annotated[int, Field(strict=True, ge=0, le=1_000)] = 500

    def to_policy(self) -> RiskPolicy:
        return RiskPolicy(**self.model_dump())


class RulesRequest(Request):
    """Every rule there shall be; the rules before are not asked any more. What GET shows may be sent back as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    rules: Annotated[list[RuleRequest], Field(max_length=500)]
    policy: PolicyRequest = PolicyRequest()

    @model_validator(mode="before")
    @classmethod
    def _sent_back(cls, body: Any) -> Any:
        if not isinstance(body, dict) or not body.keys() >= _SHOWN_BESIDE:
            return body
        return {name: value for name, value in body.items() if name not in _SHOWN_BESIDE}

    def to_rules(self) -> tuple[RiskRule, ...]:
        return tuple(rule.to_rule() for rule in self.rules)


class EvaluationRequest(Request):
    """An order as it would be paid for, and other rules than those of now, if they are to be tried.

    The order may also stand alone, as POST /v1/payments takes it.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"payment": _PAYMENT}]})

    payment: PaymentRequest
    rules: RulesRequest | None = None

    @model_validator(mode="before")
    @classmethod
    def _in_its_place(cls, body: Any) -> Any:
        return in_its_place(body, "payment", "rules")


class BacktestRequest(Request):
    """Which payments of the past are judged again, by which rules: those created from `since` on (all) until `until`.

    `from` and `to` are understood as other words for `since` and `until`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"since": "2026-11-20T00:00:00Z", **_EXAMPLE}]})

    since: Annotated[Timestamp, Field(validation_alias=AliasChoices("since", "from"))] = _EVER
    until: Annotated[Timestamp | None, Field(validation_alias=AliasChoices("until", "to"))] = None
    after_position: Annotated[int, Field(strict=True, ge=0)] = 0
    rules: Annotated[list[RuleRequest], Field(max_length=500)] | None = None
    policy: PolicyRequest = PolicyRequest()


class ListRequest(Request):
    """A value for a list: of what type it is, why it stands there, and until when."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "ip", "value": "203.0.113.9", "reason": "Card testing"}]}
    )

    type: Identifier
    value: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]
    reason: Text500
    expires_at: Timestamp | None = None


class NoBody(Request):
    """Nothing is told beside the address."""


class Evaluation(msgspec.Struct, frozen=True):
    """What would be decided now, and on what: nothing is stored."""

    decision: str
    score: int
    reasons: tuple[str, ...]
    flagged: bool
    rules: str
    lists: tuple[str, ...]
    signals: dict[str, SignalValue]


_WITHOUT_KEY = Rules("risk:read")


@router.writes(
    "/rules",
    RiskRulesReceipt,
    _SHOWN,
    scope="risk:write",
    status=200,
    method="PUT",
    refuses=(RiskRuleInvalid, FieldInvalid),
)
async def change_risk_rules(asked: RulesRequest, caller: Calling) -> Response:
    """Judge payments by these rules from now on. A condition that is not understood is refused with its place."""
    changed = await caller.carry_out(ChangeRiskRules(asked.to_rules(), asked.policy.to_policy()), asked)
    caller.world.risk.forget_rules(caller.book)
    return changed


@router.reads("/rules", RiskRulesReceipt, _SHOWN, scope="risk:read", refuses=(RouteNotFound,))
async def show_risk_rules(
    caller: Calling,
    version: Annotated[Identifier | None, Query(description="A version of the past.")] = None,
    min_position: MinPosition = None,
) -> Response:
    """Show the rules that payments are judged by, or were."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        history = await read.stream(connection, caller.book, RULES_STREAM)
    for recorded in reversed(history):
        event = recorded.event
        if isinstance(event, RiskRulesChanged) and version in (None, event.version):
            shown = RiskRulesReceipt(recorded.position, event.version, event.rules, event.policy, recorded.recorded_at)
            return answer(shown)
    if version not in (None, DEFAULT_RULES.version):
        raise RouteNotFound("There are no rules of this version.")
    return answer(RiskRulesReceipt(0, DEFAULT_RULES.version, DEFAULT_RULES.rules, DEFAULT_RULES.policy))


@router.writes(
    "/evaluate",
    Evaluation,
    {"decision": "reject", "score": 0, "reasons": ["many cards"], "flagged": False, "rules": "5f0c3e1d9a7b2c46"}
    | {"lists": [], "signals": {"ip_declines_1h": 3}},
    scope="risk:read",
    status=200,
    rules=_WITHOUT_KEY,
    refuses=(RiskRuleInvalid, FieldInvalid, MerchantUnknown, PrincipalUnknown, CustomerUnknown),
)
async def evaluate_risk(asked: EvaluationRequest, caller: Calling) -> Response:
    """Say what would be decided about such a payment now. Nothing is stored and nobody is asked for anything."""
    risk, command = caller.world.risk, asked.payment.to_command()
    await _check_parties(caller, command)
    rules = await _rules_of(caller, asked.rules)
    signals = await risk.signals_for(caller.book, command, rules)
    lists = await risk.lists(caller.book, command)
    age = await risk.age(caller.book, command, rules)
    created = as_created(command)
    values = {**signals.values, **age}
    assessed = judge(rules, created, datetime.now(UTC).hour, values, lists, signals.trouble)
    return answer(
        Evaluation(
            assessed.decision,
            assessed.score,
            assessed.reasons,
            assessed.flagged,
            assessed.rules,
            (*lists.allow, *lists.block, *lists.review),
            values,
        )
    )


@router.writes(
    "/backtest",
    BacktestReport,
    _REPORT,
    scope="risk:read",
    status=200,
    rules=_WITHOUT_KEY,
    refuses=(RiskRuleInvalid, FieldInvalid),
)
async def back_test_risk_rules(asked: BacktestRequest, caller: Calling) -> Response:
    """Judge payments of the past by these rules, or by those of now, with what was known when each was judged.

    At most 1,000 payments at a time: `next_position` is what to give as `after_position` for those behind them.
    """
    if asked.rules is None:
        rules = await caller.world.risk.rules(caller.book)
    else:
        rules = checked(tuple(rule.to_rule() for rule in asked.rules), asked.policy.to_policy())
    async with caller.world.reading() as connection:
        report = await back_test(
            connection,
            caller.book,
            rules,
            asked.since,
            asked.until,
            vault=caller.world.vault,
            after=asked.after_position,
        )
    return answer(report)


async def _check_parties(caller: Calling, command: CreatePayment) -> None:
    """Raises MerchantUnknown, PrincipalUnknown, CustomerUnknown."""
    merchant, customer = command.merchant, command.customer
    async with caller.world.reading() as connection:
        if await read.event(connection, caller.book, payee_stream(command.product, merchant), 1) is None:
            unknown = PrincipalUnknown if command.product == AGENCY_PAY else MerchantUnknown
            raise unknown(pointer="/payment/merchant", merchant=merchant)
        if customer and await read.event(connection, caller.book, customer_stream(customer), 1) is None:
            raise CustomerUnknown(pointer="/payment/customer", customer=customer)


async def _rules_of(caller: Calling, asked: RulesRequest | None) -> RuleSet:
    if asked is None:
        return await caller.world.risk.rules(caller.book)
    return checked(asked.to_rules(), asked.policy.to_policy())


# --- lists ----------------------------------------------------------------------------------------------------------


@router.writes(
    "/lists/{list_name}",
    RiskListReceipt,
    _LISTED,
    scope="risk:write",
    refuses=(FieldInvalid, ExpiryInPast),
)
async def put_on_risk_list(list_name: ListName, asked: ListRequest, caller: Calling) -> Response:
    """Put a value on the list allow, block or review."""
    return await caller.carry_out(
        PutOnRiskList(list_name, asked.type, asked.value, asked.reason, asked.expires_at), asked
    )


@router.writes(
    "/lists/{list_name}/{kind}/{value}",
    RiskListReceipt,
    _LISTED,
    scope="risk:write",
    status=200,
    method="DELETE",
    refuses=(FieldInvalid, RiskListEntryNotFound),
)
async def take_off_risk_list(list_name: ListName, kind: Identifier, value: str, caller: Calling) -> Response:
    """Take a value off a list."""
    return await caller.carry_out(TakeOffRiskList(list_name, kind, value), NoBody())


@router.reads(
    "/lists/{list_name}",
    ListedValue,
    _LISTED,
    scope="risk:read",
    page=True,
    refuses=(CursorInvalid, LimitRange),
    sensitive=Sensitive.NOTED,
)
async def show_risk_list(
    list_name: ListName,
    caller: Calling,
    type_: Annotated[Identifier | None, Query(alias="type", description="Only values of this type.")] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """Show what stands on a list and has not expired, in the order in which it was put there."""
    await caller.see(min_position, RiskLists.name)
    filters = {"list": list_name, "type": type_}
    after = 0 if cursor is None else int(caller.continue_after(cursor, "risk_lists", filters)[0])
    async with caller.world.reading() as connection:
        found = await listed(
            connection, caller.book, datetime.now(UTC), of_list=list_name, kind=type_, after=after, limit=limit + 1
        )
    return caller.page("risk_lists", found, limit, lambda row: (row.position,), filters)
