"""What makes an event the same event: its UTC day, its source and its id."""

from datetime import UTC, date, datetime
from hashlib import blake2b

Identity = tuple[date, int]


def hash_of(key: bytes, source: str, event_id: str) -> int:
    """64-bit hash of source and id, keyed with the deployment's identity key; signed because Postgres' bigint is."""
    digest = blake2b(f"{source}\0{event_id}".encode(), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big", signed=True)


def identity_of(key: bytes, source: str, event_id: str, time: datetime) -> Identity:
    """(UTC day of `time`, hash of source and id). The key never changes: with another one, everything would be new."""
    return time.astimezone(UTC).date(), hash_of(key, source, event_id)
