"""The JSON gate: bytes from outside become one JSON value that nothing behind it has to doubt, or a refusal.

What leaves the gate: texts without invisible characters and card numbers, whole numbers within 64 bits, each key once
per object and none that asks for a security code, within a bound on bytes, depth and values.

Two ways lead through. The quick way lets the C parser read the body and then proves, with a few passes over the bytes,
that nothing in it can be wrong. Where the proof fails, which is no refusal yet, the careful way looks at every value
one by one, and knows the place of what it refuses.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from api.text_rules import (
    holds_card_number,
    holds_forbidden_character,
    is_phone_number,
    is_plain_character,
    is_sensitive_name,
    reads_as_card_number,
)
from ledger.errors import (
    BodyTooLarge,
    JsonDuplicateKey,
    JsonFractionalNumber,
    JsonIntegerTooLarge,
    JsonMalformed,
    JsonNonFinite,
    JsonNotUtf8,
    JsonTooDeep,
    JsonTooManyNodes,
    JsonValue,
    PanNotAllowed,
    Refusal,
    SensitiveFieldNotAllowed,
    TextForbiddenCharacter,
)
from ledger.tokens import holds_tokens

MAX_DEPTH = 16
MAX_NODES = 5_000

_LARGEST_INTEGER = 2**63 - 1
_LONGEST_INTEGER = len(str(-_LARGEST_INTEGER))
_LONGEST_NAMED_KEY = 64

_UTF8_BOM = b"\xef\xbb\xbf"
_ASCII = bytes(range(128))
_AS_LONG_NUMBERS = bytes(ord("0") if byte in b"0123456789 -" else byte for byte in range(256))
_FEWEST_CARD_DIGITS = 13
_LONG_NUMBER = b"0" * _FEWEST_CARD_DIGITS
_END_OF_NUMBER = re.compile(rb"[^0]|$")
_FEWEST_LARGE_INTEGER_DIGITS = 19

# Objects repeat themselves: the names of their keys are judged once and remembered, within bounds.
_harmless_shapes: set[tuple[str, ...]] = set()
_MOST_SHAPES = 1_024
_MOST_KEYS_OF_A_SHAPE = 64
_LONGEST_SHAPE = 1_024

_Place = tuple[Any, str | int] | None  # The place of the container and the key or index in it; None is the body itself.


def parse(raw: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES) -> JsonValue:
    """The one JSON value that `raw` holds.

    `max_depth` counts nested objects and arrays, `max_nodes` commas and opening brackets outside of texts. Control
    characters are refused in every text, newline and tab too. Raises BodyTooLarge, PanNotAllowed,
    SensitiveFieldNotAllowed, TextForbiddenCharacter or one of the Json refusals, with a JSON pointer if it is known.
    """
    if len(raw) > max_bytes:
        raise BodyTooLarge(max_bytes=max_bytes)
    if raw.startswith(_UTF8_BOM):
        raise JsonMalformed("The body begins with a byte order mark.")
    if b"\0" in raw[:4]:  # UTF-16 and UTF-32 of a JSON text, which the UTF-8 decoder would take.
        raise JsonNotUtf8
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise JsonNotUtf8 from None
    if len(raw) > max_nodes and _exceeds_nodes(raw, max_nodes):
        raise JsonTooManyNodes(max_nodes=max_nodes)
    try:
        value: JsonValue = _QUICK.decode(text)
    except (ValueError, RecursionError):
        return _parse_carefully(text, max_depth)
    opened = raw.count(b"{") + raw.count(b"[")
    if (opened > max_depth and _is_deeper(value, max_depth)) or not _is_harmless(_without_escapes(raw, value)):
        return _parse_carefully(text, max_depth)
    return value


def pointer(tokens: Iterable[str | int]) -> str:
    """The JSON pointer (RFC 6901) to this place; it ends before a key that is too long to be repeated."""
    written = ""
    for token in tokens:
        if isinstance(token, str) and len(token) > _LONGEST_NAMED_KEY:
            break
        written += "/" + str(token).replace("~", "~0").replace("/", "~1")
    return written


# --- the quick way --------------------------------------------------------------------------------------------------


class _Doubt(ValueError):
    """The quick way has met something that the careful way has to judge."""


def _object_without_doubt(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Doubt
    shape = tuple(value)
    if shape not in _harmless_shapes:
        if any(map(is_sensitive_name, shape)):
            raise _Doubt
        _remember(shape)
    return value


def _remember(shape: tuple[str, ...]) -> None:
    if len(shape) <= _MOST_KEYS_OF_A_SHAPE and sum(map(len, shape)) <= _LONGEST_SHAPE:
        if len(_harmless_shapes) >= _MOST_SHAPES:
            _harmless_shapes.clear()
        _harmless_shapes.add(shape)


def _doubt(literal: str) -> NoReturn:
    raise _Doubt


_QUICK = json.JSONDecoder(object_pairs_hook=_object_without_doubt, parse_float=_doubt, parse_constant=_doubt)


def _exceeds_nodes(raw: bytes, max_nodes: int) -> bool:
    def count(structure: bytes) -> int:
        return structure.count(b",") + structure.count(b"{") + structure.count(b"[")

    if count(raw) <= max_nodes:
        return False
    # Commas and brackets in texts do not count: without escapes, every second part between quotes is no text.
    unescaped = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    return count(b"".join(unescaped.split(b'"')[::2])) > max_nodes


def _is_deeper(value: JsonValue, max_depth: int) -> bool:
    level: list[Any] = [value] if isinstance(value, (dict, list)) else []
    for _ in range(max_depth):
        level = [
            child
            for container in level
            for child in (container.values() if type(container) is dict else container)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return bool(level)


def _without_escapes(raw: bytes, value: JsonValue) -> bytes:
    """The body, or its value written anew: many writers escape what is not ASCII, and the proof reads no escapes."""
    if b"\\" not in raw:
        return raw
    return _PLAIN_WRITER.encode(value).encode(errors="surrogatepass")


_PLAIN_WRITER = json.JSONEncoder(ensure_ascii=False, check_circular=False)


def _is_harmless(raw: bytes) -> bool:
    """Whether no text of this well-formed body can be refused and no integer passes 64 bits; False is only a doubt."""
    if b"\\" in raw or b"\x7f" in raw or holds_tokens(raw) or not _is_plain(raw):
        return False
    # Long runs of digits, spaces and dashes are rare. Without escapes, an odd number of quotes before one means a text.
    numbers = raw.translate(_AS_LONG_NUMBERS)
    end = quotes = counted_to = innocent_to = 0
    while (start := numbers.find(_LONG_NUMBER, end)) >= 0:
        end = _end_of_number(numbers, start)
        number = raw[start:end].strip(b" -")
        digits = len(number.translate(None, b" -"))
        if digits < _FEWEST_CARD_DIGITS or start < innocent_to:
            continue
        quotes += raw.count(b'"', counted_to, start)
        counted_to = start
        if quotes % 2:
            if reads_as_card_number(number.decode()):
                # It may still be a piece of a UUID or an IBAN: the whole text tells.
                innocent_to = raw.index(b'"', end)
                if holds_card_number(raw[raw.rindex(b'"', 0, start) + 1 : innocent_to].decode()):
                    return False
        elif digits >= _FEWEST_LARGE_INTEGER_DIGITS:
            return False
    return True


def _is_plain(raw: bytes) -> bool:
    if raw.isascii():
        return True
    exotic = set(raw.translate(None, _ASCII).decode(errors="surrogatepass"))
    return all(map(is_plain_character, exotic))


def _end_of_number(numbers: bytes, start: int) -> int:
    found = _END_OF_NUMBER.search(numbers, start)
    return found.start() if found else len(numbers)


# --- the careful way ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands in the parsed value where something has to be refused."""

    refusal: type[Refusal]
    key: str | None = None


def _object_or_flaw(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Flaw:
    value: dict[str, Any] = {}
    for key, child in pairs:
        if key in value:
            return _Flaw(JsonDuplicateKey, key)
        value[key] = child
    return value


def _integer_or_flaw(digits: str) -> int | _Flaw:
    if len(digits) <= _LONGEST_INTEGER and abs(number := int(digits)) <= _LARGEST_INTEGER:
        return number
    return _Flaw(JsonIntegerTooLarge)


_CAREFUL = json.JSONDecoder(
    object_pairs_hook=_object_or_flaw,
    parse_int=_integer_or_flaw,
    parse_float=lambda _: _Flaw(JsonFractionalNumber),
    parse_constant=lambda _: _Flaw(JsonNonFinite),
)


def _parse_carefully(text: str, max_depth: int) -> JsonValue:
    try:
        value: JsonValue = _CAREFUL.decode(text)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Invalid control character"):
            raise TextForbiddenCharacter from None
        raise JsonMalformed(f"The body is not one well-formed JSON value, from character {error.pos} on.") from None
    except RecursionError:
        raise JsonTooDeep(max_depth=max_depth) from None
    _judge(value, max_depth)
    return value


def _judge(body: Any, max_depth: int) -> None:
    """Raise the refusal of what is wrong first, in the order of the text."""
    rest: list[tuple[Any, _Place, int]] = [(body, None, 1)]
    while rest:
        value, place, depth = rest.pop()
        if isinstance(value, str):
            _judge_text(value, place)
        elif isinstance(value, dict | list):
            if depth > max_depth:
                raise JsonTooDeep(pointer=_pointer_to(place), max_depth=max_depth)
            if isinstance(value, dict):
                for key in value:
                    _judge_key(key, place)
            children = value.items() if isinstance(value, dict) else enumerate(value)
            rest.extend(reversed([(child, (place, key), depth + 1) for key, child in children]))
        elif isinstance(value, _Flaw):
            if value.key is not None:
                _judge_key(value.key, place)
                place = (place, value.key)
            raise value.refusal(pointer=_pointer_to(place))


def _judge_key(key: str, place: _Place) -> None:
    # A key that may not stay is not repeated in the pointer either; the object that holds it is named.
    _judge_text(key, place)
    if is_sensitive_name(key):
        raise SensitiveFieldNotAllowed(pointer=_pointer_to((place, key)))


def _judge_text(text: str, place: _Place) -> None:
    if holds_forbidden_character(text):
        raise TextForbiddenCharacter(pointer=_pointer_to(place))
    if holds_card_number(text) and not (_stands_under(place, "phone") and is_phone_number(text)):
        raise PanNotAllowed(pointer=_pointer_to(place))


def _stands_under(place: _Place, key: str) -> bool:
    return place is not None and place[1] == key


def _pointer_to(place: _Place) -> str:
    tokens: list[str | int] = []
    while place is not None:
        place, token = place
        tokens.append(token)
    return pointer(reversed(tokens))
