"""Every page holds WCAG 2.2 AA as far as axe can tell, in both languages and colour schemes."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from deploy.local.stack import Stack
from tests.browser import steps
from tests.browser.chromium import Visitor, visitor

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]

OPEN_TO_ALL = ("/", "/sign-in", "/sign-up", "/api")
SIGNED_IN = (
    "/",
    "/organization",
    "/organization/members",
    "/organization/keys",
    "/organization/platforms",
    "/organization/credit",
    "/organization/audit",
    "/organization/webhooks",
    "/account/password",
    "/account/mail",
    "/account/calendar",
    "/files",
    "/offers",
    "/offers/new?q=milling",
    "/offers/new?capability=production.machining.milling.5-axis",
    "/offers/new?capability=production.machining.milling.5-axis&q=40+h+a+week+until+March",
    "/market",
    "/market?capability=production.machining&region=CN",
    "/market/search?q=milling&quantity=3",
    "/market/search?side=demands",
    "/market/utilisation",
    "/wanted?capability=production.machining.milling.5-axis",
    "/demands",
    "/demands/new?q=60+hours+of+milling",
    "/demands/new?capability=production.machining.milling",
    "/proposals",
    "/rounds",
    "/policy",
)
OPERATOR = (
    "/operator/credit",
    "/operator/audit",
    "/operator/taxonomy",
    "/operator/taxonomy/edit?code=production.machining.turning",
)
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


async def faults(reader: Visitor, path: str) -> list[str]:
    await reader.open(path)
    return await violations(reader)


async def violations(reader: Visitor) -> list[str]:
    """Return what axe finds wrong with the page that is open."""
    found = await Axe().run(reader.page, options=_RULES)
    return [
        f"{reader.page.url}: {violation['id']}: {node['html'][:120]}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize(
    ("language", "size", "scheme"), [("zh", "phone", "dark"), ("en", "desktop", "light")]
)
async def test_pages_are_accessible(
    stack: Stack, browser: Browser, language: str, size: str, scheme: str
) -> None:
    async with visitor(
        browser, stack.gateway_url, language=language, size=size, who="axe", scheme=scheme
    ) as reader:
        found = [fault for path in OPEN_TO_ALL for fault in await faults(reader, path)]
        await steps.sign_up(reader, f"Accessible {language}")
        found += [fault for path in SIGNED_IN for fault in await faults(reader, path)]
    async with visitor(
        browser, stack.gateway_url, language=language, size=size, who="axe-op", scheme=scheme
    ) as operator:
        await steps.sign_in(
            operator, "operator@spareline.example", stack.credentials.operator_password
        )
        found += [fault for path in OPERATOR for fault in await faults(operator, path)]
    assert found == []
