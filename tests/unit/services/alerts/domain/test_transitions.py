import re
from pathlib import Path

import pytest

from services.alerts.domain.transitions import TRANSITIONS, Event, WrongState, after

DOCS = Path(__file__).resolve().parents[5] / "docs" / "alerts.md"


def test_the_diagram_in_the_docs_is_the_table() -> None:
    arrows = re.findall(r"^ +(\S+) --> (\S+): (\w+)$", DOCS.read_text(), flags=re.MULTILINE)
    drawn = {(None if start == "[*]" else start, event): end for start, end, event in arrows}
    assert drawn == TRANSITIONS
    assert len(arrows) == len(TRANSITIONS)


@pytest.mark.parametrize("event", ["lasted", "started", "cleared"])
def test_what_is_resolved_stays_resolved(event: Event) -> None:
    with pytest.raises(WrongState, match="an alert that is resolved cannot be"):
        after("resolved", event)
