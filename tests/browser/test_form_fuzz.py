"""Whatever is sent to the forms of offers and demands: no fault of ours, and nothing typed is lost.

No browser: the forms are posted as one would, to the stack that the journeys run on.
"""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.local.stack import Stack
from tests.browser.steps import PASSWORD

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_MILL = "production.machining.milling.5-axis"
_FIELDS = {
    "/offers/new": (
        "title quantity_0 from_0 to_0 week_2030-W10 week_x plan unit_price setup_price radius "
        "minimum_order minimum_run lead_time grade regions standards identity attr_axes "
        "attr_materials attr_travel_x_mm action request_id draft q description"
    ),
    "/demands/new": (
        "title lines l0_capability l0_quantity l0_least l0_limit l0_earliest l0_latest l0_partners "
        "l0_share l0_after l1_after l1_words l1_capability l1_id budget bundle priority action "
        "request_id l0_attr_axes l0_radius l0_regions quantity"
    ),
}
_ODD = (
    "1e999999 -1 ² 99999999999999999999 0.00000000001 NaN 2030-W10 2027-W53 9999-W01 1,5 ½ 40 0 "
    "post draft fill refresh add-line drop-line-0 drop-line-99999 CN XX-1 <b> ' \" & "
    "五轴铣床 每周40小时 "
    "production.machining.milling.5-axis production.machining organizations/-"
)
_VALUES = st.one_of(
    st.sampled_from(_ODD.split(" ")),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
)


@st.composite
def _forms(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    path = draw(st.sampled_from(sorted(_FIELDS)))
    names = st.sampled_from(_FIELDS[path].split())
    return path, draw(st.dictionaries(names, _VALUES, max_size=12))


class Firm:
    """A firm that posts forms; its address, and the token of its forms."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.token = ""

    async def learn(self) -> None:
        async with self.session.get("/sign-up") as page:
            found = _TOKEN.search(await page.text())
        assert found is not None
        self.token = found[1]

    async def post(self, path: str, form: Mapping[str, str]) -> tuple[int, str]:
        data = {**form, "csrf_token": self.token}
        async with self.session.post(path, data=data, allow_redirects=False) as answer:
            return answer.status, await answer.text()


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def firm(stack: Stack) -> AsyncIterator[Firm]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(stack.gateway_url, cookie_jar=jar) as session:
        found = Firm(session)
        await found.learn()
        status, _ = await found.post(
            "/sign-up",
            {
                "name": "Fuzz & Sons",
                "region": "CN-ZJ",
                "person": "F",
                "email": f"{uuid.uuid4().hex[:12]}@fuzz.example",
                "password": PASSWORD,
            },
        )
        assert status == 303
        await found.learn()
        yield found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=_forms())
async def test_no_form_is_answered_with_a_fault_of_ours(
    firm: Firm, sent: tuple[str, dict[str, str]]
) -> None:
    path, form = sent
    if path == "/offers/new":
        form = {"capability": _MILL, **form}
    status, text = await firm.post(path, form)
    assert status in (200, 303, 400), f"{status}: {form}"
    if status != 303 and form.get("title", "").strip():
        assert f'value="{form["title"].strip()}"' in html.unescape(text)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=_VALUES, path=st.sampled_from(sorted(_FIELDS)), form=st.booleans())
async def test_no_words_are_answered_with_a_fault_of_ours(
    firm: Firm, words: str, path: str, form: bool
) -> None:
    query = {"q": words, **({"capability": _MILL} if form else {})}
    async with firm.session.get(path, params=query) as page:
        assert page.status == 200, words
