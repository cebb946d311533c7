"""The one transition table of an alert. docs/alerts.md draws it; a test compares the two."""

from typing import Literal

from shared.contracts.outreach import AlertState

Event = Literal[
    "held",  # the condition began to hold and must last
    "triggered",  # a notable came, or a condition that need not last began to hold
    "lasted",  # the condition held for as long as the rule asks
    "cleared",  # the condition, or what the alert was about, is over
    "started",  # somebody took the case
    "snoozed",  # somebody asked for quiet until an instant
    "gate_ended",  # what kept people from being told is over
    "quiet_ended",  # it happened again, this time live, to an alert that had opened quietly
    "overdue",  # the due time passed with the case open
    "done",  # the case closed with an outcome
    "declined",  # the case closed with a reason against acting
    "case_closed",  # an alert about something that happened ends with its case
]

TRANSITIONS: dict[tuple[AlertState | None, Event], AlertState] = {
    (None, "held"): "pending",
    (None, "triggered"): "firing",
    ("pending", "lasted"): "firing",
    ("pending", "cleared"): "resolved",
    ("firing", "started"): "firing",
    ("firing", "snoozed"): "firing",
    ("firing", "gate_ended"): "firing",
    ("firing", "quiet_ended"): "firing",
    ("firing", "overdue"): "firing",
    ("firing", "done"): "firing",
    ("firing", "declined"): "firing",
    ("firing", "cleared"): "resolved",
    ("firing", "case_closed"): "resolved",
    # An alert may resolve itself while somebody is still at work on its case.
    ("resolved", "done"): "resolved",
    ("resolved", "declined"): "resolved",
}


class WrongState(Exception):
    """The table has no arrow for this event from this state."""

    def __init__(self, state: AlertState | None, event: Event) -> None:
        super().__init__(f"an alert that is {state or 'not there'} cannot be {event.replace('_', ' ')}")
        self.state = state
        self.event = event


def after(state: AlertState | None, event: Event) -> AlertState:
    """The state that `event` leads to. Raises WrongState."""
    found = TRANSITIONS.get((state, event))
    if found is None:
        raise WrongState(state, event)
    return found
