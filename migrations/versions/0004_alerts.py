"""What alerts has read (view), what it watches (alert), who works on it (work_case, step), and every move (change)."""

from migrations.schemas import run, schema
from shared.postgres.loop_tables import POSITION_SQL

revision = "0004"
down_revision = "0003"

UPGRADE = """
CREATE SCHEMA {schema};
-- The latest snapshot of each account, as it came. `version` only ever grows.
CREATE TABLE {schema}.view (
    partition smallint NOT NULL,
    account   text     NOT NULL CHECK (length(account) BETWEEN 1 AND 128),
    version   bigint   NOT NULL,
    message   bytea    NOT NULL,
    PRIMARY KEY (partition, account)
) WITH (fillfactor = 80);
-- When an account must be looked at though nothing arrives: `clock` is '' for the wall's time, else the stream whose
-- newest time must have passed `at`.
CREATE TABLE {schema}.look (
    partition smallint    NOT NULL,
    account   text        NOT NULL,
    clock     text        NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (partition, account, clock)
);
-- Serves: whose look is due.
CREATE INDEX look_by_time ON {schema}.look (partition, clock, at);
-- The newest time of each stream over all snapshots read, whoever they were about; it only ever grows.
CREATE TABLE {schema}.stream_freshness (
    partition smallint    NOT NULL,
    stream    text        NOT NULL,
    newest    timestamptz NOT NULL,
    PRIMARY KEY (partition, stream)
) WITH (fillfactor = 50);
-- A notable has its effect once per rule and id, whatever the version of the snapshot that brings it.
CREATE TABLE {schema}.fired (
    account text        NOT NULL,
    rule    text        NOT NULL,
    notable text        NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (account, rule, notable)
);
-- One opening of (account, rule, key).
CREATE TABLE {schema}.alert (
    id           text        PRIMARY KEY,
    partition    smallint    NOT NULL,
    account      text        NOT NULL,
    rule         text        NOT NULL,
    rule_version integer     NOT NULL CHECK (rule_version > 0),
    key          text        NOT NULL,
    n            integer     NOT NULL CHECK (n > 0),
    state        text        NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    since        timestamptz NOT NULL,
    opened_at    timestamptz NOT NULL,
    priority     text        NOT NULL CHECK (priority IN ('urgent', 'high', 'normal', 'low')),
    owner        text        NOT NULL,
    cause        text        NOT NULL CHECK (cause IN ('behaviour', 'time', 'data', 'profile', 'model')),
    words        text        NOT NULL,
    triggered_by text[]      NOT NULL,
    quiet        text        CHECK (quiet IN ('import', 'model', 'correction')),
    gate         text        CHECK (gate IN ('snoozed', 'cooldown')),
    gate_since   timestamptz,
    gate_until   timestamptz,
    gate_reason  text,
    gate_actor   text,
    told_at      timestamptz,
    last_change  integer     NOT NULL CHECK (last_change > 0),
    -- Openings are counted: a number is never used twice, so an id never means two things.
    UNIQUE (account, rule, key, n),
    -- A gate says why nobody is told, from when, until when, and who closed it.
    CONSTRAINT alert_gate_is_whole CHECK (
        num_nonnulls(gate, gate_since, gate_until, gate_reason, gate_actor) IN (0, 5)
    ),
    -- What opened quietly is never told.
    CONSTRAINT alert_quiet_is_untold CHECK (quiet IS NULL OR told_at IS NULL)
) WITH (fillfactor = 80);
-- One open alert per account, rule and key.
CREATE UNIQUE INDEX alert_one_open ON {schema}.alert (account, rule, key) WHERE state <> 'resolved';
-- Serves: the list, newest first.
CREATE INDEX alert_by_time ON {schema}.alert (opened_at DESC, id DESC);
-- Every move of an alert: what, why, by whom, when. `told_at` is set once its message is in the outbox.
CREATE TABLE {schema}.change (
    alert   text        NOT NULL REFERENCES {schema}.alert (id) ON DELETE CASCADE,
    number  integer     NOT NULL CHECK (number > 0),
    event   text        NOT NULL,
    before  text        CHECK (before IN ('pending', 'firing', 'resolved')),
    after   text        NOT NULL CHECK (after IN ('pending', 'firing', 'resolved')),
    why     text        NOT NULL,
    actor   text        NOT NULL,
    at      timestamptz NOT NULL,
    tells   text        CHECK (tells IN ('triggered', 'resolved')),
    told_at timestamptz,
    PRIMARY KEY (alert, number),
    -- Only what is a message is ever told.
    CONSTRAINT change_told_is_message CHECK (told_at IS NULL OR tells IS NOT NULL)
);
-- Serves: what people changed over the API and the worker has yet to tell.
CREATE INDEX change_untold ON {schema}.change (alert) WHERE tells IS NOT NULL AND told_at IS NULL;
-- The work an alert asks for: one case per alert, closed with an outcome or not at all.
CREATE TABLE {schema}.work_case (
    id               text        PRIMARY KEY,
    alert            text        NOT NULL UNIQUE REFERENCES {schema}.alert (id) ON DELETE CASCADE,
    rule             text        NOT NULL,
    playbook         text        NOT NULL,
    playbook_version integer     NOT NULL CHECK (playbook_version > 0),
    owner            text        NOT NULL,
    state            text        NOT NULL CHECK (state IN ('open', 'closed')),
    opened_at        timestamptz NOT NULL,
    due_at           timestamptz NOT NULL,
    started_at       timestamptz,
    started_by       text,
    is_overdue       boolean     NOT NULL,
    closed_at        timestamptz,
    closed_by        text,
    outcome          text,
    reason           text,
    -- A closed case says when, by whom and with what outcome; an open one has none of it.
    CONSTRAINT case_closed_is_whole CHECK (
        num_nonnulls(closed_at, closed_by, outcome) = CASE state WHEN 'closed' THEN 3 ELSE 0 END
    ),
    -- Whoever started it is known.
    CONSTRAINT case_started_is_whole CHECK (num_nonnulls(started_at, started_by) IN (0, 2))
);
-- Serves: how often a rule's cases were declined as no problem.
CREATE INDEX case_by_rule ON {schema}.work_case (rule) WHERE state = 'closed';
-- The steps of a case, in order.
CREATE TABLE {schema}.step (
    case_id  text        NOT NULL REFERENCES {schema}.work_case (id) ON DELETE CASCADE,
    n        smallint    NOT NULL CHECK (n > 0),
    kind     text        NOT NULL CHECK (kind IN ('task', 'message', 'survey', 'crm')),
    title    text        NOT NULL,
    audience text        NOT NULL CHECK (audience IN ('owner', 'team', 'customer')),
    due_at   timestamptz NOT NULL,
    state    text        NOT NULL CHECK (state IN ('open', 'done', 'declined')),
    reason   text,
    PRIMARY KEY (case_id, n),
    -- Declining needs a reason.
    CONSTRAINT step_declined_has_reason CHECK ((state = 'declined') = (reason IS NOT NULL))
);
"""


def upgrade() -> None:
    run(UPGRADE + POSITION_SQL, schema=schema("alerts"))


def downgrade() -> None:
    run("DROP SCHEMA {schema} CASCADE", schema=schema("alerts"))
