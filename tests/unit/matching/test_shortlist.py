"""Where too many pairs fit: what lines keep, that nobody is cut off, what is said of the rest."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.markets.copied import NOW, copied_book
from benchmarks.markets.over_all import bound_over_all, proven
from services.matching import redact
from services.matching.domain import shortlist
from services.matching.domain.book_snapshot import BookSnapshot
from services.matching.domain.eligibility import Candidates, verdicts
from services.matching.domain.pairs import Pairs, eligible_of
from services.matching.domain.policies import standard
from services.matching.domain.problem import Problem, build
from services.matching.domain.shortlist import PER_OFFER
from services.matching.engine import Options, solve, verify
from services.matching.engine.certificate import certify, prove
from services.matching.explain.explain import explain
from services.matching.explain.solution import Solution
from services.matching.explain.unweighed import Unweighed
from services.matching.rounds.outcome import book_size
from spareline.errors.v1 import cause_pb2
from spareline.matching.v1.round_pb2 import BookSize, Round

TIMES = 8
MOST = 3_000


@pytest.fixture(scope="module")
def book() -> BookSnapshot:
    return copied_book(TIMES)


@pytest.fixture(scope="module")
def whole(book: BookSnapshot) -> Problem:
    return build(book, standard(), now_period=NOW)


@pytest.fixture(scope="module")
def some(book: BookSnapshot) -> Problem:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shortlist, "LEAST_PER_LINE", 4)
        return build(book, standard(), now_period=NOW, most_pairs=MOST)


def _keys(problem: Problem) -> np.ndarray:
    return problem.pairs.offer * len(problem.tables.lines.messages) + problem.pairs.line


def test_what_is_kept_is_eligible_and_what_is_not_is_counted(whole: Problem, some: Problem) -> None:
    kept, every = _keys(some), _keys(whole)
    assert len(every) > 1.8 * len(kept) == 1.8 * len(np.unique(kept))
    assert np.isin(kept, every).all()
    lines, offers = len(whole.tables.lines.messages), len(whole.tables.offers.messages)
    missing = np.flatnonzero(~np.isin(every, kept))
    assert some.weighed.left_of_line.tolist() == (
        np.bincount(whole.pairs.line[missing], minlength=lines).tolist()
    )
    assert some.weighed.left_of_offer.tolist() == (
        np.bincount(whole.pairs.offer[missing], minlength=offers).tolist()
    )
    size = book_size(some)
    assert (size.pairs, size.pairs_left_out) == (len(every), len(every) - len(kept))
    assert book_size(whole).pairs_left_out == 0


def test_every_line_has_its_best_and_nobody_is_cut_off(whole: Problem, some: Problem) -> None:
    offers, lines = len(whole.tables.offers.messages), len(whole.tables.lines.messages)
    fitting = np.bincount(whole.pairs.line, minlength=lines)
    kept = np.bincount(some.pairs.line, minlength=lines)
    assert (kept >= np.minimum(fitting, 3)).all()
    assert np.median(kept[fitting > 4]) <= 6
    wanted = np.bincount(whole.pairs.offer, minlength=offers)
    assert (np.bincount(some.pairs.offer, minlength=offers) >= np.minimum(wanted, PER_OFFER)).all()
    costs = whole.market.pair_unit_cost.tolist()
    cost = dict(zip(_keys(whole).tolist(), costs, strict=True))
    cheapest = np.full(lines, 2**60)
    np.minimum.at(cheapest, whole.pairs.line, whole.market.pair_unit_cost)
    found = np.full(lines, 2**60)
    np.minimum.at(found, some.pairs.line, [cost[key] for key in _keys(some).tolist()])
    once = np.unique(whole.pairs.line[whole.market.pair_fixed_cost > 0])
    plain = np.setdiff1d(np.arange(lines), once)
    assert (found <= cheapest * 1.001 + 1)[plain].mean() > 0.9


def test_the_same_book_keeps_the_same(
    book: BookSnapshot, some: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortlist, "LEAST_PER_LINE", 4)
    # Parts come in other sizes through the grid, and each line is chosen for alone.
    monkeypatch.setattr("services.matching.domain.pairs.MOST_DENSE", 0)
    monkeypatch.setattr("services.matching.domain.pairs.MOST_CANDIDATES", 3000)
    again = build(book, standard(), now_period=NOW, most_pairs=MOST)
    assert _keys(again).tolist() == _keys(some).tolist()


def test_what_is_left_out_is_said_and_never_called_ineligible(some: Problem) -> None:
    result = solve(some.market, Options(seed=1, time_limit_seconds=5, deterministic_limit=0.01))
    assert verify(some.market, result.quantity, result.certificate).ok
    told = explain(Solution(some, result.quantity), "rounds/r1", 1, 0.0)
    by_subject = {each.subject: each for each in told}
    tables, counted = some.tables, 0
    for line in np.flatnonzero(some.weighed.left_of_line).tolist():
        made = by_subject.get(some.demand_of_line(line).name)
        for funnel in made.funnels if made is not None else []:
            if funnel.line == tables.lines.messages[line].id:
                # All that fit count as eligible, whether weighed or not.
                left, shown = int(some.weighed.left_of_line[line]), funnel.shortlist
                assert funnel.eligible >= left + 1
                assert shown == (4 if funnel.eligible > 4 else 0)
                counted += 1
        if made is not None:
            assert made.outcome not in ("all_ineligible", "no_capability")
    assert counted > 10


def test_prices_of_what_was_weighed_bound_the_whole_market(whole: Problem, some: Problem) -> None:
    """Priced a block of demands at a time, all pairs come to what they do together."""
    m = some.market
    slot = np.random.default_rng(1).uniform(0, 5000, m.slots)
    prices = certify(m, slot, np.zeros(m.caps), np.zeros(m.demands))
    found = bound_over_all(some, prices)
    assert found == bound_over_all(some, prices, proven)
    every = (prices.slot_price, prices.cap_price, prices.budget_price)
    assert found == prove(whole.market, prices.scale, *every) >= prices.bound


def test_a_change_does_not_help_by_what_was_left_out(some: Problem) -> None:
    """A line whose own pairs are found anew keeps to those that were weighed."""
    line = int(some.weighed.left_of_line.argmax())
    unweighed = Unweighed(some)
    every = eligible_of(some.tables, np.array([line]))
    again = unweighed.without(every, np.array([line]))
    assert len(again) == len(every) - some.weighed.left_of_line[line]
    assert again.offer.tolist() == some.pairs.take(some.pairs.line == line).offer.tolist()
    offer = int(some.weighed.left_of_offer.argmax())
    lines = np.arange(len(some.tables.lines.messages))
    c = Candidates(some.tables, np.full(len(lines), offer), lines)
    fresh = Pairs.of(c, np.all(verdicts(c), axis=0))
    kept = unweighed.without_offer(fresh, offer, some.tables, lines)
    assert len(fresh) - len(kept) == some.weighed.left_of_offer[offer]


def test_members_are_told_neither_how_many_pairs_there_are_nor_why_a_round_failed() -> None:
    round_ = Round(
        failure="the market has 300 eligible pairs", size=BookSize(pairs=3, pairs_left_out=1)
    )
    seen = redact.round_for_member(round_)
    assert (seen.size.pairs, seen.size.pairs_left_out) == (0, 0)
    assert "300" not in seen.failure
    assert "failed" in seen.failure
    assert seen.failure_words.cause == cause_pb2.CAUSE_ROUND_FAILED
