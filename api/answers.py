"""Answers: structs become the bytes of a response, and the schemas that the OpenAPI document shows of them."""

from collections.abc import Iterable, Mapping
from typing import Any, get_args

import msgspec
from starlette.responses import Response

from commands.envelope import Answer
from ledger.errors import Refusal

JSON = "application/json"
POSITION = "Ledger-Position"
REPLAYED = "Idempotent-Replayed"
SEALED = "Ledger-Sealed-Size"

encode = msgspec.json.Encoder().encode


# The structs that a route may answer with.
Answers = tuple[type[msgspec.Struct], ...]


class Page(msgspec.Struct):
    """One page of a list; `next_cursor` leads to the next one, null behind the last."""

    data: list[Any]
    next_cursor: str | None = None


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A struct, or what is made of structs, as JSON."""
    return Response(encode(content), status, headers, JSON)


def told(given: Answer) -> Response:
    """What became of a command, its receipt as the bytes that it was stored as. Raises its refusal or its bug."""
    if given.refusal is not None:
        raise Replayed(given.refusal) if given.replayed else given.refusal
    if given.error is not None:
        raise given.error
    headers = {POSITION: str(given.position)} if given.position else {}
    if given.replayed:
        headers[REPLAYED] = "true"
    return Response(given.body, given.status, headers, JSON)


class Replayed(Exception):
    """A refusal that was given before, to the same request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code())
        self.refusal = refusal


# --- documentation --------------------------------------------------------------------------------------------------


def shown(
    kinds: Answers, example: Any, *, status: int = 200, page: bool = False, writes: bool = False, media_type: str = JSON
) -> dict[int | str, dict[str, Any]]:
    """What FastAPI's `responses=` takes, to say that a route answers with one of these structs, or a page of them."""
    references: list[dict[str, Any]] = [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in kinds]
    reference: dict[str, Any] = references[0] if len(references) == 1 else {"anyOf": references}
    if page:
        reference = {
            "type": "object",
            "required": ["data", "next_cursor"],
            "properties": {
                "data": {"type": "array", "items": reference},
                "next_cursor": {"type": ["string", "null"], "description": "Give it as `cursor`; null: the last page."},
            },
        }
        example = {"data": [example], "next_cursor": None}
    described: dict[str, Any] = {
        "description": (kinds[0].__doc__ or "").strip().splitlines()[0] if kinds else "The content itself.",
        "content": {
            media_type: {"schema": reference if media_type == JSON else {"type": "string"}, "example": example}
        },
    }
    if writes:
        described["headers"] = {
            POSITION: {"description": "The position of the last event.", "schema": {"type": "integer"}},
            SEALED: {
                "description": "How many events the newest signed checkpoint held that was known to the writer.",
                "schema": {"type": "integer"},
            },
            REPLAYED: {
                "description": "This is the first answer to this Idempotency-Key again.",
                "schema": {"type": "string", "const": "true"},
            },
        }
    return {status: described}


def schemas_of(kinds: Iterable[type[msgspec.Struct]]) -> dict[str, Any]:
    """The JSON schemas of these structs by name.

    What has a default is always there, except in structs that leave defaults out; what may be UNSET is not.
    """
    kinds = list(kinds)
    terse = {kind.__name__ for kind in _structs_in(kinds) if kind.__struct_config__.omit_defaults}
    _, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for component, schema in components.items():
        properties: dict[str, Any] = schema.get("properties", {})
        always = set(schema.get("required", ()))
        for name, field in properties.items():
            if "default" in field and component not in terse:
                always.add(name)
                del field["default"]
            if name.endswith("_at"):
                properties[name] = _a_time(field)
        if properties:
            schema["required"] = [name for name in properties if name in always]
    return components


def _structs_in(kinds: Iterable[Any]) -> set[type[msgspec.Struct]]:
    """These structs and all that are fields of them, however deep."""
    found: set[type[msgspec.Struct]] = set()
    left = list(kinds)
    while left:
        kind = left.pop()
        left += get_args(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in found:
            found.add(kind)
            left += [field.type for field in msgspec.structs.fields(kind)]
    return found


def _a_time(field: dict[str, Any]) -> dict[str, Any]:
    kinds = field.get("anyOf", [field])
    return {"type": [kind["type"] for kind in kinds] if len(kinds) > 1 else "string", "format": "date-time"}
