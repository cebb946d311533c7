"""What the loop counts."""

from prometheus_client import Counter, Gauge, Histogram

from shared.telemetry import REGISTRY

BATCHES = Counter("bellwether_batches_total", "Batches committed", ["service"], registry=REGISTRY)
RECORDS = Counter("bellwether_records_total", "Records in committed batches", ["service"], registry=REGISTRY)
BATCH_SECONDS = Histogram("bellwether_batch_seconds", "Claim to commit", ["service"], registry=REGISTRY)
LAG = Gauge("bellwether_lag_records", "Records not yet in a batch", ["service", "partition"], registry=REGISTRY)
TROUBLE = Counter("bellwether_trouble_total", "Batches given up, by reason", ["service", "trouble"], registry=REGISTRY)
SET_ASIDE = Counter(
    "bellwether_set_aside_total",
    "Records kept beside the log because they failed, or untried because their source is quarantined",
    ["service", "how"],
    registry=REGISTRY,
)
QUARANTINED = Gauge("bellwether_quarantined_sources", "Sources whose records all fail", ["service"], registry=REGISTRY)
