from pathlib import Path

import pytest

from services.cli.importing.reading import MappingError, read_mapping

GOOD = """\
import: crm
source: //crm
files:
  - match: "*.csv"
    key: [id]
    times: {day: "%d-%m-%Y"}
    emit:
      - type: account.described
        subject: id
        time: day
        data:
          name: name
          industry: {from: kind, map: {"1": edtech}}
"""


def failure(tmp_path: Path, before: str, after: str) -> MappingError:
    assert before in GOOD
    path = tmp_path / "m.yaml"
    path.write_text(GOOD.replace(before, after))
    with pytest.raises(MappingError) as raised:
        read_mapping(path)
    return raised.value


def test_a_good_mapping_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(GOOD)
    mapping = read_mapping(path)
    assert mapping.name == "crm"
    assert mapping.files[0].columns == {"id", "day", "name", "kind"}


def test_the_mapping_that_is_shipped_is_good() -> None:
    shipped = Path(__file__).parents[5] / "examples" / "ravenstack" / "mapping.yaml"
    assert len(read_mapping(shipped).files) == 5


@pytest.mark.parametrize(
    ("before", "after", "line", "key", "problem"),
    [
        ("key: [id]", "key: id", 5, "files[0].key", "Expected `array`"),
        ("key: [id]", "keys: [id]", 5, "files[0].keys", "unknown field"),
        ("type: account.described", "type: account.descibed", 8, "files[0].emit[0].type", "unknown event type"),
        ('times: {day: "%d-%m-%Y"}', "times: {}", 6, "files[0].times", "its format is not said"),
        ('{from: kind, map: {"1": edtech}}', "{from: kind, int: kind}", 11, "files[0].emit[0].data", "exactly one"),
        ('{from: kind, map: {"1": edtech}}', "{money: kind}", 11, "files[0].emit[0].data", "needs its currency"),
        ("subject: id", "subject: TRUE", 9, "files[0].emit[0].subject", "got `bool`"),
        ("source: //crm", "source: //crm\nzone: Mars/Olympus", 3, "zone", "no time zone"),
        ("key: [id]", "key: [id]\n    lookup: {sub: id}", 6, "files[0].lookup", "no lookup 'sub'"),
        ('match: "*.csv"', "match: *.csv", 4, "", "no YAML"),
    ],
)
def test_an_error_names_file_line_key_and_what_to_do(  # noqa: PLR0917 pytest gives them by name
    tmp_path: Path, before: str, after: str, line: int, key: str, problem: str
) -> None:
    error = failure(tmp_path, before, after)
    assert error.place == f"{tmp_path / 'm.yaml'}:{line}"
    assert error.key.startswith(key)
    assert problem in error.problem
    assert error.remedy
