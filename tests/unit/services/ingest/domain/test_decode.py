from typing import Any

import msgspec
import pytest

from services.ingest.domain.decode import EVENT_BYTES_MAX, Envelope, decode, split
from services.ingest.domain.json_faults import DEPTH_MAX
from services.ingest.domain.outcome import Attributes, Refused
from services.ingest.domain.reasons import Reason


def refusal(raw: bytes) -> Refused:
    found = decode(raw)
    assert isinstance(found, Refused)
    return found


def nested(levels: int) -> bytes:
    return b'{"data":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def test_an_envelope_keeps_data_as_it_came() -> None:
    found = decode(b'{"id":"e1","data":{"a": 1}}')
    assert isinstance(found, Envelope)
    assert found.data is not msgspec.UNSET
    assert (found.id, bytes(found.data)) == ("e1", b'{"a": 1}')


def test_of_a_name_given_twice_the_last_one_counts() -> None:
    found = decode(b'{"id":"first","id":"last"}')
    assert isinstance(found, Envelope)
    assert found.id == "last"


def test_depth_is_refused_one_level_past_the_limit_and_not_before() -> None:
    assert isinstance(decode(nested(DEPTH_MAX)), Envelope)
    assert refusal(nested(DEPTH_MAX + 1)).reason is Reason.TOO_DEEP


def test_brackets_inside_texts_are_no_depth() -> None:
    text = msgspec.json.encode({"id": "e1", "data": {"note": '["\\' * 100}})
    assert isinstance(decode(text), Envelope)


@pytest.mark.parametrize("piece", [b"[", b'{"a":', b'[{"\\"":'])
def test_a_megabyte_of_nesting_is_too_deep_rather_than_too_large(piece: bytes) -> None:
    assert refusal(piece * (1_000_000 // len(piece))).reason is Reason.TOO_DEEP


def test_size_is_refused_one_byte_past_the_limit() -> None:
    event = b'{"id":"e1"}'
    assert isinstance(decode(event.ljust(EVENT_BYTES_MAX)), Envelope)
    assert refusal(event.ljust(EVENT_BYTES_MAX + 1)).reason is Reason.TOO_LARGE


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b'{"id":"\xff"}', b'{"id":"\\ud800"}', b"{'id': 1}"])
def test_bytes_that_are_not_json_are_named_and_repeated_as_valid_json(raw: bytes) -> None:
    found = refusal(raw)
    assert found.reason is Reason.BROKEN_JSON
    assert found.value is not None
    msgspec.json.decode(found.value)


@pytest.mark.parametrize("raw", [b"[]", b'"e1"', b"1", b"null"])
def test_json_that_is_no_object_is_named(raw: bytes) -> None:
    assert refusal(raw).reason is Reason.NOT_AN_OBJECT


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_is_not_finite_is_named_with_its_place_and_its_event(word: bytes) -> None:
    found = refusal(b'{"id":"e1","source":"s","data":{"a/b":[1,' + word + b"]}}")
    assert (found.reason, found.pointer) == (Reason.NOT_FINITE, "/data/a~1b/1")
    assert found.attributes == Attributes(id="e1", source="s")


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("id", 5, Reason.ID_INVALID),
        ("source", [], Reason.SOURCE_INVALID),
        ("type", 1, Reason.UNKNOWN_TYPE),
        ("subject", {}, Reason.ACCOUNT_INVALID),
        ("time", "yesterday", Reason.TIME_INVALID),
        ("time", "2026-11-23T13:12:04", Reason.TIME_INVALID),
        ("time", 1_795_000_000, Reason.TIME_INVALID),
        ("specversion", 1.0, Reason.SPECVERSION_UNSUPPORTED),
        ("importrun", 7, Reason.IMPORTRUN_INVALID),
        ("datacontenttype", 7, Reason.DATA_CONTENT_TYPE),
    ],
)
def test_an_attribute_of_another_type_is_named_with_its_value(attribute: str, value: Any, reason: Reason) -> None:
    found = refusal(msgspec.json.encode({attribute: value}))
    assert (found.reason, found.pointer) == (reason, f"/{attribute}")
    assert found.value is not None
    assert msgspec.json.decode(found.value) == value


def test_a_nul_is_refused_and_an_escaped_backslash_before_u0000_is_none() -> None:
    assert refusal(b'{"id":"a\\u0000b"}').reason is Reason.NUL_CHARACTER
    assert refusal(b'{"id":"a\\\\\\u0000b"}').reason is Reason.NUL_CHARACTER
    assert isinstance(decode(b'{"id":"a\\\\u0000b"}'), Envelope)


def test_a_batch_is_taken_apart_without_being_read() -> None:
    assert split(b'[{"id": "e1"}, 5, NaN]') == [b'{"id": "e1"}', b"5", b"NaN"]
    assert split(b" [ ] ") == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", Reason.NOT_AN_OBJECT),
        (b"[1", Reason.BROKEN_JSON),
        (b"[" * 1_000_000, Reason.TOO_DEEP),
    ],
)
def test_a_body_that_is_no_batch_is_refused_as_a_whole(body: bytes, reason: Reason) -> None:
    found = split(body)
    assert isinstance(found, Refused)
    assert found.reason is reason
