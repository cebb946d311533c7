import pytest

from services.cli.embedded.kafka_settings import as_properties


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("/srv/data", "/srv/data"),
        ("/srv/jörg/my data", "/srv/j\\u00f6rg/my data"),
        ("/srv/𝛂", "/srv/\\ud835\\udec2"),
        ("a\\b", "a\\\\b"),
    ],
)
def test_a_path_beyond_ascii_is_written_as_java_reads_properties(value: str, written: str) -> None:
    assert as_properties({"log.dirs": value}) == f"log.dirs = {written}\n"
