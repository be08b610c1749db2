"""Dependencies: who asks, with which key, for which book; and how a route gets its command carried out."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
from fastapi import Depends, Query
from fastapi.exceptions import RequestValidationError
from msgspec.structs import replace
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api.access_log import PRINCIPAL, Sensitive
from api.answers import Page, told
from api.answers import answer as answered
from api.cursors import Filters
from api.fields import (
    CursorParameter,
    LimitParameter,
    PositionOrTimeParameter,
    PositionParameter,
    TimeParameter,
)
from api.fingerprints import fingerprint
from api.json_gate import parse
from api.keys import ADMIN, Principal
from api.telemetry import correlation_id
from api.transport import BODY, BODY_RULE, DEFAULT_RULE, BodyRule
from api.wiring import NOTHING_BEHIND, World
from commands.envelope import Answer, Command, Envelope, Part
from ledger.errors import FieldInvalid, IdempotencyKeyInvalid, IdempotencyKeyMissing, Unauthenticated
from ledger.ids import new_id
from projections.balances import PAST_VIEWS
from projections.freshness import KnownAt, position_known_at

CALLER = "ledger.caller"
Asked = TypeVar("Asked", bound=BaseModel)
Row = TypeVar("Row")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Rules(msgspec.Struct, frozen=True):
    """What a route asks of every request: a scope (None: anybody may come), an Idempotency-Key."""

    scope: str | None
    takes_key: bool = False
    key_is_optional: bool = False
    may_rehearse: bool = False
    """A body with `"dry_run": true` needs no key, because nothing is stored."""
    thin: bool = False
    """The route's function takes the request as it came and reads the body itself: for writes by the thousand."""
    sensitive: Sensitive | None = None
    """Whether a line in the access log says who asked, and when it is written."""


class Envelopes(Protocol):
    """Makes envelopes."""

    def __call__(self, key: str, print_: bytes, dry_run: bool = False) -> Envelope:
        """The envelope of this key and this fingerprint."""


class Caller:
    """Who asks for what, during one request."""

    __slots__ = ("_principal", "key", "request", "world")

    def __init__(self, request: Request, principal: Principal | None, key: str) -> None:
        self.request = request
        self.world: World = request.scope["app"].state.world
        self._principal = principal
        self.key = key

    @property
    def principal(self) -> Principal:
        if self._principal is None:
            raise Unauthenticated
        return self._principal

    @property
    def book(self) -> str:
        return self.principal.book

    def envelope(self, key: str, print_: bytes, *, dry_run: bool = False) -> Envelope:
        """Around the one command of a request, which may be told that a second person has to agree to it."""
        return replace(self.envelopes()(key, print_, dry_run), may_wait=True)

    def envelopes(self) -> Envelopes:
        """What makes envelopes of a key, a fingerprint and whether it is a rehearsal; for thousands of them."""
        actor, correlation, person = self.principal.key_id, correlation_id.get(), self.principal.person
        administrator = self.principal.may(ADMIN)
        return lambda key, print_, dry_run=False: Envelope(
            key, print_, actor, correlation, "", administrator, dry_run, person=person
        )

    def envelope_of(self, asked: BaseModel) -> Envelope:
        """The envelope of what this request asks for."""
        route = f"{self.request.method} {self.request.scope['route'].path}"
        print_ = fingerprint(route, asked, self.request.path_params.values())
        return self.envelope(self.key, print_, dry_run=getattr(asked, "dry_run", False))

    async def ask(self, command: Command, envelope: Envelope) -> Answer:
        """Have the command decided and stored; a refusal comes back in the answer."""
        (answer,) = await self.world.carry_out(self.book, [Part(envelope, command)])
        return answer

    async def carry_out(self, command: Command, asked: BaseModel) -> Response:
        """Have the command decided and stored, and answer with its receipt; raises its refusal."""
        return told(await self.ask(command, self.envelope_of(asked)))

    async def still_may(self) -> None:
        """In a long answer: raises Unauthenticated once the key is revoked or has expired."""
        await self.world.keys.authenticate(self.request.headers.get("authorization"))

    async def see(self, min_position: int | None, *views: str) -> None:
        """Wait for views to reach a position; without views it is the log, and what is written together with it."""
        await self.world.see(self.book, views or NOTHING_BEHIND, min_position)

    async def know(self, known_at: KnownAt, *views: str) -> None:
        """Wait for views to reach what a position or a time means; raises PositionNotReached, NotCaughtUp."""
        if known_at is not None:
            async with self.world.reading() as connection:
                position = await position_known_at(connection, self.book, known_at)
            await self.world.see(self.book, views, position)

    async def see_balances(self, min_position: int | None, as_of: datetime | None, known_at: KnownAt) -> None:
        """Wait for what balances are read from: of now the log itself, of the past their views."""
        past = as_of is not None or known_at is not None
        await self.see(min_position, *(PAST_VIEWS if past else ()))
        await self.know(known_at, *PAST_VIEWS)

    def page(
        self,
        list_name: str,
        found: Sequence[Row],
        limit: int,
        place_of: Callable[[Row], Sequence[str | int]],
        filters: Filters | None = None,
        show: Callable[[Row], object] = lambda row: row,
    ) -> Response:
        """A page of what was found, of which there may be one more than `limit`: then there is a next page."""
        shown, more = found[:limit], len(found) > limit
        following = self.next_cursor(list_name, place_of(shown[-1]), filters) if more else None
        return answered(Page([show(row) for row in shown], following))

    def continue_after(self, cursor: str, list_name: str, filters: Filters | None = None) -> list[str | int]:
        """The keys of the row that a page ended with; raises CursorInvalid."""
        return self.world.cursors.take(cursor, self.book, list_name, filters or {})

    def next_cursor(self, list_name: str, last: Sequence[str | int], filters: Filters | None = None) -> str:
        """What leads to the page after this row."""
        return self.world.cursors.give(self.book, list_name, filters or {}, last)


async def admit(request: Request, rules: Rules) -> Caller:
    """Who asks, if they may; raises Unauthenticated, ScopeMissing and what is wrong with their Idempotency-Key."""
    principal = None
    if rules.scope is not None:
        world: World = request.scope["app"].state.world
        principal = await world.keys.authenticate(request.headers.get("authorization"))
        request.scope[PRINCIPAL] = principal
        principal.require(rules.scope)
    return Caller(request, principal, _key_of(request, rules) if rules.takes_key else "")


def _key_of(request: Request, rules: Rules) -> str:
    given = request.headers.get("idempotency-key")
    if given is None:
        if request.method != "POST":
            return new_id("once_")  # A PUT or DELETE that is repeated changes nothing: a key of its own will do.
        if rules.key_is_optional or (rules.may_rehearse and _is_rehearsal(request)):
            return ""
        raise IdempotencyKeyMissing
    if not _KEY.fullmatch(given):
        raise IdempotencyKeyInvalid(pointer="/header/Idempotency-Key")
    return given


def _is_rehearsal(request: Request) -> bool:
    body: Any = parse(request.scope[BODY], max_bytes=DEFAULT_RULE.max_bytes)
    return isinstance(body, dict) and body.get("dry_run") is True


async def _caller(request: Request) -> Caller:
    caller: Caller = request.scope[CALLER]
    return caller


def body_of(request: Request) -> Any:
    """The one JSON value of the body, for a thin route."""
    rule: BodyRule = request.scope.get(BODY_RULE, DEFAULT_RULE)
    return parse(request.scope[BODY], max_bytes=rule.max_bytes, max_depth=rule.max_depth, max_nodes=rule.max_nodes)


def understood(model: type[Asked], body: Any) -> Asked:
    """The body as its model; raises RequestValidationError, which names all that is wrong with it, as FastAPI does."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in error.errors(include_url=False)], body=body
        ) from None


def check_range(since: datetime | None, until: datetime | None) -> None:
    """Raises FieldInvalid for what ends before it begins: an empty list would hide the mistake."""
    if since is not None and until is not None and until < since:
        raise FieldInvalid("It ends before it begins.", pointer="/query/to")


Calling = Annotated[Caller, Depends(_caller)]
"""The caller of this request, admitted already."""

MinPosition = Annotated[
    PositionParameter | None,
    Query(description="Wait up to a second for what was recorded up to this position, else 503 `not_caught_up`."),
]

AsOf = Annotated[TimeParameter | None, Query(description="What had taken effect until this time, and at it.")]
AsOfState = Annotated[
    TimeParameter | None, Query(description="As it stood at this time: what had been recorded by it.")
]
Limit = Annotated[LimitParameter, Query(description="How many at most.")]
Cursor = Annotated[CursorParameter | None, Query(description="The `next_cursor` of the page before.")]
KnownAtParameter = Annotated[
    PositionOrTimeParameter | None, Query(description="As it was known then: at a position of the log, or at a time.")
]
