"""The checker of alerts sees each kind of wrong: a checker that finds nothing proves nothing."""

from datetime import datetime, timedelta
from typing import Any

from services.alerts.definitions import load
from tests.alert_invariants import Fold, of_absences, of_both, of_messages, of_reasons, of_rows
from tests.unit.services.alerts.said import DAY, HOUR, NOW, said

CATALOGUE = load()


def alert(n: int = 1, state: str = "resolved", at: datetime = NOW, changes: int = 2) -> dict[str, Any]:
    about = {"account": "acme", "rule": "went_silent", "key": ""}
    return about | {"id": f"al_{n}", "n": n, "state": state, "opened_at": at, "last_change": changes}


def change(number: int, before: str | None, after: str, n: int = 1, **fields: Any) -> dict[str, Any]:
    at = NOW + timedelta(seconds=10 * n + number)
    known = {"alert": f"al_{n}", "number": number, "before": before, "after": after, "at": at}
    events = {None: "triggered", "firing": "cleared"}
    tells = {"firing": "triggered", "resolved": "resolved"}
    return known | {"event": events[before], "tells": tells[after]} | fields


def lived(n: int = 1) -> list[dict[str, Any]]:
    return [change(1, None, "firing", n), change(2, "firing", "resolved", n)]


def message(number: int, kind: str, n: int = 1, event: str = "triggered") -> dict[str, Any]:
    data = {"alert": f"al_{n}", "account": "acme", "rule": "went_silent", "key": "", "transition": {"event": event}}
    return {"id": f"al_{n}.{number}", "type": f"outreach.{kind}", "data": data}


def test_a_whole_life_is_in_order() -> None:
    alerts = [alert(1), alert(2, "firing", NOW + timedelta(seconds=21), 1)]
    changes = [*lived(1), change(1, None, "firing", 2)]
    messages = [message(1, "triggered"), message(2, "resolved"), message(2, "resolved"), message(1, "triggered", 2)]
    assert of_rows(alerts, changes) == []
    assert of_messages(messages) == []
    assert of_both(changes, messages) == []


def test_two_open_alerts_of_one_subject_are_seen() -> None:
    alerts = [alert(1, "firing", changes=1), alert(2, "firing", changes=1)]
    changes = [change(1, None, "firing"), change(1, None, "firing", 2)]
    assert any("while al_1 is open" in said for said in of_rows(alerts, changes))


def test_a_skipped_opening_a_missing_change_and_a_wrong_end_are_seen() -> None:
    assert of_rows([alert(2)], lived(2)) == ["('acme', 'went_silent', ''): openings [2]"]
    assert of_rows([alert()], lived()[:1]) == [
        "al_1: changes [1] where there were 2",
        "al_1: None -> firing where it is resolved",
    ]
    assert of_rows([], lived()) == ["al_1 has changes and no row"]


def test_a_second_trigger_without_a_resolve_between_is_seen_and_one_after_a_snooze_is_right() -> None:
    assert of_messages([message(1, "triggered"), message(1, "triggered", 2)]) != []
    assert of_messages([message(1, "triggered"), message(3, "triggered")]) != []
    assert of_messages([message(1, "triggered"), message(3, "triggered", event="gate_ended")]) == []
    assert of_messages([message(2, "resolved")]) != []


def test_one_id_for_two_messages_is_seen() -> None:
    assert of_messages([message(1, "triggered"), message(1, "triggered") | {"time": "later"}]) == [
        "al_1.1 says two things"
    ]


def test_what_was_decided_and_not_said_and_what_was_said_and_not_decided_are_seen() -> None:
    assert len(of_both(lived(), [])) == 2
    assert len(of_both([], [message(1, "triggered")])) == 1


def test_a_firing_needs_a_reason_that_its_partition_had_shown() -> None:
    silent = said("acme", NOW, instants={"last_usage_at": NOW - 9 * DAY})
    other = said("other", NOW + DAY, freshness={"product.usage": NOW + DAY})
    elsewhere = said("other", NOW + DAY, freshness={"product.usage": NOW + DAY}, partition=3)
    fired = change(1, None, "firing", at=NOW + DAY)
    for heard, is_right in ((other, True), (elsewhere, False)):
        fold = Fold(CATALOGUE.rules, CATALOGUE.known.streams, [silent, heard])
        assert (of_reasons(CATALOGUE.rules, [alert()], [fired], fold.known) == []) is is_right


def test_what_holds_at_the_last_look_and_does_not_fire_is_seen() -> None:
    silent = said("acme", NOW, instants={"last_usage_at": NOW - 10 * DAY})
    fold = Fold(CATALOGUE.rules, CATALOGUE.known.streams, [silent])
    looked = {"acme": NOW + HOUR}
    assert of_absences(CATALOGUE.rules, [alert(1, "firing")], fold.subjects(), fold.known, looked) == []
    assert len(of_absences(CATALOGUE.rules, [alert(1, "resolved")], fold.subjects(), fold.known, looked)) == 1
