"""The one route table: which service answers a path, what a caller needs, what it may be told."""

from dataclasses import dataclass
from typing import Literal

Service = Literal["ingest", "scoring", "alerts"]
Scope = Literal["events:write", "aside:read", "aside:write", "health:read", "outreach:read", "outreach:write"]

SCOPES: tuple[Scope, ...] = (
    "events:write",
    "aside:read",
    "aside:write",
    "health:read",
    "outreach:read",
    "outreach:write",
)


@dataclass(frozen=True, slots=True)
class Route:
    """`scope` None: open to everybody. `statuses` are this route's own; with a scope, 401, 403 and 503 come on top."""

    method: str
    path: str
    service: Service
    scope: Scope | None
    statuses: tuple[int, ...]


def _route(method: str, path: str, service: Service, scope: Scope | None, *statuses: int) -> Route:
    return Route(method, path, service, scope, statuses)


_WORK_STATUSES = (200, 404, 409, 422)

ROUTES: tuple[Route, ...] = (
    _route("POST", "/v1/events", "ingest", "events:write", 202, 207, 400, 413, 415, 422, 429),
    _route("POST", "/v1/events/validate", "ingest", "events:write", 200, 400, 413, 415),
    _route("GET", "/v1/aside", "ingest", "aside:read", 200, 422),
    _route("GET", "/v1/aside/{aside_id}", "ingest", "aside:read", 200, 404),
    _route("POST", "/v1/aside/replay", "ingest", "aside:write", 200, 422),
    _route("GET", "/v1/schemas", "ingest", None, 200),
    _route("GET", "/v1/schemas/{name}/{version}", "ingest", None, 200, 404),
    _route("GET", "/v1/accounts", "scoring", "health:read", 200, 422),
    _route("GET", "/v1/accounts/{account}/health", "scoring", "health:read", 200, 404, 409, 422),
    _route("GET", "/v1/accounts/{account}/history", "scoring", "health:read", 200, 404, 422),
    _route("POST", "/v1/accounts/batch-get", "scoring", "health:read", 200, 422),
    _route("GET", "/v1/trace", "scoring", "health:read", 200, 404, 422),
    _route("GET", "/v1/outreach", "alerts", "outreach:read", 200, 422),
    _route("GET", "/v1/outreach/stream", "alerts", "outreach:read", 200, 422),
    _route("GET", "/v1/outreach/{alert_id}", "alerts", "outreach:read", 200, 404),
    _route("POST", "/v1/outreach/{alert_id}/start", "alerts", "outreach:write", *_WORK_STATUSES),
    _route("POST", "/v1/outreach/{alert_id}/snooze", "alerts", "outreach:write", *_WORK_STATUSES),
    _route("POST", "/v1/outreach/{alert_id}/done", "alerts", "outreach:write", *_WORK_STATUSES),
    _route("POST", "/v1/outreach/{alert_id}/decline", "alerts", "outreach:write", *_WORK_STATUSES),
)
