"""Schema names of the deployment that is being migrated."""

from alembic import context, op

SERVICES = ("access", "ingest", "scoring", "alerts")


def schema(name: str) -> str:
    """The schema `name` under this deployment's prefix, quoted for SQL."""
    prefix = context.config.attributes["prefix"]
    return f'"{prefix}{name}"'


def run(sql: str, **names: str) -> None:
    """Execute plain SQL; `{schema}` and other names in it are filled in first.

    One statement at a time, since the driver prepares each; a semicolon at a line's end separates them.
    """
    for statement in sql.format(**names).split(";\n"):
        if body := _without_comments(statement):
            op.get_bind().exec_driver_sql(body)


def _without_comments(statement: str) -> str:
    lines = (line for line in statement.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(lines).strip().rstrip(";")
