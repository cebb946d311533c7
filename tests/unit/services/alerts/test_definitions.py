"""The catalogue that ships is sound, and a wrong one is refused with file, entry and remedy."""

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.alerts.definitions import load
from services.alerts.domain.company import STREAM
from services.alerts.domain.definition import BadDefinition
from services.alerts.domain.rules import OnNotable, When

ROOT = Path(__file__).resolve().parents[4]
CATALOGUE = ROOT / "services" / "alerts" / "catalogue"
SCORING = ROOT / "services" / "scoring" / "catalogue"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the catalogue, for spoiling."""
    return Path(shutil.copytree(CATALOGUE, tmp_path / "catalogue"))


def test_every_rule_has_a_playbook_an_owner_and_a_due_time() -> None:
    catalogue = load()
    assert len(catalogue.rules) == 8
    for rule in catalogue.rules.values():
        playbook = catalogue.playbook_of(rule)
        assert playbook.queue
        assert playbook.due
        assert rule.source
        assert playbook.source


def test_every_playbook_answers_a_rule() -> None:
    catalogue = load()
    assert {rule.playbook for rule in catalogue.rules.values()} == set(catalogue.playbooks)


def test_what_happens_per_record_can_be_over() -> None:
    for rule in load().rules.values():
        assert isinstance(rule.trigger, When) or rule.clear is not None, rule.id


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        (
            "when",
            {"age": "last_usage", "at_least": "10d"},
            "when: last_usage is no known instant; did you mean last_usage_at?",
        ),
        ("when", {"age": "last_usage_at", "at_least": "10"}, "when.at_least: write a duration"),
        ("when", {"status": "band", "is": "amber"}, "when: band is never amber"),
        ("when", None, "on: write either `on` (something happened) or `when` (something holds)"),
        ("where", {"signal": "logins", "below": 1}, "where: logins is no known signal"),
        ("cooldown", "a week", "cooldown: write a duration"),
        ("priority", "critical", "priority: write one of urgent, high, normal, low"),
        ("playbook", "shrug", "playbook: no playbook shrug: there are break_the_silence"),
        ("for_each", "order", "for_each: no record order: there are invoice"),
        ("source", [], "source: name at least one row of the domain"),
        ("version", 0, "version: write a whole number from 1"),
        ("cooldwon", "7d", "cooldwon: nothing of this name is known here"),
        ("words", "{account} is silent", "words: no field account: there are none"),
        ("words", "{silent", "words: close every brace"),
        ("words", ["silent"], "words: write a sentence with fields of the record in braces"),
    ],
)
def test_a_wrong_rule_is_refused_by_file_entry_and_remedy(folder: Path, entry: str, value: Any, said: str) -> None:
    file = folder / "rules" / "went_silent.yaml"
    written = yaml.safe_load(file.read_text()) | {entry: value}
    file.write_text(yaml.safe_dump(written))
    with pytest.raises(BadDefinition) as refused:
        load(folder)
    assert str(refused.value).startswith(f"rules/went_silent.yaml: {said}")


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ({"notable": "invoice.burnt", "max_age": "1d"}, "on.notable: no notable invoice.burnt"),
        ({"status": "mood", "max_age": "1d"}, "on.status: no status mood"),
        ({"status": "segment", "worse": True, "max_age": "1d"}, "on: segment has no better and worse"),
        ({"status": "band", "worse": True, "better": True, "max_age": "1d"}, "on.better: a change is worse or better"),
        ({"status": "band"}, "on.max_age: write a duration"),
        ({"status": "band", "max_age": "1d", "form": ["red"]}, "on.form: nothing of this name"),
        ("invoice.paid", "on: write a mapping here"),
    ],
)
def test_a_wrong_occasion_is_refused_by_file_entry_and_remedy(folder: Path, on: Any, said: str) -> None:
    file = folder / "rules" / "band_recovered.yaml"
    text = file.read_text().splitlines()
    kept = [line for line in text if not line.startswith("on:")]
    file.write_text("\n".join([*kept, "on: " + yaml.safe_dump(on, default_flow_style=True).removesuffix("...\n")]))
    with pytest.raises(BadDefinition) as refused:
        load(folder)
    assert str(refused.value).startswith(f"rules/band_recovered.yaml: {said}")


def test_two_rules_of_one_name_are_refused(folder: Path) -> None:
    shutil.copy(folder / "rules" / "went_silent.yaml", folder / "rules" / "went_silent_too.yaml")
    with pytest.raises(BadDefinition, match=r"went_silent_too\.yaml: rule: went_silent is there twice"):
        load(folder)


def test_a_step_is_not_due_after_its_playbook(folder: Path) -> None:
    file = folder / "playbooks" / "push_ticket.yaml"
    file.write_text(file.read_text().replace("due: 8h\nsteps", "due: 1h\nsteps"))
    with pytest.raises(BadDefinition, match="is due after the playbook itself"):
        load(folder)


def test_the_vocabulary_names_only_what_scoring_says() -> None:
    known = load().known
    entries = [entry for file in SCORING.rglob("*.yaml") for entry in _entries(file)]
    by_kind = {kind: {e[kind]: e for e in entries if kind in e} for kind in ("signal", "instant", "notable", "record")}
    visible = {name for name, entry in by_kind["signal"].items() if not entry.get("hidden")}
    assert known.signals.keys() <= visible
    assert known.instants <= by_kind["instant"].keys()
    assert known.notables <= by_kind["notable"].keys()
    for name, stream in known.streams.items():
        assert by_kind["instant"][name]["stream"] == stream
    for name in known.signals:
        declared = by_kind["signal"][name].get("stream")  # none where it is worked out from other signals
        assert declared in (None, known.read_from.get(name)), name
    for kind, fields in known.records.items():
        if kind == STREAM:
            continue  # alerts keeps it itself
        assert fields.keys() <= set(by_kind["record"][kind]["show"]["fields"])
    statuses = {e["status"]: {value["id"] for value in e["values"]} for e in entries if "status" in e}
    for name in statuses.keys() & known.statuses.keys():
        assert set(known.statuses[name].values) == statuses[name]


def test_every_event_that_a_rule_waits_for_is_a_notable() -> None:
    catalogue = load()
    waited = {rule.trigger.type for rule in catalogue.rules.values() if isinstance(rule.trigger, OnNotable)}
    assert waited <= catalogue.known.notables


def test_the_catalogue_is_found_where_the_package_is() -> None:
    assert files("services.alerts").joinpath("catalogue", "rules").is_dir()


def _entries(file: Path) -> list[dict[str, Any]]:
    written = yaml.safe_load(file.read_text())
    return written if isinstance(written, list) else [written]
