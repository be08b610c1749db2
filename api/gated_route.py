"""The gated route: a FastAPI route whose body comes through the JSON gate and whose address holds nothing unknown.

Use it as the `route_class` of every router. FastAPI would read a body with `json.loads`, take the last of two query
parameters of one name and ignore those it does not know; here pydantic is given what the gate let through, and an
address is refused that says more than the route declares. Query parameters are declared on routes and their own
dependencies: one that only an `include_router(dependencies=…)` knows is refused.
"""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from api.json_gate import parse, pointer
from api.text_rules import holds_card_number, holds_forbidden_character
from api.transport import BODY, BODY_RULE, DEFAULT_RULE, BodyRule
from ledger.errors import (
    FieldInvalid,
    JsonValue,
    LimitRange,
    RouteNotFound,
    TextForbiddenCharacter,
    UnknownParameter,
)


class GatedRequest(Request):
    """A request whose body has been read and judged."""

    def __init__(self, scope: Scope, receive: Receive, raw: bytes, value: JsonValue) -> None:
        super().__init__(scope, receive)
        self._raw = raw
        self._value = value

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> Any:
        return self._value


class GatedRoute(APIRoute):
    """A route that reads its body through the gate and takes no query parameter that it does not declare."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))
        takes_body = self.body_field is not None

        async def handle_gated(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request.scope["query_string"], known)
            if not all(map(_is_path, request.path_params.values())):
                raise RouteNotFound
            # Raised here and not in `json()`, where FastAPI would make a 400 of every exception.
            if takes_body:
                raw: bytes = request.scope[BODY] if BODY in request.scope else await request.body()
                if raw:  # A body that is missing is pydantic's to miss.
                    request = GatedRequest(request.scope, request.receive, raw, _judged(request.scope, raw))
            return await handle(request)

        return handle_gated


def _judged(scope: Scope, raw: bytes) -> JsonValue:
    rule: BodyRule = scope.get(BODY_RULE, DEFAULT_RULE)
    return parse(raw, max_bytes=rule.max_bytes, max_depth=rule.max_depth, max_nodes=rule.max_nodes)


def _is_path(value: Any) -> bool:
    return not isinstance(value, str) or not holds_forbidden_character(value)


def _query_names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, inner in annotation.model_fields.items():
                yield inner.alias or name
        else:
            yield field.alias
    for inner_dependant in dependant.dependencies:
        yield from _query_names(inner_dependant)


def _check_query(query: bytes, known: frozenset[str]) -> None:
    seen: set[str] = set()
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise UnknownParameter(pointer=_pointer_to(name))
        if name in seen:
            raise (
                LimitRange(pointer="/query/limit")
                if name == "limit"
                else FieldInvalid("This parameter was given twice.", pointer=_pointer_to(name))
            )
        if holds_forbidden_character(value):
            raise TextForbiddenCharacter(pointer=_pointer_to(name))
        seen.add(name)


def _pointer_to(name: str) -> str:
    """Where in the address; a name that may not be repeated is left out."""
    repeatable = name.isprintable() and not holds_card_number(name)
    return pointer(["query", name] if repeatable else ["query"])
