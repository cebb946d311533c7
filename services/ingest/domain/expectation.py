"""What a type's data must look like, in plain words, read from the same structs that check it."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import inspect

_PATH: Final = re.compile(r" - at `\$(?P<path>.*)`$")
_STEP: Final = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>.+?)`")
# Patterns of shared/contracts/types/fields.py and relationship.py, as people say them.
_PATTERN_WORDS: Final = {
    r"^-?\d{1,15}(\.\d{1,6})?$": 'a decimal number as a text, such as "49.00"',
    r"^[A-Z]{3}$": 'an ISO 4217 code, such as "EUR"',
    r"^[^@\s]+@[^@\s]+$": "an e-mail address",
}
_TIME_WORDS: Final = "a time between 1900 and 2200: RFC 3339 with an offset, such as 2026-11-23T13:12:04Z"


def place_of(message: str) -> tuple[str, ...]:
    """The steps from `data` to what msgspec's message is about; they end at a key that msgspec does not name."""
    found = _PATH.search(message)
    steps: list[str] = []
    for step in _STEP.finditer(found["path"] if found else ""):
        if step["index"] == "...":
            break
        steps.append(step["name"] or step["index"])
    if missing := _MISSING.match(message):
        steps.append(missing["name"])
    return tuple(steps)


@cache
def words_at(data: type[msgspec.Struct], steps: tuple[str, ...]) -> str:
    """What is expected at `steps` of `data`. Cached: declared types have few places."""
    found: Any = inspect.type_info(data)
    for step in steps:
        found = _inner(found, step)
    return _words(found)


def _inner(found: Any, step: str) -> Any:
    found = _bare(found)
    if isinstance(found, inspect.StructType):
        return next((field.type for field in found.fields if field.encode_name == step), inspect.AnyType())
    if isinstance(found, inspect.ListType):
        return found.item_type
    return inspect.AnyType()


def _bare(found: Any) -> Any:
    """Without the description around it and the null beside it."""
    if isinstance(found, inspect.Metadata):
        return _bare(found.type)
    if isinstance(found, inspect.UnionType):
        others = [_bare(t) for t in found.types if not isinstance(t, inspect.NoneType)]
        return others[0] if len(others) == 1 else found
    return found


def _words(found: Any) -> str:
    found = _bare(found)
    return _WORDS[type(found)](found) if type(found) in _WORDS else "another value"


def _text_words(found: inspect.StrType) -> str:
    if found.pattern is not None:
        return _PATTERN_WORDS.get(found.pattern, f"a text that matches {found.pattern}")
    if found.max_length is None:
        return "a text"
    return f"a text of {found.min_length or 0} to {found.max_length} characters"


def _union_words(found: inspect.UnionType) -> str:
    return " or ".join(_words(t) for t in found.types if not isinstance(t, inspect.NoneType))


def _object_words(found: inspect.StructType) -> str:
    required = [field.encode_name for field in found.fields if field.required]
    return f"an object with {', '.join(required)}" if required else "an object"


def _range(lowest: float | None, highest: float | None) -> str:
    if lowest is None:
        return ""
    return f", {lowest:g} or more" if highest is None else f", {lowest:g} to {highest:,}"


_WORDS: Final[dict[type, Callable[[Any], str]]] = {
    inspect.UnionType: _union_words,
    inspect.IntType: lambda found: "a whole number" + _range(found.ge, found.le),
    inspect.FloatType: lambda found: "a number" + _range(found.ge, found.le),
    inspect.StrType: _text_words,
    inspect.BoolType: lambda _: "true or false",
    inspect.DateTimeType: lambda _: _TIME_WORDS,
    inspect.ListType: lambda found: f"a list, each of it {_words(found.item_type)}",
    inspect.DictType: lambda found: f"an object, each value of it {_words(found.value_type)}",
    inspect.StructType: _object_words,
}
