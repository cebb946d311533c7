from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from services.cli.importing.outcome import Accepted, Draft, Duplicate, Refused
from services.cli.importing.report import FileReport, RefusalFile, summary
from services.cli.importing.run import ImportRefused, Touched, shift_before
from services.cli.importing.tally import Tally

DAY = datetime(2024, 3, 1, tzinfo=UTC)


def draft(account: str, days: int) -> Draft:
    return Draft(f"{account}/{days}", "usage.session_started", account, DAY + timedelta(days=days), {}, account=account)


def test_each_account_is_told_the_end_once_at_the_newest_time_it_has() -> None:
    touched = Touched()
    touched.take([draft("b", 5), draft("a", 1), draft("b", 2)])
    endings = touched.endings("im_1")
    assert [(e.id, e.type, e.account, e.time, e.data) for e in endings] == [
        ("import.ended/im_1/a", "import.ended", "a", DAY + timedelta(days=1), {"run": "im_1"}),
        ("import.ended/im_1/b", "import.ended", "b", DAY + timedelta(days=5), {"run": "im_1"}),
    ]


def test_accepted_duplicate_and_refused_sum_to_the_rows() -> None:
    tally = Tally()
    events = (draft("a", 1), draft("a", 2))
    outcomes = (Accepted(2, events, ("odd",)), Accepted(3, ()), Duplicate(4, 2), Refused(5, "c", "bad", "v", "r"))
    for outcome in outcomes:
        tally.count(outcome)
    assert tally.rows == 4
    assert tally == Tally(accepted=2, events=2, duplicate=1, refused=1, reasons={"bad": 1}, remarks={"odd": 1})


def test_what_came_shifted_once_is_shifted_the_same_way_for_ever() -> None:
    assert shift_before(set(), wanted=True) is None
    assert shift_before({691}, wanted=True) == timedelta(days=691)
    assert shift_before({0}, wanted=False) == timedelta()


@pytest.mark.parametrize(("before", "wanted"), [({691}, False), ({0}, True), ({1, 2}, True)])
def test_another_shift_than_before_is_refused_since_everything_would_count_twice(
    before: set[int], *, wanted: bool
) -> None:
    with pytest.raises(ImportRefused):
        shift_before(before, wanted=wanted)


def test_refused_rows_are_a_file_to_work_through_and_no_file_where_there_are_none(tmp_path: Path) -> None:
    with RefusalFile(tmp_path, Path("x/usage.csv")) as refusals:
        refusals.take(Duplicate(3, 2))
        refusals.take(Refused(4, "count", "not_a_number", 'a "b"', "write digits"))
    assert refusals.written == tmp_path / "usage.csv.refused.csv"
    content = (tmp_path / "usage.csv.refused.csv").read_text()
    assert content == 'line,column,reason,value,remedy\n4,count,not_a_number,"a ""b""",write digits\n'
    with RefusalFile(tmp_path, Path("x/usage.csv")) as refusals:
        refusals.take(Duplicate(3, 2))
    assert refusals.written is None
    assert not (tmp_path / "usage.csv.refused.csv").exists()


def test_the_summary_names_every_file_its_sums_and_what_was_odd(tmp_path: Path) -> None:
    tally = Tally(accepted=3, events=5, duplicate=1, refused=2, reasons={"bad": 2}, remarks={"it is odd": 1})
    console = Console(width=100, highlight=False)
    with console.capture() as capture:
        console.print(summary([FileReport(Path("usage.csv"), tally, tmp_path / "r.csv")]), soft_wrap=True)
    text = capture.get()
    assert any(line.split("│")[1:-1] and "usage.csv" in line and " 6 " in line for line in text.splitlines())
    assert "usage.csv: 1 rows: it is odd" in text
    assert f"usage.csv: refused: bad 2; each is in {tmp_path / 'r.csv'}" in text
