"""Errors as RFC 9457 problem details. Each class knows its status; OpenAPI is made from the same classes."""

from http import HTTPStatus
from typing import Any

from aiokafka.errors import KafkaError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from shared.postgres.pool import CONNECTION_ERRORS

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:bellwether:problem:"  # a name to compare, not an address to open


class ProblemBody(BaseModel):
    """What every error answer looks like; members beyond these depend on `reason`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=[f"{TYPE_PREFIX}account_unknown"])
    title: str
    status: int
    detail: str
    reason: str = Field(description="stable code to branch on")


class Problem(Exception):
    """Raise a subclass: its status and reason are the contract, `detail` names the thing, the value and the limit."""

    status = 500
    reason = "internal"
    retry_after_seconds: int | None = None

    def __init__(
        self, detail: str, *, reason: str | None = None, retry_after_seconds: int | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = members
        if reason is not None:
            self.reason = reason
        if retry_after_seconds is not None:
            self.retry_after_seconds = retry_after_seconds

    def response(self) -> JSONResponse:
        """The answer, with Retry-After where the caller should come back."""
        headers = {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return _response(self.status, self.reason, self.detail, headers, **self.members)


class BadRequest(Problem):
    """The request itself cannot be read."""

    status = 400
    reason = "bad_request"


class Unauthorized(Problem):
    """No key, an unknown, expired or revoked one."""

    status = 401
    reason = "key_invalid"


class Forbidden(Problem):
    """The key lacks the scope."""

    status = 403
    reason = "scope_missing"


class NotFound(Problem):
    """What the path names does not exist."""

    status = 404
    reason = "not_found"


class Conflict(Problem):
    """The thing is not in a state that allows this."""

    status = 409
    reason = "wrong_state"


class TooLarge(Problem):
    """Over a named limit."""

    status = 413
    reason = "too_large"


class UnsupportedMediaType(Problem):
    """A content type or encoding that this path does not take."""

    status = 415
    reason = "media_type_unsupported"


class Unprocessable(Problem):
    """Readable, but a value is wrong."""

    status = 422
    reason = "value_invalid"


class TooManyRequests(Problem):
    """The service is behind: come back later."""

    status = 429
    reason = "behind"
    retry_after_seconds = 2


class Unavailable(Problem):
    """A server behind this one does not answer."""

    status = 503
    reason = "unavailable"
    retry_after_seconds = 2


def _response(status: int, reason: str, detail: str, headers: dict[str, str], **members: Any) -> JSONResponse:
    body = {
        "type": f"{TYPE_PREFIX}{reason}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "reason": reason,
        **members,
    }
    return JSONResponse(body, status, headers, MEDIA_TYPE)


async def _on_lost_server(request: Request, error: Exception) -> JSONResponse:
    detail = f"{request.method} {request.url.path}: Postgres or Kafka does not answer ({type(error).__name__})"
    return Unavailable(detail).response()


async def _on_database(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DBAPIError)
    lost = error.connection_invalidated or isinstance(error, InterfaceError | OperationalError)
    return await (_on_lost_server if lost else _on_bug)(request, error)


async def _on_bug(request: Request, _: Exception) -> JSONResponse:
    """The process logs the stack; the caller learns that it is our fault."""
    detail = f"{request.method} {request.url.path}: a fault of ours; the log of this process has it"
    return _response(500, Problem.reason, detail, {})


async def _on_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return error.response()


async def _on_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {
            "pointer": "/" + "/".join(str(part) for part in found["loc"]),
            "value": repr(found.get("input"))[:200],
            "expected": found["msg"],
        }
        for found in error.errors()
    ]
    first = errors[0]
    detail = f"{first['pointer']} is {first['value']}: {first['expected']}"
    return _response(422, Unprocessable.reason, detail, {}, errors=errors)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    reason = HTTPStatus(error.status_code).name.lower()
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return _response(error.status_code, reason, detail, dict(error.headers or {}))


def install(app: FastAPI) -> None:
    """Make the app answer every error as a problem."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    for lost in (*CONNECTION_ERRORS, KafkaError):
        app.add_exception_handler(lost, _on_lost_server)
    app.add_exception_handler(DBAPIError, _on_database)
    app.add_exception_handler(Exception, _on_bug)


def responses(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route, for OpenAPI: one entry per problem it may answer with."""
    return {
        problem.status: {
            "description": (problem.__doc__ or "").strip(),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/ProblemBody"},
                    "example": {
                        "type": f"{TYPE_PREFIX}{problem.reason}",
                        "title": HTTPStatus(problem.status).phrase,
                        "status": problem.status,
                        "detail": (problem.__doc__ or "").strip(),
                        "reason": problem.reason,
                    },
                }
            },
        }
        for problem in problems
    }
