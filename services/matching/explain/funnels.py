"""Funnels as readers see them: how many counterparts fall at each rule."""

from __future__ import annotations

from services.matching.domain.eligibility import NAMES
from services.matching.domain.pairs import AnyFunnels
from spareline.matching.v1.explanation_pb2 import Funnel


def funnel(counts: AnyFunnels, row: int, line: str = "") -> Funnel:
    """The funnel of one line (named) or one offer; rules at which nothing falls are left out."""
    made = Funnel(
        line=line,
        considered=int(counts.considered[row]),
        eligible=int(counts.eligible[row]),
    )
    for rule, name in enumerate(NAMES):
        if counts.first[row, rule] or counts.alone[row, rule]:
            made.steps.add(
                rule=name,
                count=int(counts.first[row, rule]),
                alone=int(counts.alone[row, rule]),
            )
    return made
