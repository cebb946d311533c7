"""Pages that speak of ingest say what the code says."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI

from services.ingest.api import examples
from services.ingest.domain.decode import decode
from services.ingest.domain.outcome import Refused, Valid
from services.ingest.domain.reasons import Reason, as_markdown
from services.ingest.domain.validate import validate
from services.ingest.main import add_routes
from shared.contracts.routes import ROUTES

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAGE = Path(__file__).parents[4] / "docs" / "ingest.md"


def _document() -> dict[str, Any]:
    app = FastAPI()
    add_routes(app)
    return app.openapi()


def test_the_page_has_every_reason_as_the_code_says_it() -> None:
    assert as_markdown() in PAGE.read_text(), (
        "docs/ingest.md: paste what services.ingest.domain.reasons.as_markdown() says"
    )


def test_the_apis_own_page_has_every_reason() -> None:
    description = _document()["paths"]["/v1/events"]["post"]["description"]
    assert [reason for reason in Reason if f"`{reason}`" not in description] == []


def test_every_route_answers_what_the_route_table_says() -> None:
    paths = _document()["paths"]
    for route in ROUTES:
        if route.service == "ingest":
            documented = {int(status) for status in paths[route.path][route.method.lower()]["responses"]}
            from_anywhere = {401, 403, 503} if route.scope else set()
            assert documented == set(route.statuses) | from_anywhere, route.path


def test_every_answer_has_an_example_and_every_body_too() -> None:
    for path, operations in _document()["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                (content,) = response["content"].values()
                assert "example" in content, f"{method} {path} {status}"
            for content in operation.get("requestBody", {"content": {}})["content"].values():
                assert content["examples"], f"{method} {path}"


def test_the_examples_are_judged_as_the_example_answer_says() -> None:
    judged = [decode(msgspec.json.encode(sent)) for sent in (examples.EVENT, examples.WRONG, examples.UNKNOWN_CUSTOMER)]
    right, wrong, unknown = [found if isinstance(found, Refused) else validate(found, NOW) for found in judged]
    assert isinstance(right, Valid)
    assert isinstance(unknown, Valid)
    assert isinstance(wrong, Refused)
    answered = examples.MIXED["results"][1]
    assert (wrong.reason, wrong.pointer, wrong.expected) == (
        answered["reason"],
        answered["pointer"],
        answered["expected"],
    )
    assert str(unknown.about) == examples.MIXED["results"][2]["alias"]
