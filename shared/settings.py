"""What all services share: where Kafka and Postgres are, and under which prefix this deployment lives on them."""

import os
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, PostgresDsn, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# What commands, tests and the compose file read by themselves.
_OF_OTHERS = re.compile(
    r"BELLWETHER_(PARTITIONS|REPLICATION|DATA|URL|KEY|JARS|MAVEN|POSTGRES_PASSWORD|KAFKA_CLUSTER|TEST_\w+)=.*"
)
# Kubernetes tells each container where the services of its namespace are, whatever they are called.
_OF_KUBERNETES = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)=.*|\w+_PORT=\w+://.*"
)


def _is_of_others(name: str, value: str) -> bool:
    return any(others.fullmatch(f"{name}={value}") for others in (_OF_OTHERS, _OF_KUBERNETES))


class Settings(BaseSettings):
    """One prefix of the environment. Missing, wrong and unknown variables stop the start and are named."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")
    secret: ClassVar[frozenset[str]] = frozenset()  # whose values no message repeats

    @model_validator(mode="before")
    @classmethod
    def _unknown(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """A misspelt name must not quietly leave the default in place."""
        prefix = cls.model_config.get("env_prefix", "")
        known = {f"{prefix}{name}".upper() for name in cls.model_fields}
        strange = {
            name.upper().removeprefix(prefix).lower()
            for name, value in os.environ.items()
            if name.upper().startswith(prefix) and name.upper() not in known and not _is_of_others(name.upper(), value)
        }
        return {**given, **dict.fromkeys(strange)}


class Shared(Settings):
    """`BELLWETHER_` values."""

    model_config = SettingsConfigDict(env_prefix="BELLWETHER_")
    secret = frozenset({"postgres"})

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
    """One line per setting that is missing, wrong or unknown, by the name it has in the environment."""
    of = Shared if error.title == Shared.__name__ else Settings
    prefix = "BELLWETHER_" if of is Shared else f"{service.upper()}_"
    return [f"{prefix}{'_'.join(map(str, found['loc'])).upper()} {_fault(found, of)}" for found in error.errors()]


def _fault(found: Mapping[str, Any], of: type[Settings]) -> str:
    if found["type"] == "missing":
        return "is not set"
    if found["type"] == "extra_forbidden":
        return "is no setting: take it out, or correct its name"
    value = "of another form" if found["loc"][0] in of.secret else repr(found["input"])
    return f"is {value}: {found['msg']}"
