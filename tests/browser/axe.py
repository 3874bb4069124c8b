"""WCAG 2.2 AA as far as axe can tell."""

from __future__ import annotations

from axe_playwright_python.async_playwright import Axe

from tests.browser.chromium import Visitor

_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


async def violations(reader: Visitor) -> list[str]:
    """Return what axe finds wrong with the page that is open."""
    found = await Axe().run(reader.page, options=_RULES)
    return [
        f"{reader.name}: {reader.page.url}: {violation['id']}: {node['html'][:120]}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]
