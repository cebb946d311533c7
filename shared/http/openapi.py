"""msgspec structs in OpenAPI: answers are encoded by msgspec, so their schemas come from the same structs."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Response
from msgspec import Struct, json

from shared.http.problem import ProblemBody

_REF = "#/components/schemas/{name}"
_NULL = "\0null"  # FastAPI leaves nulls out of its document, those of examples too: they travel as this


def answer(
    struct: type[Struct], example: Any, description: str = "OK", media_type: str = "application/json"
) -> dict[str, Any]:
    """One entry of a route's `responses=`: the struct's schema by reference, with an example."""
    content = {"schema": {"$ref": _REF.format(name=struct.__name__)}, "example": _swapped(example, None, _NULL)}
    return {"description": description, "content": {media_type: content}}


def add_schemas(app: FastAPI, structs: Sequence[type[Struct]]) -> None:
    """Make the structs that `answer` refers to part of the app's document. May be called several times."""
    known: set[type[Struct]] = getattr(app.state, "schema_structs", set()) | set(structs)
    app.state.schema_structs = known
    plain = FastAPI.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = plain(app)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        _, components = json.schema_components(sorted(known, key=lambda s: s.__name__), ref_template=_REF)
        schemas.update(components)
        schemas["ProblemBody"] = ProblemBody.model_json_schema()
        # FastAPI's own shape of a 422 is never sent: every error is a problem.
        for never_sent in ("HTTPValidationError", "ValidationError"):
            schemas.pop(never_sent, None)
        for operations in document["paths"].values():
            for operation in operations.values():
                _only_problems(operation["responses"])
                _as_of_3_1(operation["responses"])
        document["paths"] = _swapped(document["paths"], _NULL, None)
        app.openapi_schema = document
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _swapped(value: Any, found: Any, instead: Any) -> Any:
    """`value` with every `found` inside it replaced."""
    match value:
        case dict():
            return {name: _swapped(inside, found, instead) for name, inside in value.items()}
        case list():
            return [_swapped(inside, found, instead) for inside in value]
    return instead if value == found else value


def _as_of_3_1(responses: dict[str, Any]) -> None:
    """FastAPI describes the items of a stream in words of OpenAPI 3.2, in a document that says 3.1."""
    for response in responses.values():
        for media in response.get("content", {}).values():
            if media.pop("itemSchema", None) is not None:
                media["schema"] = {"type": "string"}


def _only_problems(responses: dict[str, Any]) -> None:
    described = responses.get("422", {}).get("content", {})
    if "HTTPValidationError" in str(described.get("application/json", {})):
        described.pop("application/json")
        if not described:
            responses.pop("422")


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`value` encoded by msgspec."""
    return Response(json.encode(value), status, headers, "application/json")
