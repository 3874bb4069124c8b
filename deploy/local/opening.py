"""Opening the market to people: what there is in it, and how to get in."""

from __future__ import annotations

import asyncio

import grpc

from deploy.local import tables
from deploy.local.first_round import bring_to_life
from deploy.local.operator import operator
from deploy.local.problems import StackError
from deploy.local.screen import Screen
from deploy.local.stack import Stack
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
    """Load and clear a new market; a fault there is told, and the stack stays up to look at."""
    try:
        with screen.progress():
            ended = await bring_to_life(stack, screen.step) if stack.settings.sample else None
        secrets = stack.credentials
        async with operator(
            stack.registry_address,
            stack.matching_address,
            stack.settings.operator_email,
            secrets.operator_password,
        ) as acting:
            if ended is not None:
                screen.table(tables.matched(await acting.proposals(ended.name)))
                screen.say(tables.summary(ended))
                return
            book = await acting.book()
            latest = await acting.latest_round()
        screen.say(f"The market has {book.offers} open offers and {book.demands} open demands.")
        if latest is not None:
            screen.say(f"Its last round: {tables.summary(latest)}")
    except grpc.aio.AioRpcError as error:
        screen.problem(f"The market could not be prepared: {from_rpc_error(error)}")
    except StackError as error:
        screen.problem(f"The market could not be prepared: {error}")


def _welcome(stack: Stack, screen: Screen) -> None:
    secrets = stack.credentials
    screen.say("")
    screen.say(f"[bold]Spareline runs at {stack.gateway_url}[/bold]")
    screen.say(
        f"  as the operator: {stack.settings.operator_email}, password {secrets.operator_password}"
    )
    screen.say(f"  gRPC: registry {stack.registry_address}, matching {stack.matching_address}")
    screen.say(f"  data, logs and passwords: {stack.layout.root}")
    screen.say("Ctrl-C ends it.")
