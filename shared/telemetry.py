"""Logs as JSON lines and one metrics registry per process."""

import logging
import sys
from typing import Any

import structlog
from prometheus_client import CollectorRegistry


def configure_logging(process: str) -> None:
    """One JSON line per event on standard error, stamped in UTC; libraries' warnings come the same way."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s", force=True
    )
    # Readiness and our own lines say what these would repeat each second while a broker is away.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def logger(name: str) -> Any:
    """A logger that is resolved at its first line, so that importing a module configures nothing."""
    return structlog.get_logger(name)


REGISTRY = CollectorRegistry()
