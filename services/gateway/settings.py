"""What the gateway reads from its environment."""

from __future__ import annotations

from pydantic import Field, SecretStr

from services.chassis.settings import RuntimeSettings


class GatewaySettings(RuntimeSettings):
    """Addresses of the services, the address to listen on, and the key of the session cookie."""

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8080, ge=0, le=65535)
    registry_address: str = Field(min_length=1)
    matching_address: str = Field(min_length=1)
    session_key: SecretStr = Field(min_length=32, description="seals the session cookie")
    secure_cookies: bool = Field(default=True, description="false only for plain http on localhost")
