"""The registry's settings, from the environment (``SPARELINE_…``)."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from services.chassis.settings import ChassisSettings
from services.registry.domain.taxonomy import TAXONOMY_DIRECTORY


class RegistrySettings(ChassisSettings):
    """What the registry needs beyond the chassis' own settings."""

    mongo_database: str = "registry"
    signing_key_file: Path = Field(
        description="private Ed25519 key as a JWK; made at the first start when it is missing"
    )
    service_secrets: SecretStr = Field(
        default=SecretStr(""), description="name=secret of each service, separated by commas"
    )
    operator_email: str = Field(default="", description="the first operator; empty: none is made")
    operator_password: SecretStr = SecretStr("")
    taxonomy_dir: Path = TAXONOMY_DIRECTORY
    expire_after_days: int = Field(default=7, ge=0, le=3650, description="0: never")
    webhook_private_targets: bool = Field(
        default=False, description="webhooks may point into private networks, and to plain http"
    )
    webhook_days: int = Field(default=3, ge=1, le=30, description="so long a delivery is tried")

    @field_validator("service_secrets")
    @classmethod
    def _well_formed(cls, value: SecretStr) -> SecretStr:
        for part in filter(None, value.get_secret_value().split(",")):
            name, _, secret = part.partition("=")
            if not name.strip() or not secret.strip():
                raise ValueError("write it as matching=secret,other=secret")
        return value

    def secrets_by_service(self) -> dict[str, str]:
        """Return the secret with which each service proves itself, by the service's name."""
        parts = filter(None, self.service_secrets.get_secret_value().split(","))
        pairs = (part.partition("=") for part in parts)
        return {name.strip(): secret.strip() for name, _, secret in pairs}
