"""Numbers and templates as people read them. Only known `{names}` are replaced, nothing is evaluated."""

import math
from collections.abc import Mapping

DIGITS = 2  # significant digits of what is shown; the score itself is shown in whole points


def rounded(value: float, digits: int = DIGITS) -> float:
    """To significant digits: 0.8333 -> 0.83, 1234 -> 1200. Halves go to the even digit, as Python rounds."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def number(value: float) -> str:
    """Two significant digits without a needless fraction; whole numbers as they are: 12, 0.83, 1234."""
    if float(value).is_integer():
        return f"{value:.0f}"
    shown = rounded(value)
    return f"{shown:.0f}" if float(shown).is_integer() else f"{shown:g}"


def filled(template: str, value: float | None) -> str:
    """`Active days: {value}` -> `Active days: 12`; `{ago}` is of whole days, `{percent}` of 1."""
    if value is None:
        return template
    shown = number(value)
    return (
        template.replace("{value}", shown)
        .replace("{percent}", f"{value * 100:.0f}%")
        .replace("{ago}", {"0": "today", "1": "yesterday"}.get(shown, f"{shown} days ago"))
    )


def named(template: str, values: Mapping[str, float | None]) -> str:
    """`{invoices_failed_open}` in a reason's words becomes that signal's number; an unknown one says so."""
    for name in _names(template):
        value = values.get(name)
        template = template.replace(f"{{{name}}}", "an unknown number of" if value is None else number(value))
    return template


def _names(template: str) -> list[str]:
    return [part.split("}", 1)[0] for part in template.split("{")[1:] if "}" in part]
