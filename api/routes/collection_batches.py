"""/collection-batches: up to 1,000 payments in one request that are collected for principals, each for itself."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import AliasChoices, ConfigDict, Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from api import item_batches
from api.answers import answer
from api.dependencies import CALLER, Caller, Rules, body_of, understood
from api.fields import Identifier, Request
from api.fingerprints import fingerprint
from api.item_batches import MOST_ITEMS, ItemStatus, Keyed, Outcome
from api.judging import hand_over_code_in, with_signals
from api.payment_requests import PaymentRequest
from api.routes.payments import PAYMENT_REFUSALS
from api.routing import Router
from commands.envelope import Command
from ledger.errors import BatchEmpty, BatchTooLarge, DuplicateInBatch

ROUTE = "POST /v1/collection-batches"
_ALONE = "POST /v1/payments"
router = Router("/v1/collection-batches", "payments")

_EXAMPLE: dict[str, Any] = {
    "items": [
        {
            "idempotency_key": "water-2026-11-ann",
            "principal": "water_works",
            "customer": "ann",
            "amount": 4200,
            "currency": "EUR",
            "method": {"type": "contract", "contract": "con_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"},
            "order_reference": "bill-2026-11-ann",
        }
    ],
}


class BatchedCollection(Keyed, PaymentRequest):
    """A payment that is collected for `principal`, with its key: sent alone with the same key, it is the same request.

    Alone it is sent to /payments, with the product agency_pay.
    """

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLE["items"]})

    merchant: Annotated[Identifier, Field(validation_alias=AliasChoices("principal", "merchant"))]
    product: Literal["agency_pay"] = "agency_pay"

    def alone(self) -> PaymentRequest:
        """The same request as it is sent alone."""
        return PaymentRequest.model_construct(**{name: getattr(self, name) for name in PaymentRequest.model_fields})


class CollectionBatchRequest(Request):
    """Each is carried out for itself, in their order.

    In a batch that has an Idempotency-Key, an item without a key is known by its place.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    items: Annotated[list[BatchedCollection], Field(json_schema_extra={"minItems": 1, "maxItems": MOST_ITEMS})]


class CollectionBatchResult(msgspec.Struct):
    """What became of one payment: `created`, `replayed` (its key was known) or `rejected`, with the problem.

    `payment_status` is the payment's own as it was answered first: its channel is asked after the answer.
    """

    index: int
    status: ItemStatus
    id: str | UnsetType = UNSET
    payment_status: str | UnsetType = UNSET
    problem: dict[str, Any] | UnsetType = UNSET


class CollectionBatchAnswer(msgspec.Struct):
    """What became of each payment, in their order."""

    results: list[CollectionBatchResult]


@router.writes(
    "",
    CollectionBatchAnswer,
    {
        "results": [
            {
                "index": 0,
                "status": "created",
                "id": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
                "payment_status": "processing",
            }
        ]
    },
    scope="payments:write",
    refuses=(*PAYMENT_REFUSALS, BatchEmpty, BatchTooLarge, DuplicateInBatch),
    rules=Rules("payments:write", takes_key=True, key_is_optional=True, thin=True),
    body=CollectionBatchRequest,
)
async def post_collection_batch(request: HttpRequest) -> Response:
    """Collect up to 1,000 times, each for itself: what is refused, or makes no sense, is a result like any other.

    Nobody waits for the channels: what became of each payment is read at /payments, or told by webhook. The batch may
    have an Idempotency-Key of its own; sent again, it has the same results.
    """
    caller: Caller = request.scope[CALLER]
    body = item_batches.named(body_of(request), caller.key, "payments")
    items = item_batches.read_items(
        body, lambda whole: understood(CollectionBatchRequest, whole).items, BatchedCollection
    )

    async def commanded(item: BatchedCollection) -> tuple[Command, bytes]:
        return await with_signals(caller, item.to_command()), fingerprint(_ALONE, item.alone())

    outcomes, answers, headers = await item_batches.carry_out(caller, ROUTE, items, commanded)
    for given in answers:
        if given.refusal is None and given.error is None:
            await hand_over_code_in(caller, given.body)
    return answer(CollectionBatchAnswer([_result(outcome) for outcome in outcomes]), 201, headers)


def _result(outcome: Outcome) -> CollectionBatchResult:
    return CollectionBatchResult(outcome.index, outcome.status, outcome.id, outcome.own_status, outcome.problem)
