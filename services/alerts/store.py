"""Named queries in, domain values out. Nothing here opens or commits a transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from services.alerts.domain.alert import Alert, Change, Past
from services.alerts.domain.cases import Case, Step
from services.alerts.domain.decision import Decision, Held
from services.alerts.domain.gates import Gate
from services.alerts.domain.occasions import Occasion
from shared.contracts.health import Snapshot, decode_change
from shared.postgres import named_sql
from shared.postgres.pool import Connection

SQL = named_sql.load("services.alerts")

Subject = tuple[str, str, str]  # account, rule, key
Time = datetime  # as a cursor carries it: aware


class Arrived(msgspec.Struct, frozen=True):
    """One record of health.changes: where it came from, what it says, its bytes."""

    partition: int
    snapshot: Snapshot
    message: bytes


async def views_forward(tx: Connection, newest: Collection[Arrived]) -> set[str]:
    """Store snapshots, one per account at most; the accounts whose view moved."""
    rows = await tx.fetch(
        SQL["view_forward"],
        [a.partition for a in newest],
        [a.snapshot.account for a in newest],
        [a.snapshot.version for a in newest],
        [a.message for a in newest],
    )
    return {row["account"] for row in rows}


async def views(
    tx: Connection, partitions: Sequence[int], accounts: Collection[str]
) -> dict[str, tuple[int, Snapshot]]:
    """account -> its partition and latest snapshot."""
    if not accounts:
        return {}
    rows = await tx.fetch(SQL["views"], list(partitions), list(accounts))
    return {row["account"]: (row["partition"], decode_change(row["message"])) for row in rows}


async def freshness_forward(tx: Connection, newest: Mapping[tuple[int, str], datetime]) -> None:
    """(partition, stream) -> newest time read; older ones change nothing."""
    items = sorted(newest.items())
    await tx.execute(
        SQL["freshness_forward"], [p for (p, _), _ in items], [s for (_, s), _ in items], [at for _, at in items]
    )


async def clocks(connection: Connection) -> dict[int, dict[str, datetime]]:
    """partition -> stream -> newest time that the partition has shown."""
    found: dict[int, dict[str, datetime]] = defaultdict(dict)
    for row in await connection.fetch(SQL["clocks"]):
        found[row["partition"]][row["stream"]] = row["newest"]
    return found


async def partitions(connection: Connection) -> int | None:
    """How many the topic has; None where a restore has taken the positions away."""
    count: int | None = await connection.fetchval(SQL["partitions"])
    return count


async def fire(tx: Connection, occasions: Sequence[Occasion]) -> list[Occasion]:
    """Those that no batch has had before."""
    if not occasions:
        return []
    rows = await tx.fetch(
        SQL["fire"],
        [o.account for o in occasions],
        [o.rule for o in occasions],
        [o.id for o in occasions],
        [o.at for o in occasions],
    )
    new = {(row["account"], row["rule"], row["notable"]) for row in rows}
    by_id = {(o.account, o.rule, o.id): o for o in occasions}
    return [occasion for identity, occasion in by_id.items() if identity in new]


async def due(connection: Connection, partitions: Sequence[int], now: datetime, limit: int) -> dict[int, list[str]]:
    """partition -> accounts whose look is due, on the wall's clock or on a stream's."""
    found: dict[int, list[str]] = defaultdict(list)
    for row in await connection.fetch(SQL["due"], list(partitions), now, limit):
        found[row["partition"]].append(row["account"])
    return found


async def set_looks(tx: Connection, looks: Mapping[tuple[int, str], Mapping[str, datetime]]) -> None:
    """(partition, account) -> clock -> when; an account without an entry in its mapping is not looked at again."""
    await tx.execute(SQL["looks_delete"], list({p for p, _ in looks}), [account for _, account in looks])
    rows = [(p, account, clock, at) for (p, account), clocks in looks.items() for clock, at in clocks.items()]
    await tx.execute(SQL["looks_set"], *([row[column] for row in rows] for column in range(4)))


async def look_now(tx: Connection, alert: Alert, now: datetime) -> None:
    """Have the worker look at the alert's account at once."""
    await tx.execute(SQL["look_now"], alert.partition, alert.account, now)


async def lock_open(tx: Connection, accounts: Collection[str]) -> dict[Subject, Held]:
    """Open alerts of these accounts with their work; locked until the transaction ends."""
    held = await _with_work(tx, await tx.fetch(SQL["lock_open_alerts"], list(accounts)))
    return {(h.alert.account, h.alert.rule, h.alert.key): h for h in held}


async def lock_one(tx: Connection, alert: str) -> Held | None:
    """One alert with its work; locked until the transaction ends."""
    held = await _with_work(tx, await tx.fetch(SQL["lock_alert"], alert))
    return held[0] if held else None


async def held(connection: Connection, alerts: Collection[str]) -> list[Held]:
    """Alerts with their work, as they stand."""
    return await _with_work(connection, await connection.fetch(SQL["alerts"], list(alerts)))


async def past(tx: Connection, accounts: Collection[str]) -> dict[Subject, Past]:
    """How often each alert of these accounts has been opened, and when it was told last."""
    if not accounts:
        return {}
    rows = await tx.fetch(SQL["past"], list(accounts))
    return {(row["account"], row["rule"], row["key"]): Past(row["openings"], row["told_at"]) for row in rows}


async def changes(connection: Connection, alert: str) -> list[Change]:
    """Every move of an alert, in order."""
    return [_change(row) for row in await connection.fetch(SQL["changes"], alert)]


async def untold(tx: Connection, accounts: Collection[str]) -> list[Change]:
    """Changes made over the API that wait to be told."""
    return [_change(row) for row in await tx.fetch(SQL["untold"], list(accounts))]


async def tell(tx: Connection, told: Sequence[Change], now: datetime) -> None:
    """Their messages are in the outbox."""
    if told:
        await tx.execute(SQL["tell"], [c.alert for c in told], [c.number for c in told], now)


async def write(tx: Connection, decisions: Sequence[Decision]) -> None:
    """Store what was decided: alerts, their changes, cases, steps."""
    if not decisions:
        return
    held = [decision.held for decision in decisions]
    cases = [_case_row(h.case, h.alert.rule) for h in held if h.case is not None]
    await tx.execute(SQL["write_alerts"], _json(_alert_row(h.alert) for h in held))
    await tx.execute(SQL["write_changes"], _json(change for decision in decisions for change in decision.changes))
    await tx.execute(SQL["write_cases"], _json(cases))
    await tx.execute(SQL["write_steps"], _json(step for h in held for step in h.steps))


async def rule_record(connection: Connection, rule: str) -> tuple[int, int]:
    """Closed cases of a rule, and how many of them were declined as no problem."""
    row = await connection.fetchrow(SQL["rule_record"], rule)
    return row["closed"], row["not_a_problem"]


async def _with_work(connection: Connection, rows: Sequence[asyncpg.Record]) -> list[Held]:
    alerts = [_alert(row) for row in rows]
    if not alerts:
        return []
    cases = {row["alert"]: _case(row) for row in await connection.fetch(SQL["cases"], [alert.id for alert in alerts])}
    steps: dict[str, list[Step]] = defaultdict(list)
    for row in await connection.fetch(SQL["steps"], [case.id for case in cases.values()]):
        steps[row["case_id"]].append(_step(row))
    return [
        Held(alert, case, tuple(steps[case.id]) if case else ()) for alert in alerts for case in [cases.get(alert.id)]
    ]


def _json(values: Iterable[object]) -> str:
    return msgspec.json.encode(list(values)).decode()


def _alert_row(alert: Alert) -> dict[str, Any]:
    row = msgspec.structs.asdict(alert)
    gate = alert.gate
    return row | {
        "gate": gate and gate.kind,
        "gate_since": gate and gate.since,
        "gate_until": gate and gate.until,
        "gate_reason": gate and gate.reason,
        "gate_actor": gate and gate.actor,
    }


def _case_row(case: Case, rule: str) -> dict[str, Any]:
    return msgspec.structs.asdict(case) | {"rule": rule}


def _alert(row: asyncpg.Record) -> Alert:
    gate = None
    if row["gate"] is not None:
        gate = Gate(
            kind=row["gate"],
            since=row["gate_since"],
            until=row["gate_until"],
            reason=row["gate_reason"],
            actor=row["gate_actor"],
        )
    plain = {name: row[name] for name in Alert.__struct_fields__ if name not in ("gate", "triggered_by")}
    return Alert(**plain, triggered_by=tuple(row["triggered_by"]), gate=gate)


def _case(row: asyncpg.Record) -> Case:
    return Case(**{name: row[name] for name in Case.__struct_fields__})


def _step(row: asyncpg.Record) -> Step:
    return Step(case=row["case_id"], **{name: row[name] for name in Step.__struct_fields__ if name != "case"})


def _change(row: asyncpg.Record) -> Change:
    return Change(**{name: row[name] for name in Change.__struct_fields__})
