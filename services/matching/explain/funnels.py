"""Funnels as readers see them: how many counterparts fall at each rule."""

from __future__ import annotations

from services.matching.domain.eligibility import NAMES
from services.matching.domain.pairs import AnyFunnels
from spareline.matching.v1.explanation_pb2 import Funnel


def funnel(counts: AnyFunnels, row: int, line: str = "", shortlist: int = 0) -> Funnel:
    """The funnel of one line (named) or one offer; rules at which nothing falls are left out.

    About ``shortlist`` of those that are eligible were weighed, or all of them if it is 0.
    """
    made = Funnel(
        line=line,
        considered=int(counts.considered[row]),
        eligible=int(counts.eligible[row]),
        shortlist=shortlist,
    )
    # Row by row: lazy funnels look up what they have counted at every read.
    first, alone = counts.first[row].tolist(), counts.alone[row].tolist()
    for name, count, only in zip(NAMES, first, alone, strict=True):
        if count or only:
            made.steps.add(rule=name, count=count, alone=only)
    return made
