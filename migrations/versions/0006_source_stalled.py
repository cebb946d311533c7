"""A gate that waits for a stream to be heard again: it has no instant at which it ends."""

from migrations.schemas import run, schema

revision = "0006"
down_revision = "0005"

UPGRADE = """
ALTER TABLE {schema}.alert DROP CONSTRAINT alert_gate_check, DROP CONSTRAINT alert_gate_is_whole;
ALTER TABLE {schema}.alert
    ADD CONSTRAINT alert_gate_check CHECK (gate IN ('snoozed', 'cooldown', 'source_stalled')),
    -- A gate says why nobody is told, from when, and who closed it.
    ADD CONSTRAINT alert_gate_is_whole CHECK (num_nonnulls(gate, gate_since, gate_reason, gate_actor) IN (0, 4)),
    -- It ends at an instant, or when the stream that it waits for is heard again.
    ADD CONSTRAINT alert_gate_ends CHECK ((gate_until IS NULL) = (gate IS NULL OR gate = 'source_stalled'))
"""

DOWNGRADE = """
-- What waited for a stream waits no longer: the next look tells what still holds.
UPDATE {schema}.alert SET gate = 'cooldown', gate_until = gate_since WHERE gate = 'source_stalled';
ALTER TABLE {schema}.alert
    DROP CONSTRAINT alert_gate_check, DROP CONSTRAINT alert_gate_is_whole, DROP CONSTRAINT alert_gate_ends;
ALTER TABLE {schema}.alert
    ADD CONSTRAINT alert_gate_check CHECK (gate IN ('snoozed', 'cooldown')),
    ADD CONSTRAINT alert_gate_is_whole CHECK (
        num_nonnulls(gate, gate_since, gate_until, gate_reason, gate_actor) IN (0, 5)
    )
"""


def upgrade() -> None:
    run(UPGRADE, schema=schema("alerts"))


def downgrade() -> None:
    run(DOWNGRADE, schema=schema("alerts"))
