"""`make run`: start everything, bring a new market to life, and stay until told to end."""

from __future__ import annotations

import asyncio
import signal
from typing import Final

from deploy.local.screen import Screen
from deploy.local.settings import StackSettings
from deploy.local.stack import Stack

_END_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run(settings: StackSettings, screen: Screen, *, services: bool = True) -> int:
    """Run the stack until Ctrl-C, SIGTERM or the terminal's end; returns the exit code.

    Without `services` it runs NATS and the store alone, for work on a service outside of it.

    Raises:
        StackError: it could not start, or can't go on.
    """
    serve = _serve_servers
    if services:
        # Imported here, as the servers alone need no generated code.
        from deploy.local.opening import serve
    stack = Stack(services=services, settings=settings, report=screen.step)
    _end_on_signals(screen)
    try:
        with screen.progress():
            await stack.__aenter__()
        try:
            await serve(stack, screen)
        finally:
            screen.say(f"Ending {', '.join(reversed(stack.names))} …")
            await stack.__aexit__(None, None, None)
    except asyncio.CancelledError:
        screen.say("Ended. The data stays; make run goes on with it.")
        return 0
    return 1


async def _serve_servers(stack: Stack, screen: Screen) -> None:
    screen.say(f"MongoDB wire: {stack.mongo_url}")
    screen.say(f"NATS: {stack.nats_url}")
    screen.say("Ctrl-C ends them.")
    await stack.watch(screen.say)


def _end_on_signals(screen: Screen) -> None:
    """Let the first signal end the stack in order; a second one does not cut that short."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    told = False

    def end() -> None:
        nonlocal told
        if told or main is None:
            screen.say("Still ending; a moment please.")
            return
        told = True
        main.cancel()

    for number in _END_SIGNALS:
        loop.add_signal_handler(number, end)
