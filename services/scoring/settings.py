"""Scoring's own settings, prefix SCORING_."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared import settings


class Settings(settings.Settings):
    """Each default carries its unit and its reason; no secret has one."""

    model_config = SettingsConfigDict(env_prefix="SCORING_")

    probe_port: int = Field(default=0, ge=0, le=65535)  # 0: the worker serves no probes
    probe_host: str = "127.0.0.1"  # containers set 0.0.0.0, so that their orchestrator may ask
    remembered_accounts_max: int = Field(default=20_000, ge=1)  # about 10 KB each, 200 MB at most
    connections_max: int = Field(default=8, ge=2)  # of the API; Postgres' default allows 100 in all
