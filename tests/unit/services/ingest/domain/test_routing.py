from datetime import UTC, datetime

from services.ingest.domain.outcome import Valid
from services.ingest.domain.routing import outgoing
from shared.contracts.catalogue import TYPES
from shared.contracts.envelope import decode
from shared.contracts.topics import partition_of

AT = datetime(2026, 11, 23, 13, 12, 4, tzinfo=UTC)


def test_an_event_goes_to_its_accounts_partition_with_all_its_words() -> None:
    event_type = TYPES["usage.feature_used"]
    valid = Valid(
        id="e1",
        source="s",
        type=event_type,
        subject="stripe:x",
        time=AT,
        data={"feature": "x"},
        about="acme",
        importrun="r",
    )
    found = outgoing(valid, "acme", received_at=AT, actor="key:backend", partitions=16)
    assert (found.partition, found.key) == (partition_of("acme", 16), b"acme")
    event = decode(found.value)
    assert (event.account, event.subject, event.actor, event.importrun) == ("acme", "stripe:x", "key:backend", "r")
    assert (event.id, event.source, event.type, event.time, event.receivedat) == ("e1", "s", event_type.name, AT, AT)
    assert event.data == {"feature": "x"}
