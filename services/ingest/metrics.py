"""What ingest counts. `via` is http or topic; `stream` is the type's raw topic, or unknown."""

from prometheus_client import Counter, Gauge, Histogram

from shared.telemetry import REGISTRY

ACCEPTED = Counter("bellwether_ingest_accepted_total", "Events acknowledged", ["via", "stream"], registry=REGISTRY)
REFUSED = Counter(
    "bellwether_ingest_refused_total", "Events refused, by reason", ["via", "stream", "reason"], registry=REGISTRY
)
PARKED = Counter("bellwether_ingest_parked_total", "Events kept for an alias", ["via", "stream"], registry=REGISTRY)
RELEASED = Counter("bellwether_ingest_released_total", "Parked events whose alias was bound", registry=REGISTRY)
ACK_SECONDS = Histogram(
    "bellwether_ingest_ack_seconds",
    "Handing events to the broker until it acknowledged them all",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
BACKLOG = Gauge("bellwether_ingest_backlog_events", "Events that scoring has not read yet", registry=REGISTRY)
TROUBLE = Counter("bellwether_ingest_trouble_total", "Batches begun again, by error", ["trouble"], registry=REGISTRY)
LOGS_ANEW = Counter(
    "bellwether_ingest_logs_anew_total", "Partitions read from the start of another log", ["topic"], registry=REGISTRY
)
QUARANTINED = Counter(
    "bellwether_ingest_quarantined_total", "Refused records counted and not kept", ["stream"], registry=REGISTRY
)
