"""From a mapping file to a Mapping; an error names file, line, key and what to do."""

import re
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import yaml

from services.cli.importing.language import FileMapping, Mapping, Value, union
from shared.contracts.catalogue import TYPES

_PLACE = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"unknown field `(.+)`")
FORMATS = ("csv", "jsonl")

Problem = tuple[str, str, str]  # problem, key below the file, remedy


class MappingError(Exception):
    """The mapping cannot be used. `place` is file:line, `key` the path of the key, `remedy` what to write instead."""

    def __init__(self, place: str, key: str, problem: str, remedy: str) -> None:
        super().__init__(f"{place}: {key or 'the file'}: {problem}. {remedy}")
        self.place, self.key, self.problem, self.remedy = place, key, problem, remedy


def read_mapping(path: Path) -> Mapping:
    """Raises MappingError; what it returns is consistent in itself, whatever the files will hold."""
    text = path.read_text(encoding="utf-8")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        plain = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise MappingError(
            f"{path}:{line}", "", f"this is no YAML: {error.problem}", "Quote text with : or %"
        ) from None
    try:
        mapping = msgspec.convert(plain, Mapping, strict=True)
    except msgspec.ValidationError as error:
        raise _located(path, root, str(error)) from None
    _check(mapping, path, root)
    return mapping


def _located(path: Path, root: yaml.Node | None, message: str) -> MappingError:
    found = _PLACE.search(message)
    key = found.group(1).lstrip(".") if found else ""
    problem = message[: found.start()] if found else message
    if unknown := _UNKNOWN.search(problem):
        key = f"{key}.{unknown.group(1)}".lstrip(".")
    return MappingError(f"{path}:{_line(root, key)}", key, problem, _remedy(problem))


def _remedy(problem: str) -> str:
    if "got `bool`" in problem:
        return 'YAML reads TRUE, FALSE, yes and no as booleans: write them in quotes, "TRUE"'
    if "got `int`" in problem or "got `float`" in problem:
        return "Write the number in quotes"
    if "unknown field" in problem:
        return "Remove it, or see docs/import.md for the keys there are"
    if "missing required field" in problem:
        return "Add it; docs/import.md shows a whole mapping"
    return "See docs/import.md"


def _line(node: yaml.Node | None, key: str) -> int:
    line = node.start_mark.line + 1 if node else 1
    for name, index in _STEP.findall("." + key if key and key[0] != "[" else key):
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == name), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and index.isdigit() and int(index) < len(node.value):
            node = node.value[int(index)]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _check(mapping: Mapping, path: Path, root: yaml.Node | None) -> None:
    def fail(key: str, problem: str, remedy: str) -> None:
        raise MappingError(f"{path}:{_line(root, key)}", key, problem, remedy)

    try:
        ZoneInfo(mapping.zone)
    except (KeyError, ValueError, OSError):
        fail("zone", f"{mapping.zone!r} is no time zone", "Write one of the IANA names, such as Europe/Berlin")
    for number, file in enumerate(mapping.files):
        at = f"files[{number}]"
        for problem, key, remedy in _problems(mapping, file):
            fail(f"{at}.{key}", problem, remedy)


def _problems(mapping: Mapping, file: FileMapping) -> Iterator[Problem]:
    """What the types alone cannot see."""
    if file.format is not None and file.format not in FORMATS:
        yield f"unknown format {file.format!r}", "format", f"Formats are {' and '.join(FORMATS)}"
    for column in sorted(_time_columns(file) - set(file.times)):
        yield f"{column!r} is used as a time, but its format is not said", "times", 'Add it, for example as "%d-%m-%Y"'
    yield from _lookup_problems(mapping, file)
    yield from _event_problems(file)


def _lookup_problems(mapping: Mapping, file: FileMapping) -> Iterator[Problem]:
    declared = mapping.lookups
    for name in file.lookup.keys() - declared.keys():
        yield f"there is no lookup {name!r}", "lookup", f"Declare it under `lookups:`; there are {', '.join(declared)}"
    for column in sorted(file.looked_up):
        name, _, read = column.partition(".")
        if name in declared and read not in declared[name].columns:
            yield f"lookup {name!r} does not offer {read!r}", "emit", f"Add it to lookups.{name}.columns"


def _event_problems(file: FileMapping) -> Iterator[Problem]:
    ids: set[str] = set()
    for number, emit in enumerate(file.emit):
        if emit.type not in TYPES:
            yield f"unknown event type {emit.type!r}", f"emit[{number}].type", f"Types are {', '.join(TYPES)}"
        one = emit.id or emit.type
        if one in ids:
            yield f"two events of a row would have the id {one!r}", f"emit[{number}]", "Give one an `id` of its own"
        ids.add(one)


def _time_columns(file: FileMapping) -> set[str]:
    tests = file.tests + [test for emit in file.emit for test in emit.when]
    compared = union(test.columns for test in tests if test.before)
    return compared | {emit.time for emit in file.emit} | union(_times_in(emit.data) for emit in file.emit)


def _times_in(data: dict[str, str | Value]) -> set[str]:
    values = [value for value in data.values() if isinstance(value, Value)]
    return {value.time for value in values if value.time} | union(_times_in(value.fields or {}) for value in values)
