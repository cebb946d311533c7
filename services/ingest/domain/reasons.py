"""Why an event is not accepted: one code per reason, each with what it means and what to do about it.

The table in docs/ingest.md and the one under POST /v1/events in the API's own pages are made from this class.
"""

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """A stable code to branch on. `meaning` and `remedy` are for people."""

    meaning: str
    remedy: str

    def __new__(cls, code: str, meaning: str, remedy: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        member.remedy = remedy
        return member

    # The bytes.
    BROKEN_JSON = ("broken_json", "The bytes are not JSON.", "Send one CloudEvent as a UTF-8 JSON object.")
    NOT_AN_OBJECT = ("not_an_object", "The event is JSON, but no object.", "Send one object per event or record.")
    TOO_DEEP = ("too_deep", "Objects or arrays are nested over 32 levels.", "Flatten the data.")
    NOT_FINITE = (
        "not_finite",
        "A number is NaN, infinite, or too long to read.",
        "Leave the field out where there is no number.",
    )
    NUL_CHARACTER = ("nul_character", "A text contains U+0000.", "Remove the character before sending.")
    TOO_LARGE = ("too_large", "The event is over 256 KiB.", "Send the fact, not the document.")
    TOMBSTONE = ("tombstone", "The record has no value.", "Produce events only; nothing is deleted by a null.")
    BINARY_MODE = (
        "binary_mode",
        "The event's attributes are in headers.",
        "Set your CloudEvents library to structured mode.",
    )
    # The envelope.
    SPECVERSION_UNSUPPORTED = ("specversion_unsupported", "`specversion` is not 1.0.", "Send CloudEvents 1.0.")
    ID_MISSING = ("id_missing", "There is no `id`.", "Send an id that stays the same when the event is sent again.")
    ID_INVALID = ("id_invalid", "`id` is no usable text.", "1 to 256 characters, none of them a control character.")
    SOURCE_MISSING = ("source_missing", "There is no `source`.", "Name the system that speaks: //app.example/api.")
    SOURCE_INVALID = (
        "source_invalid",
        "`source` is no usable text.",
        "1 to 256 characters, none of them a control character.",
    )
    TYPE_MISSING = ("type_missing", "There is no `type`.", "Send one of the types under GET /v1/schemas.")
    UNKNOWN_TYPE = ("unknown_type", "The type is not declared.", "Send one of the types under GET /v1/schemas.")
    WRONG_TOPIC = ("wrong_topic", "The type belongs to another topic.", "Produce it to the topic that is named.")
    ACCOUNT_MISSING = (
        "account_missing",
        "There is no `subject`.",
        "Put the account's id there, or an alias source:external_id.",
    )
    ACCOUNT_INVALID = (
        "account_invalid",
        "An account's id is not usable, or is not the one it must be.",
        "1 to 128 printable ASCII characters without space, slash or colon; or an alias source:external_id.",
    )
    RESERVED_ACCOUNT = (
        "reserved_account",
        "Ids that begin with @ are Bellwether's own.",
        "Send events about accounts; roll-ups follow by themselves.",
    )
    TIME_MISSING = (
        "time_missing",
        "There is no `time`.",
        "Send when it happened. A time of ours would differ at each retry and defeat the duplicate check.",
    )
    TIME_INVALID = ("time_invalid", "`time` is no time.", "RFC 3339 with an offset, 1970 or later.")
    TIME_IN_FUTURE = (
        "time_in_future",
        "`time` is over 5 minutes ahead.",
        "Correct the sender's clock. What begins later says so in `effective_at` or `due_at`.",
    )
    TIME_BEYOND_HORIZON = (
        "time_beyond_horizon",
        "Live usage is older than 35 days.",
        "Import it: `bellwether import` marks its events with `importrun`.",
    )
    IMPORTRUN_INVALID = (
        "importrun_invalid",
        "`importrun` is no usable text.",
        "1 to 64 letters, digits, dots, dashes, underscores.",
    )
    # The data.
    DATA_MISSING = ("data_missing", "`data` is absent or no object.", "Send `data` as a JSON object in the event.")
    DATA_CONTENT_TYPE = (
        "data_content_type",
        "`data` is declared as something else than JSON.",
        "Send datacontenttype application/json, or leave it out.",
    )
    FIELD_MISSING = ("field_missing", "A required field is absent.", "Send the field that `pointer` names.")
    WRONG_TYPE = ("wrong_type", "A value is of another JSON type.", "Send what `expected` says.")
    OUT_OF_RANGE = ("out_of_range", "A value is outside its limits.", "Send what `expected` says.")
    WRONG_FORMAT = ("wrong_format", "A text does not have its form.", "Send what `expected` says.")
    # Not the event's own fault.
    UNKNOWN_ALIAS = (
        "unknown_alias",
        "Nobody has said yet which account the alias means.",
        "Send `identity.linked`. The event is kept, and applies at its own time once the alias is bound.",
    )
    QUARANTINED = (
        "quarantined",
        "Over 1,000 records of a source in a row were refused: `value` counts the rest, of which one in 1,000 is kept.",
        "Mend the source. Should they be taken after all: `bellwether positions rewind ingest`.",
    )
    UNEXPECTED = (
        "unexpected",
        "A fault of ours met this event.",
        "Report it; replay the event after an update.",
    )


BY_CODE: dict[str, Reason] = {reason.value: reason for reason in Reason}


def as_markdown() -> str:
    """The table that people read on /docs and in docs/ingest.md."""
    rows = "\n".join(f"| `{reason}` | {reason.meaning} | {reason.remedy} |" for reason in Reason)
    return f"| reason | what is wrong | what to do |\n| --- | --- | --- |\n{rows}"
