"""What the bytes of one event say, by the rules alone; a fault of ours in judging one is named like any other."""

from datetime import datetime

from services.ingest.domain.decode import decode
from services.ingest.domain.outcome import Refused, Valid
from services.ingest.domain.reasons import Reason
from services.ingest.domain.validate import validate
from shared.contracts.topics import Topic
from shared.telemetry import logger

_log = logger(__name__)


def judge(raw: bytes, now: datetime, stream: Topic | None = None) -> Valid | Refused:
    """What the bytes of one event say, by the rules alone."""
    envelope = decode(raw)
    return envelope if isinstance(envelope, Refused) else validate(envelope, now, stream)


def judge_surely(raw: bytes, now: datetime, stream: Topic | None = None) -> Valid | Refused:
    """The same, and a refusal where a fault of ours meets the event: it must not stop the others."""
    try:
        return judge(raw, now, stream)
    except Exception as fault:  # noqa: BLE001 - named in what is kept
        _log.exception("event_not_judged", reason=repr(fault))
        return fault_of_ours(fault)


def fault_of_ours(fault: Exception) -> Refused:
    return Refused(reason=Reason.UNEXPECTED, pointer="", expected=f"no {type(fault).__name__} of ours")


def too_large_for_the_broker(valid: Valid) -> Refused:
    """Whatever is tried, the broker will not take it; its neighbours have been taken."""
    expected = "an event that fits into max.message.bytes of health.events, which is below our own limit"
    return Refused(reason=Reason.TOO_LARGE, pointer="", expected=expected, attributes=valid.attributes)
