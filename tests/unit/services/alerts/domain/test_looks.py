"""When to look again, and on which clock."""

from services.alerts.domain.evaluation import Row
from services.alerts.domain.looks import WALL, earliest, looks_of
from shared.conditions.grammar import parse
from tests.unit.services.alerts.said import DAY, HOUR, MICROSECOND, NOW, said, ticket

STREAMS = {"last_usage_at": "product.usage"}
USAGE = "product.usage"
SILENT = parse({"age": "last_usage_at", "at_least": "10d"})


def test_an_age_that_ends_with_its_stream_waits_on_the_streams_clock() -> None:
    row = Row(said(instants={"last_usage_at": NOW - DAY}), "", {}, {USAGE: NOW - HOUR})
    looks = earliest(looks_of(SILENT, row, NOW, STREAMS))
    assert looks == {"product.usage": NOW + 9 * DAY}


def test_a_stalled_stream_keeps_its_look_though_the_wall_has_passed_it() -> None:
    row = Row(said(instants={"last_usage_at": NOW - 20 * DAY}), "", {}, {USAGE: NOW - 15 * DAY})
    looks = earliest(looks_of(SILENT, row, NOW, STREAMS))
    assert looks == {"product.usage": NOW - 10 * DAY}


def test_a_records_age_waits_on_the_walls_clock() -> None:
    record = ticket("T-1", NOW - HOUR)
    row = Row(said(records=[record]), "T-1", record.fields, {})
    condition = parse({"age": "opened_at", "at_least": "48h"})
    assert earliest(looks_of(condition, row, NOW, STREAMS)) == {WALL: NOW + 47 * HOUR}


def test_the_first_edge_of_each_clock_counts() -> None:
    condition = parse({"any": [{"until": "term_end", "at_most": "45d"}, {"until": "term_end", "at_least": "0s"}]})
    row = Row(said(instants={"term_end": NOW + 50 * DAY}), "", {}, {})
    assert earliest(looks_of(condition, row, NOW, STREAMS)) == {WALL: NOW + 5 * DAY}


def test_what_has_passed_for_good_needs_no_look() -> None:
    known = said(instants={"last_usage_at": NOW - 11 * DAY})
    assert earliest(looks_of(SILENT, Row(known, "", {}, {USAGE: NOW}), NOW, STREAMS)) == {}
    before = Row(known, "", {}, {USAGE: NOW - DAY - MICROSECOND})
    assert earliest(looks_of(SILENT, before, NOW, STREAMS)) == {USAGE: NOW - DAY}
