"""Bands of prices: quartiles over firms, none from too few, wider where the very same is rare."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain.market_summary import LEAST_FIRMS, Offered, Snapshot, Wanted
from services.registry.domain.taxonomy import load_taxonomy
from services.registry.domain.taxonomy_model import Capability

TAXONOMY = load_taxonomy()
MILLING, FIVE_AXIS = "production.machining.milling", "production.machining.milling.5-axis"


def capability(code: str) -> Capability:
    found = TAXONOMY.get(code)
    assert found is not None
    return found


@given(
    st.dictionaries(
        st.integers(0, 30), st.lists(st.integers(0, 10**9), min_size=1, max_size=4), max_size=12
    )
)
def test_a_band_is_the_quartiles_of_the_firms_medians(prices: dict[int, list[int]]) -> None:
    snapshot = Snapshot()
    for firm, asked in prices.items():
        for price in asked:
            snapshot.add_offer(Offered(f"organizations/{firm}", FIVE_AXIS, price))
    band = snapshot.summary(capability(FIVE_AXIS), TAXONOMY, "organizations/0", "").asked
    others = [statistics.median(asked) for firm, asked in prices.items() if firm != 0]
    if len(others) < LEAST_FIRMS:
        assert band is None
        return
    assert band is not None
    assert band.firms == len(others)
    found = statistics.quantiles(others, n=4, method="inclusive")
    for own, theirs in zip((band.lower, band.median, band.upper), found, strict=True):
        assert abs(own - theirs) <= 1


def test_a_wider_capability_stands_in_and_is_named() -> None:
    snapshot = Snapshot()
    for firm in range(LEAST_FIRMS - 1):
        snapshot.add_offer(Offered(f"organizations/{firm}", FIVE_AXIS, 100))
    snapshot.add_offer(Offered("organizations/9", MILLING, 300))
    band = snapshot.summary(capability(FIVE_AXIS), TAXONOMY, "", "").asked
    assert band is not None
    assert (band.capability, band.firms) == (MILLING, LEAST_FIRMS)


def test_demands_are_those_that_an_offer_could_serve() -> None:
    snapshot = Snapshot()
    here, there = ("CN", "CN-ZJ"), ("CN", "CN-GD")
    snapshot.add_demand(Wanted("organizations/a", (MILLING, FIVE_AXIS), here))
    snapshot.add_demand(Wanted("organizations/b", (FIVE_AXIS,), there))
    snapshot.add_demand(Wanted("organizations/c", ("production.machining.turning",), here))
    snapshot.add_demand(Wanted("organizations/me", (MILLING,), here))
    found = snapshot.summary(capability(FIVE_AXIS), TAXONOMY, "organizations/me", "CN-ZJ")
    assert (found.demands, found.in_country, found.in_region) == (2, 2, 1)
    wider = snapshot.summary(capability(MILLING), TAXONOMY, "organizations/me", "")
    assert (wider.demands, wider.in_country, wider.in_region) == (1, 0, 0)
