"""The simulated year: nothing is used twice, and no refused pair is proposed again."""

import numpy as np
import pytest

from benchmarks.uplift.answers import accepted, uniform
from benchmarks.uplift.comparison import CALLING, ENGINE, LISTING, Setting, note, table, year
from benchmarks.uplift.intervals import interval, student
from benchmarks.uplift.ways import book, calling, listing, spareline
from benchmarks.uplift.world import CAPABILITIES, World, world
from benchmarks.uplift.year import Proposals, State, Way, begin, run
from services.matching.engine import solve

SMALL = Setting(firms=30, weeks=6, pressure=1.2, posting=0.9, passes=3, calls=3)
WAYS = {"spareline": spareline(), "listing": listing, "calling": calling}


def small(seed: int) -> World:
    return world(seed, SMALL.firms, SMALL.weeks, pressure=SMALL.pressure, posting=SMALL.posting)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_year_keeps_its_books(name: str, seed: int) -> None:
    w = small(seed)
    seen: set[tuple[int, int]] = set()
    refused_before: list[bool] = []

    def watched(state: State, week: int, number: int) -> Proposals:
        made = WAYS[name](state, week, number)
        pairs = set(zip(made.demand.tolist(), made.firm.tolist(), strict=True))
        refused_before.extend(bool(state.refused[d, f]) for d, f in pairs)
        # Each party's mind is fixed, so that who accepted may meet again and who refused may not.
        no = {p for p in pairs if not accepted(w, *(np.array([x]) for x in p))[0]}
        assert not no & seen
        seen.update(no)
        assert w.suits(made.demand, made.firm).all()
        assert (w.firms.capability[made.firm] == w.demands.capability[made.demand]).all()
        assert (w.demands.posted[made.demand] <= week).all()
        assert (w.demands.latest[made.demand] >= made.week).all()
        assert (made.week >= week).all()
        return made

    own = name == "calling"
    outcome, state = run(w, watched, 3, posted_only=not own)
    there = w.idle if own else w.posted
    assert (state.used + state.lost + state.free == there).all()
    assert (state.free >= 0).all()
    assert (state.used + state.lost <= w.idle).all()
    assert not any(refused_before)
    assert outcome.turned_down == len(seen) > 0
    assert 0 < outcome.used == int(state.used.sum())
    waiting = np.zeros_like(state.wanted)
    for demand, hours in state.waiting:
        waiting[demand] += hours
    done = w.demands.quantity - state.wanted - waiting
    assert (done >= 0).all()
    assert done.sum() == outcome.used


def test_a_refused_pair_or_too_much_is_a_fault() -> None:
    w = small(1)
    demand, firm = (int(part[0]) for part in begin(w, posted_only=True).eligible(0))

    def same(_state: State, week: int, _number: int) -> Proposals:
        return Proposals.of([(demand, firm, week, 10_000)])

    accepting: Way = same
    with pytest.raises(RuntimeError, match=r"more was proposed|proposed again"):
        run(w, accepting, 2, posted_only=True)


def test_the_same_market_answers_alike_whoever_asks() -> None:
    one, two = small(5), small(5)
    assert np.array_equal(one.idle, two.idle)
    assert np.array_equal(one.demands.quantity, two.demands.quantity)
    d, f = begin(one, posted_only=True).eligible(1)
    back = accepted(one, d[::-1], f[::-1])[::-1]
    assert np.array_equal(accepted(two, d, f), back)
    assert 0.3 < back.mean() < 0.95
    assert not np.array_equal(small(6).idle, one.idle)


def test_hashed_numbers_are_uniform_and_unrelated() -> None:
    d, f = (part.ravel() for part in np.meshgrid(np.arange(300), np.arange(100)))
    a, b = uniform(1, 0, d, f), uniform(1, 1, d, f)
    for each in (a, b):
        counts = np.histogram(each, 10, (0, 1))[0]
        assert abs(counts - 3000).max() < 250
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.02
    assert abs(np.corrcoef(a[:-1], a[1:])[0, 1]) < 0.02


def test_the_week_market_says_what_the_state_says() -> None:
    w = small(3)
    built = book(begin(w, posted_only=True), 2)
    assert built is not None
    market, demand, firm, weeks = built
    assert market.pairs == len(demand) == len(firm)
    assert (weeks == 2).all()
    taken = solve(market).quantity
    hours = np.bincount(firm[market.x_pair], taken, len(w.firms.capacity))
    assert hours.sum() > 0
    assert (hours <= w.posted[2]).all()


def test_nothing_to_match_is_no_proposal() -> None:
    state = begin(small(1), posted_only=True)
    state.wanted[:] = 0
    for way in WAYS.values():
        assert len(way(state, 0, 0).demand) == 0
    assert book(state, 0) is None


def test_students_quantiles() -> None:
    """Against the printed table."""
    for freedom, quantile in ((4, 2.776), (7, 2.365), (9, 2.262), (30, 2.042)):
        assert student(freedom) == pytest.approx(quantile, rel=0.005)
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.mean, round(found.low, 2), round(found.high, 2)) == (3.0, 1.04, 4.96)
    assert interval([2.0]).high == float("inf")


def test_few_firms_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer than"):
        world(1, CAPABILITIES - 1, 4, pressure=1.0, posting=1.0)


def test_the_table_and_the_note_speak_of_all_ways() -> None:
    years = [year(SMALL, seed) for seed in (1, 2)]
    assert set(years[0]) == {ENGINE, LISTING, CALLING}
    # The same market: the same idle hours and the same hours asked for.
    for each in years:
        assert len({(o.idle, o.own, o.asked) for o in each.values()}) == 1
    assert years[0][ENGINE].idle != years[1][ENGINE].idle
    assert table(years, SMALL).row_count == 7
    assert "literature" in note(years)
