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
UNMATCHED = ("rossi@rossi-packaging.example", "li@xinghe.example", "wang@haijing.example")
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


async def _helpful(person: Visitor) -> str | None:
    """Return an explanation of the latest round with a change that would have helped, if any."""
    await person.open(await _first(person, "/rounds", "ul.list a.row"))
    links = await person.page.locator("a[href^='/why']").all()
    for link in [await one.get_attribute("href") or "" for one in links]:
        await person.open(link)
        if await person.page.locator(".changes li").count():
            return link
    return None


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


async def _why(stack: Stack, browser: Browser) -> None:
    """Take the picture of an explanation that knows what would have helped."""
    for firm in UNMATCHED:
        async with visitor(
            browser, stack.gateway_url, language="en", size="desktop", who="why"
        ) as reader:
            await steps.sign_in(reader, firm, stack.credentials.demo_password)
            if await reader.page.locator("button[value=en]").count():
                await reader.press("button[value=en]")
            if found := await _helpful(reader):
                await _shoot(reader, found, "why-en")
                return
    raise LookupError("no explanation in the sample knows a change that would have helped")


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
            await _why(stack, browser)
    for picture in sorted(PICTURES.glob("*.png")):
        print(picture.name)


if __name__ == "__main__":
    asyncio.run(take())
