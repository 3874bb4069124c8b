"""Take the pictures of the README from a running sample market: `make screenshots`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Browser

from deploy import sample
from deploy.local.stack import Stack
from tests.browser import chromium, steps
from tests.browser.chromium import Visitor, visitor

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
OPERATOR = "operator@spareline.example"
FIRMS = {"zh": "wang@haijing.example", "en": "schmidt@schmidt-zerspanung.example"}


async def _shoot(person: Visitor, path: str, name: str) -> None:
    await person.open(path)
    await person.page.wait_for_timeout(1_500)  # the inbox count comes by itself
    await person.page.screenshot(path=PICTURES / f"{name}.png")


async def _first(person: Visitor, listing: str, link: str) -> str:
    await person.open(listing)
    found = await person.page.locator(link).first.get_attribute("href")
    assert found is not None, f"{listing} has no {link}"
    return found


async def _helpful(person: Visitor, round_: str) -> str:
    """Return the first explanation of the round that knows a change which would have helped."""
    await person.open(round_)
    links = await person.page.locator("a[href^='/why']").all()
    for link in [await one.get_attribute("href") or "" for one in links]:
        await person.open(link)
        if await person.page.locator(".changes li").count():
            return link
    raise LookupError(f"{round_} has no explanation with a change that would have helped")


async def _pictures(stack: Stack, browser: Browser) -> None:
    url = stack.gateway_url
    async with visitor(browser, url, language="en", size="desktop", who="op") as operator:
        await steps.sign_in(operator, OPERATOR, stack.credentials.operator_password)
        await steps.run_round(operator)
        await operator.page.locator("details summary").first.click()
        await operator.page.screenshot(path=PICTURES / "round-en.png")
    for language, size in (("zh", "desktop"), ("zh", "phone"), ("en", "desktop")):
        async with visitor(browser, url, language=language, size=size, who="firm") as firm:
            await steps.sign_in(firm, FIRMS[language], stack.credentials.demo_password)
            if size == "phone":
                await _shoot(firm, await _first(firm, "/proposals", "ul.list a.row"), "phone-zh")
            elif language == "zh":
                await _shoot(firm, "/", "home-zh")
            else:
                proposal = await _first(firm, "/proposals", "ul.list a.row")
                await _shoot(firm, proposal, "proposal-en")
                round_ = await _first(firm, "/rounds", "ul.list a.row")
                await _shoot(firm, await _helpful(firm, round_), "why-en")


async def take() -> None:
    """Start a market of its own, load the sample, and take every picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="spareline-") as var:
        async with Stack(Path(var)) as stack, chromium.chromium() as browser:
            await sample.load(
                stack.registry_address,
                stack.matching_address,
                OPERATOR,
                stack.credentials.operator_password,
                stack.credentials.demo_password,
                lambda *_: None,
            )
            await _pictures(stack, browser)
    for picture in sorted(PICTURES.glob("*.png")):
        print(picture.name)


if __name__ == "__main__":
    asyncio.run(take())
