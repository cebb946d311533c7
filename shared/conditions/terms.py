"""What a condition is made of: a test of one name, or `all`, `any`, `not` of conditions. Values are frozen."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

Operator = Literal["below", "above", "at_least", "at_most", "is"]
Scalar = str | bool | float


class By(Struct, frozen=True):
    """A bound that depends on a status. A value without a case, or none at all, takes `otherwise`; None is unknown."""

    status: str
    cases: tuple[tuple[str, float], ...]
    otherwise: float | None = None


class Comparison(Struct, frozen=True):
    """One operator and its bound: a number, or whole microseconds in tests of age and until."""

    operator: Operator
    bound: float | By


class Signal(Struct, frozen=True):
    """A number that scoring reads; `one_of` empty means that any value passes."""

    name: str
    comparisons: tuple[Comparison, ...]
    one_of: tuple[float, ...] = ()


class Change(Struct, frozen=True):
    """How much a value moved over 1, 7, 30 or 90 days."""

    name: str
    days: int
    comparisons: tuple[Comparison, ...]


class Age(Struct, frozen=True):
    """Time since an instant, up to now or to its stream's last sign of life, whichever is earlier."""

    instant: str
    comparisons: tuple[Comparison, ...]


class Until(Struct, frozen=True):
    """Time from now to an instant; negative once it has passed."""

    instant: str
    comparisons: tuple[Comparison, ...]


class Status(Struct, frozen=True):
    """A status has one of these values."""

    name: str
    one_of: tuple[str, ...]


class Field(Struct, frozen=True):
    """A field of the record (in `for_each`) or of the account; decimals may be strings."""

    name: str
    comparisons: tuple[Comparison, ...]
    one_of: tuple[Scalar, ...] = ()


class Missing(Struct, frozen=True):
    """Nothing of this name is known. Never unknown itself."""

    name: str


class All(Struct, frozen=True):
    """False if one part is false, else unknown if one is unknown."""

    parts: tuple["Condition", ...]


class Any_(Struct, frozen=True):  # noqa: N801 - `Any` is typing's
    """True if one part is true, else unknown if one is unknown."""

    parts: tuple["Condition", ...]


class Not(Struct, frozen=True):
    """Unknown stays unknown."""

    part: "Condition"


Test = Signal | Change | Age | Until | Status | Field | Missing
Condition = Test | All | Any_ | Not


def walk(condition: Condition, path: str = "") -> Iterator[tuple[str, Test]]:
    """Every test in it with its JSON pointer, in the order written."""
    match condition:
        case All(parts) | Any_(parts):
            word = "all" if isinstance(condition, All) else "any"
            for index, part in enumerate(parts):
                yield from walk(part, f"{path}/{word}/{index}")
        case Not(part):
            yield from walk(part, f"{path}/not")
        case _:
            yield path, condition
