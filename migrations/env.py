"""Alembic's entry: always online, on the engine and prefix that `shared.postgres.migrate` hands over."""

from alembic import context

LOCK_TIMEOUT = "5s"  # a migration that cannot get its lock gives up rather than queue every reader behind it
STATEMENT_TIMEOUT = "5min"

prefix: str = context.config.attributes["prefix"]

with context.config.attributes["engine"].connect() as connection:
    connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    connection.exec_driver_sql(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
    connection.commit()
    context.configure(
        connection=connection,
        version_table=f"{prefix}migration",
        version_table_schema="public",
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
