"""Checking a stored round from its stored book, without trusting the solver that made it."""

from __future__ import annotations

import numpy as np

from services.matching.engine import Market, Result
from services.matching.engine.verify import verify
from services.matching.rounds.answer import Answer, gap_ppm
from services.matching.rounds.snapshot import RoundInputs
from spareline.matching.v1.round_pb2 import Round, VerificationCheck


def fault(market: Market, answer: Answer) -> str:
    """What is wrong with an answer, in words; nothing when it is feasible and proven."""
    verdict = verify(market, answer.quantity, answer.certificate, objective=answer.objective)
    return "" if verdict.ok else f"{verdict.broken}: {verdict.message}"


def checks(
    inputs: RoundInputs, market: Market, answer: Answer, round_: bytes
) -> list[VerificationCheck]:
    """The checks book_digest, feasible, objective, bound and gap of a stored Round (serialized)."""
    stored = Round.FromString(round_)
    outcome = stored.outcome
    digest = inputs.book.digest
    verdict = verify(market, answer.quantity, answer.certificate)
    # Its objective and bound are recomputed also when a rule is broken.
    broken = "" if verdict.ok or verdict.broken == "bound" else verdict.message
    gap = gap_ppm(outcome.upper_bound, outcome.objective)
    within = verdict.objective <= outcome.upper_bound <= outcome.certified_bound
    return [
        _check(
            "book_digest",
            digest == stored.book_digest,
            f"the stored book has {digest}, the round says {stored.book_digest}",
        ),
        _check("feasible", not broken, broken or f"{_used(answer)} quantities keep every rule"),
        _check(
            "objective",
            verdict.objective == outcome.objective
            and sum(term.value for term in outcome.terms) == outcome.objective,
            f"recomputed {verdict.objective}, the round says {outcome.objective}",
        ),
        _check(
            "bound",
            verdict.bound == outcome.certified_bound and within,
            f"the prices prove {verdict.bound}, the round says {outcome.certified_bound} and "
            f"with the solver's word {outcome.upper_bound}",
        ),
        _check(
            "gap",
            gap == outcome.gap_ppm and gap >= 0,
            f"recomputed {gap} ppm, the round says {outcome.gap_ppm} ppm",
        ),
    ]


def replay_check(answer: Answer, again: Result) -> VerificationCheck:
    """Whether solving again gave the stored assignment.

    A round that met the wall clock promises only a feasible answer; then equality is not asked.
    """
    same = np.array_equal(answer.quantity, again.quantity)
    if same:
        text = f"solving again gave the same assignment, worth {again.objective}"
    else:
        text = f"solving again gave another assignment, worth {again.objective}"
        if not answer.reproducible:
            text += "; the round met its time limit, so it did not promise the same"
    return _check("replay", same or not answer.reproducible, text)


def _used(answer: Answer) -> int:
    return int(np.count_nonzero(answer.quantity))


def _check(name: str, ok: bool, detail: str) -> VerificationCheck:
    return VerificationCheck(name=name, ok=ok, detail=detail)
