from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.ingest.domain.decode import decode
from services.ingest.domain.identity import Alias
from services.ingest.domain.outcome import Link, Refused, Valid
from services.ingest.domain.reasons import Reason
from services.ingest.domain.validate import FUTURE_MAX, USAGE_HORIZON, validate
from shared.contracts.topics import PRODUCT_USAGE, SUPPORT_TICKETS, Topic

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVENT = {
    "specversion": "1.0",
    "id": "e1",
    "source": "//app.example/api",
    "type": "usage.feature_used",
    "subject": "acme",
    "time": "2026-11-23T13:12:04Z",
    "data": {"feature": "report_export", "quantity": 1},
}


def judged(stream: Topic | None = None, **changes: Any) -> Valid | Refused:
    envelope = decode(msgspec.json.encode(EVENT | changes))
    return envelope if isinstance(envelope, Refused) else validate(envelope, NOW, stream)


def valid(**changes: Any) -> Valid:
    found = judged(**changes)
    assert isinstance(found, Valid), found
    return found


def refused(**changes: Any) -> tuple[Reason, str]:
    found = judged(**changes)
    assert isinstance(found, Refused), found
    assert found.expected
    return found.reason, found.pointer


def test_a_whole_event_is_valid_and_keeps_the_producers_words() -> None:
    found = valid()
    assert (found.about, found.subject, found.data) == ("acme", "acme", EVENT["data"])
    assert found.time == datetime(2026, 11, 23, 13, 12, 4, tzinfo=UTC)


def test_a_time_with_an_offset_is_kept_as_the_same_moment_in_utc() -> None:
    found = valid(time="2026-11-24T00:30:00+02:00")
    assert (found.time, found.time.tzinfo) == (datetime(2026, 11, 23, 22, 30, tzinfo=UTC), UTC)


def test_a_clock_may_be_five_minutes_ahead_and_no_more() -> None:
    valid(time=NOW + FUTURE_MAX)
    assert refused(time=NOW + FUTURE_MAX + timedelta(microseconds=1)) == (Reason.TIME_IN_FUTURE, "/time")


def test_live_usage_may_be_35_days_old_and_no_more() -> None:
    valid(time=NOW - USAGE_HORIZON)
    assert refused(time=NOW - USAGE_HORIZON - timedelta(microseconds=1)) == (Reason.TIME_BEYOND_HORIZON, "/time")


def test_an_import_and_every_other_stream_have_no_horizon() -> None:
    assert valid(time="1999-01-01T00:00:00Z", importrun="im_1").importrun == "im_1"
    valid(time="1999-01-01T00:00:00Z", type="ticket.opened", data={"ticket": "t1"})


def test_what_begins_later_may_be_announced_today() -> None:
    later = "2027-06-01T00:00:00Z"
    valid(type="subscription.changed", data={"subscription": "s1", "effective_at": later})
    valid(type="milestone.planned", data={"name": "go live", "due_at": later})


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"])
def test_a_clock_that_was_never_set_is_refused(time: str) -> None:
    assert refused(time=time) == (Reason.TIME_INVALID, "/time")


def test_a_time_in_data_beyond_any_calendar_is_refused() -> None:
    data = {"invoice": "i1", "due_at": "9999-12-31T23:59:59-12:00"}
    assert refused(type="invoice.issued", data=data) == (Reason.OUT_OF_RANGE, "/data/due_at")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": ""}, (Reason.ID_MISSING, "/id")),
        ({"id": None}, (Reason.ID_MISSING, "/id")),
        ({"id": "x" * 257}, (Reason.ID_INVALID, "/id")),
        ({"id": "a\nb"}, (Reason.ID_INVALID, "/id")),
        ({"source": "a\x7f"}, (Reason.SOURCE_INVALID, "/source")),
        ({"importrun": "run 1"}, (Reason.IMPORTRUN_INVALID, "/importrun")),
        ({"subject": "acme/eu"}, (Reason.ACCOUNT_INVALID, "/subject")),
        ({"subject": "@company"}, (Reason.RESERVED_ACCOUNT, "/subject")),
        ({"datacontenttype": "text/xml"}, (Reason.DATA_CONTENT_TYPE, "/datacontenttype")),
        ({"data": None}, (Reason.DATA_MISSING, "/data")),
        ({"data": [1]}, (Reason.DATA_MISSING, "/data")),
        ({"data": {"feature": "x", "quantity": "three"}}, (Reason.WRONG_TYPE, "/data/quantity")),
        ({"data": {"feature": "x", "quantity": 1.5}}, (Reason.WRONG_TYPE, "/data/quantity")),
        ({"data": {"feature": "x", "quantity": -1}}, (Reason.OUT_OF_RANGE, "/data/quantity")),
        ({"data": {"feature": ""}}, (Reason.OUT_OF_RANGE, "/data/feature")),
        ({"data": {}}, (Reason.FIELD_MISSING, "/data/feature")),
        ({"data": {"feature": "x", "value": {"amount": "1"}}}, (Reason.FIELD_MISSING, "/data/value/currency")),
        (
            {"data": {"feature": "x", "value": {"amount": "1,5", "currency": "EUR"}}},
            (Reason.WRONG_FORMAT, "/data/value/amount"),
        ),
        (
            {"type": "account.described", "data": {"flags": ["a", 2]}},
            (Reason.WRONG_TYPE, "/data/flags/1"),
        ),
        (
            {"type": "card.expiring", "data": {"card": "c", "expires_at": "soon"}},
            (Reason.WRONG_FORMAT, "/data/expires_at"),
        ),
    ],
)
def test_the_first_thing_wrong_is_named_with_its_place(changes: dict[str, Any], expected: tuple[Reason, str]) -> None:
    assert refused(**changes) == expected


def test_expectations_are_plain_words_about_the_field() -> None:
    found = judged(data={"feature": "x", "quantity": "three"})
    assert isinstance(found, Refused)
    assert (found.expected, bytes(found.value or b"")) == ("a whole number, 0 to 1,000,000,000", b'"three"')
    ratio = judged(type="ticket.updated", data={"ticket": "t", "sentiment": 2})
    assert isinstance(ratio, Refused)
    assert ratio.expected == "a number, -1 to 1"


def test_an_absent_field_is_unchanged_and_a_null_one_clears() -> None:
    assert valid(type="ticket.updated", data={"ticket": "t1", "priority": None}).data == {
        "ticket": "t1",
        "priority": None,
    }


def test_fields_that_nobody_declared_travel_along() -> None:
    assert valid(data={"feature": "x", "colour": "red"}).data["colour"] == "red"


def test_a_type_belongs_to_one_topic() -> None:
    assert isinstance(judged(PRODUCT_USAGE), Valid)
    assert refused(stream=SUPPORT_TICKETS) == (Reason.WRONG_TOPIC, "/type")


def test_a_subject_with_a_colon_is_an_alias() -> None:
    assert valid(subject="zendesk:org:77").about == Alias("zendesk", "org:77")


def linked(**data: Any) -> dict[str, Any]:
    return {
        "type": "identity.linked",
        "data": {"kind": "account", "source": "stripe", "external_id": "cus_A", "id": "acme"} | data,
    }


@pytest.mark.parametrize("subject", ["acme", "stripe:cus_A"])
def test_a_link_is_about_the_account_it_names(subject: str) -> None:
    found = valid(subject=subject, **linked())
    assert found.about == "acme"
    assert found.link == Link(kind="account", alias=Alias("stripe", "cus_A"), id="acme", linked_at=found.time)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"id": "globex"}, (Reason.ACCOUNT_INVALID, "/subject")),
        ({"id": "@company"}, (Reason.RESERVED_ACCOUNT, "/data/id")),
        ({"id": "a b"}, (Reason.ACCOUNT_INVALID, "/data/id")),
        ({"source": "str:ipe"}, (Reason.WRONG_FORMAT, "/data/external_id")),
        ({"external_id": "cus A"}, (Reason.WRONG_FORMAT, "/data/external_id")),
    ],
)
def test_a_link_that_no_subject_could_use_is_refused(data: dict[str, Any], expected: tuple[Reason, str]) -> None:
    assert refused(**linked(**data)) == expected


def test_a_person_may_have_an_id_that_no_account_could_have() -> None:
    found = valid(**linked(kind="person", id="ana@acme.example/eu"))
    assert found.about == "acme"
    assert found.link is not None
    assert found.link.kind == "person"
