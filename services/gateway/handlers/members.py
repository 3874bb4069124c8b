"""The people of an organization: invited, given a role, removed; and one's own password."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Awaitable
from typing import Any

from aiohttp import web
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.errors import DomainError, PermissionDenied, Unauthenticated, Unavailable
from services.gateway.forms import fields
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.organization_pb2 import Member
from spareline.registry.v1 import identity_service_pb2 as api

PAGE = "/organization/members"
ROLES = {
    "owner": Member.ROLE_OWNER,
    "trader": Member.ROLE_TRADER,
    "viewer": Member.ROLE_VIEWER,
}
_PLACES = {"member.email": "email", "member.display_name": "name", "password": "password"}
_SHOWN = 100
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is read as another


def first_password() -> str:
    """Return a password that can be told over the telephone: 77 bits in four groups."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def _blank() -> fields.Form:
    return fields.Form(
        {"request_id": str(uuid.uuid4()), "role": "trader", "password": first_password()}
    )


async def listing(request: web.Request) -> web.Response:
    """Show who works here, and the form that invites another."""
    signed_in(request)
    return await _page(request, _blank())


async def _page(
    request: web.Request, form: fields.Form, invited: fields.Form | None = None, status: int = 200
) -> web.Response:
    calls = caller(request)
    parent = signed_in(request).organization
    answer = await calls.call(
        calls.services.identity.ListMembers,
        api.ListMembersRequest(
            parent=parent, page_size=_SHOWN, page_token=request.query.get("page", "")
        ),
    )
    return await render(
        request,
        "members.html",
        status=status,
        members=answer.members,
        next_page=answer.next_page_token,
        roles={number: name for name, number in ROLES.items()},
        form=form,
        invited=invited,
    )


async def invite(request: web.Request) -> web.Response:
    """Make an account for a person, and show its first password this once."""
    form, calls = fields.read(await request.post()), caller(request)
    if "@" not in form.text("email"):
        form.problems["email"] = gettext(request, "Give an e-mail address, such as li@example.com.")
    if len(form.text("password")) < 10:
        form.problems["password"] = gettext(request, "Use at least 10 characters.")
    if not form.problems:
        wanted = Member(
            email=form.text("email"),
            display_name=form.text("name"),
            role=ROLES.get(form.text("role"), Member.ROLE_VIEWER),
            language=request[LANGUAGE],
        )
        try:
            await calls.call(
                calls.services.identity.CreateMember,
                api.CreateMemberRequest(
                    parent=signed_in(request).organization,
                    member=wanted,
                    password=form.text("password"),
                    request_id=form.text("request_id"),
                ),
            )
        except (PermissionDenied, Unauthenticated, Unavailable):
            raise
        except DomainError as error:
            if error.reason == reason_pb2.REASON_EMAIL_TAKEN:
                form.problems["email"] = gettext(request, "There is an account with this address.")
            else:
                form.take(error, _PLACES, request[LANGUAGE])
        else:
            return await _page(request, _blank(), form)
    return await _page(request, form, status=400)


def _name(request: web.Request) -> str:
    return f"{signed_in(request).organization}/members/{request.match_info['member']}"


async def change_role(request: web.Request) -> web.StreamResponse:
    """Give a member another role."""
    form, calls = fields.read(await request.post()), caller(request)
    changed = Member(
        name=_name(request),
        email=form.text("email"),  # unchanged: its field rule holds for the whole message
        role=ROLES.get(form.text("role"), Member.ROLE_VIEWER),
        etag=form.text("etag"),
    )
    await _unless_last_owner(
        request,
        calls.call(
            calls.services.identity.UpdateMember,
            api.UpdateMemberRequest(member=changed, update_mask=FieldMask(paths=["role"])),
        ),
        "Saved.",
    )
    raise web.HTTPSeeOther(PAGE)


async def remove(request: web.Request) -> web.StreamResponse:
    """Remove a member, whose sessions end at once."""
    calls = caller(request)
    await _unless_last_owner(
        request,
        calls.call(
            calls.services.identity.DeleteMember, api.DeleteMemberRequest(name=_name(request))
        ),
        "Removed. Every session of this person has ended.",
    )
    raise web.HTTPSeeOther(PAGE)


async def _unless_last_owner(request: web.Request, call: Awaitable[Any], done: str) -> None:
    try:
        await call
    except DomainError as error:
        if error.reason != reason_pb2.REASON_LAST_OWNER:
            raise
        await notify(
            request,
            "Nothing was changed: a firm keeps at least one owner. Make somebody else an "
            "owner first.",
        )
    else:
        await notify(request, done)


async def password_form(request: web.Request) -> web.Response:
    """Show the form that changes one's own password."""
    signed_in(request)
    return await render(
        request, "password.html", form=fields.Form({"request_id": str(uuid.uuid4())})
    )


async def change_password(request: web.Request) -> web.StreamResponse:
    """Change one's own password; all other sessions end."""
    signed_in(request)
    form, calls = fields.read(await request.post()), caller(request)
    form.require("current", gettext(request, "Give your present password."))
    if len(form.text("password")) < 10:
        form.problems["password"] = gettext(request, "Use at least 10 characters.")
    if not form.problems:
        try:
            await calls.call(
                calls.services.identity.ChangePassword,
                api.ChangePasswordRequest(
                    current_password=form.text("current"),
                    new_password=form.text("password"),
                    request_id=form.text("request_id"),
                ),
            )
        except DomainError as error:
            if error.reason != reason_pb2.REASON_CREDENTIALS_WRONG:
                raise
            form.problems["current"] = gettext(request, "This is not your present password.")
        else:
            await notify(request, "The password is changed. All your other sessions have ended.")
            raise web.HTTPSeeOther("/organization")
    return await render(
        request, "password.html", status=400, form=form.without("current", "password")
    )
