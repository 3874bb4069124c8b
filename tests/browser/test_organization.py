"""Running a firm, and the operator's part in it: people, keys, credit's page, taxonomy, audit."""

from __future__ import annotations

import uuid
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser

from deploy.local.stack import Stack
from tests.browser import steps
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
