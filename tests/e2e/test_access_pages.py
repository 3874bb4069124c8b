"""Every route of the gateway × every kind of visitor, aimed at what is organization A's.

The routes come from the route table; a new one fails until ``access.pages`` says who gets what.
Beyond the status of each: no page shown to somebody else holds anything of A's, no post goes
through without the token of its form, and nothing is answered with a fault of ours (5xx).
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from services.gateway.routes import ROUTES, Route
from tests.e2e import matching_market as mm
from tests.e2e.access.cast import A
from tests.e2e.access.pages import EXPECTED, FORBIDDEN, VISITORS
from tests.e2e.access.scene import SECRETS, Scene, scene
from tests.e2e.access.stage import pages

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PEOPLE = {
    "viewer_a": ("viewer@alpha.example", mm.PASSWORD),
    "owner_a": ("owner@alpha.example", mm.PASSWORD),
    "owner_b": ("owner@beta.example", mm.PASSWORD),
    "operator": mm.OPERATOR,
}
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
# It shows open postings with the name of whoever lets it be seen.
_NAMING = ("/market/search",)
_STREAMS = ("/live", "/rounds/{round}/live", "/files/{import}/live")


class Visitor:
    """A browser of its own: cookies, and the token of the forms it was shown."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        # Cookies of an address without a name are dropped unless told otherwise.
        jar = aiohttp.CookieJar(unsafe=True)
        self.browser = aiohttp.ClientSession(address, cookie_jar=jar)

    async def token(self) -> str:
        async with self.browser.get("/sign-in") as page:
            found = _TOKEN.search(await page.text())
        assert found is not None
        return found[1]

    async def sign_in(self) -> None:
        if self.name == "visitor":
            return
        email, password = PEOPLE[self.name]
        form = {"csrf_token": await self.token(), "email": email, "password": password, "next": "/"}
        async with self.browser.post("/sign-in", data=form, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()

    async def open(self, route: Route, path: str, form: Mapping[str, str]) -> tuple[int, str, str]:
        """Return status, place to go on to, and text; of a stream only its status."""
        async with self.browser.request(
            route.method,
            path,
            data=form if route.method == "POST" else None,
            allow_redirects=False,
        ) as answer:
            text = "" if route.path in _STREAMS and answer.status == 200 else await answer.text()
            return answer.status, answer.headers.get("Location", ""), text


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[tuple[Scene, str]]:
    """The scene, and the address of a gateway before it."""
    async with scene(tmp_path) as running, pages(running) as address:
        yield running, address


def test_every_route_is_listed() -> None:
    routes = {(route.method, route.path) for route in ROUTES}
    assert set(EXPECTED) == routes, "say in tests/e2e/access/pages.py who may open each route"


async def test_the_matrix(stage: tuple[Scene, str]) -> None:
    running, address = stage
    wrong: list[str] = []
    async with AsyncExitStack() as stack:
        visitors = [Visitor(name, address) for name in VISITORS]
        for visitor in visitors:
            await stack.enter_async_context(visitor.browser)
            await visitor.sign_in()
        by_path: dict[tuple[str, str], Route] = {(r.method, r.path): r for r in ROUTES}
        for key in EXPECTED:  # its order matters: what ends a thing comes after what reads it
            for visitor in visitors:
                wrong += await _tried(running, by_path[key], visitor)
    assert not wrong, "\n" + "\n".join(wrong)


async def _tried(running: Scene, route: Route, visitor: Visitor) -> list[str]:
    expected = EXPECTED[route.method, route.path]
    path = _aimed(running, route.path)
    wrong = []
    if route.method == "POST":
        for bad in ({}, {"csrf_token": "made-up"}):
            status, _, _ = await visitor.open(route, path, bad)
            if status != FORBIDDEN:
                wrong.append(f"POST {path} by {visitor.name} with {bad}: {status}")
    form = {"csrf_token": await visitor.token(), **expected.form} if route.method == "POST" else {}
    status, place, text = await visitor.open(route, path, form)
    wanted = getattr(expected, visitor.name)
    if status != wanted:
        wrong.append(f"{route.method} {path} by {visitor.name}: {status} instead of {wanted}")
    sent_away = visitor.name == "visitor" and status == 303 and route.audience != "anyone"
    if sent_away and not place.startswith("/sign-in"):
        wrong.append(f"{route.method} {path} sends a visitor to {place}")
    if visitor.name in ("visitor", "owner_b"):
        # An id that the reader has typed into the address comes back in links; that tells nothing.
        named = () if route.path in _NAMING else ("Alpha",)
        leaked = [word for word in (*SECRETS, A, *named) if word in text and word not in path]
        if leaked:
            wrong.append(f"{route.method} {path} tells {visitor.name} of {leaked}")
    return wrong


def _aimed(running: Scene, path: str) -> str:
    """Put the ids of A's things into a route's path."""
    withdrawn = path.endswith("/offers/{offer}/withdraw")
    _, round_, _, proposal = running.proposal.split("/")
    return (
        path.replace("{kind:offers|demands}", "demands")
        .replace("{posting}", "private-need")
        .replace("{offer}", "spare" if withdrawn else "private-cell")
        .replace("{demand}", "test")
        .replace("{webhook}", "none")
        .replace("{event}", "none")
        .replace("{member}", "none")
        .replace("{key}", "none")
        .replace("{delegation}", "none")
        .replace("{organization}", "alpha")
        .replace("{draft}", "0" * 32)
        .replace("{secret}", "spc_none_none")
        .replace("{import}", "0" * 32)
        .replace("{format:csv|xlsx}", "xlsx")
        .replace("{policy}", "standard")
        .replace("{letter}", "7")
        .replace("{round}", round_)
        .replace("{proposal}", proposal)
    )
