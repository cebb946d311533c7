"""Ingest's tables: aliases, what was set aside, imports."""

from migrations.schemas import run, schema

revision = "0002"
down_revision = "0001"

UPGRADE = """
CREATE SCHEMA {schema};
-- Another system's name for one of ours. Of two links that differ, the one with the later time counts.
CREATE TABLE {schema}.alias (
    source      text        NOT NULL CHECK (length(source) BETWEEN 1 AND 64),
    kind        text        NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    external_id text        NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
    id          text        NOT NULL CHECK (length(id) BETWEEN 1 AND 128),
    linked_at   timestamptz NOT NULL,
    PRIMARY KEY (source, kind, external_id)
);
-- What could not be taken, with its original bytes. One row per origin, however often it is delivered.
CREATE TABLE {schema}.aside (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin        text        NOT NULL UNIQUE,
    topic         text,
    partition     smallint,
    record_offset bigint,
    actor         text        NOT NULL,
    reason        text        NOT NULL,
    pointer       text        NOT NULL,
    value         text,
    expected      text        NOT NULL,
    alias_source  text,
    alias_id      text,
    source        text,
    event_id      text,
    type          text,
    time          timestamptz,
    payload       bytea       NOT NULL,
    version       text        NOT NULL,
    state         text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'released', 'discarded')),
    received_at   timestamptz NOT NULL,
    settled_at    timestamptz,
    settled_by    text,
    -- From a topic with all coordinates, or over HTTP with none.
    CHECK ((topic IS NULL) = (partition IS NULL) AND (topic IS NULL) = (record_offset IS NULL)),
    -- What waits for an alias says for which.
    CHECK ((reason = 'unknown_alias') = (alias_source IS NOT NULL AND alias_id IS NOT NULL)),
    -- What is settled says since when and by whom.
    CHECK ((state = 'open') = (settled_at IS NULL) AND (state = 'open') = (settled_by IS NULL))
);
-- Serves: what waits for an alias that is being bound.
CREATE INDEX aside_by_alias ON {schema}.aside (alias_source, alias_id) WHERE state = 'open' AND alias_id IS NOT NULL;
-- Serves: the list and the replay by reason.
CREATE INDEX aside_by_reason ON {schema}.aside (reason, id) WHERE state = 'open';
-- One import of one file, so that it can go on where it stopped.
CREATE TABLE {schema}.import_run (
    id           text        PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    file_hash    text        NOT NULL,
    mapping_hash text        NOT NULL,
    next_row     bigint      NOT NULL DEFAULT 0 CHECK (next_row >= 0),
    counts       jsonb       NOT NULL DEFAULT '{{}}',
    state        text        NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'ended', 'failed')),
    started_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    -- The same file by the same mapping is the same import.
    UNIQUE (file_hash, mapping_hash)
);
"""


def upgrade() -> None:
    run(UPGRADE, schema=schema("ingest"))


def downgrade() -> None:
    run("DROP SCHEMA {schema} CASCADE", schema=schema("ingest"))
