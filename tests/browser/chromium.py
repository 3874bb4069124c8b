"""A real Chromium, and pages that note everything that goes wrong in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}
ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts" / "browser"


def executable() -> str | None:
    """Return the path of Chromium, or None when it is not installed."""
    return os.environ.get("SPARELINE_CHROMIUM") or shutil.which("chromium")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visitor:
    """One person's browser: a page, the address of the gateway, and what went wrong so far."""

    page: Page
    url: str
    name: str
    faults: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        """Go to a page of the gateway, and check that it fits the width of the screen."""
        answer = await self.page.goto(self.url + path)
        assert answer is not None
        assert answer.status < 400, f"{path}: {answer.status}"
        await self.fits()

    async def fits(self) -> None:
        """Check that nothing sticks out of the screen sideways."""
        spill = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert spill <= 0, f"{self.page.url} is {spill} px too wide for {self.name}"

    async def press(self, selector: str) -> None:
        """Press a button or link that leads to another page."""
        async with self.page.expect_navigation():
            await self.page.locator(selector).first.click()
        await self.fits()

    async def picture(self, step: str) -> None:
        """Keep a picture of the whole page as a build artefact."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=ARTIFACTS / f"{self.name}-{step}.png", full_page=True)


@asynccontextmanager
async def visitor(
    browser: Browser, url: str, *, language: str, size: str, who: str, scheme: str = "light"
) -> AsyncIterator[Visitor]:
    """Open a browser window of one's own, with no cookies yet.

    Leaving it checks that no script failed, nothing broke the page's security policy, and
    nothing was missing.
    """
    width, height = SIZES[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        locale={"en": "en-GB", "zh": "zh-CN"}[language],
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = await context.new_page()
    page.set_default_timeout(20_000)
    found = Visitor(page, url, f"{language}-{size}-{who}")
    page.on(
        "console",
        lambda message: found.faults.append(message.text) if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: found.faults.append(str(error)))
    yield found
    assert found.faults == []
    await context.close()
