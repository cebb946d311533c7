"""The CloudEvent as it travels in health.events: the producer's words plus what ingest found out."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, json

CONTENT_TYPE = b"application/cloudevents+json"
HEADERS = [("content-type", CONTENT_TYPE)]

UtcDatetime = Annotated[datetime, Meta(tz=True)]


class HealthEvent(Struct, frozen=True, kw_only=True):
    """One accepted event. `time` is the producer's own; `account` is resolved; `actor` says who brought it."""

    id: str
    source: str
    type: str
    subject: str
    time: UtcDatetime
    account: str
    receivedat: UtcDatetime
    actor: str
    data: dict[str, Any]
    importrun: str | None = None
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


_decoder = json.Decoder(HealthEvent)
_encoder = json.Encoder()


def encode(event: HealthEvent) -> bytes:
    """The event as one JSON object, the structured mode of CloudEvents."""
    return _encoder.encode(event)


def decode(value: bytes) -> HealthEvent:
    """Raises msgspec.DecodeError or msgspec.ValidationError when the bytes are no health event."""
    return _decoder.decode(value)
