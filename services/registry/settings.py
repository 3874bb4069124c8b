"""The registry's settings, from the environment (``SPARELINE_…``)."""

from pathlib import Path
from typing import Literal

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
    meaning: bool = Field(default=True, description="off: words alone find capabilities")
    expire_after_days: int = Field(default=7, ge=0, le=3650, description="0: never")
    webhook_private_targets: bool = Field(
        default=False, description="webhooks may point into private networks, and to plain http"
    )
    webhook_days: int = Field(default=3, ge=1, le=30, description="so long a delivery is tried")
    smtp_host: str = Field(default="", description="takes mail to members; empty: none is sent")
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    mail_from: str = "Spareline <noreply@localhost>"
    mail_digest_seconds: float = Field(default=900.0, gt=0, description="news gather so long")
    public_url: str = Field(
        default="http://127.0.0.1:8080", description="where the pages are, for links in mails"
    )

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
