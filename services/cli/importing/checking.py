"""Ingest's own rules for events that come by import: the very code that looks at what arrives over HTTP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.cli.importing.outcome import Draft, Refused
from services.ingest.domain import outcome as ingest
from services.ingest.domain.decode import decode
from services.ingest.domain.identity import Alias
from services.ingest.domain.reasons import Reason
from services.ingest.domain.validate import validate

LINK_REASON = "link_by_import"


class Checker:
    """Says which account a draft is about, or why ingest would not take it.

    now: for times in the future. aliases: what is bound when the import starts.
    """

    def __init__(self, source: str, run: str, now: datetime, aliases: Mapping[Alias, str]) -> None:
        self._source = source
        self._run = run
        self._now = now
        self._aliases = aliases

    def __call__(self, draft: Draft) -> str | Refused:
        envelope = decode(cloud_event(draft, self._source, self._run))
        found: ingest.Valid | ingest.Refused
        found = envelope if isinstance(envelope, ingest.Refused) else validate(envelope, self._now)
        if isinstance(found, ingest.Refused):
            return _refused(draft, found)
        if found.link is not None:
            remedy = "send identity.linked to relationship.events or POST /v1/events: ingest must bind it"
            return Refused(0, "", LINK_REASON, draft.id, remedy)
        if isinstance(found.about, str):
            return found.about
        account = self._aliases.get(found.about)
        remedy = "bind it with identity.linked, then import again with --again"
        return account or Refused(0, "", Reason.UNKNOWN_ALIAS.value, draft.subject, remedy)


def cloud_event(draft: Draft, source: str, run: str | None = None) -> bytes:
    """The draft as a CloudEvent in structured mode."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": draft.id,
        "source": source,
        "type": draft.type,
        "subject": draft.subject,
        "time": draft.time,
        "data": draft.data,
    }
    return msgspec.json.encode(event | ({"importrun": run} if run else {}))


def _refused(draft: Draft, found: ingest.Refused) -> Refused:
    """The pointer into the event becomes the column that the field was read from."""
    parts = found.pointer.split("/")
    column = draft.columns.get(parts[2], "") if len(parts) > 2 and parts[1] == "data" else ""
    value = bytes(found.value).decode() if found.value is not None else ""
    remedy = f"{found.pointer or 'the event'} of {draft.type} must be {found.expected}"
    return Refused(0, column, found.reason.value, value, remedy)
