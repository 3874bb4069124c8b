"""The registry's webhooks, put together: the composition root opens them as one part."""

import json

from services.chassis.app import App
from services.chassis.events import Bus
from services.chassis.tokens import TokenSigner
from services.registry.domain.webhook_signing import Seal
from services.registry.identity_parts import Identity
from services.registry.settings import RegistrySettings
from services.registry.usecases import webhook_events
from services.registry.usecases.webhook_events import WebhookEvents
from services.registry.usecases.webhook_sending import WebhookSender
from services.registry.usecases.webhooks import WebhookDesk


def open_webhooks(
    app: App, bus: Bus, identity: Identity, signer: TokenSigner, settings: RegistrySettings
) -> WebhookDesk:
    """Follow the events, send what is due, and return what answers the calls."""
    store, clock = identity.webhooks, identity.clock
    seal = Seal(str(json.loads(signer.private_json())["d"]))
    private = settings.webhook_private_targets
    follower = WebhookEvents(store, identity.organizations, clock)
    sender = WebhookSender(store, seal, clock, private=private, days=settings.webhook_days)
    app.spawn(
        "webhook events",
        bus.consume_batches(webhook_events.DURABLE, webhook_events.SUBJECTS, follower.follow),
    )
    app.spawn("webhook sender", sender.run())
    return WebhookDesk(store, seal, clock, private=private)
