"""Running a firm, and the operator's part in it: people, keys, credit's page, taxonomy, audit."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser

from deploy.local.stack import Stack
from tests.browser import steps
from tests.browser.axe import violations
from tests.browser.chromium import Visitor, visitor

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]


async def test_an_owner_brings_a_colleague_who_posts_under_a_new_capability(
    stack: Stack, browser: Browser
) -> None:
    """From the operator's draft of the taxonomy to an offer of it, with the audit of it all."""
    async with AsyncExitStack() as windows:

        async def window(who: str, language: str, size: str) -> Visitor:
            url = stack.gateway_url
            return await windows.enter_async_context(
                visitor(browser, url, language=language, size=size, who=who)
            )

        operator = await window("taxonomy", "en", "desktop")
        owner, colleague = await window("owner", "zh", "phone"), await window("new", "zh", "phone")
        code = f"production.machining.turning.cold-{uuid.uuid4().hex[:6]}"
        await _extend_taxonomy(operator, stack, code)

        await steps.sign_up(owner, "低温车削厂")
        await owner.open("/organization/members")
        email = f"{uuid.uuid4().hex[:12]}@firm.example"
        await owner.page.fill("#name", "陈晓")
        await owner.page.fill("#email", email)
        password = await owner.page.input_value("#password")
        await owner.press("form[action='/organization/members'] button")
        assert password in await owner.page.locator(".handed").inner_text()
        await owner.picture("20-invited")

        await steps.sign_in(colleague, email, password)
        await colleague.open(f"/offers/new?capability={code}")
        await colleague.page.locator("#attr_coldest_c").wait_for(state="visible")

        await owner.open("/organization/keys")
        await owner.page.fill("#name", "ERP")
        await owner.press("form[action='/organization/keys'] button")
        assert (await owner.page.locator(".handed").inner_text()).startswith("spl_")
        await owner.open("/organization/audit?kind=changes")
        assert await owner.page.locator("li.audit").count() == 3  # signed up, invited, a key
        await owner.picture("21-audit")
        await owner.open("/organization/credit")
        assert await owner.page.locator(".grade-letter").inner_text() == "C"
        await _choose_mail(owner)
        await _follow_deliveries(owner, operator)


async def _choose_mail(owner: Visitor) -> None:
    await owner.open("/account/mail")
    boxes = owner.page.locator("input[name=kind]")
    assert [await box.is_checked() for box in await boxes.all()] == [True] * 7
    await boxes.nth(2).uncheck()
    await owner.press("form[action='/account/mail'] button")
    assert [await box.is_checked() for box in await boxes.all()].index(False) == 2
    await owner.picture("22-mail")


async def _follow_deliveries(owner: Visitor, operator: Visitor) -> None:
    """A webhook whose host does not answer: its log says so, and a delivery is sent again."""
    page = owner.page
    await owner.open("/organization/webhooks")
    await page.fill("#url", "http://127.0.0.1/private")
    await owner.press("form[action='/organization/webhooks'] button")
    assert "请填公网的 https 地址" in await page.locator("#url-wrong").inner_text()
    owner.faults.clear()  # asked for
    await page.fill("#url", "https://hooks.spareline.invalid/in")
    await page.fill("#display_name", "ERP")
    await owner.press("form[action='/organization/webhooks'] button")
    await owner.picture("23-webhook-secret")
    await owner.press("main ul.list a.row")
    await steps.run_round(operator)
    delivery = page.locator("ul.list li.row").first
    async with asyncio.timeout(20):
        while not await page.get_by_text("market.round.completed.v1").count():
            await asyncio.sleep(0.5)
            await page.reload()
        while not await page.get_by_text("找不到域名 hooks.spareline.invalid").count():
            await asyncio.sleep(0.5)
            await page.reload()
    await owner.fits()
    await delivery.locator("form button").click()
    await delivery.wait_for(state="visible")
    assert await violations(owner) == []  # the crawl does not come here
    await owner.picture("24-webhook-deliveries")


async def _extend_taxonomy(operator: Visitor, stack: Stack, code: str) -> None:
    page = operator.page
    await steps.sign_in(operator, "operator@spareline.example", stack.credentials.operator_password)
    await operator.open("/operator/taxonomy/edit?under=production.machining.turning")
    for field, value in {
        "#code": code,
        "#name_en": "Cryogenic turning",
        "#name_zh": "低温车削",
        "#a0_key": "coldest_c",
        "#a0_en": "Coldest",
        "#a0_unit": "°C",
        "#a0_minimum": "-200",
    }.items():
        await page.fill(field, value)
    await page.select_option("#a0_type", "integer")
    await page.select_option("#a0_rule", "at_most")
    keep = "form .actions button[value=save]"
    await operator.press(keep)
    assert await page.locator("#a0_key-wrong, #a0_zh-wrong").count() == 1  # no Chinese name yet
    await operator.picture("20-taxonomy-wrong")
    await page.fill("#a0_zh", "最低温度")
    await page.select_option("#a0_required", "yes")
    await operator.press(keep)
    assert await page.locator("#preview_offer_attr_coldest_c").count() == 1
    await operator.picture("21-taxonomy-preview")
    await operator.open("/operator/taxonomy")
    await page.fill("#note", "Asked for by three workshops")
    await operator.press("form[action='/operator/taxonomy/adopt'] button")
    await operator.open("/operator/audit?method=AdoptTaxonomyDraft")
    assert await page.locator("li.audit").count() >= 1
