"""The one HTTP origin of an embedded deployment: all routes of the three services in one process.

`python -m services.cli.origin [--host H] [--port P]`. Its /metrics also carries what the workers count, each sample
under the label `process`.
"""

import argparse
import asyncio
import itertools
from collections.abc import Iterable

import httpx
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.alerts import main as alerts
from services.alerts.settings import Settings as AlertsSettings
from services.ingest import main as ingest
from services.ingest.settings import Settings as IngestSettings
from services.scoring import main as scoring
from services.scoring.settings import Settings as ScoringSettings
from shared.http.service import exits_named, serve, service_app
from shared.telemetry import REGISTRY, configure_logging

SCRAPE_SECONDS = 2.0  # a worker that hangs must not take the others' figures with it
UP = "bellwether_process_up"


class Settings(BaseSettings):
    """`ORIGIN_` values."""

    model_config = SettingsConfigDict(env_prefix="ORIGIN_", frozen=True, extra="ignore")

    scrape: str = Field(default="", description="workers' probe ports: ingest=127.0.0.1:9001,scoring=127.0.0.1:9002")

    @property
    def workers(self) -> dict[str, str]:
        """Name -> host:port."""
        return dict(entry.split("=", 1) for entry in self.scrape.split(",") if entry)


def create_app() -> FastAPI:
    """All routers on one app; opening it opens what each service needs."""
    app = service_app(
        "Bellwether",
        [
            lambda app: ingest.mount(app, IngestSettings()),
            lambda app: scoring.mount(app, ScoringSettings()),
            lambda app: alerts.mount(app, AlertsSettings()),
        ],
    )
    gather_metrics(app, Settings().workers)
    return app


def gather_metrics(app: FastAPI, workers: dict[str, str]) -> None:
    """Let the app's /metrics speak for this process and for the workers."""
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", "") != "/metrics"]

    @app.get("/metrics", tags=["operations"], summary="Prometheus metrics of all processes", response_class=Response)
    async def metrics() -> Response:
        async with httpx.AsyncClient(timeout=SCRAPE_SECONDS) as client:
            bodies = await asyncio.gather(*(scraped(client, address) for address in workers.values()))
        texts = {"api": generate_latest(REGISTRY).decode(), **dict(zip(workers, bodies, strict=True))}
        return Response(generate_latest(together(texts)), media_type=CONTENT_TYPE_LATEST)


async def scraped(client: httpx.AsyncClient, address: str) -> str | None:
    """What the process at this address counts, or None where it does not answer."""
    try:
        answer = await client.get(f"http://{address}/metrics")
    except httpx.HTTPError:
        return None
    return answer.text if answer.is_success else None


def together(texts: dict[str, str | None]) -> CollectorRegistry:
    """One registry of the texts of several processes: families joined, samples told apart by `process`."""
    registry = CollectorRegistry()
    registry.register(_Joined(texts))
    return registry


class _Joined(Collector):
    def __init__(self, texts: dict[str, str | None]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        up = Metric(UP, "whether the process answered", "gauge")
        families: dict[str, Metric] = {}
        for process, text in self._texts.items():
            up.add_sample(UP, {"process": process}, float(text is not None))
            for family in text_string_to_metric_families(text or ""):
                joined = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    joined.samples.append(sample._replace(labels={**sample.labels, "process": process}))
        return itertools.chain([up], families.values())


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="services.cli.origin")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    configure_logging("api")
    with exits_named("api"):
        serve(create_app, arguments.host, arguments.port)


if __name__ == "__main__":
    main()
