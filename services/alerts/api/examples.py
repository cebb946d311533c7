"""Examples that OpenAPI shows: one account that went silent."""

from typing import Any

CASE: dict[str, Any] = {
    "id": "ca_0f8a61c2d97b4e3510aa",
    "state": "open",
    "owner": "ana",
    "due_at": "2026-11-25T03:12:09Z",
    "is_overdue": False,
    "started_at": None,
    "started_by": None,
    "closed_at": None,
    "closed_by": None,
    "outcome": None,
    "reason": None,
}

ITEM: dict[str, Any] = {
    "id": "al_0f8a61c2d97b4e3510aa",
    "account": "acme",
    "rule": "went_silent",
    "title": "Went silent",
    "key": "",
    "words": "last usage was at least 10 days ago",
    "state": "firing",
    "since": "2026-11-23T03:12:09Z",
    "opened_at": "2026-11-23T03:12:09Z",
    "priority": "high",
    "cause": "time",
    "quiet": None,
    "gate": None,
    "told_at": "2026-11-23T03:12:09Z",
    "case": CASE,
}

LIST: dict[str, Any] = {
    "outreach": [ITEM],
    "next": "WyIyMDI2LTExLTIzVDAzOjEyOjA5WiIsImFsXzBmOGE2MWMyZDk3YjRlMzUxMGFhIl0",
}

DETAIL: dict[str, Any] = ITEM | {
    "n": 1,
    "triggered_by": [],
    "playbook": "break_the_silence",
    "steps": [
        {"n": 1, "kind": "task", "title": "Find out who used it last and whether they are still there",
         "audience": "owner", "due_at": "2026-11-24T03:12:09Z", "state": "open", "reason": None},
        {"n": 2, "kind": "message", "title": "Draft: ask what changed", "audience": "customer",
         "due_at": "2026-11-25T03:12:09Z", "state": "open", "reason": None},
    ],
    "changes": [
        {"number": 1, "event": "triggered", "before": None, "after": "firing",
         "why": "last usage was at least 10 days ago", "actor": "rule:went_silent@1", "at": "2026-11-23T03:12:09Z",
         "message": "al_0f8a61c2d97b4e3510aa.1"},
    ],
    "rule_record": {"rule": "went_silent", "version": 1, "closed": 12, "not_a_problem": 2},
}  # fmt: skip

STARTED: dict[str, Any] = DETAIL | {
    "case": CASE | {"started_at": "2026-11-23T08:01:00Z", "started_by": "key:crm"},
    "changes": [
        *DETAIL["changes"],
        {"number": 2, "event": "started", "before": "firing", "after": "firing", "why": "somebody took it",
         "actor": "key:crm", "at": "2026-11-23T08:01:00Z", "message": None},
    ],
}  # fmt: skip

STREAM = (
    ": outreach.events\nid: 0:12,1:9,2:4,3:7\n\n"
    'event: outreach.triggered\ndata: {"specversion":"1.0","type":"outreach.triggered","subject":"acme"}\n'
    "id: 0:13,1:9,2:4,3:7\n\n"
)
