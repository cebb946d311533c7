"""`bellwether trace`: one event, from its arrival to what it changed, in a few lines."""

import sys
from typing import Annotated, Any

import httpx
import typer

TIMEOUT_SECONDS = 10.0


def trace(
    source: Annotated[str, typer.Argument(help="The event's `source`.")],
    event_id: Annotated[str, typer.Argument(help="The event's `id`.")],
    url: Annotated[str, typer.Option(envvar="BELLWETHER_URL", help="Where the API is.")] = "http://127.0.0.1:8080",
    key: Annotated[str, typer.Option(envvar="BELLWETHER_KEY", help="A key with the scope health:read.")] = "",
) -> None:
    """Say where an event is and what it did."""
    try:
        answer = httpx.get(
            f"{url}/v1/trace",
            params={"source": source, "id": event_id},
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=TIMEOUT_SECONDS,
        )
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        print(
            f"{url} does not answer as Bellwether does: {error!r}; --url or BELLWETHER_URL says where", file=sys.stderr
        )
        sys.exit(1)
    if answer.is_error:
        print(f"{body['reason']}: {body['detail']}", file=sys.stderr)
        sys.exit(1)
    for line in _lines(body):
        print(line)


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [
        f"accepted  {found['accepted_at']}  health.events {found['position']}  by {found['actor']}",
        f"applied   {found['applied_at']}  {found['account']}",
    ]
    if found["seen"] > 1:
        lines.append(f"seen      {found['seen']} times; only the first counted")
    if (said := found["said"]) is not None:
        moved = ", ".join(f"{d['factor']} {d['points']:+g} ({d['cause']})" for d in said["deltas"]) or "nothing moved"
        lines.append(f"said      {said['as_of']}  #{said['version']}  score {said['score']}  {moved}")
    return lines
