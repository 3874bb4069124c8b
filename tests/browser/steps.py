"""What a person does, step by step; nothing here depends on the language of the page."""

from __future__ import annotations

import uuid

from tests.browser.chromium import Visitor

PASSWORD = "correct horse battery"
# A busy machine compiles, solves and explains slowly; a round of a test market takes seconds.
ROUND_SECONDS = 180
SUBMIT = "main form button:not(.visually-hidden)"


async def sign_up(visitor: Visitor, firm: str) -> str:
    """Register a firm and return the e-mail address of its owner."""
    email = f"{uuid.uuid4().hex[:12]}@firm.example"
    await visitor.open("/")
    await visitor.picture("01-welcome")
    await visitor.press("main a[href='/sign-up']")
    await visitor.page.fill("#name", firm)
    await visitor.page.select_option("#region", "CN-ZJ")
    await visitor.page.fill("#person", "王丽 Wang Li")
    await visitor.page.fill("#email", email)
    await visitor.page.fill("#password", PASSWORD)
    await visitor.picture("02-sign-up")
    await visitor.press(SUBMIT)
    assert await visitor.page.locator("nav.main-nav").count() == 1
    return email


async def sign_in(visitor: Visitor, email: str, password: str = PASSWORD) -> None:
    """Sign in."""
    await visitor.open("/sign-in")
    await visitor.page.fill("#email", email)
    await visitor.page.fill("#password", password)
    await visitor.press(SUBMIT)
    assert "/sign-in" not in visitor.page.url


async def post_milling(visitor: Visitor, words: str, *, hours: str, price: str) -> str:
    """Offer hours of a 5-axis mill, found by one's own words; return the page of the offer."""
    await visitor.open("/offers")
    await visitor.press("main a[href='/offers/new']")
    await visitor.page.fill("#q", words)
    await visitor.press("main form[role=search] button")
    await visitor.picture("03-choose")
    await visitor.press("a[href*='capability=production.machining.milling.5-axis&']")
    await visitor.page.fill("#quantity_0", hours)
    await visitor.page.fill("#unit_price", price)
    for field in await visitor.page.locator("input[id^=attr_][required]").all():
        await field.fill("500")
    for group in await visitor.page.locator("fieldset[data-required]").all():
        await group.locator("input[type=checkbox]").first.check()
    await visitor.page.fill("#attr_axes", "5")
    await visitor.picture("04-offer-form")
    await visitor.press("form.stack > .actions button")
    assert "/new" not in visitor.page.url, await visitor.page.locator(".problem").all_inner_texts()
    await visitor.picture("05-offer")
    return visitor.page.url


async def ask_for_milling(visitor: Visitor, title: str, *, hours: str, limit: str) -> str:
    """Ask for milling hours; return the page of the demand."""
    await visitor.open("/demands/new?capability=production.machining.milling")
    await visitor.page.fill("#title", title)
    await visitor.page.fill("#l0_quantity", hours)
    await visitor.page.fill("#l0_limit", limit)
    await visitor.picture("06-demand-form")
    await visitor.press("form.stack > .actions button[value=post]")
    assert "/new" not in visitor.page.url, await visitor.page.locator(".problem").all_inner_texts()
    await visitor.picture("07-demand")
    return visitor.page.url


async def run_round(operator: Visitor) -> None:
    """Run a round and stay on its page until it has ended."""
    for _ in range(10):
        await operator.open("/rounds")
        await operator.page.locator("form[action='/rounds'] button").click()
        await operator.page.wait_for_load_state()
        if "/rounds/" in operator.page.url:
            break
        # A round that the market began by itself is running: that is a refusal, and no fault.
        operator.faults.clear()
        await operator.page.wait_for_timeout(1_000)
    # The page follows the round by itself and loads again when it has ended.
    ended = operator.page.locator("[data-round]")
    await ended.wait_for(state="detached", timeout=ROUND_SECONDS * 1000)
    await operator.picture("08-round")
