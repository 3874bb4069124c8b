"""Webhooks of the organization: made, paused, ended; what was sent, and sent once more."""

from __future__ import annotations

import uuid

from aiohttp import web
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.errors import InvalidArgument
from services.gateway.forms import fields
from services.gateway.languages import LANGUAGE
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.market.v1.webhook_pb2 import Webhook
from spareline.registry.v1 import webhook_service_pb2 as api

_PLACES = {"webhook.url": "url", "webhook.display_name": "display_name"}
_LATEST = 50
# What a firm's own software waits for most; all others come when nothing is chosen.
EVENTS = (
    "market.proposal.proposed.v1",
    "market.proposal.countered.v1",
    "market.proposal.confirmed.v1",
    "market.proposal.declined.v1",
    "market.proposal.expired.v1",
    "market.proposal.overdue.v1",
    "market.round.completed.v1",
)


def _name(request: web.Request) -> str:
    return f"{signed_in(request).organization}/webhooks/{request.match_info['webhook']}"


async def listing(request: web.Request) -> web.Response:
    """Show the webhooks, and the form for another."""
    return await _page(request, fields.Form({"request_id": str(uuid.uuid4())}))


async def _page(
    request: web.Request, form: fields.Form, made: Webhook | None = None, status: int = 200
) -> web.Response:
    parent, calls = signed_in(request).organization, caller(request)
    answer = await calls.call(
        calls.services.webhooks.ListWebhooks, api.ListWebhooksRequest(parent=parent)
    )
    return await render(
        request,
        "webhooks.html",
        status=status,
        webhooks=answer.webhooks,
        events=EVENTS,
        form=form,
        made=made,
    )


async def create(request: web.Request) -> web.Response:
    """Make a webhook, and show its secret this once."""
    sent = await request.post()
    form = fields.read(sent)
    calls = caller(request)
    chosen = [str(value) for value in sent.getall("event", [])]
    wanted = Webhook(
        url=form.text("url").strip(),
        display_name=form.text("display_name").strip(),
        event_types=chosen,
    )
    try:
        made = await calls.call(
            calls.services.webhooks.CreateWebhook,
            api.CreateWebhookRequest(
                parent=signed_in(request).organization,
                webhook=wanted,
                request_id=form.text("request_id"),
            ),
        )
    except InvalidArgument as error:
        form.take(error, _PLACES, request[LANGUAGE])
        return await _page(request, form, status=400)
    return await _page(request, fields.Form({"request_id": str(uuid.uuid4())}), made)


async def show(request: web.Request) -> web.Response:
    """Show a webhook and its latest deliveries."""
    return await _one(request)


async def _one(request: web.Request, made: Webhook | None = None) -> web.Response:
    name, calls = _name(request), caller(request)
    webhook = await calls.call(calls.services.webhooks.GetWebhook, api.GetWebhookRequest(name=name))
    log = await calls.call(
        calls.services.webhooks.ListWebhookDeliveries,
        api.ListWebhookDeliveriesRequest(parent=name, page_size=_LATEST),
    )
    return await render(
        request, "webhook.html", webhook=webhook, deliveries=log.deliveries, made=made
    )


async def pause(request: web.Request) -> web.Response:
    """Pause a webhook, or let it go on."""
    form, calls = fields.read(await request.post()), caller(request)
    changed = Webhook(name=_name(request), paused=form.text("paused") == "yes")
    await calls.call(
        calls.services.webhooks.UpdateWebhook,
        api.UpdateWebhookRequest(webhook=changed, update_mask=FieldMask(paths=["paused"])),
    )
    raise web.HTTPSeeOther(request.path.removesuffix("/pause"))


async def rotate(request: web.Request) -> web.Response:
    """Make a new secret, and show it this once."""
    calls = caller(request)
    made = await calls.call(
        calls.services.webhooks.RotateWebhookSecret,
        api.RotateWebhookSecretRequest(name=_name(request)),
    )
    return await _one(request, made)


async def delete(request: web.Request) -> web.Response:
    """End a webhook."""
    calls = caller(request)
    await calls.call(
        calls.services.webhooks.DeleteWebhook, api.DeleteWebhookRequest(name=_name(request))
    )
    await notify(request, "The webhook has ended.")
    raise web.HTTPSeeOther("/organization/webhooks")


async def replay(request: web.Request) -> web.Response:
    """Send an event once more."""
    calls = caller(request)
    name = f"{_name(request)}/deliveries/{request.match_info['event']}"
    await calls.call(
        calls.services.webhooks.ReplayWebhookDelivery, api.ReplayWebhookDeliveryRequest(name=name)
    )
    await notify(request, "It is sent once more.")
    raise web.HTTPSeeOther(request.path.partition("/deliveries/")[0])
