"""The route table against the routers, and the document they make."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate

from services.alerts.main import add_routes as alerts
from services.ingest.main import add_routes as ingest
from services.scoring.main import add_routes as scoring
from shared.contracts.routes import ROUTES, Route
from shared.http.auth import Keyring, Principal
from shared.http.service import service_app

SERVICES: dict[str, Callable[[FastAPI], None]] = {"ingest": ingest, "scoring": scoring, "alerts": alerts}
OPEN = {"/healthz", "/readyz", "/metrics"}


def document_of(*services: str) -> dict[str, Any]:
    app = service_app("Bellwether", [])
    for name in services:
        SERVICES[name](app)
    return app.openapi()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return document_of(*SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_answers_its_rows_of_the_table_and_nothing_else(service: str) -> None:
    paths = document_of(service)["paths"]
    found = {(method.upper(), path) for path, methods in paths.items() if path not in OPEN for method in methods}
    assert found == {(route.method, route.path) for route in ROUTES if route.service == service}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_route_documents_its_statuses_and_its_key(document: dict[str, Any], route: Route) -> None:
    operation = document["paths"][route.path][route.method.lower()]
    wanted = set(route.statuses) | ({401, 403, 503} if route.scope else set())
    assert {int(status) for status in operation["responses"]} == wanted
    assert ("security" in operation) == (route.scope is not None)
    assert operation["summary"]


def test_every_error_is_a_problem_with_an_example(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                if int(status) < HTTPStatus.BAD_REQUEST or path in OPEN:
                    continue
                content = response["content"]
                # A batch of which nothing was taken says so event by event, in the answer's own shape.
                is_batch = (path, status) == ("/v1/events", "422")
                assert is_batch or "application/problem+json" in content, f"{method} {path} {status}"


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    seen = 0
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                for media in response.get("content", {}).values():
                    for example in _examples(media):
                        schema = {**media.get("schema", {}), "components": document["components"]}
                        for error in jsonschema_rs.iter_errors(schema, example):
                            pytest.fail(f"{path} {status}: {error}")
                        seen += 1
    assert seen >= len(ROUTES)


def _examples(media: dict[str, Any]) -> list[Any]:
    named = [example["value"] for example in media.get("examples", {}).values()]
    return [media["example"], *named] if "example" in media else named


class NoScopes(Keyring):
    """A key that may do nothing, so that every route says what it asks for."""

    def __init__(self) -> None:
        """There is no Postgres behind it."""

    async def principal(self, key: str) -> Principal:
        return Principal(key, frozenset(), None)


@pytest.mark.parametrize("route", [r for r in ROUTES if r.scope], ids=lambda route: f"{route.method} {route.path}")
async def test_each_route_asks_for_the_scope_of_the_table(route: Route) -> None:
    app = service_app("Bellwether", [])
    for add_routes in SERVICES.values():
        add_routes(app)
    app.state.keyring = NoScopes()
    app.state.ingest = app.state.scoring = app.state.alerts = None
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.request(
            route.method, route.path, headers={"Authorization": "Bearer bw_any_key"}, params={"source": "s", "id": "i"}
        )
    assert (answer.status_code, answer.json()["scope"]) == (403, route.scope), answer.text
