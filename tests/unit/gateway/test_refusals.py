"""Refusals and failures as pages tell them: quantities in their unit, weeks and roles in words."""

from __future__ import annotations

import socket

import pytest

from services.chassis import causes
from services.chassis.causes import Said, said
from services.gateway import refusals
from services.matching.engine import ProcessEnded, SolverDied
from services.matching.rounds.failure import failure
from services.registry.domain import demands, offers
from services.registry.domain.taxonomy import load_taxonomy as load
from services.registry.usecases.webhook_sending import wrong_with
from spareline.errors.v1 import cause_pb2
from spareline.market.v1.demand_pb2 import Demand, Line
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.webhook_pb2 import WebhookDelivery
from spareline.matching.v1.round_pb2 import BookSize, Round

OWNER = "organizations/a"
MILLING = "production.machining.milling"  # machine hours, by halves


def _share() -> Said:
    line = Line(id="x", capability=MILLING, quantity=9)
    line.window.earliest = line.window.latest = "2026-W50"
    line.sourcing.max_partners, line.sourcing.least_share = 2, 5
    [fault] = demands.faults(Demand(lines=[line]), OWNER, load())
    return fault.said


def test_a_quantity_is_told_in_the_unit_of_the_posting() -> None:
    said_ = _share()
    assert "at least 5 ticks each do not fit into 9 ticks" in said_.what  # for programs
    what, mend = refusals.parts(said_, "en")
    assert "at least 2.5 machine hours each do not fit into 4.5 machine hours" in what
    assert mend == "Take at most 1 partners, or a least share of at most 2 machine hours"
    what, mend = refusals.parts(said_, "zh")
    assert "2.5 机时" in what
    assert "个最小单位" not in what + mend


def test_an_order_above_all_weeks_is_told_in_the_unit() -> None:
    offer = Offer(capability=MILLING, minimum_order=30)
    offer.capacity.add(period="2026-W50", quantity=25)
    found = {each.field: each.said for each in offers.faults(offer, OWNER, load())}
    told = refusals.sentence(found["offer.minimum_order"], "en")
    assert "12.5 machine hours" in told


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "Held or committed already in week 50 (7 Dec): 30 ticks"),
        ("zh", "第50周（12月7日起）：已保留或已约定 30 个最小单位"),
    ],
)
def test_without_a_unit_ticks_are_told_and_weeks_read_as_weeks(language: str, told: str) -> None:
    found = said(cause_pb2.CAUSE_BELOW_COMMITTED, least=30, cell="2026-W50")
    assert refusals.parts(found, language)[0] == told
    odd = said(cause_pb2.CAUSE_PERIOD_TWICE, period="2026-W60")
    assert "2026-W60" in refusals.parts(odd, language)[0]


def test_roles_and_long_numbers_are_written_for_readers() -> None:
    roles = said(cause_pb2.CAUSE_NEEDS_ROLE, roles="operator, owner")
    assert refusals.parts(roles, "zh")[0].endswith("运营方、负责人")
    bound = said(cause_pb2.CAUSE_OUT_OF_RANGE, least=0, most=1_000_000)
    assert "0 and 1,000,000" in refusals.parts(bound, "en")[0]


def test_why_a_round_failed_is_told_in_the_readers_language() -> None:
    why = failure(SolverDied("x", ProcessEnded(-9)), BookSize(pairs=300))
    round_ = Round(failure=str(why), failure_words=causes.message(why))
    assert "300 eligible pairs" in round_.failure
    assert "SIGKILL" in refusals.why_failed(round_, "zh")
    assert "内存" in refusals.why_failed(round_, "zh")
    assert refusals.why_failed(Round(), "zh") == ""
    before = Round(failure="The service was stopped")  # of a time without causes
    assert refusals.why_failed(before, "zh") == "The service was stopped"


def test_why_a_delivery_failed_is_told_in_the_readers_language() -> None:
    url = "https://erp.example/in"
    wrong = wrong_with(url, socket.gaierror())
    sent = WebhookDelivery(last_error=wrong.what, last_error_words=causes.message(wrong))
    assert sent.last_error == "The name erp.example is not known"
    assert refusals.why_undelivered(sent, "en").startswith(sent.last_error + ". See that")
    assert refusals.why_undelivered(sent, "zh").startswith("找不到域名 erp.example。")
    before = WebhookDelivery(last_error="answered 500")  # of a time without causes
    assert refusals.why_undelivered(before, "zh") == "answered 500"
