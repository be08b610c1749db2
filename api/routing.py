"""Routing: how a route is declared, and what is asked of every request before its function is called.

Each route names the scope it needs, what it answers with and what it may refuse; who asks, the key of what is asked and
the address are checked in this order, and only then is the body read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

import msgspec
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.access_log import PRINCIPAL, Sensitive, observed
from api.answers import JSON, POSITION, SEALED, Answers, shown
from api.dependencies import CALLER, Caller, Rules, admit
from api.gated_route import GatedRoute
from api.problems import EVERY_READ, EVERY_WRITE, may_refuse
from commands.guarding import ApprovalPending
from ledger.errors import (
    BadRequest,
    FieldInvalid,
    FieldMissing,
    FieldType,
    HeadersTooLarge,
    IdempotencyInProgress,
    IdempotencyKeyInvalid,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    InternalError,
    JsonMalformed,
    PanNotAllowed,
    PersonRequired,
    Refusal,
    RouteNotFound,
    ScopeMissing,
    TextForbiddenCharacter,
    Unauthenticated,
    Unavailable,
    UnknownField,
    UnknownParameter,
)
from ledger.tokens import holds_tokens

SECURITY_SCHEME = "api_key"
# Longer than any statement may take: who waits so long waits for a database that hangs.
_LONGEST_READ_S = 8.0
_IN_BODIES = (JsonMalformed, TextForbiddenCharacter, FieldMissing, FieldType, FieldInvalid, UnknownField, PanNotAllowed)
_PENDING: dict[str, Any] = {
    "position": 17,
    "approval_id": "apr_4c9f1f0f6a1b27c3d8e4f5a6b7c8d9e0",
    "status": "pending",
    "kind": "entries.post",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "expires_at": "2026-11-28T10:20:30.123456Z",
}
_FROM_ANYBODY = (HeadersTooLarge, InternalError)
_OF_KEYS = (IdempotencyKeyMissing, IdempotencyKeyInvalid, IdempotencyKeyReused)

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class GuardedRoute(GatedRoute):
    """A route that knows its rules; a thin one is answered without FastAPI's machinery, and described all the same."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        rules: Rules,
        answers: Answers,
        body: type[BaseModel] | None,
        **described: Any,
    ) -> None:
        self.rules = rules
        self.answers = answers
        self.body = body
        super().__init__(path, endpoint, **described)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def admitted(request: Request) -> None:
            request.scope[CALLER] = await admit(request, self.rules)

        async def answered(request: Request) -> Response:
            if request.method == "GET":
                return await _in_time(_opened(request, handle(request)))
            return _stamped(request, await _opened(request, handle(request)))

        async def guarded(request: Request) -> Response:
            if (sensitive := self.rules.sensitive) is not None:
                return await observed(request, sensitive, admitted, answered)
            await admitted(request)
            return await answered(request)

        return self.answer if self.rules.thin else guarded

    async def answer(self, request: Request) -> Response:
        """What a thin route answers."""
        request.scope[CALLER] = await admit(request, self.rules)
        if request.scope["query_string"]:
            raise UnknownParameter("There are no query parameters at this address.", pointer="/query")
        return _stamped(request, await _opened(request, self.endpoint(request)))


class Router:
    """The routes of one noun."""

    def __init__(self, prefix: str, noun: str) -> None:
        self.routes: list[APIRoute] = []
        self._prefix = prefix
        self._noun = noun

    def reads(
        self,
        path: str,
        answers: type[msgspec.Struct] | Answers,
        example: Any,
        *,
        scope: str | None,
        page: bool = False,
        refuses: Iterable[type[Refusal]] = (),
        media_type: str = JSON,
        sensitive: Sensitive | None = None,
        **described: Any,
    ) -> Callable[[Endpoint], Endpoint]:
        """Declare what answers to GET; what is sensitive is listed in the access log whenever it is read."""
        every = EVERY_READ if scope else _FROM_ANYBODY
        kinds = [*every, BadRequest, UnknownParameter, *((FieldInvalid, RouteNotFound) if scope else ()), *refuses]
        responses = shown(_kinds_of(answers), example, page=page, media_type=media_type) | may_refuse(*kinds)
        rules = Rules(scope, sensitive=sensitive)
        return self._declare("GET", path, rules, _kinds_of(answers), None, responses, 200, described)

    def writes(
        self,
        path: str,
        answers: type[msgspec.Struct] | Answers,
        example: Any,
        *,
        scope: str | None,
        status: int = 201,
        may_be_late: bool = False,
        needs_two: bool = False,
        refuses: Iterable[type[Refusal]] = (),
        rules: Rules | None = None,
        body: type[BaseModel] | None = None,
        method: str = "POST",
        **described: Any,
    ) -> Callable[[Endpoint], Endpoint]:
        """Declare what answers to POST, or to PUT or DELETE, with an Idempotency-Key.

        `needs_two`: there is what a second person has to agree to first.
        """
        rules = rules or Rules(scope, takes_key=True, key_is_optional=method != "POST")
        every = [kind for kind in EVERY_WRITE if scope or kind not in (Unauthenticated, ScopeMissing)]
        kinds = [
            *every,
            *_IN_BODIES,
            *(_OF_KEYS if rules.takes_key else ()),
            *((IdempotencyInProgress,) if may_be_late else ()),
            *((PersonRequired,) if needs_two else ()),
            UnknownParameter,
            RouteNotFound,
            *refuses,
        ]
        kinds_ = _kinds_of(answers)
        responses = shown(kinds_, example, status=status, writes=True) | may_refuse(*kinds)
        if may_be_late:
            responses |= shown(_kinds_of(answers), example, status=202, writes=True)
            responses[202]["description"] = "The outcome is still to come: it is asked for until it is known."
        if needs_two:
            responses |= shown((ApprovalPending,), _PENDING, status=202, writes=True)
            responses[202]["description"] = "Nothing was carried out: somebody else has to agree to exactly this."
            kinds_ = (*kinds_, ApprovalPending)
        if rules.may_rehearse:
            responses |= shown(_kinds_of(answers), example, status=200)
            responses[200]["description"] = "What a dry run would have answered; nothing is stored."
        if body is not None:  # A thin route: FastAPI does not see it.
            reference = {"$ref": f"#/components/schemas/{body.__name__}"}
            described["openapi_extra"] = {"requestBody": {"required": True, "content": {JSON: {"schema": reference}}}}
        return self._declare(method, path, rules, kinds_, body, responses, status, described)

    def _declare(
        self,
        method: str,
        path: str,
        rules: Rules,
        answers: Answers,
        body: type[BaseModel] | None,
        responses: dict[int | str, dict[str, Any]],
        status: int,
        described: dict[str, Any],
    ) -> Callable[[Endpoint], Endpoint]:
        def declare(endpoint: Endpoint) -> Endpoint:
            words = (endpoint.__doc__ or "").strip().splitlines()
            route = GuardedRoute(
                self._prefix + path,
                endpoint,
                rules=rules,
                answers=answers,
                body=body,
                methods=[method],
                tags=[self._noun],
                operation_id=endpoint.__name__,
                summary=words[0].rstrip(".") if words else None,
                status_code=status,
                responses=responses,
                response_model=None,
                response_class=described.pop("response_class", Response),
                openapi_extra=_extra(rules, described.pop("openapi_extra", None)),
                **described,
            )
            self.routes.append(route)
            return endpoint

        return declare


def _stamped(request: Request, response: Response) -> Response:
    """What was written, with how much of the log is under seal: callers hold an anchor without asking for one."""
    if POSITION in response.headers:
        caller: Caller = request.scope[CALLER]
        response.headers[SEALED] = str(caller.world.writers.sealed_size(caller.book))
    return response


async def _in_time(reading: Coroutine[Any, Any, Response]) -> Response:
    """What is read; raises Unavailable where the database neither answers nor refuses, and waits no longer for it.

    Not with `asyncio.timeout`: a read that is cancelled asks the database to stop, and waits for that as well.
    """
    task = asyncio.ensure_future(reading)
    try:
        await asyncio.wait((task,), timeout=_LONGEST_READ_S)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.done():
        return task.result()
    task.cancel()
    task.add_done_callback(lambda late: late.cancelled() or late.exception())
    raise Unavailable("The database does not answer.")


async def _opened(request: Request, answering: Awaitable[Response]) -> Response:
    """The answer with the personal values in it as they were told to us; what is streamed sees to that itself."""
    response = await answering
    body = getattr(response, "body", b"")
    if holds_tokens(body) and (principal := request.scope.get(PRINCIPAL)) is not None:
        response.body = await request.scope["app"].state.world.unsealed(principal.book, bytes(body))
        response.headers["content-length"] = str(len(response.body))
    return response


def _kinds_of(answers: type[msgspec.Struct] | Answers) -> Answers:
    return answers if isinstance(answers, tuple) else (answers,)


def _extra(rules: Rules, more: dict[str, Any] | None) -> dict[str, Any]:
    extra: dict[str, Any] = {"security": [{SECURITY_SCHEME: [rules.scope]}] if rules.scope else [], **(more or {})}
    if rules.sensitive is not None:
        extra["x-access-log"] = rules.sensitive.value
    if rules.takes_key:
        extra["parameters"] = [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": not rules.may_rehearse and not rules.key_is_optional,
                "description": "The same key and body again are answered with the first answer again, for ever.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
                "example": "order-1729-a",
            }
        ]
    return extra
