"""What all services read: credentials, audit, the clock's offset, the identity key."""

from migrations.schemas import run, schema

revision = "0001"
down_revision = None

UPGRADE = """
CREATE SCHEMA {schema};
-- An API key: only its HMAC is kept.
CREATE TABLE {schema}.credential (
    prefix     text        PRIMARY KEY CHECK (prefix ~ '^[a-z0-9]{{8}}$'),
    hash       bytea       NOT NULL CHECK (length(hash) = 32),
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    scopes     text[]      NOT NULL CHECK (cardinality(scopes) > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
-- Who did what; kept for good.
CREATE TABLE {schema}.audit (
    id    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at    timestamptz NOT NULL DEFAULT now(),
    actor text        NOT NULL,
    what  text        NOT NULL,
    about jsonb       NOT NULL DEFAULT '{{}}'
);
-- One row: every process adds the offset to its wall clock.
CREATE TABLE {schema}.clock (
    only_one   boolean  PRIMARY KEY DEFAULT true CHECK (only_one),
    offset_by  interval NOT NULL DEFAULT '0'
);
INSERT INTO {schema}.clock DEFAULT VALUES;
-- One row, made once: with another key every event would be new.
CREATE TABLE {schema}.identity_key (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    key      bytea   NOT NULL CHECK (length(key) = 32)
);
INSERT INTO {schema}.identity_key (key) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
"""


def upgrade() -> None:
    run(UPGRADE, schema=schema("access"))


def downgrade() -> None:
    run("DROP SCHEMA {schema} CASCADE", schema=schema("access"))
