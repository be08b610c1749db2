"""/batches: up to 10,000 transfers in one request, each with its own key: all or none, or each for itself."""

from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from fastapi.exceptions import RequestValidationError
from msgspec import UNSET, UnsetType
from pydantic import ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from api.answers import POSITION, REPLAYED, Replayed, answer
from api.dependencies import CALLER, Caller, Rules, body_of, understood
from api.fields import IdempotencyKey, Request
from api.problems import problem_body
from api.routes.transfers import POSTING_REFUSALS, TransferRequest, dated_hold
from api.routing import Router
from api.transport import BODY, BodyRule
from api.validation import refusal_of_validation
from commands.envelope import Answer, Envelope, Part
from ledger.errors import (
    ApprovalRequired,
    BatchEmpty,
    BatchRejected,
    BatchTooLarge,
    DuplicateInBatch,
    FieldError,
    IdempotencyKeyReused,
    InternalError,
    Refusal,
    Unavailable,
)
from ledger.ids import ENTRY, new_ids

ROUTE = "POST /v1/batches"
MOST_TRANSFERS = 10_000
BODY_RULE = BodyRule(max_bytes=8 * 1024 * 1024, max_nodes=1_000_000)
# In bytes. A text of this size can be so contrived that it takes a tenth of a second to judge: a larger one is read
# beside the event loop, and others are served meanwhile.
_LARGEST_READ_AT_ONCE = 256 * 1024
router = Router("/v1/batches", "batches")

_EXAMPLE: dict[str, Any] = {
    "mode": "independent",
    "transfers": [
        {
            "idempotency_key": "order-1729",
            "debit_account": "cash",
            "credit_account": "customer:17",
            "amount": 1250,
            "currency": "EUR",
        }
    ],
}


class BatchedTransfer(TransferRequest):
    """A transfer with its key: sent alone with the same key, it is the same request."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLE["transfers"]})

    idempotency_key: IdempotencyKey
    dry_run: Literal[False] = False


class BatchRequest(Request):
    """`atomic`: all or none; `independent`: each for itself. They are carried out in their order."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    mode: Literal["atomic", "independent"]
    transfers: Annotated[list[BatchedTransfer], Field(json_schema_extra={"minItems": 1, "maxItems": MOST_TRANSFERS})]


class BatchResult(msgspec.Struct):
    """What became of one transfer: `created`, `replayed` (its key was known) or `rejected`, with the problem."""

    index: int
    status: Literal["created", "rejected", "replayed"]
    id: str | UnsetType = UNSET
    problem: dict[str, Any] | UnsetType = UNSET


class BatchAnswer(msgspec.Struct):
    """What became of each transfer, in their order."""

    results: list[BatchResult]


class _Receipt(msgspec.Struct):
    id: str


_id_in = msgspec.json.Decoder(_Receipt).decode


@router.writes(
    "",
    BatchAnswer,
    {"results": [{"index": 0, "status": "created", "id": "ent_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"}]},
    scope="ledger:write",
    refuses=(*POSTING_REFUSALS, BatchEmpty, BatchTooLarge, BatchRejected, DuplicateInBatch),
    rules=Rules("ledger:write", takes_key=True, key_is_optional=True, thin=True),
    body=BatchRequest,
)
async def post_batch(request: HttpRequest) -> Response:
    """Post up to 10,000 transfers, atomically or independently.

    An atomic batch that is refused names each transfer that is to blame. In an independent batch a transfer that is
    refused, or makes no sense, is a result like any other. The batch may have an Idempotency-Key of its own.
    """
    caller: Caller = request.scope[CALLER]
    if len(request.scope[BODY]) <= _LARGEST_READ_AT_ONCE:
        mode, items = _read(body_of(request))
    else:
        mode, items = await run_in_threadpool(lambda: _read(body_of(request)))
    if mode == "atomic":
        _refuse_what_makes_no_sense(items)
    _refuse_what_stands_twice(items, caller.key)
    parts: list[Part] = []
    results: list[BatchResult] = []
    places: list[tuple[int, str]] = []
    envelope_for, fresh_ids = caller.envelopes(), new_ids(ENTRY, len(items))
    for index, item in enumerate(items):
        if isinstance(item, Refusal):
            results.append(_rejected(index, item))
        else:
            command = item.to_command(fresh_ids[index])
            parts.append(Part(envelope_for(item.idempotency_key, item.fingerprint()), command))
            places.append((index, command.id))
    atomic = mode == "atomic"
    answers = await caller.world.carry_out(
        caller.book, parts, atomic=atomic, batch_key=_batch_envelope(caller, mode, parts)
    )
    _refuse_whole(answers, atomic=atomic, has_key=bool(caller.key))
    results += [_result(index, name, given) for (index, name), given in zip(places, answers, strict=True)]
    results.sort(key=lambda result: result.index)
    position = max((given.position for given in answers), default=0)
    headers = {POSITION: str(position)} if position else {}
    if answers and all(given.replayed or given.again for given in answers):
        headers[REPLAYED] = "true"
    return answer(BatchAnswer(results), 201, headers)


# --- reading --------------------------------------------------------------------------------------------------------


def _read(body: Any) -> tuple[str, list[BatchedTransfer | Refusal]]:
    """The mode and the transfers, with a refusal in the place of each that makes no sense."""
    if isinstance(body, dict) and isinstance(transfers_ := body.get("transfers"), list):
        if len(transfers_) > MOST_TRANSFERS:
            raise BatchTooLarge(transfers=len(transfers_), most=MOST_TRANSFERS)
        if not transfers_:
            raise BatchEmpty(pointer="/transfers")
    try:
        asked = understood(BatchRequest, body)
        return asked.mode, [_no_dated_hold(item) for item in asked.transfers]
    except RequestValidationError as error:
        if any(not _concerns_one_item(item["loc"]) for item in error.errors()):
            raise
    return body["mode"], [_read_one(item) for item in body["transfers"]]


def _concerns_one_item(location: tuple[str | int, ...]) -> bool:
    # Without a key nobody could tell a transfer from its repetition: that is the whole batch's fault.
    return location[:2] == ("body", "transfers") and len(location) > 2 and "idempotency_key" not in location


def _read_one(item: Any) -> BatchedTransfer | Refusal:
    try:
        return _no_dated_hold(understood(BatchedTransfer, item))
    except RequestValidationError as error:
        return refusal_of_validation(error)


def _no_dated_hold(item: BatchedTransfer) -> BatchedTransfer | Refusal:
    return item if item.pending is None or item.effective_at is None else dated_hold()


def _batch_envelope(caller: Caller, mode: str, parts: list[Part]) -> Envelope | None:
    if not caller.key:
        return None
    whole = sha256(f"{ROUTE}\0{mode}".encode())
    for part in parts:
        whole.update(part.envelope.fingerprint + part.envelope.key.encode() + b"\0")
    return caller.envelope(caller.key, whole.digest())


# --- refusing the whole ---------------------------------------------------------------------------------------------


def _refuse_what_stands_twice(items: list[BatchedTransfer | Refusal], batch_key: str) -> None:
    seen = {batch_key}
    for index, item in enumerate(items):
        if isinstance(item, Refusal):
            continue
        if item.idempotency_key in seen:
            raise DuplicateInBatch(pointer=f"/transfers/{index}/idempotency_key", key=item.idempotency_key)
        seen.add(item.idempotency_key)


def _refuse_what_makes_no_sense(items: list[BatchedTransfer | Refusal]) -> None:
    errors = tuple(
        FieldError(f"/transfers/{index}{error.pointer}", error.code, error.detail)
        for index, item in enumerate(items)
        if isinstance(item, Refusal)
        for error in item.errors
    )
    if errors:
        raise BatchRejected(errors=errors)


def _refuse_whole(answers: list[Answer], *, atomic: bool, has_key: bool) -> None:
    """Raise what concerns the whole batch: then none of its transfers was carried out."""
    refusals = [given.refusal for given in answers]
    for refusal in refusals:
        if isinstance(refusal, Unavailable):
            raise refusal
    # One answer for all of them: the key of the batch stands for another batch.
    if (
        answers
        and has_key
        and isinstance(refusals[0], IdempotencyKeyReused)
        and all(given is answers[0] for given in answers)
    ):
        raise refusals[0]
    if not atomic:
        return
    errors = tuple(
        FieldError(f"/transfers/{index}", refusal.code(), refusal.detail)
        for index, refusal in enumerate(refusals)
        if refusal is not None
    )
    if errors:
        rejected = BatchRejected(errors=errors)
        raise Replayed(rejected) if all(given.replayed for given in answers) else rejected
    for given in answers:
        if given.error is not None:
            raise given.error


# --- telling --------------------------------------------------------------------------------------------------------


def _result(index: int, name: str, given: Answer) -> BatchResult:
    if given.refusal is not None:
        return _rejected(index, given.refusal)
    if given.error is not None:
        return _rejected(index, InternalError())
    if given.status == 202:  # It was sent alone before, and waits for a second person.
        return _rejected(index, ApprovalRequired())
    if given.replayed or given.again:
        return BatchResult(index, "replayed" if given.replayed else "created", _id_in(given.body).id)
    return BatchResult(index, "created", name)


def _rejected(index: int, refusal: Refusal) -> BatchResult:
    return BatchResult(index, "rejected", problem=problem_body(refusal))
