"""People who read pages: signing in, finding out what there is to read, and reading it."""

from __future__ import annotations

import asyncio
import random
import re
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from services.gateway import routes

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_FILES = ("/static/", "/api", "/health/")
_SECONDS = 60.0


@dataclass(frozen=True)
class Page:
    """A page as it came: its status, its time to the last byte and to the first, its size on the
    wire, its text.
    """

    status: int
    seconds: float
    first_seconds: float
    bytes: int
    text: str


class Reader:
    """One person's browser, as far as the server can tell."""

    def __init__(self, address: str) -> None:
        self._browser = aiohttp.ClientSession(
            address,
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            auto_decompress=False,
            headers={"Accept-Encoding": "gzip", "Accept-Language": "zh-CN"},
            timeout=aiohttp.ClientTimeout(total=_SECONDS),
        )

    async def __aenter__(self) -> Reader:
        """Open it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self._browser.close()

    async def sign_in(self, email: str, password: str) -> None:
        """Sign in. Raises ValueError when refused."""
        found = _TOKEN.search((await self.get("/sign-in")).text)
        token = found[1] if found else ""
        form = {"csrf_token": token, "email": email, "password": password, "next": "/"}
        async with self._browser.post("/sign-in", data=form, allow_redirects=False) as answer:
            if answer.status != 303:
                raise ValueError(f"{email} could not sign in: {answer.status}")

    async def get(self, path: str) -> Page:
        """Fetch a page or a file; status 504 if it takes longer than a minute."""
        started = time.perf_counter()
        try:
            async with self._browser.get(path, allow_redirects=False) as answer:
                first = time.perf_counter() - started
                body = await answer.read()
        except TimeoutError:
            seconds = time.perf_counter() - started
            return Page(504, seconds, seconds, 0, "")
        seconds = time.perf_counter() - started
        size = len(body)
        if answer.headers.get("Content-Encoding") in ("gzip", "deflate"):
            body = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body)
        return Page(answer.status, seconds, first, size, body.decode(errors="replace"))


@dataclass
class Links(HTMLParser):
    """What a page leads to, and the files that it is shown with."""

    pages: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare the parser."""
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link or a file."""
        known = {key: value or "" for key, value in attrs}
        if tag == "a" and "href" in known:
            self.pages.append(known["href"])
        elif tag == "script" and "src" in known:
            self.files.append(known["src"])
        elif tag in ("link", "use") and "href" in known:
            self.files.append(known["href"].partition("#")[0])


def links(text: str) -> Links:
    """Read a page's links."""
    found = Links()
    found.feed(text)
    return found


@dataclass
class Known:
    """Addresses by route, and the weight in bytes of the heaviest page of each."""

    addresses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    weight: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


async def explore(reader: Reader, start: Iterable[str], most: int) -> Known:
    """Follow the links from some pages on, to at most so many addresses of each route."""
    router = web.Application()
    routes.add(router)
    known, files = Known(), dict[str, int]()
    waiting, seen = list(start), set(start)
    while waiting:
        path = waiting.pop(0)
        route = await _route(router, path)
        if not _is_page(route) or len(known.addresses[route]) >= most:
            continue
        page = await reader.get(path)
        if page.status >= 400:
            known.broken.append(f"{path}: {page.status}")
            continue
        found = links(page.text)
        if page.status == 200:
            known.addresses[route].append(path)
            for each in set(found.files) - files.keys():
                files[each] = (await reader.get(each)).bytes
            weight = page.bytes + sum(files[each] for each in set(found.files))
            known.weight[route] = max(weight, known.weight.get(route, 0))
        for href in found.pages:
            there = urlsplit(urljoin(path, href))
            address = there.path + (f"?{there.query}" if there.query else "")
            if not there.netloc and address not in seen:
                seen.add(address)
                waiting.append(address)
    return known


async def _route(router: web.Application, path: str) -> str:
    """The pattern of the route that answers an address, empty if there is none."""
    match = await router.router.resolve(make_mocked_request("GET", path))
    resource = match.route.resource
    return resource.canonical if resource else ""


def _is_page(route: str) -> bool:
    return route != "" and not route.startswith(_FILES) and not route.endswith("/live")


@dataclass(frozen=True)
class Visit:
    """One page that one person opened."""

    route: str
    seconds: float
    first_seconds: float
    status: int


async def browse(
    readers: Sequence[tuple[Reader, Known]], visits: int, think_seconds: float, seed: int
) -> list[Visit]:
    """Have everybody read at once: each route `visits` times, think times drawn exponentially."""
    drawn = random.Random(seed)
    everywhere = {route for _, known in readers for route, own in known.addresses.items() if own}
    plans: list[list[tuple[str, str]]] = [[] for _ in readers]
    for route in sorted(everywhere):
        able = [i for i, (_, known) in enumerate(readers) if known.addresses.get(route)]
        for turn in range(visits):
            who = able[turn % len(able)]
            plans[who].append((route, drawn.choice(readers[who][1].addresses[route])))
    done: list[Visit] = []

    async def read(reader: Reader, plan: list[tuple[str, str]], think: random.Random) -> None:
        think.shuffle(plan)
        for route, path in plan:
            if think_seconds:
                await asyncio.sleep(think.expovariate(1 / think_seconds))
            page = await reader.get(path)
            done.append(Visit(route, page.seconds, page.first_seconds, page.status))

    async with asyncio.TaskGroup() as group:
        for number, ((reader, _), plan) in enumerate(zip(readers, plans, strict=True)):
            group.create_task(read(reader, plan, random.Random(seed + number)))
    return done
