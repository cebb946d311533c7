"""Notables: accepted events that the catalogue names, told one by one because a batch of them is not one of them."""

from collections.abc import Iterable, Iterator

from services.scoring.domain.definitions import Definitions
from services.scoring.domain.feeds import ABSENT
from shared.contracts.envelope import HealthEvent
from shared.contracts.health import Notable


def notables(definitions: Definitions, events: Iterable[HealthEvent]) -> list[Notable]:
    """Those of the events that are notable, by time. Their id is source and id, which are unique together.

    Only the fields that the catalogue lets out are carried: no names, addresses or text.
    """
    return sorted(_found(definitions, events), key=lambda notable: (notable.at, notable.id))


def _found(definitions: Definitions, events: Iterable[HealthEvent]) -> Iterator[Notable]:
    for event in events:
        for rule in definitions.notables.get(event.type, ()):
            if rule.passes is None or rule.passes(event.data):
                key = rule.key(event.data) if rule.key else ""
                carried = {path: value for path, read in rule.carry if (value := read(event.data)) is not ABSENT}
                yield Notable(
                    id=f"{event.source} {event.id}",
                    type=event.type,
                    at=event.time,
                    key=key if isinstance(key, str) else "",
                    data=carried,
                )
                break
