"""Signing up, in and out, and switching the language."""

from __future__ import annotations

import uuid

from aiohttp import web
from google.type import latlng_pb2

from services.chassis.errors import DomainError, Unauthenticated, Unavailable
from services.gateway import people, refusals
from services.gateway.forms import fields, regions
from services.gateway.languages import COOKIE, LANGUAGE, LANGUAGES, gettext
from services.gateway.render import notify, render
from spareline.errors.v1 import reason_pb2
from spareline.market.v1 import organization_pb2 as org
from spareline.registry.v1 import identity_service_pb2 as identity

_YEAR = 365 * 24 * 3600
_KINDS = {
    "sme": org.Organization.KIND_SME,
    "lab": org.Organization.KIND_LAB,
    "agency": org.Organization.KIND_AGENCY,
}


def _local(address: str) -> str:
    """Return a path of ours to go on to; anything else becomes the home page."""
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"


async def switch_language(request: web.Request) -> web.Response:
    """Keep the language in a cookie and go back to the page."""
    form = fields.read(await request.post())
    answer = web.Response(status=303, headers={"Location": _local(form.text("next"))})
    if (wanted := form.text("language")) in LANGUAGES:
        answer.set_cookie(COOKIE, wanted, max_age=_YEAR, samesite="Lax", httponly=True)
    return answer


async def sign_in_form(request: web.Request) -> web.Response:
    """Show the sign-in page."""
    form = fields.Form({"next": request.query.get("next", "/")})
    return await render(request, "sign_in.html", form=form)


async def sign_in(request: web.Request) -> web.StreamResponse:
    """Exchange e-mail and password for a session."""
    form = fields.read(await request.post())
    try:
        person = await _exchange(request, form.text("email"), form.text("password"))
    except Unavailable:
        raise
    except DomainError as error:
        form.problems["email"] = (
            gettext(request, "E-mail and password do not fit together.")
            if error.reason == reason_pb2.REASON_CREDENTIALS_WRONG
            else refusals.sentences(error, request[LANGUAGE])[0]
        )
        return await render(request, "sign_in.html", status=400, form=form.without("password"))
    await people.remember(request, person)
    raise web.HTTPSeeOther(_local(form.text("next")))


async def _exchange(request: web.Request, email: str, password: str) -> people.Person:
    services = request.app[people.SERVICES]
    grant = identity.PasswordGrant(email=email.strip(), password=password)
    if not email.strip() or not password:
        raise Unauthenticated(reason_pb2.REASON_CREDENTIALS_WRONG, "")
    return people.from_token(
        await people.visitor(request).call(
            services.identity.IssueToken, identity.IssueTokenRequest(password=grant)
        )
    )


async def sign_out(request: web.Request) -> web.StreamResponse:
    """End the session."""
    await people.forget(request)
    raise web.HTTPSeeOther("/")


async def sign_up_form(request: web.Request) -> web.Response:
    """Show the sign-up page. The request id in it makes a second sending harmless."""
    form = fields.Form({"request_id": str(uuid.uuid4()), "region": "CN-ZJ", "kind": "sme"})
    return await render(
        request, "sign_up.html", form=form, regions=regions.choices(request[LANGUAGE])
    )


async def sign_up(request: web.Request) -> web.StreamResponse:
    """Register an organization with its first owner, and sign in."""
    form = fields.read(await request.post())
    form.require("name", gettext(request, "Give the name of your firm."))
    form.require("person", gettext(request, "Give your name."))
    if "@" not in form.text("email"):
        form.problems["email"] = gettext(request, "Give an e-mail address, such as li@example.com.")
    if len(form.text("password")) < 10:
        form.problems["password"] = gettext(request, "Use at least 10 characters.")
    if not form.problems:
        try:
            await _register(request, form)
            person = await _exchange(request, form.text("email"), form.text("password"))
        except Unavailable:
            raise
        except DomainError as error:
            form.take(
                error,
                {"organization.display_name": "name", "organization.region": "region"},
                request[LANGUAGE],
            )
            if error.reason == reason_pb2.REASON_EMAIL_TAKEN:
                form.problems["email"] = gettext(
                    request, "There is an account with this address. Sign in instead."
                )
        else:
            await people.remember(request, person)
            await notify(
                request, "Welcome to Spareline. Post what you can spare, or what you need."
            )
            raise web.HTTPSeeOther("/")
    return await render(
        request,
        "sign_up.html",
        status=400,
        form=form.without("password"),
        regions=regions.choices(request[LANGUAGE]),
    )


async def _register(request: web.Request, form: fields.Form) -> None:
    services = request.app[people.SERVICES]
    place = regions.centre(form.text("region"))
    language = request[LANGUAGE]
    await people.visitor(request).call(
        services.identity.SignUp,
        identity.SignUpRequest(
            organization=org.Organization(
                display_name=form.text("name"),
                kind=_KINDS.get(form.text("kind"), org.Organization.KIND_SME),
                region=form.text("region"),
                location=latlng_pb2.LatLng(latitude=place[0], longitude=place[1]),
                languages=[language],
                contact=org.Contact(person=form.text("person"), email=form.text("email")),
            ),
            email=form.text("email"),
            person=form.text("person"),
            password=form.text("password"),
            language=language,
            request_id=form.text("request_id"),
        ),
    )
