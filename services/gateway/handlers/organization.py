"""My organization: what others see of it."""

from __future__ import annotations

import re

from aiohttp import web
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.latlng_pb2 import LatLng

from services.chassis.errors import DomainError, PermissionDenied, Unauthenticated, Unavailable
from services.gateway.forms import fields, regions
from services.gateway.forms.partners import LEVELS
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.market.v1.organization_pb2 import Contact, Organization
from spareline.registry.v1 import registry_service_pb2 as registry

_MASK = FieldMask(
    paths=[
        "display_name",
        "region",
        "location",
        "languages",
        "standards",
        "contact",
        "description",
        "identity_disclosure",
    ]
)
_PLACES = {
    "organization.display_name": "name",
    "organization.region": "region",
    "organization.standards": "standards",
    "organization.contact.email": "contact_email",
    "organization.contact": "phone",
    "organization.description": "description",
    "organization.languages": "languages",
}


async def _organization(request: web.Request) -> Organization:
    calls = caller(request)
    name = signed_in(request).organization
    found: Organization = await calls.call(
        calls.services.registry.GetOrganization, registry.GetOrganizationRequest(name=name)
    )
    return found


def _fill(organization: Organization) -> fields.Form:
    hidden = LEVELS["public"] != organization.identity_disclosure
    return fields.Form(
        {
            "name": organization.display_name,
            "region": organization.region,
            "latitude": f"{organization.location.latitude:g}",
            "longitude": f"{organization.location.longitude:g}",
            "languages": ", ".join(organization.languages),
            "standards": ", ".join(organization.standards),
            "person": organization.contact.person,
            "contact_email": organization.contact.email,
            "phone": organization.contact.phone,
            "address": organization.contact.address,
            "description": organization.description,
            "hidden": "yes" if hidden else "",
            "etag": organization.etag,
        }
    )


async def show(request: web.Request) -> web.Response:
    """Show the form of the organization."""
    organization = await _organization(request)
    return await _page(request, organization, _fill(organization))


async def _page(
    request: web.Request, organization: Organization, form: fields.Form, status: int = 200
) -> web.Response:
    return await render(
        request,
        "organization.html",
        status=status,
        organization=organization,
        form=form,
        regions=regions.choices(request[LANGUAGE]),
    )


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(w.strip() for w in re.split(r"[,，;；\n]", text) if w.strip()))


async def save(request: web.Request) -> web.StreamResponse:
    """Store the organization's new description."""
    form = fields.read(await request.post())
    signed_in(request)
    form.require("name", gettext(request, "Give the name of your firm."))
    place = _place(request, form)
    if not form.problems:
        changed = Organization(
            name=signed_in(request).organization,
            display_name=form.text("name"),
            region=form.text("region"),
            location=place,
            languages=_words(form.text("languages")),
            standards=_words(form.text("standards")),
            contact=Contact(
                person=form.text("person"),
                email=form.text("contact_email"),
                phone=form.text("phone"),
                address=form.text("address"),
            ),
            description=form.text("description"),
            identity_disclosure=LEVELS["on_confirmation" if form.checked("hidden") else "public"],
            etag=form.text("etag"),
        )
        calls = caller(request)
        try:
            await calls.call(
                calls.services.registry.UpdateOrganization,
                registry.UpdateOrganizationRequest(organization=changed, update_mask=_MASK),
            )
        except (PermissionDenied, Unauthenticated, Unavailable):
            raise
        except DomainError as error:
            form.take(error, _PLACES, request[LANGUAGE])
        else:
            await notify(request, "Saved.")
            raise web.HTTPSeeOther("/organization")
    return await _page(request, await _organization(request), form, 400)


def _place(request: web.Request, form: fields.Form) -> LatLng:
    centre = regions.centre(form.text("region"))
    try:
        place = LatLng(
            latitude=float(form.text("latitude") or centre[0]),
            longitude=float(form.text("longitude") or centre[1]),
        )
    except ValueError:
        place = LatLng(latitude=91)
    if abs(place.latitude) > 90 or abs(place.longitude) > 180:
        form.problems["latitude"] = gettext(
            request, "Give degrees such as 30.27 and 120.16, or leave both empty."
        )
    return place
