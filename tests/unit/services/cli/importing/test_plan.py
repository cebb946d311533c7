from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from services.cli.importing.language import Mapping
from services.cli.importing.outcome import Accepted, Draft, Duplicate, Outcome, Refused
from services.cli.importing.plan import Plan, make_plan, newest_time, shift_to
from services.cli.importing.rows import FileError

MAPPING = msgspec.convert(
    {
        "import": "own",
        "source": "//own",
        "lookups": {"subscription": {"file": "subscriptions.csv", "key": "id", "columns": ["account"]}},
        "files": [
            {
                "match": "usage*.csv",
                "key": ["id"],
                "lookup": {"subscription": "subscription"},
                "times": {"day": "%d-%m-%Y"},
                "emit": [
                    {
                        "type": "usage.feature_used",
                        "subject": "subscription.account",
                        "time": "day",
                        "data": {"feature": "feature"},
                    }
                ],
            }
        ],
    },
    Mapping,
)
SUBSCRIPTIONS = "id,account\nS1,acme\nS2,globex\n"
USAGE = """\
id,subscription,day,feature
U1,S1,01-03-2024,export
U2,S2,09-03-2024,share
U1,S1,01-03-2024,export
U1,S2,02-03-2024,export
U3,S7,02-03-2024,export
U4,S1,02-03-2024,forbidden
"""


def refuse_forbidden(draft: Draft) -> str | Refused:
    if draft.data["feature"] == "forbidden":
        return Refused(0, "feature", "odd", "forbidden", "use another")
    return draft.subject


def plan(folder: Path, usage: str = USAGE) -> Plan:
    (folder / "subscriptions.csv").write_text(SUBSCRIPTIONS)
    (folder / "usage.csv").write_text(usage)
    return make_plan(MAPPING, [folder / "usage.csv"])


def outcomes(made: Plan) -> list[Outcome]:
    return list(made.outcomes(made.sources[0], refuse_forbidden))


def test_every_row_ends_as_exactly_one_of_accepted_duplicate_and_refused(tmp_path: Path) -> None:
    found = outcomes(plan(tmp_path))
    assert Counter(type(outcome).__name__ for outcome in found) == {"Accepted": 2, "Duplicate": 1, "Refused": 3}
    assert [(o.line, o.reason) for o in found if isinstance(o, Refused)] == [
        (5, "key_taken"),
        (6, "lookup_not_found"),
        (7, "odd"),
    ]
    assert [o for o in found if isinstance(o, Duplicate)] == [Duplicate(4, 2)]


def test_without_an_id_of_its_own_an_event_is_named_after_type_and_key(tmp_path: Path) -> None:
    first = outcomes(plan(tmp_path))[0]
    assert isinstance(first, Accepted)
    assert first.events[0].id == "usage.feature_used/U1"


def test_the_same_files_are_the_same_run_and_other_ones_are_not(tmp_path: Path) -> None:
    one = plan(tmp_path).run
    assert plan(tmp_path).run == one
    assert plan(tmp_path, USAGE + "U9,S1,03-03-2024,share\n").run != one


def test_a_shift_brings_the_newest_event_to_yesterday(tmp_path: Path) -> None:
    newest = newest_time(plan(tmp_path), refuse_forbidden)
    assert newest == datetime(2024, 3, 9, tzinfo=UTC)
    assert newest + shift_to(newest, date(2026, 11, 24)) == datetime(2026, 11, 23, tzinfo=UTC)
    assert shift_to(newest, date(2024, 3, 10)) == timedelta()


def test_a_column_that_nothing_takes_stops_the_file_until_the_mapping_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="nothing takes column price"):
        plan(tmp_path, "id,subscription,day,feature,price\n")


def test_a_file_that_no_part_of_the_mapping_matches_is_named(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text("id\n")
    with pytest.raises(FileError, match=r"tickets\.csv: no part of the mapping matches"):
        make_plan(MAPPING, [tmp_path / "tickets.csv"])


def test_a_lookup_without_its_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "usage.csv").write_text(USAGE)
    with pytest.raises(FileError, match=r"lookup subscription needs the one file subscriptions\.csv"):
        make_plan(MAPPING, [tmp_path / "usage.csv"])


def test_two_rows_of_a_lookup_that_disagree_refuse_what_hangs_on_them(tmp_path: Path) -> None:
    made = plan(tmp_path)
    (tmp_path / "subscriptions.csv").write_text(SUBSCRIPTIONS + "S1,initech\n")
    made = make_plan(MAPPING, [tmp_path / "usage.csv"])
    assert Counter(getattr(o, "reason", "taken") for o in outcomes(made))["lookup_ambiguous"] == 2
