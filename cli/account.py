"""Signing in and out, and who one is."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Settings, connected
from cli.running import perform
from cli.screen import JsonOption, say, write_json
from cli.session import Session, locked, read_session, session_file, write_session
from spareline.registry.v1 import identity_service_pb2


def sign_in(
    context: typer.Context,
    email: Annotated[str, typer.Argument(help="The address that signs in.")],
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, help="Asked for when left out.")
    ],
) -> None:
    """Sign in as a person; the session is kept in a private file."""
    perform(_sign_in(context.obj, email, password))


async def _sign_in(settings: Settings, email: str, password: str) -> int:
    grant = identity_service_pb2.PasswordGrant(email=email, password=password)
    async with connected(settings, signed_in=False) as client:
        request = identity_service_pb2.IssueTokenRequest(password=grant)
        answer = await client.identity.IssueToken(request)
    file = session_file()
    with locked(file):
        write_session(file, settings.registry, Session.of(email, answer))
    say(f"Signed in as {_described(answer.principal)}.")
    return 0


def sign_out(context: typer.Context) -> None:
    """End the session here and at the registry."""
    perform(_sign_out(context.obj))


async def _sign_out(settings: Settings) -> int:
    file = session_file()
    with locked(file):
        session = read_session(file, settings.registry)
        if session is None:
            say("There was no session.")
            return 0
        # Forgotten here even if the registry cannot be told.
        write_session(file, settings.registry, None)
    async with connected(settings, signed_in=False) as client:
        await client.identity.RevokeToken(
            identity_service_pb2.RevokeTokenRequest(refresh_token=session.refresh_token)
        )
    say(f"Signed out {session.email}.")
    return 0


def whoami(context: typer.Context, as_json: JsonOption = False) -> None:
    """Tell who the commands act for."""
    perform(_whoami(context.obj, as_json))


async def _whoami(settings: Settings, as_json: bool) -> int:
    async with connected(settings) as client:
        caller = await client.who()
    if as_json:
        write_json(caller)
    else:
        say(_described(caller))
    return 0


def _described(caller: identity_service_pb2.WhoAmIResponse) -> str:
    name = caller.display_name or caller.email or caller.subject
    place = f" of {caller.organization}" if caller.organization else ""
    return f"{name}, {caller.role}{place}, may {' and '.join(caller.scopes) or 'nothing'}"
