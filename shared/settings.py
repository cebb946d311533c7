"""What all services share: where Kafka and Postgres are, and under which prefix this deployment lives on them."""

from pydantic import Field, PostgresDsn, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Shared(BaseSettings):
    """`BELLWETHER_` values. Missing or unreadable ones stop the start and are named."""

    model_config = SettingsConfigDict(env_prefix="BELLWETHER_", frozen=True, extra="ignore")

    kafka: str = Field(description="bootstrap servers, host:port[,host:port]", min_length=3)
    postgres: PostgresDsn = Field(description="postgresql://user:password@host:port/database")
    # Lets two deployments share servers: prepended to topics, consumer groups and schemas.
    prefix: str = Field(default="", pattern=r"^[a-z0-9_]{0,24}$")

    @property
    def dsn(self) -> str:
        """The address as asyncpg takes it; it carries the password, so it is never logged."""
        return str(self.postgres)

    def topic(self, name: str) -> str:
        """The topic's name on this deployment's broker."""
        return f"{self.prefix}{name}"

    def group(self, service: str) -> str:
        """The consumer group of a service's workers."""
        return f"{self.prefix}{service}"

    def search_path(self, service: str) -> str:
        """Own schema first, then what all may read: SQL never names a schema."""
        return f"{self.prefix}{service}, {self.prefix}access"


def named(error: ValidationError, service: str) -> list[str]:
    """One line per setting that is missing or wrong, by the name it has in the environment."""
    prefix = "BELLWETHER_" if error.title == Shared.__name__ else f"{service.upper()}_"
    return [
        f"{prefix}{'_'.join(str(part) for part in found['loc']).upper()} "
        + ("is not set" if found["type"] == "missing" else f"is {found['input']!r}: {found['msg']}")
        for found in error.errors()
    ]
