"""Description: the OpenAPI document: FastAPI's, with what FastAPI does not see, and without saying anything twice."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.answers import schemas_of
from api.problems import MEDIA_TYPE, document_problems
from api.routing import SECURITY_SCHEME, GuardedRoute

_SCHEMAS = "#/components/schemas/{model}"
_EXAMPLES = "#/components/examples/"


def describe(api: FastAPI) -> dict[str, Any]:
    """The document of this application."""
    document = get_openapi(title=api.title, version=api.version, description=api.description, routes=api.routes)
    routes = [route for route in api.routes if isinstance(route, GuardedRoute)]
    components = document.setdefault("components", {})
    components["schemas"] = _joined(components.get("schemas", {}), _schemas_of_thin_bodies(routes), _answers(routes))
    components["securitySchemes"] = {SECURITY_SCHEME: {"type": "http", "scheme": "bearer"}}
    _restore_examples(document, routes)
    document_problems(document)
    components["examples"] = _told_once(document)
    exact: dict[str, Any] = _exact(document)
    return exact


def description(api: FastAPI) -> str:
    """The document as text, the same each time."""
    return json.dumps(describe(api), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _schemas_of_thin_bodies(routes: list[GuardedRoute]) -> dict[str, Any]:
    bodies = {route.body for route in routes if route.body is not None}
    models = [(body, "validation") for body in sorted(bodies, key=lambda body: body.__name__)]
    _, definitions = models_json_schema(models, ref_template=_SCHEMAS)  # type: ignore[arg-type]
    found: dict[str, Any] = definitions.get("$defs", {})
    # As FastAPI tells them, or a model that both know would have two schemas.
    for schema in found.values():
        for field in schema.get("properties", {}).values():
            if field.get("default", "") is None:
                del field["default"]
    return found


def _answers(routes: list[GuardedRoute]) -> dict[str, Any]:
    return schemas_of({kind for route in routes for kind in route.answers})


def _joined(*parts: dict[str, Any]) -> dict[str, Any]:
    """All schemas by name; two that share a name and nothing else are a mistake."""
    joined: dict[str, Any] = {}
    for part in parts:
        for name, schema in part.items():
            if joined.setdefault(name, schema) != schema:
                raise AssertionError(f"two different schemas are named {name}")
    return dict(sorted(joined.items()))


def _restore_examples(document: dict[str, Any], routes: list[GuardedRoute]) -> None:
    """FastAPI leaves every null out of its document, and what is left of an example may make no sense."""
    for route in routes:
        for method in sorted(route.methods or ()):
            responses = document["paths"][route.path_format][method.lower()]["responses"]
            for status, told in route.responses.items():
                for media_type, content in told["content"].items():
                    if "example" in content:
                        responses[str(status)]["content"][media_type]["example"] = content["example"]
        body = route.body_field.field_info.annotation if route.body_field else None
        if isinstance(body, type) and issubclass(body, BaseModel):
            schema = document["components"]["schemas"][body.__name__]
            schema |= {key: value for key, value in body.model_json_schema().items() if key == "examples"}


def _exact(value: Any) -> Any:
    """The same with whole numbers in the place of floats: FastAPI writes 2^63 as 9.223372036854776e+18."""
    match value:
        case dict():
            return {key: _exact(inner) for key, inner in value.items()}
        case list():
            return [_exact(inner) for inner in value]
        case float():
            return int(value)
    return value


def _told_once(document: dict[str, Any]) -> dict[str, Any]:
    """Put a reference in the place of each problem's example; returns the examples by code."""
    examples: dict[str, Any] = {}
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                shown = response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
                examples |= {code: example for code, example in shown.items() if "$ref" not in example}
                shown.update({code: {"$ref": _EXAMPLES + code} for code in shown})
    return dict(sorted(examples.items()))
