"""The JSON Schema of every event type, by name and version."""

from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from msgspec import Struct, json

from services.ingest.api import examples
from shared.contracts.catalogue import TYPES
from shared.contracts.generate import schemas
from shared.http.openapi import answer, json_response
from shared.http.problem import NotFound, responses

MEDIA_TYPE = "application/schema+json"

router = APIRouter(tags=["contracts"])


class SchemaEntry(Struct, frozen=True):
    """`stream` is the raw topic of a type that comes in; null for what Bellwether itself publishes."""

    name: str
    version: int
    stream: str | None
    href: str


class SchemaList(Struct, frozen=True):
    """Every contract, in and out."""

    schemas: list[SchemaEntry]


class SchemaUnknown(NotFound):
    """There is no schema of this name and version."""

    reason = "schema_unknown"


@cache
def _bodies() -> dict[tuple[str, str], bytes]:
    """Made from the structs that check the events, so it cannot differ from them."""
    bodies = {}
    for file_name, schema in schemas().items():
        name, _, version = file_name.removesuffix(".json").rpartition(".")
        bodies[name, version] = json.encode(schema)
    return bodies


@router.get(
    "/v1/schemas",
    summary="Event types and their schemas",
    responses={200: answer(SchemaList, examples.SCHEMAS)},
)
async def list_schemas() -> Response:
    """What POST /v1/events and the raw topics take, and what Bellwether publishes."""
    entries = [
        SchemaEntry(
            name, int(version), TYPES[name].stream.name if name in TYPES else None, f"/v1/schemas/{name}/{version}"
        )
        for name, version in sorted(_bodies())
    ]
    return json_response(SchemaList(entries))


_EXAMPLE: dict[str, Any] = {"content": {MEDIA_TYPE: {"example": {"title": "usage.feature_used.1", "type": "object"}}}}


@router.get(
    "/v1/schemas/{name}/{version}",
    summary="One JSON Schema",
    response_class=Response,
    responses={200: _EXAMPLE, **responses(SchemaUnknown)},
)
async def get_schema(
    name: Annotated[str, Path(examples=["usage.feature_used"])], version: Annotated[str, Path(examples=["1"])]
) -> Response:
    """Of a type that comes in: its `data`. Of one that goes out: the whole message."""
    body = _bodies().get((name, version))
    if body is None:
        raise SchemaUnknown(f"no schema {name[:80]!r} version {version[:20]!r}: see GET /v1/schemas")
    return Response(body, media_type=MEDIA_TYPE)
