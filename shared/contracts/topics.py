"""The one topic table: code, docs, compose file and tests read it.

Partition count is fixed for life when a topic is made: an account's events must never change partition.
"""

import zlib
from dataclasses import dataclass

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

PARTITIONS_DEFAULT = 64  # more workers than this never help; fewer could not be raised later
PARTITIONS_EMBEDDED = 16  # one machine: a leader election over 64 x 7 partitions costs seconds at start


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's promise: what its records mean, how they are keyed, how long they stay."""

    name: str
    key: str
    retention_ms: int
    identity: str
    carries: str
    is_raw: bool = False


RAW_RETENTION_MS = 7 * DAY_MS  # a week of outage of ingest
EVENTS_RETENTION_MS = 14 * DAY_MS  # far above any planned outage, and above the age of a backup one would restore
CHANGES_RETENTION_MS = 30 * DAY_MS

PRODUCT_USAGE = Topic(
    "product.usage", "any or none", RAW_RETENTION_MS, "source + id", "what people do in the product", is_raw=True
)
SUPPORT_TICKETS = Topic(
    "support.tickets", "any or none", RAW_RETENTION_MS, "source + id", "tickets and their life", is_raw=True
)
BILLING_EVENTS = Topic(
    "billing.events", "any or none", RAW_RETENTION_MS, "source + id", "subscriptions, invoices, cards", is_raw=True
)
RELATIONSHIP_EVENTS = Topic(
    "relationship.events", "any or none", RAW_RETENTION_MS, "source + id", "what the CRM knows", is_raw=True
)
HEALTH_EVENTS = Topic(
    "health.events", "account", EVENTS_RETENTION_MS, "day of time + hash of source and id", "every accepted event"
)
HEALTH_CHANGES = Topic(
    "health.changes",
    "account",
    CHANGES_RETENTION_MS,
    "account + version",
    "every snapshot, each account at least daily",
)
OUTREACH_EVENTS = Topic(
    "outreach.events", "account", CHANGES_RETENTION_MS, "outreach id", "outreach triggered and resolved"
)

STREAMS = (PRODUCT_USAGE, SUPPORT_TICKETS, BILLING_EVENTS, RELATIONSHIP_EVENTS)
TOPICS = (*STREAMS, HEALTH_EVENTS, HEALTH_CHANGES, OUTREACH_EVENTS)


def partition_of(account: str, partitions: int) -> int:
    """The account's partition for life: crc32 of its UTF-8 bytes modulo the fixed count."""
    return zlib.crc32(account.encode()) % partitions
