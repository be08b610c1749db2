"""/payout-batches: up to 1,000 payouts in one request, each with its own key and each for itself."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import ConfigDict, Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from api import item_batches
from api.answers import answer
from api.dependencies import CALLER, Caller, Rules, body_of, understood
from api.fields import Request
from api.fingerprints import fingerprint
from api.item_batches import MOST_ITEMS, ItemStatus, Keyed, Outcome
from api.routes import payouts
from api.routes.payouts import PAYOUT_REFUSALS, PayoutRequest
from api.routing import Router
from commands.envelope import Command
from ledger.errors import BatchEmpty, BatchTooLarge, DuplicateInBatch

ROUTE = "POST /v1/payout-batches"
router = Router("/v1/payout-batches", "payouts")

_EXAMPLE: dict[str, Any] = {
    "items": [
        {
            "idempotency_key": "salary-2026-11-ann",
            "principal": "payroll",
            "amount": 250000,
            "currency": "EUR",
            "destination": {"type": "bank_account", "account_number": "DE89370400440532013000", "name": "Ann Example"},
        }
    ],
}


class BatchedPayout(Keyed, PayoutRequest):
    """A payout with its key: sent alone with the same key, it is the same request."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLE["items"]})


class PayoutBatchRequest(Request):
    """Each is carried out for itself, in their order. The list may be called `payouts` as well.

    In a batch that has an Idempotency-Key, an item without a key is known by its place.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    items: Annotated[list[BatchedPayout], Field(json_schema_extra={"minItems": 1, "maxItems": MOST_ITEMS})]


class PayoutBatchResult(msgspec.Struct):
    """What became of one payout: `created`, `replayed` (its key was known) or `rejected`, with the problem.

    `payout_status` is the payout's own as it was answered first: in_transit, or created where it waits for approval.
    """

    index: int
    status: ItemStatus
    id: str | UnsetType = UNSET
    payout_status: str | UnsetType = UNSET
    problem: dict[str, Any] | UnsetType = UNSET


class PayoutBatchAnswer(msgspec.Struct):
    """What became of each payout, in their order."""

    results: list[PayoutBatchResult]


@router.writes(
    "",
    PayoutBatchAnswer,
    {
        "results": [
            {
                "index": 0,
                "status": "created",
                "id": "po_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
                "payout_status": "in_transit",
            }
        ]
    },
    scope="payments:write",
    refuses=(*PAYOUT_REFUSALS, BatchEmpty, BatchTooLarge, DuplicateInBatch),
    rules=Rules("payments:write", takes_key=True, key_is_optional=True, thin=True),
    body=PayoutBatchRequest,
)
async def post_payout_batch(request: HttpRequest) -> Response:
    """Pay out up to 1,000 times, each for itself: what is refused, or makes no sense, is a result like any other.

    The batch may have an Idempotency-Key of its own; sent again, it has the same results.
    """
    caller: Caller = request.scope[CALLER]
    body = item_batches.named(body_of(request), caller.key, "payouts")
    items = item_batches.read_items(body, lambda whole: understood(PayoutBatchRequest, whole).items, BatchedPayout)
    outcomes, _, headers = await item_batches.carry_out(caller, ROUTE, items, _commanded)
    return answer(PayoutBatchAnswer([_result(outcome) for outcome in outcomes]), 201, headers)


async def _commanded(item: BatchedPayout) -> tuple[Command, bytes]:
    return item.to_command(), fingerprint(payouts.ROUTE, item)


def _result(outcome: Outcome) -> PayoutBatchResult:
    return PayoutBatchResult(outcome.index, outcome.status, outcome.id, outcome.own_status, outcome.problem)
