"""Posting as a workshop does it: in own words, by week, put aside and gone on with, and copied."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from playwright.async_api import Browser, expect

from deploy.local.stack import Stack
from tests.browser import steps
from tests.browser.axe import violations
from tests.browser.chromium import Visitor, visitor

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]

OFFER = {
    "en": "5-axis mill free 40 h a week for 10 weeks, aluminium, 180 yuan an hour",
    "zh": "五轴加工中心 每周空闲40小时 接下来10周 铝合金 每小时180元",
}
DESIGN = {"en": "mechanical design 5 days next month", "zh": "机械设计 5人天 下个月"}
MOULD = {"en": "injection mould making, 100 hours", "zh": "注塑模具 100工时"}
LEFT = """() => {
    Object.defineProperty(document, "visibilityState", {value: "hidden"});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
# The navigation of a phone lies over the page: what has the focus must not lie under it.
SEEN = """() => {
    const it = document.activeElement, box = it.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.bottom - 2);
    return it === top || it.contains(top);
}"""
PLAN = {"en": "20 every week for 6 weeks", "zh": "每周20小时 接下来6周"}
TWO_MINUTES = 120


async def weeks(firm: Visitor) -> list[str]:
    """Return what stands in the grid, from this week on."""
    values: list[str] = await firm.page.locator("input[data-week]").evaluate_all(
        "cells => cells.map(cell => cell.value)"
    )
    return values


async def drag(firm: Visitor, first: int, last: int) -> None:
    """Draw over the weeks from one to another."""
    cells = firm.page.locator("input[data-week]")
    # On a phone the lowest rows of the screen lie under the navigation.
    await cells.nth(first).evaluate("cell => cell.scrollIntoView({block: 'center'})")
    start, end = await cells.nth(first).bounding_box(), await cells.nth(last).bounding_box()
    assert start is not None
    assert end is not None
    await firm.page.mouse.move(start["x"] + 10, start["y"] + 10)
    await firm.page.mouse.down()
    await firm.page.mouse.move(end["x"] + 10, end["y"] + 10, steps=12)
    await firm.page.mouse.up()


async def find(firm: Visitor, words: str, code: str) -> None:
    """Say it on the first page, and take what was understood."""
    await firm.open("/")
    await firm.page.fill("#quick", words)
    await firm.press("form.quick button:not([formaction])")
    await firm.press(f"a[href*='capability={code}&']")


@pytest.mark.parametrize(
    ("language", "size"),
    [("zh", "phone"), pytest.param("en", "desktop", marks=pytest.mark.thorough)],
    ids=["zh-phone", "en-desktop"],
)
async def test_an_offer_in_own_words_by_week_and_with_a_pause(
    stack: Stack, browser: Browser, language: str, size: str
) -> None:
    async with visitor(
        browser, stack.gateway_url, language=language, size=size, who="poster"
    ) as firm:
        email = await steps.sign_up(firm, f"Posters {language}")
        started = time.monotonic()
        await find(firm, OFFER[language], "production.machining.milling.5-axis")
        page = firm.page
        assert await page.input_value("#quantity_0") == "40"
        assert await page.input_value("#unit_price") == "180"
        assert await page.locator("input[name=attr_materials][value=aluminium]").is_checked()
        assert (await weeks(firm))[:12] == ["", *["40"] * 10, ""]

        await drag(firm, 11, 13)  # three weeks more
        assert (await weeks(firm))[10:15] == ["40"] * 4 + [""]
        await drag(firm, 2, 3)  # and two less
        assert (await weeks(firm))[1:5] == ["40", "", "", "40"]
        await page.focus("#title")
        for _ in range(12):  # down past the lower edge of a phone
            await page.keyboard.press("Tab")
            assert await page.evaluate(SEEN), await page.evaluate("document.activeElement.id")
        first = page.locator("input[data-week]").nth(1)
        await first.focus()
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("Space")
        assert (await weeks(firm))[2] == "40"
        await first.evaluate(
            """cell => {
                const copied = new DataTransfer();
                copied.setData("text", "8\\t16\\n24");
                const paste = {clipboardData: copied, bubbles: true};
                cell.dispatchEvent(new ClipboardEvent("paste", paste));
            }"""
        )
        assert (await weeks(firm))[1:4] == ["8", "16", "24"]
        await page.fill("#plan", PLAN[language])
        await page.click("[data-week-fill]")
        await expect(first).to_have_value("20")
        assert (await weeks(firm))[1:8] == ["20"] * 6 + ["40"]
        await firm.picture("21-weeks")

        for axis in "xyz":
            await page.fill(f"#attr_travel_{axis}_mm", "500")
        # The tab is closed sooner than a draft keeps itself.
        async with page.expect_request(lambda sent: sent.method == "POST", timeout=2_500):
            await page.evaluate(LEFT)
        await expect(page.locator("[data-kept]")).not_to_be_empty(timeout=10_000)
        # The battery is empty; the next morning it is still there, whoever signed out.
        await page.context.clear_cookies()
        await steps.sign_in(firm, email)
        if language not in (await page.get_attribute("html", "lang") or ""):
            await firm.press(f"button[value={language}]")
        await firm.open("/")
        await firm.picture("22-home-draft")
        await firm.press("a[href^='/drafts/']")
        assert await page.input_value("#attr_travel_z_mm") == "500"
        assert (await weeks(firm))[1:8] == ["20"] * 6 + ["40"]
        await firm.press("form.stack > .actions button[value=post]")
        assert time.monotonic() - started < TWO_MINUTES
        assert re.search(r"/offers/(?!new)[a-z0-9-]+$", page.url), await page.locator(
            ".problem, .wrong"
        ).all_inner_texts()
        offer = page.url.rpartition("/")[2]
        await firm.open(
            f"/why/offers/{offer}"
        )  # no round has seen it: it has its title all the same
        assert offer not in await page.locator("main").inner_text()
        await firm.open("/")
        assert await page.locator("a[href^='/drafts/']").count() == 0
        await expect(page.locator(".outlooks .card")).to_have_count(1)
        await firm.picture("23-home-offer")
        await firm.open("/offers/new")
        await firm.press("a[href*='copy=']")
        assert (await weeks(firm))[1:8] == ["20"] * 6 + ["40"]


@pytest.mark.parametrize(
    ("language", "size"),
    [("en", "phone"), pytest.param("zh", "desktop", marks=pytest.mark.thorough)],
    ids=["en-phone", "zh-desktop"],
)
async def test_a_demand_grows_into_a_bundle_with_an_order(
    stack: Stack, browser: Browser, language: str, size: str
) -> None:
    async with visitor(
        browser, stack.gateway_url, language=language, size=size, who="bundle"
    ) as firm:
        await steps.sign_up(firm, f"Bundlers {language}")
        page = firm.page
        await firm.open("/demands/new")
        await page.fill("#q", DESIGN[language])
        await firm.picture("24-ask")
        await firm.press("form[role=search] button")
        await firm.press("a[href*='capability=research.mechanical-engineering&']")
        assert await page.input_value("#l0_quantity") == "5"
        await page.fill("#l0_limit", "1500")
        await firm.press("button[value=add-line]")
        await page.fill("#l1_words", MOULD[language])
        await firm.press("button[value=refresh]")
        code = await page.input_value("#l1_capability")
        assert code.startswith("production.tooling"), code
        assert await page.input_value("#l1_quantity") == "100"
        await page.fill("#l1_limit", "200")
        await page.check("input[name=l1_after][value='0']")
        await page.check("input[name=bundle]")
        await firm.picture("25-bundle")
        await firm.press("form.stack > .actions button[value=post]")
        assert re.search(r"/demands/(?!new)[a-z0-9-]+$", page.url), await page.locator(
            ".problem, .wrong"
        ).all_inner_texts()
        await firm.press("a[href*='copy=']")
        assert await page.locator("input[name=l1_after][value='0']").is_checked()
        await firm.press("button[value='drop-line-0']")
        assert await page.input_value("#l0_capability") == code
        assert await page.input_value("#l0_limit") == "200"


async def test_posting_works_without_script(stack: Stack, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False, locale="en-GB")
    page = await context.new_page()
    firm = Visitor(page, stack.gateway_url, "en-noscript-posting")
    await page.goto(stack.gateway_url + "/sign-up")
    for field, text in {
        "name": "Paper Mill",
        "person": "Pam",
        "email": "pam@paper.example",
    }.items():
        await page.fill(f"#{field}", text)
    await page.fill("#password", steps.PASSWORD)
    await firm.press(steps.SUBMIT)
    await page.goto(stack.gateway_url + "/")
    await page.fill("#quick", "3D printing nylon")
    await firm.press("form.quick button:not([formaction])")
    await firm.press("a[href*='capability=production.additive&']")
    await page.click(".grid-box > summary")
    await page.fill("#plan", "40 every week for 3 weeks")
    await firm.press("button[value=fill]")
    assert (await weeks(firm))[:5] == ["", "40", "40", "40", ""]
    await page.fill("#title", "Printers at night")
    await firm.press("button[value=draft]:visible")
    assert "/drafts/" in page.url
    assert await page.input_value("#title") == "Printers at night"
    assert (await weeks(firm))[:5] == ["", "40", "40", "40", ""]
    await context.close()


async def bring_in(firm: Visitor, file: Path | dict[str, Any]) -> None:
    """Upload a file, and wait until every row is checked."""
    await firm.open("/files")
    await firm.page.set_input_files("#file", file)  # type: ignore[arg-type]
    await firm.page.click("form[action='/files'] button")
    await firm.page.locator("dl.figures").wait_for(timeout=60_000)
    await firm.fits()


async def take(firm: Visitor, selector: str, folder: Path) -> Path:
    """Download what a button or link gives."""
    async with firm.page.expect_download() as coming:
        await firm.page.click(selector)
    got = await coming.value
    await got.save_as(folder / got.suggested_filename)
    return folder / got.suggested_filename


async def figures(firm: Visitor) -> list[str]:
    """Return the figures above an import's rows: rows, good or posted, to mend, unchanged."""
    return await firm.page.locator("dl.figures dd").all_inner_texts()


@pytest.mark.parametrize(
    ("language", "size"),
    [("zh", "phone"), pytest.param("en", "desktop", marks=pytest.mark.thorough)],
    ids=["zh-phone", "en-desktop"],
)
async def test_a_spreadsheet_comes_in_is_mended_and_goes_out_again(
    stack: Stack, browser: Browser, tmp_path: Path, language: str, size: str
) -> None:
    async with visitor(
        browser, stack.gateway_url, language=language, size=size, who="filer"
    ) as firm:
        await steps.sign_up(firm, f"Filers {language}")
        await firm.open("/offers")
        await firm.press("main a[href^='/files']")
        await firm.picture("26-files")
        await firm.page.select_option("#capability", "production.machining.milling.5-axis")
        table = await take(firm, "form[action='/files/template'] button[value=xlsx]", tmp_path)

        book = load_workbook(table)
        sheet = book.worksheets[0]
        example = [cell.value for cell in sheet[2]]
        for title, hours in (("Two 二", "forty 四十"), ("Three 三", 20)):
            sheet.append([title, *example[1:3], hours, *example[4:]])
        sheet.append([" ", None])
        book.save(table)
        await bring_in(firm, table)
        assert await figures(firm) == ["3", "2", "1"]
        assert await firm.page.locator(".cells > li").count() == 1
        await firm.picture("27-file-checked")
        assert await violations(firm) == []
        marked = await take(firm, "a[href$='marked.xlsx']", tmp_path)
        await firm.page.click("form[action$='/confirm'] button")
        # The page follows by itself until the good rows are posted.
        await expect(firm.page.locator("a[href='/offers'].button")).to_be_visible(timeout=60_000)
        assert await figures(firm) == ["3", "2", "1"]
        await firm.picture("28-file-posted")

        book = load_workbook(marked)
        sheet = book.worksheets[0]
        assert str(sheet["A3"].value)  # what to change stands before the row
        sheet["E3"].value = 40
        book.save(marked)
        await bring_in(firm, marked)
        assert await figures(firm) == ["3", "1", "0", "2"]  # two are known by what they say
        await firm.page.click("form[action$='/confirm'] button")
        await expect(firm.page.locator("a[href='/offers'].button")).to_be_visible(timeout=60_000)
        await firm.open("/offers")
        await expect(firm.page.locator("ul.list > li")).to_have_count(3)

        await firm.open("/files")
        everything = await take(firm, "form[action='/files/export'] button[value=xlsx]", tmp_path)
        await bring_in(firm, everything)
        assert await figures(firm) == ["3", "0", "0", "3"]


async def test_a_file_comes_in_without_script(stack: Stack, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False, locale="zh-CN")
    page = await context.new_page()
    firm = Visitor(page, stack.gateway_url, "zh-noscript-files")
    await page.goto(stack.gateway_url + "/sign-up")
    for name, text in {"name": "纸厂", "person": "潘", "email": "pan@paper.example"}.items():
        await page.fill(f"#{name}", text)
    await page.fill("#password", steps.PASSWORD)
    await firm.press(steps.SUBMIT)
    await page.goto(stack.gateway_url + "/files")
    text = "标题,能力,2027-W20,单价（元）,备注\n夜班热线,after-sales.hotline,40,30,请来电\n"
    file: Any = {"name": "热线.csv", "mimeType": "text/csv", "buffer": text.encode("gb18030")}
    await page.set_input_files("#file", file)
    await firm.press("form[action='/files'] button")
    for _ in range(100):
        if await page.locator("dl.figures").count():
            break
        await page.wait_for_timeout(100)
        await firm.press("main noscript a")
    assert await figures(firm) == ["1", "1", "0"]
    assert "备注" in await page.locator(".warning").inner_text()
    await context.close()
