"""Where an accepted event goes: its account's key and partition in health.events, for life."""

from datetime import datetime
from typing import NamedTuple

from services.ingest.domain.outcome import Valid
from shared.contracts.envelope import HealthEvent, encode
from shared.contracts.topics import partition_of


class Outgoing(NamedTuple):
    """One record of health.events."""

    partition: int
    key: bytes
    value: bytes


def outgoing(valid: Valid, account: str, *, received_at: datetime, actor: str, partitions: int) -> Outgoing:
    """The producer's words, who it is about, when it came and who brought it."""
    event = HealthEvent(
        id=valid.id,
        source=valid.source,
        type=valid.type.name,
        subject=valid.subject,
        time=valid.time,
        account=account,
        receivedat=received_at,
        actor=actor,
        importrun=valid.importrun,
        data=valid.data,
    )
    return Outgoing(partition_of(account, partitions), account.encode(), encode(event))
