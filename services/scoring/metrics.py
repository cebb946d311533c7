"""What scoring counts."""

from prometheus_client import Counter, Histogram

from shared.telemetry import REGISTRY

APPLIED = Counter("bellwether_scoring_events_applied_total", "Events folded, each once", registry=REGISTRY)
DUPLICATES = Counter("bellwether_scoring_events_duplicate_total", "Events seen before", registry=REGISTRY)
SNAPSHOTS = Counter("bellwether_scoring_snapshots_total", "Snapshots, by cause", ["cause"], registry=REGISTRY)
EVENT_TO_SCORE = Histogram(
    "bellwether_scoring_event_to_score_seconds",
    "From acceptance of an event to the commit of its score",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0),
    registry=REGISTRY,
)
