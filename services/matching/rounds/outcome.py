"""A round's sizes and outcome, as its readers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from services.matching.domain.problem import Problem
from services.matching.domain.vocabulary import IntArray
from services.matching.rounds.answer import Answer
from services.matching.rounds.quality import line_ticks, measure
from services.matching.rounds.shares import demand_shares
from spareline.matching.v1.policy_pb2 import FairnessAccount
from spareline.matching.v1.proposal_pb2 import Proposal
from spareline.matching.v1.round_pb2 import BookSize, Outcome


def book_size(problem: Problem, components: int = 0) -> BookSize:
    """Sizes of the problem; the number of independent parts is known once it is solved."""
    tables = problem.tables
    return BookSize(
        offers=len(tables.offers.messages),
        demands=len(tables.demands.messages),
        lines=len(tables.lines.messages),
        pairs=len(problem.pairs) + problem.weighed.left_out,
        pairs_left_out=problem.weighed.left_out,
        components=components,
        pinned_proposals=problem.live.pinned,
    )


def outcome_of(
    problem: Problem,
    answer: Answer,
    proposals: Sequence[Proposal],
    accounts: Mapping[str, FairnessAccount],
) -> Outcome:
    """What a round reached. Holding its proposals may still fail; the caller counts those.

    ``accounts`` are those after the round, of every organization with an open demand.
    """
    filled = line_ticks(problem, answer.quantity)
    lines = problem.tables.lines
    count = len(problem.tables.demands.messages)
    served = np.zeros(count, dtype=np.bool_)
    served[lines.demand[filled > 0]] = True
    short = np.zeros(count, dtype=np.bool_)
    short[lines.demand[filled < lines.quantity]] = True
    market = problem.market
    used = np.unique(market.pair_offer[market.x_pair[np.flatnonzero(answer.quantity)]])
    status = answer.status.value.lower() if answer.quantity.any() else "empty"
    made = Outcome(
        objective=answer.objective,
        upper_bound=answer.upper_bound,
        certified_bound=answer.certificate.bound,
        gap_ppm=answer.gap_ppm,
        status=status,
        demands_served=int(served.sum()),
        demands_partly_served=int((served & short).sum()),
        offers_used=len(used),
        fill_permille=_fill(problem, filled),
        proposals=len(proposals),
        solve_milliseconds=int(answer.seconds * 1000),
        reproducible=answer.reproducible,
    )
    for name, value in answer.by_term.items():
        made.terms.add(name=name, value=value)
    measure(problem, answer, accounts, made)
    return made


def _fill(problem: Problem, filled: IntArray) -> int:
    """Mean over demands of the mean over their lines of ticks got per tick wanted."""
    demands = len(problem.tables.demands.messages)
    return int(demand_shares(problem, filled).sum()) // (1000 * demands) if demands else 0
