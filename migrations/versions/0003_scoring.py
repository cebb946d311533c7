"""What scoring knows (archive, state) and what it said (published, history)."""

from migrations.schemas import run, schema
from shared.postgres.loop_tables import POSITION_SQL

revision = "0003"
down_revision = "0002"

UPGRADE = """
CREATE SCHEMA {schema};
-- Identity, audit and source of refolds in one: usage by day, dropped whole; everything else by month, kept for good.
CREATE TABLE {schema}.usage_event (
    day        date        NOT NULL,
    hash       bigint      NOT NULL,
    partition  smallint    NOT NULL,
    account    text        NOT NULL,
    log_offset bigint      NOT NULL,
    applied_at timestamptz NOT NULL,
    seen       integer     NOT NULL CHECK (seen > 0),
    body       bytea       NOT NULL,
    PRIMARY KEY (day, hash)
) PARTITION BY RANGE (day);
CREATE TABLE {schema}.event (LIKE {schema}.usage_event INCLUDING ALL) PARTITION BY RANGE (day);
-- A small state that nobody has merged yet; rewritten in place by almost every batch, hence no index but the key.
CREATE TABLE {schema}.fresh (
    partition smallint NOT NULL,
    account   text     NOT NULL,
    body      bytea    NOT NULL,
    PRIMARY KEY (partition, account)
) WITH (fillfactor = 70);
-- One row per record: kind, key and its fields.
CREATE TABLE {schema}.state (
    partition smallint NOT NULL,
    account   text     NOT NULL,
    kind      text     NOT NULL,
    key       text     NOT NULL,
    body      bytea    NOT NULL,
    PRIMARY KEY (partition, account, kind, key)
);
-- The last snapshot of each account: what lists filter, what GET serves, what the next decision compares with.
CREATE TABLE {schema}.published (
    account    text        PRIMARY KEY CHECK (length(account) BETWEEN 1 AND 128),
    partition  smallint    NOT NULL,
    version    bigint      NOT NULL,
    as_of      timestamptz NOT NULL,
    look_at    timestamptz NOT NULL,
    importing  bytea,
    score      integer     CHECK (score BETWEEN 0 AND 100000),
    band       text        NOT NULL,
    segment    text,
    lifecycle  text,
    owner      text,
    name       text,
    arr        numeric     NOT NULL DEFAULT 0,
    snapshot   bytea       NOT NULL
) WITH (fillfactor = 80);
-- Serves: whose look is due, by the worker of the partition.
CREATE INDEX published_by_look ON {schema}.published (partition, look_at);
-- Serves: all accounts of a partition at a take-over, page by page.
CREATE INDEX published_by_partition ON {schema}.published (partition, account);
-- Serves: the list, worst first.
CREATE INDEX published_by_score ON {schema}.published (score, account);
-- Everything we ever said.
CREATE TABLE {schema}.history (
    account text        NOT NULL,
    version bigint      NOT NULL,
    as_of   timestamptz NOT NULL,
    score   integer,
    band    text        NOT NULL,
    cause   text        NOT NULL,
    model   text        NOT NULL,
    body    bytea       NOT NULL,
    PRIMARY KEY (account, version)
);
-- Newest time read of each stream, by partition: how fresh what we know is.
CREATE TABLE {schema}.watermark (
    partition smallint    NOT NULL,
    stream    text        NOT NULL,
    newest    timestamptz NOT NULL,
    events    bigint      NOT NULL,
    PRIMARY KEY (partition, stream)
) WITH (fillfactor = 50);
-- Immutable versions of the catalogue.
CREATE TABLE {schema}.definition (
    version    text        PRIMARY KEY,
    body       bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    active     boolean     NOT NULL DEFAULT false
);
-- One version is active at a time.
CREATE UNIQUE INDEX definition_active ON {schema}.definition (active) WHERE active;
"""


def upgrade() -> None:
    run(UPGRADE + POSITION_SQL, schema=schema("scoring"))


def downgrade() -> None:
    run("DROP SCHEMA {schema} CASCADE", schema=schema("scoring"))
