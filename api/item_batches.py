"""Item batches: up to 1,000 requests of one kind in one, each with its own key and each for itself."""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, Literal, TypeVar

import msgspec
from fastapi.exceptions import RequestValidationError
from msgspec import UNSET, UnsetType

from api.answers import POSITION, REPLAYED
from api.dependencies import Caller, understood
from api.fields import IdempotencyKey, Request
from api.problems import problem_body
from api.transport import BodyRule
from api.validation import refusal_of_validation
from commands.envelope import Answer, Command, Part
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

ItemStatus = Literal["created", "rejected", "replayed"]
MOST_ITEMS = 1_000
BODY_RULE = BodyRule(max_bytes=2 * 1024 * 1024, max_nodes=200_000)


class Keyed(Request):
    """An item with its key: sent alone with the same key, it is the same request."""

    idempotency_key: IdempotencyKey


class Outcome(msgspec.Struct, frozen=True):
    """What became of one item: `created`, `replayed` (its key was known) or `rejected`, with the problem.

    `own_status` is that of what was created, as it was answered first.
    """

    index: int
    status: ItemStatus
    id: str | UnsetType = UNSET
    own_status: str | UnsetType = UNSET
    problem: dict[str, Any] | UnsetType = UNSET


class _Receipt(msgspec.Struct):
    id: str
    status: str


_receipt_in = msgspec.json.Decoder(_Receipt).decode
_Item = TypeVar("_Item", bound=Keyed)
# An item's command, and the fingerprint of the item as it would be sent alone; raises a refusal.
Commanding = Callable[[_Item], Awaitable[tuple[Command, bytes]]]


def named(body: Any, batch_key: str, other_name: str | None = None) -> Any:
    """The body, whatever its list is called; in a batch that has a key, an item without one is known by its place."""
    if not isinstance(body, dict):
        return body
    if other_name in body and "items" not in body:
        body = {"items" if name == other_name else name: value for name, value in body.items()}
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


def read_items(body: Any, whole: Callable[[Any], list[_Item]], one: type[_Item]) -> list[_Item | Refusal]:
    """The items, with a refusal in the place of each that makes no sense; `whole` reads a body of which all does.

    Raises what the whole batch is refused for.
    """
    if isinstance(body, dict) and isinstance(items := body.get("items"), list):
        if len(items) > MOST_ITEMS:
            words = f"A batch has at most {MOST_ITEMS} items."
            raise BatchTooLarge(words, items=len(items), most=MOST_ITEMS)
        if not items:
            raise BatchEmpty("A batch has at least one item.", pointer="/items")
    try:
        return list(whole(body))
    except RequestValidationError as error:
        if any(not _concerns_one_item(line["loc"]) for line in error.errors()):
            raise
    return [_read_one(item, one) for item in body["items"]]


def _concerns_one_item(location: tuple[str | int, ...]) -> bool:
    # Without a key nobody could tell an item from its repetition: that is the whole batch's fault.
    return location[:2] == ("body", "items") and len(location) > 2 and "idempotency_key" not in location


def _read_one(item: Any, one: type[_Item]) -> _Item | Refusal:
    try:
        return understood(one, item)
    except RequestValidationError as error:
        return refusal_of_validation(error)


async def carry_out(
    caller: Caller, route: str, items: Sequence[_Item | Refusal], commanding: Commanding[_Item]
) -> tuple[list[Outcome], list[Answer], dict[str, str]]:
    """Have each item decided for itself, in their order: what became of each, the answers, and the batch's headers."""
    _refuse_what_stands_twice(items, caller.key)
    outcomes: list[Outcome] = []
    parts: list[Part] = []
    places: list[int] = []
    envelope_for = caller.envelopes()
    for index, item in enumerate(items):
        if isinstance(item, Refusal):
            outcomes.append(_rejected(index, item))
            continue
        try:
            command, asked = await commanding(item)
        except Refusal as refusal:
            outcomes.append(_rejected(index, refusal))
            continue
        parts.append(Part(envelope_for(item.idempotency_key, asked), command))
        places.append(index)
    whole = sha256(route.encode())
    for part in parts:
        whole.update(part.envelope.fingerprint + part.envelope.key.encode() + b"\0")
    batch_key = caller.envelope(caller.key, whole.digest()) if caller.key else None
    answers = await caller.world.carry_out(caller.book, parts, batch_key=batch_key) if parts else []
    _refuse_whole(answers, has_key=bool(caller.key))
    outcomes += [_outcome(index, given) for index, given in zip(places, answers, strict=True)]
    outcomes.sort(key=lambda outcome: outcome.index)
    position = max((given.position for given in answers), default=0)
    headers = {POSITION: str(position)} if position else {}
    if answers and all(given.replayed or given.again for given in answers):
        headers[REPLAYED] = "true"
    return outcomes, answers, headers


def _refuse_what_stands_twice(items: Sequence[Keyed | Refusal], batch_key: str) -> None:
    seen = {batch_key}
    for index, item in enumerate(items):
        if isinstance(item, Refusal):
            continue
        if item.idempotency_key in seen:
            raise DuplicateInBatch(pointer=f"/items/{index}/idempotency_key", key=item.idempotency_key)
        seen.add(item.idempotency_key)


def _refuse_whole(answers: list[Answer], *, has_key: bool) -> None:
    """Raise what concerns the whole batch: then none of its items was carried out."""
    for given in answers:
        if isinstance(given.refusal, Unavailable) and not isinstance(given.refusal, ChannelUnavailable):
            raise given.refusal
    # One answer for all of them: the key of the batch stands for another batch.
    first = answers[0] if answers and has_key else None
    if first is not None and isinstance(first.refusal, IdempotencyKeyReused) and all(a is first for a in answers):
        raise first.refusal


def _outcome(index: int, given: Answer) -> Outcome:
    if given.refusal is not None:
        return _rejected(index, given.refusal)
    if given.error is not None:
        return _rejected(index, InternalError())
    told = _receipt_in(given.body)
    return Outcome(index, "replayed" if given.replayed else "created", told.id, told.status)


def _rejected(index: int, refusal: Refusal) -> Outcome:
    return Outcome(index, "rejected", problem=problem_body(refusal))
