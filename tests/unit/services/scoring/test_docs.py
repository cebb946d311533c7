"""docs/scoring.md says what is: its YAML is the catalogue's, its examples are tests, its sections exist."""

import re
from pathlib import Path

import yaml

from services.scoring import catalogue_files

ROOT = Path(__file__).parents[4]
TEXT = (ROOT / "docs/scoring.md").read_text("utf-8")


def test_the_yaml_shown_is_the_catalogues_own() -> None:
    entries = [e for body in catalogue_files.load().values() for e in (body if isinstance(body, list) else [body])]
    shown = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
    assert len(shown) == 3
    assert [entry for entry in shown if entry not in entries] == []


def test_every_example_is_a_test() -> None:
    sources = [*(ROOT / "tests/unit/services/scoring").rglob("test_*.py"), *(ROOT / "tests/property").glob("test_*.py")]
    written = {name for path in sources for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))}
    assert set(re.findall(r"`(test_\w+)`", TEXT)) - written == set()


def test_code_points_at_sections_that_exist() -> None:
    sections = {title.lower() for title in re.findall(r"^#+ (\w+)$", TEXT, re.MULTILINE)}
    domain = (ROOT / "services/scoring/domain").glob("*.py")
    named = {name for path in domain for name in re.findall(r"docs/scoring\.md#(\w+)", path.read_text("utf-8"))}
    assert named - sections == set()
