"""What can be set about the embedded stack, all by environment variables with a default."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

# How far each inner port lies above SPARELINE_PORT_BASE when it is not set by itself.
_OFFSETS: Final = {
    "registry_port": 1,
    "matching_port": 2,
    "nats_port": 3,
    "store_port": 4,
    "registry_metrics_port": 11,
    "matching_metrics_port": 12,
    "gateway_metrics_port": 13,
    "worker_metrics_port": 21,
}

LOOPBACK: Final = "127.0.0.1"


class StackSettings(BaseSettings):
    """Settings of the embedded stack; each is read from `SPARELINE_<NAME>`.

    A port of 0 means "the base plus this port's offset". `mongo_url` and `nats_url`, when set,
    point to servers that somebody else runs; the stack then starts none of its own for them.
    """

    model_config = SettingsConfigDict(env_prefix="SPARELINE_", extra="ignore")

    var: Path = Path("var")
    port_base: int = Field(default=7100, ge=1024, le=65000)
    gateway_port: int = Field(default=8080, ge=1, le=65535)
    registry_port: int = Field(default=0, ge=0, le=65535)
    matching_port: int = Field(default=0, ge=0, le=65535)
    nats_port: int = Field(default=0, ge=0, le=65535)
    store_port: int = Field(default=0, ge=0, le=65535)
    registry_metrics_port: int = Field(default=0, ge=0, le=65535)
    matching_metrics_port: int = Field(default=0, ge=0, le=65535)
    gateway_metrics_port: int = Field(default=0, ge=0, le=65535)
    # Of the first worker; each further one has the next port.
    worker_metrics_port: int = Field(default=0, ge=0, le=65535)
    matching_workers: int = Field(default=0, ge=0, le=64)
    gateway_host: str = LOOPBACK
    operator_email: str = "operator@spareline.example"
    mongo_url: str = ""
    nats_url: str = ""
    log_level: str = "INFO"
    drain_seconds: float = Field(default=10.0, gt=0)
    sample: bool = True

    def port(self, name: str) -> int:
        """The port of the setting `name` ("nats_port"), the base applied where none was set."""
        chosen = int(getattr(self, name))
        return chosen or self.port_base + _OFFSETS[name]


def variable(name: str) -> str:
    """The environment variable that sets `name`, for messages to people."""
    return f"SPARELINE_{name.upper()}"
