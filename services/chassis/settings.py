"""Settings from the environment: every service's own class adds its fields to this one."""

import sys
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "SPARELINE_"
EXIT_CONFIGURATION = 78  # EX_CONFIG of sysexits.h


class RuntimeSettings(BaseSettings):
    """What every process needs; read from variables that begin with ``SPARELINE_``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=0, ge=0, le=65535, description="0: no metrics endpoint")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    otlp_endpoint: str = Field(default="", description="empty: no traces")
    drain_seconds: float = Field(default=10.0, ge=0)


class ChassisSettings(RuntimeSettings):
    """What every service with a store, a bus and a gRPC server needs."""

    mongo_url: str = Field(min_length=1)
    mongo_database: str = ""
    nats_url: str = Field(min_length=1)
    grpc_host: str = "127.0.0.1"
    grpc_port: int = Field(ge=0, le=65535)


S = TypeVar("S", bound=RuntimeSettings)


def complaints(error: ValidationError) -> list[str]:
    """Return one line per variable that is missing or wrong, by its name in the environment.

    The value itself is left out: it may be a secret.
    """
    lines = []
    for found in error.errors(include_input=False, include_url=False):
        name = PREFIX + "_".join(str(part) for part in found["loc"]).upper()
        what = "is missing" if found["type"] == "missing" else f"is wrong: {found['msg']}"
        lines.append(f"{name} {what}")
    return lines


def load(cls: type[S]) -> S:
    """Read the settings, or name each missing or wrong variable and exit with code 78."""
    nothing_given: dict[str, Any] = {}
    try:
        return cls(**nothing_given)
    except ValidationError as error:
        for line in complaints(error):
            print(line, file=sys.stderr)
        raise SystemExit(EXIT_CONFIGURATION) from None
