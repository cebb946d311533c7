from pathlib import Path

import pytest

from services.cli.importing.outcome import Refused, Row
from services.cli.importing.rows import FileError, format_of, header_of, read_rows


def rows(tmp_path: Path, content: bytes, form: str = "csv", columns: set[str] | None = None) -> list[Row | Refused]:
    path = tmp_path / f"file.{form}"
    path.write_bytes(content)
    return list(read_rows(path, form, ",", columns or set()))


def test_rows_carry_the_line_on_which_they_begin(tmp_path: Path) -> None:
    found = rows(tmp_path, b'a,b\n1,"two\nlines"\n\n3,4\n')
    assert found == [Row(2, {"a": "1", "b": "two\nlines"}), Row(5, {"a": "3", "b": "4"})]


def test_a_byte_order_mark_and_carriage_returns_are_no_content(tmp_path: Path) -> None:
    assert rows(tmp_path, b"\xef\xbb\xbfa,b\r\n1,2\r\n") == [Row(2, {"a": "1", "b": "2"})]


def test_a_row_with_another_number_of_cells_is_refused(tmp_path: Path) -> None:
    short, whole, long = rows(tmp_path, b"a,b\n1\n1,2\n1,2,3\n")
    assert isinstance(short, Refused)
    assert isinstance(long, Refused)
    assert (short.line, short.reason, long.line, long.reason) == (2, "column_count", 4, "column_count")
    assert whole == Row(3, {"a": "1", "b": "2"})


def test_bytes_that_are_not_utf8_refuse_their_row_only(tmp_path: Path) -> None:
    bad, good = rows(tmp_path, b"a,b\n1,caf\xe9\n1,2\n")
    assert isinstance(bad, Refused)
    assert (bad.line, bad.column, bad.reason) == (2, "b", "not_utf8")
    assert good == Row(3, {"a": "1", "b": "2"})


def test_a_broken_quote_is_refused_and_the_next_rows_are_read(tmp_path: Path) -> None:
    bad, good = rows(tmp_path, b'a,b\n1,"x"y\n1,2\n')
    assert isinstance(bad, Refused)
    assert (bad.line, bad.reason) == (2, "csv_broken")
    assert good == Row(3, {"a": "1", "b": "2"})


def test_json_lines_become_text_cells_and_keep_their_digits(tmp_path: Path) -> None:
    line = b'{"id": 7, "price": 0.10, "on": true, "user": {"name": "Ana", "tags": ["a"]}, "gone": null}\n'
    [row] = rows(tmp_path, line, "jsonl", {"id", "absent"})
    cells = {"id": "7", "price": "0.10", "on": "true", "user.name": "Ana", "user.tags": '["a"]', "gone": ""}
    assert row == Row(1, {"absent": ""} | cells)


def test_lines_that_are_no_json_object_are_refused_one_by_one(tmp_path: Path) -> None:
    deep = b"[" * 100_000
    found = rows(tmp_path, b'{"a": 1}\n{"a": \n[1]\n{"x": ' + deep + b"\n" + b'\n{"a": 2}\n', "jsonl")
    assert [(row.line, getattr(row, "reason", "row")) for row in found] == [
        (1, "row"),
        (2, "json_broken"),
        (3, "json_broken"),
        (4, "json_broken"),
        (6, "row"),
    ]


@pytest.mark.parametrize("content", [b"", b"a,a\n1,2\n"])
def test_a_header_that_names_no_columns_or_one_twice_stops_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"file\.csv"):
        header_of(path, ",", set())


def test_a_header_without_a_needed_column_stops_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no column b, c; the columns are a"):
        rows(tmp_path, b"a\n1\n", columns={"a", "b", "c"})


def test_the_name_tells_the_format_unless_the_mapping_does() -> None:
    assert format_of(Path("x.ndjson"), None) == "jsonl"
    assert format_of(Path("x.txt"), "csv") == "csv"
    with pytest.raises(FileError, match="CSV or JSONL"):
        format_of(Path("x.txt"), None)
