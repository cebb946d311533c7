"""The wire's rules that are dear to change later."""

from datetime import UTC, datetime, timedelta, timezone

from shared.contracts.catalogue import TYPES
from shared.contracts.identity import identity_of
from shared.contracts.topics import STREAMS, TOPICS, partition_of

KEY = bytes(32)
AT = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)


def test_an_account_keeps_its_partition_for_life() -> None:
    assert [partition_of(account, 16) for account in ("acme", "nordwind", "ünïcode")] == [14, 9, 10]


def test_the_identity_of_an_event_is_its_utc_day_and_a_signed_64_bit_hash() -> None:
    assert identity_of(KEY, "//app", "e1", AT) == (AT.date(), 8265286267836631033)
    elsewhere = AT.astimezone(timezone(timedelta(hours=3)))
    assert identity_of(KEY, "//app", "e1", elsewhere) == identity_of(KEY, "//app", "e1", AT)


def test_source_and_id_cannot_be_shifted_into_each_other() -> None:
    assert identity_of(KEY, "//app", "e1", AT) != identity_of(KEY, "//ap", "pe1", AT)
    assert identity_of(KEY, "//app", "e1", AT) != identity_of(bytes(31) + b"\1", "//app", "e1", AT)


def test_every_type_belongs_to_a_raw_topic() -> None:
    assert {event_type.stream for event_type in TYPES.values()} == set(STREAMS)
    assert [topic.name for topic in TOPICS if topic.is_raw] == [topic.name for topic in STREAMS]
