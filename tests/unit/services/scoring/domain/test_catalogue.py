from typing import Any

import pytest
from msgspec import json

from services.scoring import catalogue_files
from services.scoring.domain.catalogue import BadDefinition, content_of, parse, version_of
from tests.unit.services.scoring.acme import packaged

SIGNAL: dict[str, Any] = {"signal": "mine", "source": ["test"], "unit": "days", "ratio": ["tickets_open", "seats"]}


def with_entry(*entries: dict[str, Any]) -> dict[str, Any]:
    return {**catalogue_files.load(), "zz.yaml": list(entries)}


def test_the_packaged_catalogue_has_what_others_count_on() -> None:
    signals = {signal.name for signal in packaged().signals}
    assert signals >= {
        "active_days_28d",
        "active_users_28d",
        "usage_trend",
        "features_used_28d",
        "days_since_usage",
        "tickets_open",
        "tickets_open_urgent",
        "sentiment_28d",
        "invoices_failed_open",
        "days_to_term_end",
        "seats_used_ratio",
        "nps_last",
    }
    assert set(packaged().kinds) == {"account", "person", "feature", "ticket", "invoice", "subscription"}
    assert {status.name for status in packaged().statuses} == {"segment", "lifecycle"}
    assert [model.id for model in packaged().models] == ["health@1"]


def test_its_version_is_its_content() -> None:
    bodies = catalogue_files.load()
    assert version_of(bodies) == version_of(dict(reversed(bodies.items()))) == packaged().version
    assert version_of(with_entry(SIGNAL)) != packaged().version


def test_what_was_stored_reads_as_what_was_written() -> None:
    stored = json.decode(content_of(catalogue_files.load()))
    assert parse(stored).version == packaged().version


def test_usage_level_weighs_more_than_its_trend() -> None:
    weights = {factor.id: factor.weight for factor in packaged().models[0].factors}
    assert weights["usage_level"] == 11 * weights["usage_trend"]


def test_an_event_is_known_to_move_what_is_derived_from_it() -> None:
    moved = packaged().moved_by["ticket.opened"]
    assert {"urgent_tickets", "ticket_load", "cap_escalation"} <= moved
    assert "usage_level" not in moved
    assert "usage_recency" in packaged().moved_by["product.usage"]


@pytest.mark.parametrize(
    ("entry", "remedy"),
    [
        ({"colour": "red"}, "give each entry one of"),
        ({**SIGNAL, "sauce": 1}, "unknown field `sauce`"),
        ({**SIGNAL, "source": []}, "at least one id"),
        ({**SIGNAL, "signal": "seats"}, "already in signals/billing.yaml"),
        ({**SIGNAL, "ratio": ["tickets_opn", "seats"]}, "nothing is named tickets_opn"),
        ({**SIGNAL, "ratio": ["mine", "seats"]}, "it needs itself: mine -> mine"),
        ({**SIGNAL, "add": ["seats", "seats"]}, "write exactly one of"),
        ({"signal": "mine", "source": ["t"], "unit": "days", "latest": {"field": "nps"}}, "latest needs stream"),
        (
            {"signal": "mine", "source": ["t"], "unit": "x", "stream": "product.usage",
             "total": {"field": "used", "days": 7}},
            "field used of record account is days; sum is needed",
        ),
        (
            {"signal": "mine", "source": ["t"], "unit": "x", "stream": "product.usage", "records": {"over": "tikcet"}},
            "there is no record kind tikcet",
        ),
        (
            {"record": "mine", "source": ["t"], "feeds": [{"from": ["tickets.*"], "key": "ticket"}], "fields": {}},
            "no event type matches tickets",
        ),
        (
            {"reason": "mine", "source": ["t"], "when": {"signal": "seat", "below": 1}, "words": "x"},
            "seat is no known signal; did you mean seats?",
        ),
        (
            {"reason": "mine", "source": ["t"], "when": {"status": "band", "is": "blue"}, "words": "x"},
            "band is never blue",
        ),
        (
            {"factor": "mine", "source": ["t"], "dimension": "usage", "weight": 1, "signal": "uses_28d",
             "curve": [[0, 0], [1, 1]], "words": "", "missing": ""},
            "uses_28d is hidden",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_entry_and_remedy(entry: dict[str, Any], remedy: str) -> None:
    with pytest.raises(BadDefinition) as caught:
        parse(with_entry(entry))
    assert caught.value.file == "zz.yaml"
    assert remedy in caught.value.remedy


def test_a_cap_must_not_depend_on_the_score_it_caps() -> None:
    bodies = catalogue_files.load()
    cap = {"cap": "round", "source": ["t"], "at": 5, "when": {"signal": "score", "above": 5}, "words": "x"}
    with pytest.raises(BadDefinition, match="score is no known signal"):
        parse({**bodies, "models/health.yaml": {**bodies["models/health.yaml"], "caps": [cap]}})


def test_two_statuses_that_need_each_other_are_refused() -> None:
    def status(name: str, other: str) -> dict[str, Any]:
        values = [{"id": "on", "when": {"status": other, "is": "on"}}, {"id": "off"}]
        return {"status": name, "source": ["t"], "values": values}

    with pytest.raises(BadDefinition, match="it needs itself"):
        parse(with_entry(status("a", "b"), status("b", "a")))
