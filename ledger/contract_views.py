"""Contract views: contracts and bound cards as commands answer with them and as reads show them, from one fold."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ledger.contract_state import Contract, fold
from ledger.declines import Failure, failure_of
from ledger.events.event import Recorded

_WAIT = "wait"


class ContractAction(msgspec.Struct, frozen=True):
    """What has to happen before the contract is signed; `wait` asks for nothing but patience."""

    type: str
    url: str | None = None
    data: dict[str, str] = {}
    expires_at: datetime | None = None


class PeriodLimitView(msgspec.Struct, frozen=True):
    """At most `amount` minor units, and `count` charges, in each day, week or month of the calendar, in UTC."""

    amount: int
    period: str
    count: int | None


class LimitsView(msgspec.Struct, frozen=True):
    """What may be charged under a contract, in minor units; null: no such limit."""

    currency: str
    per_charge: int | None
    per_period: PeriodLimitView | None


class ContractView(msgspec.Struct):
    """A contract as commands answer and reads show it; `position` is its last event's."""

    position: int | None
    id: str
    status: str
    next_action: ContractAction | None
    customer: str
    merchant: str | None
    product: str
    method: str
    limits: LimitsView | None
    single_use: bool
    expires_at: datetime | None
    channel: str
    terminated_by: str | None
    reason: str | None
    error: Failure | None
    metadata: dict[str, str]
    created_at: datetime
    method_updated_at: datetime | None
    """When its card was replaced last, by us or by the channel."""


class PaymentMethodView(msgspec.Struct):
    """A card that a customer bound, as commands answer and reads show it; `position` is its last event's."""

    position: int | None
    id: str
    status: str
    next_action: ContractAction | None
    customer: str
    type: str
    channel: str
    error: Failure | None
    metadata: dict[str, str]
    created_at: datetime
    method_updated_at: datetime | None
    """When its card was replaced last, by us or by the channel."""


def waits(view: ContractView) -> bool:
    """Whether nothing is asked of anybody but patience."""
    return view.next_action is not None and view.next_action.type == _WAIT


def contract_view(history: Sequence[Recorded]) -> ContractView:
    """The contract as this history makes it; the history is not empty."""
    return contract_view_of(_folded(history))


def payment_method_view(history: Sequence[Recorded]) -> PaymentMethodView:
    """The bound card as this history makes it; the history is not empty."""
    return payment_method_view_of(_folded(history))


def _folded(history: Sequence[Recorded]) -> Contract:
    contract = fold(history)
    if contract is None:
        raise AssertionError("a contract without a history cannot be shown")
    return contract


def contract_view_of(contract: Contract) -> ContractView:
    drafted = contract.drafted
    return ContractView(
        position=contract.position,
        id=drafted.id,
        status=contract.status,
        next_action=_next_action(contract),
        customer=drafted.customer,
        merchant=drafted.merchant,
        product=drafted.product,
        method=drafted.method.type,
        limits=_limits(contract),
        single_use=drafted.single_use,
        expires_at=drafted.expires_at,
        channel=drafted.channel,
        terminated_by=contract.ended_by,
        reason=contract.ended_because or None,
        error=_error(contract),
        metadata=drafted.metadata,
        created_at=contract.created_at,
        method_updated_at=contract.updated_at,
    )


def payment_method_view_of(contract: Contract) -> PaymentMethodView:
    drafted = contract.drafted
    return PaymentMethodView(
        position=contract.position,
        id=drafted.id,
        status=contract.status,
        next_action=_next_action(contract),
        customer=drafted.customer,
        type=drafted.method.type,
        channel=drafted.channel,
        error=_error(contract),
        metadata=drafted.metadata,
        created_at=contract.created_at,
        method_updated_at=contract.updated_at,
    )


def _next_action(contract: Contract) -> ContractAction | None:
    if contract.awaits_channel:
        return ContractAction(_WAIT)
    asked = contract.action
    if not contract.awaits_payer or asked is None:
        return None
    return ContractAction(asked.action, asked.url, asked.data, asked.expires_at)


def _limits(contract: Contract) -> LimitsView | None:
    limits = contract.drafted.limits
    if limits is None:
        return None
    of_period = limits.per_period
    shown = None if of_period is None else PeriodLimitView(of_period.amount, of_period.period, of_period.count)
    return LimitsView(limits.currency, limits.per_charge, shown)


def _error(contract: Contract) -> Failure | None:
    """Why it was not signed, why its card was not replaced, or why the payer's last answer was not taken."""
    group = contract.group if contract.refused is None else contract.refused.group
    return None if group is None else failure_of(group)
