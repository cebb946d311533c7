"""A rule: what opens an alert, what ends it, what to do about it. Knowledge is YAML; this reads it."""

from datetime import timedelta
from typing import cast

from msgspec import Struct

from services.alerts.domain.definition import Entries
from shared.conditions.terms import All, Condition
from shared.contracts.outreach import Priority

PRIORITIES: tuple[Priority, ...] = ("urgent", "high", "normal", "low")


class OnNotable(Struct, frozen=True):
    """An accepted event that the catalogue names opens it, once per id. `where` tests the notable's data."""

    type: str
    where: Condition | None
    max_age: timedelta


class OnStatus(Struct, frozen=True):
    """A change of a status opens it. Empty `to` and `from_` mean any; `worse` and `better` go by the status' order."""

    status: str
    to: tuple[str, ...]
    from_: tuple[str, ...]
    worse: bool
    better: bool
    max_age: timedelta


class When(Struct, frozen=True):
    """A condition that holds opens it, its end resolves it. `where`: whom it is about, which goes without saying."""

    condition: Condition
    where: Condition | None = None

    @property
    def whole(self) -> Condition:
        """Both together: this is what must hold."""
        return self.condition if self.where is None else All((self.where, self.condition))


Trigger = OnNotable | OnStatus | When


class Rule(Struct, frozen=True, kw_only=True):
    """`record`: one alert per record of that kind, the key is the record's; else one per account, the key is empty.

    lasts: how long the condition must hold. cooldown: least time between two tellings about the same key.
    words: how a record's alert is said, with its fields in braces and how long ago for times; None: as the condition.
    clear: what resolves it; None means the condition's opposite for `when`, the end of its case for `on`.
    """

    id: str
    version: int
    title: str
    source: tuple[str, ...]
    trigger: Trigger
    record: str | None
    lasts: timedelta
    clear: Condition | None
    cooldown: timedelta
    priority: Priority
    playbook: str
    words: str | None = None

    @property
    def actor(self) -> str:
        """Who is named beside what the rule changes."""
        return f"rule:{self.id}@{self.version}"

    @property
    def ends_with_case(self) -> bool:
        """True for what happened once; what still holds is not over because somebody worked on it."""
        return not isinstance(self.trigger, When)


def parse_rule(file: str, written: object) -> Rule:
    """Raises BadDefinition naming file, entry and remedy."""
    entries = Entries(file, written)
    record = _text_or_none(entries, "for_each", "the name of a record kind")
    rule = Rule(
        id=entries.text("rule"),
        version=entries.count("version"),
        title=entries.text("title"),
        source=entries.texts("source"),
        trigger=_trigger(entries),
        record=record,
        lasts=entries.span("for", "0s"),
        clear=entries.condition("clear"),
        cooldown=entries.span("cooldown", "0s"),
        priority=cast("Priority", entries.choice("priority", *PRIORITIES)),
        playbook=entries.text("playbook"),
        words=_text_or_none(entries, "words", "a sentence with fields of the record in braces"),
    )
    entries.finish()
    if not rule.source:
        entries.refuse("source", "name at least one row of the domain that asks for this rule")
    if rule.ends_with_case and rule.lasts:
        entries.refuse("for", "what happened once cannot last: remove `for`, or write `when`")
    return rule


def _text_or_none(entries: Entries, entry: str, wanted: str) -> str | None:
    written = entries.take(entry)
    if written is not None and not isinstance(written, str):
        entries.refuse(entry, f"write {wanted}, not {written!r}")
    return written


def _trigger(entries: Entries) -> Trigger:
    on, condition, where = entries.take("on"), entries.condition("when"), entries.condition("where")
    if (on is None) == (condition is None):
        entries.refuse("on", "write either `on` (something happened) or `when` (something holds)")
    if condition is not None:
        return When(condition, where)
    if where is not None:
        entries.refuse("where", "write it inside `on`")
    happened = Entries(entries.file, on, "on")
    trigger = _on_status(happened) if "status" in on else _on_notable(happened)
    happened.finish()
    return trigger


def _on_notable(entries: Entries) -> OnNotable:
    return OnNotable(entries.text("notable"), entries.condition("where"), entries.span("max_age"))


def _on_status(entries: Entries) -> OnStatus:
    worse, better = entries.flag("worse"), entries.flag("better")
    if worse and better:
        entries.refuse("better", "a change is worse or better: remove one")
    return OnStatus(
        status=entries.text("status"),
        to=entries.texts("to"),
        from_=entries.texts("from"),
        worse=worse,
        better=better,
        max_age=entries.span("max_age"),
    )
