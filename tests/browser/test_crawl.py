"""Every page that links lead to: no dead link, no fault in the console, and WCAG 2.2 AA by axe.

Nobody lists the pages: whoever may open one finds it from the first page on, and what no link
leads to is told at the end. Each is looked at in Chinese on a dark phone and in English on a light
desk.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from playwright.async_api import Browser

from services.gateway import routes
from tests.browser import steps
from tests.browser.axe import violations
from tests.browser.chromium import Visitor, visitor
from tests.e2e import matching_market as mm
from tests.e2e.access.scene import scene
from tests.e2e.access.stage import pages

pytestmark = [
    pytest.mark.browser,
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.thorough,
    pytest.mark.timeout(900),  # some two hundred pages, on whatever machine
]

ROLES = {
    "visitor": None,
    "owner": ("owner@alpha.example", mm.PASSWORD),
    "operator": mm.OPERATOR,
}
# What a search, a choice or a form's state adds to a page, each looked at by itself.
STATES = {
    "owner": (
        "/offers/new?q=milling",
        "/offers/new?capability=production.machining.milling.5-axis",
        "/offers/new?capability=production.machining.milling.5-axis&q=40+h+a+week+until+March",
        "/demands/new?q=60+hours+of+milling",
        "/demands/new?capability=production.machining.milling",
        "/wanted?capability=production.machining.milling.5-axis",
        "/market?capability=production.machining&region=CN",
        "/market/search?q=milling&quantity=3",
        "/market/search?side=demands",
    ),
    "operator": ("/operator/taxonomy/edit?code=production.machining.turning",),
}
# Pages of the sort that a link of a page of another sort need not lead to.
UNLINKED = {
    "/drafts/{draft}",
    "/organization/webhooks/{webhook}",
    "/operator/what-if/{round}",  # there once a policy was tried: see test_operator
    # There once all have accepted, or where a change would help: see test_journey. The address
    # of a feed stands on no page for long.
    "/proposals/{round}/{proposal}/agreement",
    "/proposals/{round}/{proposal}/agreement.pdf",
    "/proposals/{round}/{proposal}/calendar.ics",
    "/calendar/{secret}.ics",
    "/why/{kind}/{posting}/change",
    # There once a file was brought in, and behind buttons that download: see test_posting.
    "/files/{import}",
    "/files/{import}/marked.{format}",
    "/files/template",
    "/files/export",
    "/operator",  # an address to type, which leads to the rounds
    "/health/live",
    "/health/ready",
}
_PER_ROUTE = 3
_HREF = re.compile(r'<a [^>]*?href="([^"]+)"')
_LINKS = "links => links.map(link => link.getAttribute('href'))"


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A gateway before a market in which one firm has something of everything."""
    folder = tmp_path_factory.mktemp("scene")
    async with scene(folder) as running, pages(running) as served:
        yield served


@dataclass
class Crawl:
    """What was found so far, over all roles: pages by route, and what is wrong."""

    router: web.Application = field(default_factory=web.Application)
    looked_at: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        routes.add(self.router)

    async def walk(self, reader: Visitor, states: Sequence[str]) -> None:
        """Follow all links from the first page on, and look at some states of pages."""
        for path in states:
            self.looked_at[await self._route(path)] = path
            await reader.open(path)
            self.wrong += await violations(reader)
        self.looked_at.pop("/", None)  # it is another page for each
        waiting, seen = ["/"], {"/"}
        fetched: dict[str, int] = {}
        while waiting:
            path = waiting.pop(0)
            route = await self._route(path)
            if not route:
                self.wrong.append(f"{reader.name}: {path} leads nowhere")
            if not route or route.endswith("/live") or fetched.get(route, 0) >= _PER_ROUTE:
                continue
            fetched[route] = fetched.get(route, 0) + 1
            for href in await self._links(reader, route, path):
                parts = urlsplit(href)
                target = parts.path + (f"?{parts.query}" if parts.query else "")
                if not parts.scheme and not parts.netloc and target and target not in seen:
                    seen.add(target)
                    waiting.append(target)

    async def _route(self, path: str) -> str:
        match = await self.router.router.resolve(make_mocked_request("GET", path))
        resource = match.route.resource
        return resource.canonical if resource else ""

    async def _links(self, reader: Visitor, route: str, path: str) -> list[str]:
        """Look at the page, or fetch it if one of its route was looked at or it is a file."""
        if route not in self.looked_at and "." not in route.rpartition("/")[2]:
            self.looked_at[route] = path
            await reader.open(path)
            self.wrong += await violations(reader)
            links: list[str] = await reader.page.locator("a[href]").evaluate_all(_LINKS)
            return links
        self.looked_at.setdefault(route, path)
        answer = await reader.page.request.get(reader.url + path)
        if answer.status >= 400:
            self.wrong.append(f"{reader.name}: {path}: {answer.status}")
        if "text/html" not in answer.headers.get("content-type", ""):
            return []
        # Seen in another state or role, whose page has other links.
        return [unescape(href) for href in _HREF.findall(await answer.text())]


@pytest.mark.parametrize(
    ("language", "size", "scheme"),
    [
        ("zh", "phone", "dark"),
        ("en", "desktop", "light"),
    ],
)
async def test_every_link_leads_to_a_page_that_everybody_can_use(
    address: str, browser: Browser, language: str, size: str, scheme: str
) -> None:
    crawl = Crawl()
    for role, account in ROLES.items():
        async with visitor(
            browser, address, language=language, size=size, who=f"crawl-{role}", scheme=scheme
        ) as reader:
            if account:
                await steps.sign_in(reader, *account)
            await crawl.walk(reader, STATES.get(role, ()))
    assert crawl.wrong == []
    pages = {route.path for route in routes.ROUTES if route.method == "GET"}
    canonical = {re.sub(r"{(\w+):[^}]+}", r"{\1}", path) for path in pages}
    never = canonical - crawl.looked_at.keys() - UNLINKED
    assert {path for path in never if not path.endswith("/live")} == set()
