"""Refusal: what a "no" carries, and the seven kinds that all others belong to (the tree stands in __init__.py)."""

import re
from dataclasses import dataclass
from typing import ClassVar

JsonValue = None | bool | int | str | list["JsonValue"] | dict[str, "JsonValue"]

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One refused field: a JSON pointer into the request (RFC 6901), its code, and a sentence."""

    pointer: str
    code: str
    detail: str


class Refusal(Exception):
    """The request was refused."""

    status: ClassVar[int] = 422
    retryable: ClassVar[bool] = False
    retry_after_s: ClassVar[int | None] = None

    def __init__(
        self,
        detail: str | None = None,
        *,
        pointer: str | None = None,
        errors: tuple[FieldError, ...] = (),
        **facts: JsonValue,
    ) -> None:
        """`detail` replaces the class docstring; `facts` are the numbers and names a caller needs to act on it."""
        self.detail = detail or self.title()
        self.facts = facts
        own = (FieldError(pointer, self.code(), self.detail),) if pointer is not None else ()
        self.errors = errors or own
        super().__init__(self.detail)

    @classmethod
    def code(cls) -> str:
        return _WORD_START.sub("_", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or "").strip().splitlines()[0]


class BadRequest(Refusal):
    """The request cannot be read."""

    status = 400


class Unauthenticated(Refusal):
    """A valid API key is needed."""

    status = 401


class Forbidden(Refusal):
    """This key may not do that."""

    status = 403


class NotFound(Refusal):
    """There is no such thing in this book."""

    status = 404


class Conflict(Refusal):
    """The request does not fit the present state."""

    status = 409


class Invalid(Refusal):
    """The request can be read and makes no sense."""

    status = 422


class Unavailable(Refusal):
    """The service cannot answer right now; the same request may be sent again."""

    status = 503
    retryable = True
    retry_after_s = 1
