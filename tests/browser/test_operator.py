"""The console of who runs the market: a policy is tried, compared and adopted."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from deploy.local.stack import Stack
from tests.browser import steps
from tests.browser.axe import violations
from tests.browser.chromium import visitor

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]

OPERATOR = "operator@spareline.example"


@pytest.mark.parametrize(
    ("language", "size"),
    [("en", "phone"), pytest.param("zh", "desktop", marks=pytest.mark.thorough)],
)
async def test_a_policy_is_tried_beside_the_present_one_and_adopted(
    stack: Stack, browser: Browser, language: str, size: str
) -> None:
    async with visitor(
        browser, stack.gateway_url, language=language, size=size, who="console"
    ) as operator:
        await steps.sign_in(operator, OPERATOR, stack.credentials.operator_password)
        if await operator.page.locator(f"button[value={language}]").count():
            await operator.press(f"button[value={language}]")
        await operator.open("/operator/policies")
        await operator.press("main ul.list a.row")
        versions = await operator.page.locator("ol.versions > li").count()
        await operator.press("a[href$='/edit']")
        fairness = float(await operator.page.input_value("#fairness_permille"))
        fill = float(await operator.page.input_value("#fill_permille"))
        await operator.page.fill("#fairness_permille", f"{fairness + 1:g}")
        await operator.page.check("input[name=market][value=now]")
        await operator.page.fill("#fill_permille", "a lot")
        await operator.press("button[value=try]")
        await expect(operator.page.locator("#fill_permille[aria-invalid=true]")).to_have_count(1)
        assert all("400" in fault for fault in operator.faults)  # asked for
        operator.faults.clear()
        await operator.page.fill("#fill_permille", f"{fill + 1.5:g}")
        # The page that follows loads anew by itself when a round has ended.
        await operator.page.click("button[value=try]")
        # Both rounds are followed until they have ended.
        beside = operator.page.locator("table.beside")
        await expect(beside).to_have_count(2, timeout=60_000)
        await expect(operator.page.locator(".changed li")).to_have_count(2)
        await operator.fits()
        await operator.picture("20-what-if")
        # The crawl does not come here: it would have to try a policy first.
        assert await violations(operator) == []
        await operator.page.click(".ask > summary")
        await operator.press("form[action$='/adopt'] button")
        await expect(operator.page.locator("ol.versions > li")).to_have_count(versions + 1)
        await expect(operator.page.locator("ol.versions > li").first).to_contain_text("Operator")
        await operator.picture("21-policy")
        await operator.press("a[href^='/operator/new-policy']")  # a copy of this one
        await operator.page.fill("#policy_id", "No Id")
        await operator.page.fill("#display_name", f"Emergency {language}")
        await operator.press("main form button")
        await expect(operator.page.locator("#policy_id[aria-invalid=true]")).to_have_count(1)
        operator.faults.clear()  # asked for
        await operator.fits()
        await operator.picture("24-new-policy")
        await operator.page.fill("#policy_id", f"emergency-{language}")
        await operator.press("main form button")
        await expect(operator.page.locator("h1")).to_have_text(f"Emergency {language}")
        await expect(operator.page.locator("ol.versions > li")).to_have_count(1)
        for path, name in (("fairness", "22-fairness"), ("dead-letters", "23-dead-letters")):
            await operator.open(f"/operator/{path}")
            await operator.picture(name)
