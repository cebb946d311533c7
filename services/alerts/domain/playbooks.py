"""A playbook: the steps that answer an alert, who gets them when nobody owns the account, and until when."""

from datetime import timedelta
from typing import cast

from msgspec import Struct

from services.alerts.domain.definition import Entries
from shared.contracts.outreach import Audience, StepKind

STEP_KINDS: tuple[StepKind, ...] = ("task", "message", "survey", "crm")
AUDIENCES: tuple[Audience, ...] = ("owner", "team", "customer")


class PlaybookStep(Struct, frozen=True, kw_only=True):
    """`due` counts from the opening of the case. What goes to the audience `customer` is a draft."""

    kind: StepKind
    title: str
    audience: Audience
    due: timedelta


class Playbook(Struct, frozen=True, kw_only=True):
    """`queue` takes the case of an account without an owner; `due` counts from the opening of the case."""

    id: str
    version: int
    title: str
    source: tuple[str, ...]
    queue: str
    due: timedelta
    steps: tuple[PlaybookStep, ...]


def parse_playbook(file: str, written: object) -> Playbook:
    """Raises BadDefinition naming file, entry and remedy."""
    entries = Entries(file, written)
    steps = entries.take("steps")
    if not isinstance(steps, list) or not steps:
        entries.refuse("steps", "write a list of at least one step")
    playbook = Playbook(
        id=entries.text("playbook"),
        version=entries.count("version"),
        title=entries.text("title"),
        source=entries.texts("source"),
        queue=entries.text("queue"),
        due=entries.span("due"),
        steps=tuple(_step(Entries(file, step, f"steps.{n}")) for n, step in enumerate(steps)),
    )
    entries.finish()
    if late := [step.title for step in playbook.steps if step.due > playbook.due]:
        entries.refuse("due", f"the step {late[0]!r} is due after the playbook itself")
    return playbook


def _step(entries: Entries) -> PlaybookStep:
    step = PlaybookStep(
        kind=cast("StepKind", entries.choice("kind", *STEP_KINDS)),
        title=entries.text("title"),
        audience=cast("Audience", entries.choice("audience", *AUDIENCES)),
        due=entries.span("due"),
    )
    entries.finish()
    return step
