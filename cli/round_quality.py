"""What a round is worth beyond its objective, as rows of a table."""

from __future__ import annotations

from cli.screen import money
from spareline.matching.v1.round_pb2 import Outcome


def quality(o: Outcome) -> list[tuple[str, str]]:
    """Name and figure of each measure that says something of this round."""
    rows = [("blocking pairs", str(o.blocking_pairs))]
    if o.blocking_pairs_before != o.blocking_pairs or o.stability_cost:
        rows += [
            ("blocking pairs before the policy avoided some", str(o.blocking_pairs_before)),
            ("value given up for that, CNY", money(o.stability_cost)),
        ]
    rows += [
        ("uneven service of need (Gini)", _percent(o.gini_permille)),
        ("organizations that won nothing", str(o.organizations_waiting)),
        ("longest wait, rounds in a row", str(o.longest_wait_rounds)),
        ("largest share of one demander", _percent(o.concentration_permille)),
        ("largest share of one offerer", _percent(o.offer_concentration_permille)),
        ("concentration of demanders (HHI, 0 to 10000)", str(o.demand_hhi)),
        ("concentration of offerers (HHI, 0 to 10000)", str(o.offer_hhi)),
        ("mean distance by value, km", str(o.mean_distance_km)),
        ("value within one region", _percent(o.same_region_permille)),
    ]
    if o.legs_reopened:
        rows += [
            ("earlier legs kept", f"{o.legs_kept} of {o.legs_reopened}"),
            ("value of earlier legs kept", _percent(o.value_kept_permille)),
        ]
    return rows


def _percent(permille: int) -> str:
    return f"{permille / 10:.1f} %"
