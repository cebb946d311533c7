"""Records that a loop could not settle (set_aside), in each schema that runs one."""

from migrations.schemas import run, schema
from shared.postgres.loop_tables import SET_ASIDE_SQL

revision = "0005"
down_revision = "0004"

SERVICES = ("scoring", "alerts")


def upgrade() -> None:
    for service in SERVICES:
        run(SET_ASIDE_SQL, schema=schema(service))


def downgrade() -> None:
    for service in SERVICES:
        run("DROP TABLE {schema}.set_aside", schema=schema(service))
