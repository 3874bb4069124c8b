"""Pieces of pages that decide something, without a browser."""

from __future__ import annotations

import pytest

from services.gateway.forms.fields import Form
from services.gateway.render import environment

_FOLDED = "{% import 'form_parts.html' as f with context %}<details{{ f.opened(form, names) }}>"


@pytest.mark.parametrize(
    ("problems", "shown"),
    [({"l0_share": "too much"}, "<details open>"), ({"title": "missing"}, "<details>")],
)
def test_what_is_wrong_is_never_folded_away(problems: dict[str, str], shown: str) -> None:
    page = environment("en").from_string(_FOLDED)
    names = ["l0_partners", "l0_share"]
    assert page.render(form=Form({}, problems), names=names) == shown
