"""Pieces of pages that decide something, without a browser."""

from __future__ import annotations

import pytest

from services.gateway.forms.fields import Form
from services.gateway.render import environment
from spareline.market.v1.demand_pb2 import Demand
from spareline.matching.v1.proposal_pb2 import Party
from tests.unit.gateway.proposals import agreed

_FOLDED = "{% import 'form_parts.html' as f with context %}<details{{ f.opened(form, names) }}>"


@pytest.mark.parametrize(
    ("problems", "shown"),
    [({"l0_share": "too much"}, "<details open>"), ({"title": "missing"}, "<details>")],
)
def test_what_is_wrong_is_never_folded_away(problems: dict[str, str], shown: str) -> None:
    page = environment("en").from_string(_FOLDED)
    names = ["l0_partners", "l0_share"]
    assert page.render(form=Form({}, problems), names=names) == shown


_ROW = "{% import 'parts.html' as p with context %}{{ p.proposal_side(proposal) }}"
_STATE = "{% import 'parts.html' as p with context %}{{ p.demand_state(demand) }}"


@pytest.mark.parametrize(("buying", "said"), [(True, "You pay"), (False, "You get")])
def test_a_price_says_whose_it_is(buying: bool, said: str) -> None:
    row = environment("en").from_string(_ROW)
    assert f"{said}</span>" in row.render(proposal=agreed(buying=buying))
    watched = agreed(buying=buying)
    for party in watched.parties:
        party.own = False  # an operator's view
    told = row.render(proposal=watched)
    assert "¥3,200" in told
    assert "You " not in told


def test_who_was_reminded_is_asked_for_the_report() -> None:
    row = environment("en").from_string(_ROW)
    proposal = agreed(buying=True)
    proposal.parties[0].answer = Party.ANSWER_ACCEPTED
    assert "say how it went" not in row.render(proposal=proposal)
    proposal.history.add(event="overdue")
    assert "say how it went" in row.render(proposal=proposal)
    proposal.parties[0].answer = Party.ANSWER_FULFILLED
    assert "say how it went" not in row.render(proposal=proposal)


@pytest.mark.parametrize(("held", "said"), [(5, "proposed"), (0, "agreed")])
def test_a_demand_is_not_called_agreed_while_answers_are_open(held: int, said: str) -> None:
    demand = Demand(state=Demand.STATE_MATCHED)
    demand.balances.add(quantity=10, held=held, committed=10 - held)
    assert said in environment("en").from_string(_STATE).render(demand=demand)
