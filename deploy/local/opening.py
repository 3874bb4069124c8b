"""Opening the market to people: what there is in it, and how to get in."""

from __future__ import annotations

import asyncio

import grpc

from deploy.local import accounts, tables
from deploy.local.first_round import bring_to_life
from deploy.local.operator import Operator, operator
from deploy.local.problems import StackError
from deploy.local.screen import Screen
from deploy.local.stack import Stack
from deploy.sample import SampleError
from services.chassis.grpc_errors import from_rpc_error


async def serve(stack: Stack, screen: Screen) -> None:
    """Fill an empty market, say how to get in, and tell of restarts; returns by an exception.

    Raises:
        StackError: the stack can't go on.
    """
    watching = asyncio.create_task(stack.watch(screen.say))
    try:
        await _prepare(stack, screen)
        _welcome(stack, screen)
        await watching
    finally:
        watching.cancel()


async def _prepare(stack: Stack, screen: Screen) -> None:
    """Show the market; a fault in filling it is told, and the stack stays up to be looked at."""
    email, password = stack.settings.operator_email, stack.credentials.operator_password
    try:
        async with operator(
            stack.registry_address, stack.matching_address, email, password
        ) as acting:
            await _show(stack, acting, screen)
    except grpc.aio.AioRpcError as error:
        screen.problem(f"The market could not be prepared: {from_rpc_error(error)}")
    except (SampleError, StackError) as error:
        screen.problem(f"The market could not be prepared: {error}")


async def _show(stack: Stack, acting: Operator, screen: Screen) -> None:
    ended = None
    if stack.settings.sample:
        with screen.progress():
            ended = await bring_to_life(stack, acting, screen.step)
    if ended is not None:
        names = await acting.capability_names()
        screen.table(tables.matched(await acting.proposals(ended.name), names))
        screen.say(tables.summary(ended))
        return
    book = await acting.book()
    screen.say(f"The market has {book.offers} open offers and {book.demands} open demands.")
    latest = await acting.latest_round()
    if latest is not None:
        screen.say(f"Its last round: {tables.summary(latest)}")


def _welcome(stack: Stack, screen: Screen) -> None:
    secrets, folder = stack.credentials, stack.layout.secrets
    screen.say(f"\n[bold]Spareline runs at {stack.gateway_url}[/bold]\n")
    screen.table(
        tables.sign_ins(
            stack.settings.operator_email,
            secrets.operator_password,
            accounts.kept(folder),
            secrets.demo_password,
        )
    )
    screen.say(f"gRPC: registry {stack.registry_address}, matching {stack.matching_address}")
    if accounts.key_file(folder).exists():
        screen.say(f"API key of the partner platform: {accounts.key_file(folder)}")
    screen.say(f"Data, logs and passwords: {stack.layout.root}")
    screen.say("Ctrl-C ends it.")
