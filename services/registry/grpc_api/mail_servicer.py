"""MailService over gRPC."""

from services.chassis.access import current
from services.registry.grpc_api.callers import Context
from services.registry.usecases.mail_settings import MailChoices
from spareline.market.v1.mail_pb2 import MailSettings
from spareline.registry.v1 import mail_service_pb2 as api
from spareline.registry.v1.mail_service_pb2_grpc import MailServiceServicer


class MailServicer(MailServiceServicer):
    """Hands each request to the use case."""

    def __init__(self, choices: MailChoices) -> None:
        self._choices = choices

    async def GetMailSettings(
        self, request: api.GetMailSettingsRequest, _context: Context
    ) -> MailSettings:
        """Read the caller's settings."""
        return await self._choices.get(current(), request.name)

    async def UpdateMailSettings(
        self, request: api.UpdateMailSettingsRequest, _context: Context
    ) -> MailSettings:
        """Change the caller's settings."""
        return await self._choices.update(current(), request)
