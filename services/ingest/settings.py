"""Ingest's own settings, prefix INGEST_."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared import settings


class Settings(settings.Settings):
    """Each default carries its unit and its reason; no secret has one."""

    model_config = SettingsConfigDict(env_prefix="INGEST_")

    probe_port: int = Field(default=0, ge=0, le=65535)  # 0: the worker serves no probes
    probe_host: str = "127.0.0.1"  # containers set 0.0.0.0, so that their orchestrator may ask
    connections_max: int = Field(default=8, ge=2)  # of the API; Postgres' default allows 100 in all
    body_bytes_max: int = Field(default=8_388_608, ge=1_024)  # 8 MiB decoded: 5,000 events of 1.6 KiB
    ack_seconds_max: float = Field(default=10.0, gt=0)  # idempotent sends never expire; a caller should not wait longer
    backlog_events_max: int = Field(default=200_000, ge=1)  # about a minute of scoring; then callers had better wait
    release_every_seconds: float = Field(default=5.0, gt=0)  # how late a parked event may be after a crash in between
