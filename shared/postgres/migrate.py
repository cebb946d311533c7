"""Bring the schemas of one deployment up to date, one process at a time."""

from collections.abc import Callable
from importlib.resources import files
from urllib.parse import urlsplit, urlunsplit

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, text

_LOCK_KEY = 0x62656C6C77657468  # "bellweth": the same for every process that migrates
CONNECT_TIMEOUT_SECONDS = 5


def synchronous_engine(dsn: str) -> Engine:
    """An engine on the synchronous driver; migrations must not depend on an event loop."""
    parts = urlsplit(dsn)
    url = urlunsplit(parts._replace(scheme="postgresql+pg8000"))
    return create_engine(url, connect_args={"timeout": CONNECT_TIMEOUT_SECONDS})


def _config(engine: Engine, prefix: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes.update(engine=engine, prefix=prefix)
    return config


def upgrade(dsn: str, prefix: str, revision: str = "head") -> None:
    """Apply what is missing. A second process waits for the first, then finds nothing to do."""
    _under_lock(dsn, prefix, lambda config: command.upgrade(config, revision))


def downgrade(dsn: str, prefix: str, revision: str) -> None:
    """Take back everything after `revision`; "base" takes back all."""
    _under_lock(dsn, prefix, lambda config: command.downgrade(config, revision))


def _under_lock(dsn: str, prefix: str, action: Callable[[Config], None]) -> None:
    engine = synchronous_engine(dsn)
    try:
        # A connection of its own, in autocommit: on Alembic's the lock would open a transaction it does not know.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as guard:
            guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK_KEY})
            try:
                action(_config(engine, prefix))
            finally:
                guard.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK_KEY})
    finally:
        engine.dispose()
