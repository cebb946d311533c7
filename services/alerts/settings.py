"""Alerts' own settings, prefix ALERTS_."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared import settings


class Settings(settings.Settings):
    """Each default carries its unit and its reason; no secret has one."""

    model_config = SettingsConfigDict(env_prefix="ALERTS_")

    probe_port: int = Field(default=0, ge=0, le=65_535)  # 0: the worker serves no probes
    probe_host: str = "127.0.0.1"  # containers set 0.0.0.0, so that their orchestrator may ask
    connections_max: int = Field(default=8, ge=2)  # of the API; Postgres' default allows 100 in all
    looks_max: int = Field(default=1_000, ge=1)  # accounts in one batch of looks: records never wait long behind it
    streams_max: int = Field(default=32, ge=0)  # open event streams: each has a consumer of its own, some 2 MB
