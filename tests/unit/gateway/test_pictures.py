"""What the pictures of the operator's pages rest on: sums that are kept, and nothing outside."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.pictures import flow, series
from spareline.matching.v1.round_analysis_pb2 import Flow

_REGIONS = st.sampled_from(["", *(f"CN-{at}" for at in range(14))])
_FLOWS = st.lists(
    st.builds(
        Flow,
        offer_region=_REGIONS,
        branch=st.sampled_from(["production.machining", "research.testing", "logistics"]),
        demand_region=_REGIONS,
        price=st.integers(0, 10**9),
    ),
    max_size=40,
)


@given(flows=_FLOWS)
def test_every_column_and_both_rows_of_bands_carry_all(flows: list[Flow]) -> None:
    total = sum(each.price for each in flows)
    picture = flow.lay_out(flows)
    assert (picture is None) == (total == 0)
    if picture is None:
        return
    for column in picture.columns:
        assert sum(node.worth for node in column) == total
        assert len(column) <= 12
        for above, below in pairwise(column):
            assert above.y + above.height <= below.y
            assert below.middle - above.middle >= 19  # a line of text fits between
        assert max(node.y + node.height for node in column) <= picture.height
    for bands, left, right in zip(
        picture.bands, picture.columns, picture.columns[1:], strict=False
    ):
        for node in left:
            assert sum(band.worth for band in bands if band.source == node.key) == node.worth
        for node in right:
            assert sum(band.worth for band in bands if band.target == node.key) == node.worth
        for band in bands:
            numbers = [float(each) for each in re.findall(r"-?\d+\.\d+", band.path)]
            assert min(numbers) >= 0


def test_the_smallest_regions_share_a_node() -> None:
    flows = [Flow(offer_region=f"R{at}", branch="b", price=100 - at) for at in range(15)]
    picture = flow.lay_out(flows)
    assert picture is not None
    assert [node.key for node in picture.columns[0]] == [*(f"R{at}" for at in range(11)), "*"]
    assert picture.columns[0][-1].worth == 89 + 88 + 87 + 86


def test_axes_end_on_round_numbers() -> None:
    assert [series.top_of([each]) for each in (0, 1, 3, 10, 11, 49, 51, 12_345)] == [
        *(1, 1, 5, 10, 20, 50, 100, 20_000)
    ]


def test_lines_and_bars_stay_in_their_box() -> None:
    assert series.line([0, 500, 1000], 1000) == "0.00,100.00 50.00,50.00 100.00,0.00"
    assert series.line([250], 1000) == "0.00,75.00 100.00,75.00"
    bars = series.stacks([[1, 0, 0, 3], [0, 2, 0, 0]], 4)
    assert [(bar.part, bar.y, bar.height) for bar in bars] == [
        (0, 75.0, 25.0),
        (3, 0.0, 75.0),
        (1, 50.0, 50.0),
    ]
    assert bars[2].x + bars[2].width <= 100
