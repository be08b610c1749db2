"""/payout-batches: up to 1,000 payouts in one request, each with its own key and each for itself."""

from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from fastapi.exceptions import RequestValidationError
from msgspec import UNSET, UnsetType
from pydantic import ConfigDict, Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from api.answers import POSITION, REPLAYED, answer
from api.dependencies import CALLER, Caller, Rules, body_of, understood
from api.fields import IdempotencyKey, Request
from api.fingerprints import fingerprint
from api.problems import problem_body
from api.routes import payouts
from api.routes.payouts import PAYOUT_REFUSALS, PayoutRequest
from api.routing import Router
from api.transport import BodyRule
from api.validation import refusal_of_validation
from commands.envelope import Answer, Part
from ledger.errors import (
    BatchEmpty,
    BatchTooLarge,
    ChannelUnavailable,
    DuplicateInBatch,
    IdempotencyKeyReused,
    InternalError,
    Refusal,
    Unavailable,
)

ROUTE = "POST /v1/payout-batches"
MOST_ITEMS = 1_000
BODY_RULE = BodyRule(max_bytes=2 * 1024 * 1024, max_nodes=200_000)
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


class BatchedPayout(PayoutRequest):
    """A payout with its key: sent alone with the same key, it is the same request."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLE["items"]})

    idempotency_key: IdempotencyKey


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
    status: Literal["created", "rejected", "replayed"]
    id: str | UnsetType = UNSET
    payout_status: str | UnsetType = UNSET
    problem: dict[str, Any] | UnsetType = UNSET


class PayoutBatchAnswer(msgspec.Struct):
    """What became of each payout, in their order."""

    results: list[PayoutBatchResult]


class _Receipt(msgspec.Struct):
    id: str
    status: str


_receipt_in = msgspec.json.Decoder(_Receipt).decode


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
    items = _read(_named(body_of(request), caller.key))
    _refuse_what_stands_twice(items, caller.key)
    results: list[PayoutBatchResult] = []
    parts: list[Part] = []
    places: list[int] = []
    envelope_for = caller.envelopes()
    for index, item in enumerate(items):
        if isinstance(item, Refusal):
            results.append(_rejected(index, item))
            continue
        try:
            command = item.to_command()
        except Refusal as refusal:
            results.append(_rejected(index, refusal))
            continue
        parts.append(Part(envelope_for(item.idempotency_key, fingerprint(payouts.ROUTE, item)), command))
        places.append(index)
    whole = sha256(ROUTE.encode())
    for part in parts:
        whole.update(part.envelope.fingerprint + part.envelope.key.encode() + b"\0")
    batch_key = caller.envelope(caller.key, whole.digest()) if caller.key else None
    answers = await caller.world.carry_out(caller.book, parts, batch_key=batch_key) if parts else []
    _refuse_whole(answers, has_key=bool(caller.key))
    results += [_result(index, given) for index, given in zip(places, answers, strict=True)]
    results.sort(key=lambda result: result.index)
    position = max((given.position for given in answers), default=0)
    headers = {POSITION: str(position)} if position else {}
    if answers and all(given.replayed or given.again for given in answers):
        headers[REPLAYED] = "true"
    return answer(PayoutBatchAnswer(results), 201, headers)


def _named(body: Any, batch_key: str) -> Any:
    """The body, whatever its list is called; in a batch that has a key, an item without one is known by its place."""
    if not isinstance(body, dict):
        return body
    if "payouts" in body and "items" not in body:
        body = {"items" if name == "payouts" else name: value for name, value in body.items()}
    items = body.get("items")
    if not batch_key or not isinstance(items, list):
        return body
    stem = sha256(batch_key.encode()).hexdigest()
    keyed = [
        {**item, "idempotency_key": f"{stem}-{index}"}
        if isinstance(item, dict) and "idempotency_key" not in item
        else item
        for index, item in enumerate(items)
    ]
    return {**body, "items": keyed}


def _read(body: Any) -> list[BatchedPayout | Refusal]:
    """The payouts, with a refusal in the place of each that makes no sense."""
    if isinstance(body, dict) and isinstance(items := body.get("items"), list):
        if len(items) > MOST_ITEMS:
            words = f"A batch of payouts has at most {MOST_ITEMS} of them."
            raise BatchTooLarge(words, payouts=len(items), most=MOST_ITEMS)
        if not items:
            raise BatchEmpty("A batch has at least one payout.", pointer="/items")
    try:
        return list(understood(PayoutBatchRequest, body).items)
    except RequestValidationError as error:
        if any(not _concerns_one_item(item["loc"]) for item in error.errors()):
            raise
    return [_read_one(item) for item in body["items"]]


def _concerns_one_item(location: tuple[str | int, ...]) -> bool:
    # Without a key nobody could tell a payout from its repetition: that is the whole batch's fault.
    return location[:2] == ("body", "items") and len(location) > 2 and "idempotency_key" not in location


def _read_one(item: Any) -> BatchedPayout | Refusal:
    try:
        return understood(BatchedPayout, item)
    except RequestValidationError as error:
        return refusal_of_validation(error)


def _refuse_what_stands_twice(items: list[BatchedPayout | Refusal], batch_key: str) -> None:
    seen = {batch_key}
    for index, item in enumerate(items):
        if isinstance(item, Refusal):
            continue
        if item.idempotency_key in seen:
            raise DuplicateInBatch(pointer=f"/items/{index}/idempotency_key", key=item.idempotency_key)
        seen.add(item.idempotency_key)


def _refuse_whole(answers: list[Answer], *, has_key: bool) -> None:
    """Raise what concerns the whole batch: then none of its payouts was carried out."""
    for given in answers:
        if isinstance(given.refusal, Unavailable) and not isinstance(given.refusal, ChannelUnavailable):
            raise given.refusal
    # One answer for all of them: the key of the batch stands for another batch.
    first = answers[0] if answers and has_key else None
    if first is not None and isinstance(first.refusal, IdempotencyKeyReused) and all(a is first for a in answers):
        raise first.refusal


def _result(index: int, given: Answer) -> PayoutBatchResult:
    if given.refusal is not None:
        return _rejected(index, given.refusal)
    if given.error is not None:
        return _rejected(index, InternalError())
    told = _receipt_in(given.body)
    return PayoutBatchResult(index, "replayed" if given.replayed else "created", told.id, told.status)


def _rejected(index: int, refusal: Refusal) -> PayoutBatchResult:
    return PayoutBatchResult(index, "rejected", problem=problem_body(refusal))
