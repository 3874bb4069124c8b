"""A small market behind a gateway, on a thread of its own: tests call it as any client would."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

from services.chassis.app import App
from services.gateway import app as gateway
from services.gateway.settings import GatewaySettings
from tests import servers
from tests.e2e import matching_market as mm

START_SECONDS = 90


@dataclass
class Place:
    """Where the gateway listens, who may call, and names of what is there."""

    address: str
    tokens: dict[str, str]
    names: dict[str, str]
    market: mm.Market
    loop: asyncio.AbstractEventLoop = field(repr=False)

    def run(self, coroutine: Any) -> Any:
        """Run something on the market's own loop and return what it gives."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)


@dataclass
class Reply:
    """An answer, read whole."""

    status: int
    headers: Message[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def call(
    place: Place,
    verb: str,
    path: str,
    body: Any = None,
    *,
    who: str = "alpha",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send a request below /api/v1 and return the answer, whatever its status."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{place.address}/api/v1{path}", data=data, method=verb)
    if who:
        request.add_header("Authorization", f"Bearer {place.tokens[who]}")
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return Reply(answer.status, answer.headers, answer.read().decode())
    except urllib.error.HTTPError as refused:
        return Reply(refused.code, refused.headers, refused.read().decode())


@contextmanager
def running(registry: Mapping[str, Any] | None = None) -> Iterator[Place]:
    """Run the market until the block ends. Raises whatever kept it from starting.

    ``registry``: more settings of the registry.
    """
    loop = asyncio.new_event_loop()
    ready: threading.Event = threading.Event()
    state: dict[str, Any] = {}

    async def main() -> None:
        done = state["done"] = asyncio.Event()
        with tempfile.TemporaryDirectory() as folder:
            async with (
                mm.running(Path(folder), **(registry or {})) as market,
                App("gateway", drain_seconds=0.2) as app,
            ):
                state["place"] = await _set(market, app, loop)
                ready.set()
                await done.wait()

    def live() -> None:
        try:
            loop.run_until_complete(main())
        except BaseException as error:
            state["error"] = error
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    assert ready.wait(START_SECONDS), "the market did not start"
    if "error" in state:
        raise state["error"]
    try:
        yield state["place"]
    finally:
        loop.call_soon_threadsafe(state["done"].set)
        thread.join(30)


async def _set(market: mm.Market, app: App, loop: asyncio.AbstractEventLoop) -> Place:
    port = servers.free_port()
    settings = GatewaySettings(
        gateway_port=port,
        registry_address=f"127.0.0.1:{market.registry_port}",
        matching_address=f"127.0.0.1:{market.matching_port}",
        session_key="k" * 32,  # type: ignore[arg-type]
        secure_cookies=False,
        drain_seconds=0.2,
    )
    await gateway.build(app, settings)
    operator = await market.operator()
    await mm.quiet_policy(operator)
    alpha, beta = await market.member("alpha"), await market.member("beta")
    await alpha.offer("spare", [5, 5], price=100)
    await beta.demand("need", 6)
    await mm.book_has(operator, 1, 1)
    done = await mm.clear(operator)
    [proposal] = await alpha.inbox("STATE_PROPOSED")
    return Place(
        f"http://127.0.0.1:{port}",
        {"operator": operator.token, "alpha": alpha.token, "beta": beta.token},
        {
            "organization": "alpha",
            "offer": "spare",
            "demand": "need",
            "round": done.name.split("/")[1],
            "proposal": proposal.name.split("/")[3],
            "capability": mm.CAPABILITY,
            "policy": "standard",
        },
        market,
        loop,
    )
