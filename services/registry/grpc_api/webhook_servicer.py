"""WebhookService over gRPC."""

from google.protobuf.empty_pb2 import Empty

from services.registry.grpc_api.callers import Context
from services.registry.usecases.webhooks import WebhookDesk
from spareline.market.v1.webhook_pb2 import Webhook, WebhookDelivery
from spareline.registry.v1 import webhook_service_pb2 as api
from spareline.registry.v1.webhook_service_pb2_grpc import WebhookServiceServicer


class WebhookServicer(WebhookServiceServicer):
    """Hands each request to the use case."""

    def __init__(self, desk: WebhookDesk) -> None:
        self._desk = desk

    async def CreateWebhook(self, request: api.CreateWebhookRequest, _context: Context) -> Webhook:
        """Make a webhook."""
        return await self._desk.create(request)

    async def GetWebhook(self, request: api.GetWebhookRequest, _context: Context) -> Webhook:
        """Read a webhook."""
        return await self._desk.get(request.name)

    async def ListWebhooks(
        self, request: api.ListWebhooksRequest, _context: Context
    ) -> api.ListWebhooksResponse:
        """List webhooks."""
        return await self._desk.list(request)

    async def UpdateWebhook(self, request: api.UpdateWebhookRequest, _context: Context) -> Webhook:
        """Change a webhook."""
        return await self._desk.update(request)

    async def DeleteWebhook(self, request: api.DeleteWebhookRequest, _context: Context) -> Empty:
        """End a webhook."""
        await self._desk.delete(request.name)
        return Empty()

    async def RotateWebhookSecret(
        self, request: api.RotateWebhookSecretRequest, _context: Context
    ) -> Webhook:
        """Make a new secret."""
        return await self._desk.rotate(request)

    async def ListWebhookDeliveries(
        self, request: api.ListWebhookDeliveriesRequest, _context: Context
    ) -> api.ListWebhookDeliveriesResponse:
        """List what was sent."""
        return await self._desk.deliveries(request)

    async def ReplayWebhookDelivery(
        self, request: api.ReplayWebhookDeliveryRequest, _context: Context
    ) -> WebhookDelivery:
        """Send an event once more."""
        return await self._desk.replay(request.name)
