"""What a member is written to about: chosen on a page of the account."""

from __future__ import annotations

from aiohttp import web

from services.chassis.errors import PermissionDenied
from services.gateway.forms import fields
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.mail_pb2 import MailSettings
from spareline.registry.v1 import mail_service_pb2 as api

_KINDS = tuple(MailSettings.Kind.DESCRIPTOR.values)[1:]


def _name(request: web.Request) -> str:
    person = signed_in(request)
    if "/members/" not in person.subject:
        raise PermissionDenied(reason_pb2.REASON_ROLE_MISSING, "Mail goes to people only")
    return f"{person.subject}/mailSettings"


async def show(request: web.Request) -> web.Response:
    """Show the choices."""
    calls = caller(request)
    settings = await calls.call(
        calls.services.mail.GetMailSettings, api.GetMailSettingsRequest(name=_name(request))
    )
    return await render(
        request,
        "mail.html",
        settings=settings,
        kinds=[kind.number for kind in _KINDS],
    )


async def save(request: web.Request) -> web.Response:
    """Store the choices: what is not ticked is muted."""
    sent = await request.post()
    form, calls = fields.read(sent), caller(request)
    wanted = {str(value) for value in sent.getall("kind", [])}
    muted = [kind.number for kind in _KINDS if str(kind.number) not in wanted]
    changed = MailSettings(name=_name(request), etag=form.text("etag"), muted=muted)  # type: ignore[arg-type]
    await calls.call(
        calls.services.mail.UpdateMailSettings,
        api.UpdateMailSettingsRequest(mail_settings=changed),
    )
    await notify(request, "Saved.")
    raise web.HTTPSeeOther("/account/mail")
