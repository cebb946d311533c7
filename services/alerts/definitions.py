"""The catalogue as the service runs it: rules, playbooks, vocabulary; read from YAML once and checked as a whole."""

import re
import string
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, ClassVar

import yaml

from services.alerts.domain.definition import BadDefinition
from services.alerts.domain.evaluation import CompiledRule
from services.alerts.domain.playbooks import Playbook, parse_playbook
from services.alerts.domain.rules import OnNotable, OnStatus, Rule, When, parse_rule
from services.alerts.domain.vocabulary import Known, parse_known
from shared.conditions.lint import Finding, lint
from shared.conditions.terms import Condition

_BOOL = "tag:yaml.org,2002:bool"


class _Yaml(yaml.SafeLoader):
    """YAML 1.2's booleans: in 1.1 the key `on` would be True."""

    yaml_implicit_resolvers: ClassVar[Any] = {  # type: ignore[misc]
        letter: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Yaml.add_implicit_resolver(_BOOL, re.compile("^(?:true|false)$"), list("tf"))


class Catalogue:
    """Every rule has its playbook; every name in a condition is one that snapshots carry."""

    def __init__(self, known: Known, rules: Mapping[str, Rule], playbooks: Mapping[str, Playbook]) -> None:
        self.known = known
        self.rules = dict(rules)
        self.playbooks = dict(playbooks)
        self.compiled = {rule.id: CompiledRule(rule, known) for rule in rules.values()}

    def playbook_of(self, rule: Rule) -> Playbook:
        """The playbook that answers a rule."""
        return self.playbooks[rule.playbook]

    def ends_with_case(self, rule_id: str) -> bool:
        """As the rule says; an alert whose rule is gone from the catalogue can end in no other way."""
        rule = self.rules.get(rule_id)
        return rule is None or rule.ends_with_case


def load(folder: Traversable | None = None) -> Catalogue:
    """The catalogue of `folder`, by default the one that ships. Raises BadDefinition naming file, entry and remedy."""
    root = folder if folder is not None else files("services.alerts").joinpath("catalogue")
    known = parse_known("vocabulary.yaml", _read(root.joinpath("vocabulary.yaml")))
    playbooks: dict[str, Playbook] = {}
    for name, written in _entries(root.joinpath("playbooks")):
        playbook = parse_playbook(f"playbooks/{name}", written)
        _unique(f"playbooks/{name}", "playbook", playbook.id, playbooks)
        playbooks[playbook.id] = playbook
    rules: dict[str, Rule] = {}
    for name, written in _entries(root.joinpath("rules")):
        rule = parse_rule(f"rules/{name}", written)
        _unique(f"rules/{name}", "rule", rule.id, rules)
        _check(f"rules/{name}", rule, known, playbooks)
        rules[rule.id] = rule
    return Catalogue(known, rules, playbooks)


def _entries(folder: Traversable) -> Iterator[tuple[str, Any]]:
    """File by file, in the order of their names."""
    for file in sorted(folder.iterdir(), key=lambda found: found.name):
        if file.name.endswith(".yaml"):
            yield file.name, _read(file)


def _read(file: Traversable) -> Any:
    try:
        return yaml.load(file.read_text(), _Yaml)  # noqa: S506 - a SafeLoader with fewer words for true
    except yaml.YAMLError as error:
        raise BadDefinition(file.name, "the file", f"write YAML: {error}") from error


def _unique(file: str, entry: str, name: str, known: Mapping[str, object]) -> None:
    if name in known:
        raise BadDefinition(file, entry, f"{name} is there twice: rename one")


def _check(file: str, rule: Rule, known: Known, playbooks: Mapping[str, Playbook]) -> None:
    if rule.playbook not in playbooks:
        raise BadDefinition(file, "playbook", f"no playbook {rule.playbook}: there are {', '.join(sorted(playbooks))}")
    if rule.record is not None and rule.record not in known.records:
        raise BadDefinition(file, "for_each", f"no record {rule.record}: there are {', '.join(sorted(known.records))}")
    for entry, finding in _findings(rule, known):
        raise BadDefinition(file, f"{entry}{finding.path.replace('/', '.')}", finding.words)
    _check_trigger(file, rule, known)
    _check_words(file, rule, known)


def _check_trigger(file: str, rule: Rule, known: Known) -> None:
    match rule.trigger:
        case OnNotable(type=name) if name not in known.notables:
            raise BadDefinition(file, "on.notable", f"no notable {name}: there are {', '.join(sorted(known.notables))}")
        case OnStatus(status=name) if name not in known.statuses:
            raise BadDefinition(file, "on.status", f"no status {name}: there are {', '.join(sorted(known.statuses))}")
        case OnStatus(status=name, worse=worse, better=better) if worse or better:
            if not known.statuses[name].is_ordered:
                raise BadDefinition(file, "on", f"{name} has no better and worse: name the values in `to`")


def _check_words(file: str, rule: Rule, known: Known) -> None:
    fields = known.records[rule.record] if rule.record is not None else {}
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(rule.words or "") if name is not None}
    except ValueError as error:
        raise BadDefinition(file, "words", f"close every brace: {error}") from error
    if unknown := sorted(names - fields.keys()):
        raise BadDefinition(file, "words", f"no field {unknown[0]}: there are {', '.join(sorted(fields)) or 'none'}")


def _findings(rule: Rule, known: Known) -> Iterator[tuple[str, Finding]]:
    vocabulary = known.vocabulary(rule.record)
    conditions: list[tuple[str, Condition | None]] = [
        ("when", rule.trigger.condition if isinstance(rule.trigger, When) else None),
        ("where", rule.trigger.where if isinstance(rule.trigger, When) else None),
        ("clear", rule.clear),
    ]
    for entry, condition in conditions:
        for finding in lint(condition, vocabulary) if condition is not None else ():
            yield entry, finding
