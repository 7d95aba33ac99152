"""The OpenAPI 3.1 document, made from the route table and the types it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from homing import __version__
from homing.service.listing import NAME_PATTERN
from homing.web.operation import Operation
from homing.web.problems import HttpErrorOut, HTTPValidationError
from homing.web.schemas import END, Schema

_REFERENCE: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")

#: what any operation may answer instead
_ERRORS: Final = {
    400: HttpErrorOut,
    401: HttpErrorOut,
    403: HttpErrorOut,
    404: HttpErrorOut,
    405: HttpErrorOut,  # a name such as ".." in the path is another path to a client
    409: HttpErrorOut,
    413: HttpErrorOut,
    422: HTTPValidationError,
    500: HttpErrorOut,
    501: HttpErrorOut,
    503: HttpErrorOut,
}
_PUBLIC_ERRORS: Final = (422, 500)

_ABOUT: Final = (
    "Homing delivers webhooks and can prove that it dropped none. "
    "The operations that Svix's SDKs use are served as they expect them."
)


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The OpenAPI document of these operations, as JSON values."""
    kinds = list(dict.fromkeys(_kinds(operations)))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    schema_of = dict(zip(kinds, map(_published, schemas), strict=True))
    components = {name: _published(schema) for name, schema in components.items()}
    for kind in _bodies(kinds):
        components[kind.__name__].update(getattr(kind, "schema_extra", {}))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _operation(operation, schema_of, components)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Homing", "version": __version__, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {
                f"Error{status}": _response(status, schema_of[kind], "application/json")
                for status, kind in _ERRORS.items()
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _kinds(operations: Iterable[Operation]) -> Iterable[Any]:
    yield from (HttpErrorOut, HTTPValidationError)
    for operation in operations:
        yield operation.query
        if operation.body is not None:
            yield operation.body
        yield from (kind for kind in operation.answers.values() if kind is not None)


def _bodies(kinds: Sequence[Any]) -> Iterable[type[Schema]]:
    return (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Schema))


def _operation(
    operation: Operation, schema_of: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation, schema_of, components),
        "responses": _responses(operation, schema_of),
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[operation.body]}},
        }
    if operation.deprecated:
        described["deprecated"] = True
    if not operation.public:
        described["security"] = [{"token": []}]
    return described


def _parameters(
    operation: Operation, schema_of: dict[Any, Any], components: dict[str, Any]
) -> list[dict[str, Any]]:
    name_schema = {"type": "string", "pattern": f"^{NAME_PATTERN.pattern}$"}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": name_schema}
        for name in _PARAMETER.findall(operation.path)
    ]
    query = components[schema_of[operation.query]["$ref"].rpartition("/")[2]]
    for name, schema in query["properties"].items():
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": name in query.get("required", ()),
                "schema": _without_null(schema),
            }
        )
    if operation.method == "POST" and not operation.public:
        parameters.append(
            {
                "name": "idempotency-key",
                "in": "header",
                "required": False,
                "description": "A repeat with the same key gets the first one's reply.",
                "schema": {"type": "string"},
            }
        )
    return parameters


def _responses(operation: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    errors = _PUBLIC_ERRORS if operation.public else _ERRORS
    responses: dict[int, Any] = {
        status: {"$ref": f"#/components/responses/Error{status}"} for status in errors
    }
    for status, kind in operation.answers.items():
        schema = None if kind is None else schema_of[kind]
        responses[status] = _response(status, schema, *operation.content_types)
    return {str(status): responses[status] for status in sorted(responses)}


def _response(status: int, schema: Any, *content_types: str) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if schema is not None:
        described["content"] = {name: {"schema": schema} for name in content_types}
    return described


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A URL cannot say null: it leaves the parameter out."""
    if "anyOf" not in schema:
        return schema
    kinds = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


def _published(schema: Any) -> Any:
    """The schema with patterns as JSON Schema means them (see `schemas.END`)."""
    if isinstance(schema, dict):
        return {
            key: value.replace(END, "$") if key == "pattern" and isinstance(value, str)
            else _published(value)
            for key, value in schema.items()
        }  # fmt: skip
    if isinstance(schema, list):
        return [_published(item) for item in schema]
    return schema
