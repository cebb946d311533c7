"""Examples that OpenAPI shows: one account that goes quiet and has a payment fail."""

from typing import Any

HEALTH: dict[str, Any] = {
    "account": "acme",
    "version": 1795557124310000,
    "as_of": "2026-11-23T13:12:04.310000Z",
    "partition": 3,
    "next_offset": 10422,
    "freshness": {"product.usage": "2026-11-23T13:12:04Z", "billing.events": "2026-11-23T12:40:00Z"},
    "newest_event_at": "2026-11-23T13:12:04Z",
    "score": 41.25,
    "coverage": 0.9,
    "contributions": [
        {"factor": "usage_level", "dimension": "usage", "points": 41.25, "missing": False, "value": 6.0,
         "words": "active on 6 of the last 28 days"},
    ],
    "deltas": [{"factor": "usage_level", "cause": "time", "points": -8.4}],
    "changes": {"1d": -8.4, "7d": -14.0, "30d": -22.5, "90d": None},
    "signals": {"active_days_28d": 6.0, "nps_last": None},
    "instants": {"last_usage_at": "2026-11-12T09:03:11Z", "term_end": "2027-01-31T00:00:00Z"},
    "statuses": {
        "band": {"value": "red", "since": "2026-11-23T13:12:04.310000Z", "previous": "yellow", "cause": "time",
                 "stale": False},
    },
    "reasons": [{"code": "payment_failed", "words": "1 invoice failed to be paid", "since": "2026-11-21T08:00:00Z"}],
    "notables": [],
    "records": [{"kind": "invoice", "key": "in_9", "fields": {"state": "payment_failed"}}],
    "model": "health@1",
    "cause": "time",
    "arr": {"amount": "48000.00", "currency": "EUR"},
    "owner": "ana",
    "name": "Acme GmbH",
    "quiet": None,
    "sampled": False,
    "records_left_out": 0,
}  # fmt: skip

HEALTH_NOW = HEALTH | {"position": "3:10422", "lag_records": 0}

LIST: dict[str, Any] = {
    "accounts": [
        {key: HEALTH[key] for key in ("account", "name", "score", "owner", "arr", "as_of", "version", "reasons")}
        | {"band": "red", "segment": "mid_market", "lifecycle": "adoption"}
    ],
    "next": "WzQxMjUwLCJhY21lIl0",
}

TRACE: dict[str, Any] = {
    "source": "//app.example/api",
    "id": "e1",
    "account": "acme",
    "type": "usage.feature_used",
    "time": "2026-11-23T13:12:04Z",
    "accepted_at": "2026-11-23T13:12:04.120000Z",
    "actor": "key:backend",
    "position": "3:10422",
    "applied_at": "2026-11-23T13:12:04.310000Z",
    "seen": 2,
    "said": {"version": 1795557124310000, "as_of": "2026-11-23T13:12:04.310000Z", "score": 41.25, "cause": "behaviour",
             "deltas": [{"factor": "usage_level", "cause": "behaviour", "points": 0.4}]},
}  # fmt: skip
