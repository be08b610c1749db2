"""What pydantic says about a request, in our words: one refusal that names every bad field and repeats no value.

The first bad field gives the answer its code and status. A validator that raises `PydanticCustomError` with one of our
codes as its type is taken at its word; pydantic's own error types are translated by the name and type of the field.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError

from api.json_gate import pointer
from ledger.errors import (
    AccountCodeInvalid,
    AmountNotPositive,
    AmountType,
    BodyType,
    CurrencyUnknown,
    CursorInvalid,
    FieldError,
    FieldInvalid,
    FieldMissing,
    FieldType,
    IdempotencyKeyInvalid,
    LimitRange,
    MetadataType,
    Refusal,
    TimestampFormat,
    TooLong,
    TooManyKeys,
    UnknownField,
    UnknownParameter,
)

# A batch may have thousands of bad fields; an answer need not.
_MOST_ERRORS = 1_000

# pydantic's sentences for these types say what is expected and never what was sent.
_SAYS_WHAT_IS_EXPECTED = frozenset(
    {"literal_error", "enum", "missing", "too_short", "too_long", "string_too_short", "string_too_long"}
    | {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "is_instance_of"}
    | {"string_type", "int_type", "bool_type", "list_type", "dict_type", "model_type"}
)
_TOO_SMALL = frozenset({"greater_than", "greater_than_equal"})
_BY_PARAMETER: Mapping[str, type[Refusal]] = {
    "limit": LimitRange,
    "cursor": CursorInvalid,
    "idempotency-key": IdempotencyKeyInvalid,
}

_known_codes: dict[str, type[Refusal]] = {}


def refusal_named(code: str) -> type[Refusal] | None:
    """The class of refusal that has this code on the wire."""
    if code not in _known_codes:
        _known_codes.update((kind.code(), kind) for kind in _all_kinds(Refusal))
    return _known_codes.get(code)


def _all_kinds(parent: type[Refusal]) -> Iterator[type[Refusal]]:
    for kind in parent.__subclasses__():
        yield kind
        yield from _all_kinds(kind)


def refusal_of_validation(error: RequestValidationError) -> Refusal:
    """The one refusal that says everything `error` says."""
    found: dict[str, FieldError] = {}
    for item in error.errors():
        where, *tokens = item["loc"]
        if where == "body":
            tokens = _tokens_in(error.body, tokens)
        place = pointer(tokens if where == "body" else [where, *tokens])
        # The branches of a union complain about one field several times; the first complaint is enough.
        if place not in found:
            kind = _kind_of(item, where, tokens)
            found[place] = FieldError(place, kind.code(), _detail(kind, item))
    errors = tuple(found.values())
    kind = refusal_named(errors[0].code) or FieldInvalid
    if len(errors) <= _MOST_ERRORS:
        return kind(errors[0].detail, errors=errors)
    return kind(errors[0].detail, errors=errors[:_MOST_ERRORS], errors_left_off=len(errors) - _MOST_ERRORS)


def _tokens_in(body: Any, location: Sequence[str | int]) -> list[str | int]:
    """The keys and indexes of a location; pydantic mixes names of union branches in, which are no place in the body."""
    tokens: list[str | int] = []
    for at, step in enumerate(location):
        is_object = isinstance(body, dict)
        there = step in body if is_object else isinstance(body, list) and step in range(len(body))
        missing = is_object and at + 1 == len(location) and not str(step).startswith("[")
        if there or missing:
            tokens.append(step)
            body = body[step] if there else None
    return tokens


def _detail(kind: type[Refusal], item: Mapping[str, Any]) -> str:
    """A sentence without the value that was sent."""
    message: str = item["msg"]
    if item["type"] == kind.code() and not _is_pydantics_own(item):
        return message
    if item["type"] == "union_tag_invalid":
        return f"One of {item['ctx']['expected_tags']} is expected."
    if kind in (FieldType, FieldInvalid, LimitRange) and item["type"] in _SAYS_WHAT_IS_EXPECTED:
        return f"{message}."
    return kind.title()


def _is_pydantics_own(item: Mapping[str, Any]) -> bool:
    """`too_long` is a type of pydantic's for containers, and a code of ours for texts."""
    return item["type"] == "too_long" and "field_type" in item.get("ctx", {})


def _kind_of(item: Mapping[str, Any], where: str, tokens: Sequence[str | int]) -> type[Refusal]:
    said: str = item["type"]
    own = refusal_named(said)
    if own and not _is_pydantics_own(item):
        return own
    if where == "body" and not tokens:
        return BodyType
    name = next((token for token in reversed(tokens) if isinstance(token, str)), "")
    match said:
        case "missing" | "union_tag_not_found":
            return FieldMissing
        case "extra_forbidden":
            return UnknownField if where == "body" else UnknownParameter
    if where != "body" and name.lower() in _BY_PARAMETER:
        return _BY_PARAMETER[name.lower()]
    return _kind_by_name(said, name, tokens) or _kind_by_type(said, where)


def _kind_by_name(said: str, name: str, tokens: Sequence[str | int]) -> type[Refusal] | None:
    if name == "amount" or name.endswith("_amount"):
        return AmountNotPositive if said in _TOO_SMALL else AmountType
    if name == "currency" or name.endswith("_currency"):
        return CurrencyUnknown
    if name == "account" or name.endswith("_account"):
        return FieldType if said == "string_type" else AccountCodeInvalid
    if "metadata" in tokens:
        return TooManyKeys if said == "too_long" else TooLong if said == "string_too_long" else MetadataType
    if said.startswith(("datetime_", "timezone_", "date_")) or (name.endswith("_at") and said == "string_type"):
        return TimestampFormat
    return None


def _kind_by_type(said: str, where: str) -> type[Refusal]:
    if said in ("string_too_long", "too_long"):
        return TooLong
    # Whatever stands in an address is text: there it has no type that could be wrong.
    return FieldType if said.endswith(("_type", "_instance_of")) and where == "body" else FieldInvalid
