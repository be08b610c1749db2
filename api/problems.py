"""Problem documents: how every refusal is spoken over HTTP (RFC 9457), and the only place that speaks them.

`install` makes an application answer each exception with `application/problem+json`: refusals with their own status
and code, a request that pydantic refuses, an address that is not there, a database that is away, and at last whatever
nobody foresaw, as `internal_error` without a word of what it was. What a class says of itself is told in the language
that the caller asks for; a detail that says more is in English.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
import psycopg_pool
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from api.problem_texts_zh import TITLES as CHINESE_TITLES
from api.validation import refusal_named, refusal_of_validation
from ledger.errors import (
    BadRequest,
    BodyTooLarge,
    ContentLengthMismatch,
    FieldError,
    Forbidden,
    FramingConflict,
    HeadersTooLarge,
    InternalError,
    JsonValue,
    MethodNotAllowed,
    NotCaughtUp,
    Overloaded,
    RateLimited,
    Refusal,
    RequestTimeout,
    RouteNotFound,
    ScopeMissing,
    StorageFull,
    Unauthenticated,
    Unavailable,
    UnsupportedEncoding,
    UnsupportedMediaType,
)
from ledger.languages import DEFAULT, Language, language_for

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:ledger:problem:"

logger = logging.getLogger(__name__)
# What any request may be answered with, whatever its route decides; for `may_refuse(*EVERY_REQUEST, …)`.
EVERY_REQUEST: tuple[type[Refusal], ...] = (
    Unauthenticated,
    ScopeMissing,
    HeadersTooLarge,
    RateLimited,
    InternalError,
    Unavailable,
    Overloaded,
)
EVERY_READ: tuple[type[Refusal], ...] = (*EVERY_REQUEST, NotCaughtUp)
EVERY_WRITE: tuple[type[Refusal], ...] = (
    *EVERY_REQUEST,
    BadRequest,
    ContentLengthMismatch,
    FramingConflict,
    RequestTimeout,
    BodyTooLarge,
    UnsupportedMediaType,
    UnsupportedEncoding,
    StorageFull,
)

_BY_STATUS: Mapping[int, type[Refusal]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: RouteNotFound,
    405: MethodNotAllowed,
    408: RequestTimeout,
    413: BodyTooLarge,
    415: UnsupportedMediaType,
    429: RateLimited,
    431: HeadersTooLarge,
    503: Unavailable,
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_DISK_FULL = "53100"
# Out of memory or connections, waited too long for a lock, took too long: the database is there and has too much to do.
_TOO_MUCH_TO_DO = ("53", "55P03", "57014")


def title_in(language: Language, kind: type[Refusal]) -> str:
    """What this class of refusals says of itself."""
    return CHINESE_TITLES.get(kind.code(), kind.title()) if language == "zh" else kind.title()


def language_of(scope: Scope) -> Language:
    """The language that a request asks for with `Accept-Language`."""
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return language_for(",".join(str(value, "latin-1") for name, value in headers if name == b"accept-language"))


def problem_body(refusal: Refusal, language: Language = DEFAULT) -> dict[str, JsonValue]:
    """The problem document: RFC 9457's members, then ours, then the facts of this refusal."""
    code, title = refusal.code(), title_in(language, type(refusal))
    body: dict[str, JsonValue] = {
        "type": _TYPE + code,
        "title": title,
        "status": refusal.status,
        "detail": title if refusal.detail == refusal.title() else refusal.detail,
        "code": code,
        "retryable": refusal.retryable,
        "errors": [{"pointer": e.pointer, "code": e.code, "detail": _detail_of(e, language)} for e in refusal.errors],
    }
    # A fact never takes the place of a member that every caller relies on.
    return {**refusal.facts, **body} if refusal.facts.keys() & body.keys() else {**body, **refusal.facts}


def _detail_of(error: FieldError, language: Language) -> str:
    kind = refusal_named(error.code) if language != DEFAULT else None
    return title_in(language, kind) if kind is not None and error.detail == kind.title() else error.detail


def problem_response(
    refusal: Refusal, headers: Mapping[str, str] | None = None, language: Language = DEFAULT
) -> Response:
    """The answer to a refused request."""
    told = {**(headers or {}), "Content-Language": language, "Vary": "Accept-Language"}
    if refusal.retry_after_s is not None:
        told["Retry-After"] = str(refusal.retry_after_s)
    if refusal.status == Unauthenticated.status:
        told["WWW-Authenticate"] = "Bearer"
    content = json.dumps(problem_body(refusal, language), separators=(",", ":"))
    return Response(content, status_code=refusal.status, headers=told, media_type=MEDIA_TYPE)


def refusal_of(error: Exception) -> Refusal:
    """What an exception means to the caller; InternalError for everything that is our own fault."""
    match error:
        case Refusal():
            return error
        case RequestValidationError():
            return refusal_of_validation(error)
        case HTTPException():
            return _refusal_of_status(error.status_code)
        case psycopg_pool.PoolTimeout() | psycopg_pool.TooManyRequests():
            return Overloaded()
        case psycopg.OperationalError() | psycopg.InterfaceError() | psycopg.errors.ReadOnlySqlTransaction():
            return _refusal_of_database(error.sqlstate or "")  # Read-only is what a database is that was failed over.
    return InternalError()


def _refusal_of_status(status: int) -> Refusal:
    kind = _BY_STATUS.get(status)
    return kind() if kind else BadRequest() if status < 500 else InternalError()


def _refusal_of_database(sqlstate: str) -> Refusal:
    if sqlstate == _DISK_FULL:
        return StorageFull()
    return Overloaded() if sqlstate.startswith(_TOO_MUCH_TO_DO) else Unavailable("The database cannot be reached.")


def install(app: FastAPI) -> None:
    """Let the application answer every exception with a problem document."""
    for kind in (Refusal, RequestValidationError, HTTPException, psycopg.Error, Exception):
        app.add_exception_handler(kind, answer_exception)


async def answer_exception(request: Request, error: Exception) -> Response:
    """The problem document for whatever was raised while this request was answered."""
    refusal = refusal_of(error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if isinstance(refusal, MethodNotAllowed):
        headers["Allow"] = ", ".join(_methods_at(request.scope))
    if isinstance(refusal, InternalError):
        logger.error("%s broke", request.method, exc_info=error)
        # The server raises it once more after this answer; whoever stands outside need not tell it again.
        request.scope[TOLD] = True
    elif isinstance(refusal, Unavailable) and not isinstance(error, Refusal):
        logger.warning("%s could not be answered: %s", request.method, type(error).__qualname__)
    return problem_response(refusal, headers, language_of(request.scope))


TOLD = "ledger.exception_told"


def _methods_at(scope: Scope) -> list[str]:
    """All methods that this address answers; the router names those of its first route alone."""
    routes = scope["app"].router.routes
    asked = {key: value for key, value in scope.items() if key not in ("route", "endpoint", "path_params")}
    return [
        method
        for method in _METHODS
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in routes)
    ]


# --- documentation --------------------------------------------------------------------------------------------------


def may_refuse(*kinds: type[Refusal]) -> dict[int | str, dict[str, Any]]:
    """What FastAPI's `responses=` takes, to say which refusals a route may answer with."""
    by_status: defaultdict[int, dict[str, type[Refusal]]] = defaultdict(dict)
    for kind in kinds:
        by_status[kind.status][kind.code()] = kind
    return {
        status: {
            "description": " ".join(f"`{code}`: {kind.title()}" for code, kind in listed.items()),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {code: {"value": problem_body(kind())} for code, kind in listed.items()},
                }
            },
        }
        for status, listed in sorted(by_status.items())
    }


def document_problems(openapi: dict[str, Any]) -> dict[str, Any]:
    """Give the OpenAPI document the schema that `may_refuse` refers to, in place of FastAPI's own for a bad request."""
    schemas = openapi.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM_SCHEMA
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for path in openapi.get("paths", {}).values():
        for operation in path.values():
            unprocessable = operation.get("responses", {}).get("422", {})
            if "HTTPValidationError" in str(unprocessable):
                unprocessable["description"] = (
                    "The request can be read and makes no sense; `errors` names each bad field."
                )
                unprocessable["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return openapi


_TEXT = {"type": "string"}
_PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "A refusal as in RFC 9457. Further members are the facts of this refusal, such as `available`.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "retryable", "errors"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": {**_TEXT, "description": "What to decide by; it does not change."},
        "retryable": {"type": "boolean", "description": "Whether the same request may be sent again."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {**_TEXT, "description": "JSON pointer into the body, or /query/…, /path/…, /header/…"},
                    "code": _TEXT,
                    "detail": _TEXT,
                },
            },
        },
    },
}
