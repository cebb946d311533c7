"""The alerts service's tables, declared once; a test compares them with what the migrations make."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from shared.postgres import loop_tables

metadata = MetaData()
loop_tables.declare(metadata)

_Time = DateTime(timezone=True)


def _one_of(column: str, *values: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})")


_STATES = ("pending", "firing", "resolved")

view = Table(
    "view",
    metadata,
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("account", Text, CheckConstraint("length(account) BETWEEN 1 AND 128"), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("message", LargeBinary, nullable=False),
)
look = Table(
    "look",
    metadata,
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("account", Text, primary_key=True),
    Column("clock", Text, primary_key=True),
    Column("at", _Time, nullable=False),
    Index("look_by_time", "partition", "clock", "at"),
)
stream_freshness = Table(
    "stream_freshness",
    metadata,
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("stream", Text, primary_key=True),
    Column("newest", _Time, nullable=False),
)
fired = Table(
    "fired",
    metadata,
    Column("account", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("notable", Text, primary_key=True),
    Column("at", _Time, nullable=False),
)
alert = Table(
    "alert",
    metadata,
    Column("id", Text, primary_key=True),
    Column("partition", SmallInteger, nullable=False),
    Column("account", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("rule_version", Integer, CheckConstraint("rule_version > 0"), nullable=False),
    Column("key", Text, nullable=False),
    Column("n", Integer, CheckConstraint("n > 0"), nullable=False),
    Column("state", Text, _one_of("state", *_STATES), nullable=False),
    Column("since", _Time, nullable=False),
    Column("opened_at", _Time, nullable=False),
    Column("priority", Text, _one_of("priority", "urgent", "high", "normal", "low"), nullable=False),
    Column("owner", Text, nullable=False),
    Column("cause", Text, _one_of("cause", "behaviour", "time", "data", "profile", "model"), nullable=False),
    Column("words", Text, nullable=False),
    Column("triggered_by", ARRAY(Text), nullable=False),
    Column("quiet", Text, _one_of("quiet", "import", "model", "correction")),
    Column("gate", Text, _one_of("gate", "snoozed", "cooldown", "source_stalled")),
    Column("gate_since", _Time),
    Column("gate_until", _Time),
    Column("gate_reason", Text),
    Column("gate_actor", Text),
    Column("told_at", _Time),
    Column("last_change", Integer, CheckConstraint("last_change > 0"), nullable=False),
    UniqueConstraint("account", "rule", "key", "n"),
    CheckConstraint("num_nonnulls(gate, gate_since, gate_reason, gate_actor) IN (0, 4)"),
    CheckConstraint("(gate_until IS NULL) = (gate IS NULL OR gate = 'source_stalled')"),
    CheckConstraint("quiet IS NULL OR told_at IS NULL"),
    Index("alert_one_open", "account", "rule", "key", unique=True, postgresql_where=text("state <> 'resolved'")),
    Index("alert_by_time", text("opened_at DESC"), text("id DESC")),
)
change = Table(
    "change",
    metadata,
    Column("alert", Text, ForeignKey("alert.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, CheckConstraint("number > 0"), primary_key=True, autoincrement=False),
    Column("event", Text, nullable=False),
    Column("before", Text, _one_of("before", *_STATES)),
    Column("after", Text, _one_of("after", *_STATES), nullable=False),
    Column("why", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", _Time, nullable=False),
    Column("tells", Text, _one_of("tells", "triggered", "resolved")),
    Column("told_at", _Time),
    CheckConstraint("told_at IS NULL OR tells IS NOT NULL"),
    Index("change_untold", "alert", postgresql_where=text("tells IS NOT NULL AND told_at IS NULL")),
)
work_case = Table(
    "work_case",
    metadata,
    Column("id", Text, primary_key=True),
    Column("alert", Text, ForeignKey("alert.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("rule", Text, nullable=False),
    Column("playbook", Text, nullable=False),
    Column("playbook_version", Integer, CheckConstraint("playbook_version > 0"), nullable=False),
    Column("owner", Text, nullable=False),
    Column("state", Text, _one_of("state", "open", "closed"), nullable=False),
    Column("opened_at", _Time, nullable=False),
    Column("due_at", _Time, nullable=False),
    Column("started_at", _Time),
    Column("started_by", Text),
    Column("is_overdue", Boolean, nullable=False),
    Column("closed_at", _Time),
    Column("closed_by", Text),
    Column("outcome", Text),
    Column("reason", Text),
    CheckConstraint("num_nonnulls(closed_at, closed_by, outcome) = CASE state WHEN 'closed' THEN 3 ELSE 0 END"),
    CheckConstraint("num_nonnulls(started_at, started_by) IN (0, 2)"),
    Index("case_by_rule", "rule", postgresql_where=text("state = 'closed'")),
)
step = Table(
    "step",
    metadata,
    Column("case_id", Text, ForeignKey("work_case.id", ondelete="CASCADE"), primary_key=True),
    Column("n", SmallInteger, CheckConstraint("n > 0"), primary_key=True, autoincrement=False),
    Column("kind", Text, _one_of("kind", "task", "message", "survey", "crm"), nullable=False),
    Column("title", Text, nullable=False),
    Column("audience", Text, _one_of("audience", "owner", "team", "customer"), nullable=False),
    Column("due_at", _Time, nullable=False),
    Column("state", Text, _one_of("state", "open", "done", "declined"), nullable=False),
    Column("reason", Text),
    CheckConstraint("(state = 'declined') = (reason IS NOT NULL)"),
)
