"""The parts of a round that keep a processor busy, as functions for a process of their own.

Everything goes in and out as bytes or arrays. The problem of the round at hand is kept between the
calls, since building it again would double the work.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass

from services.matching.domain import fairness
from services.matching.domain.assignment import drafts
from services.matching.domain.problem import Problem
from services.matching.engine import Market
from services.matching.rounds import verify
from services.matching.rounds.answer import Answer
from services.matching.rounds.flows import flows_of
from services.matching.rounds.outcome import book_size, outcome_of
from services.matching.rounds.shares import shares_of
from services.matching.rounds.snapshot import RoundInputs

# Explaining may take this part of the time that solving may take, within these bounds in seconds.
EXPLAIN_SHARE = 1 / 6
EXPLAIN_LEAST, EXPLAIN_MOST = 1.0, 30.0

_kept: dict[str, tuple[RoundInputs, Problem]] = {}


@dataclass(frozen=True)
class Prepared:
    """What is ready before the solve: arrays, sizes (a BookSize) and the book's digest."""

    market: Market
    size: bytes
    book_digest: str
    reopened: tuple[str, ...]


@dataclass(frozen=True)
class Concluded:
    """What follows from the answer, as serialized messages."""

    outcome: bytes
    size: bytes
    drafts: tuple[bytes, ...]
    accounts: tuple[bytes, ...]
    newly_counted: frozenset[str]
    flows: bytes
    shares: bytes


def start() -> None:
    """Leave Ctrl-C to the parent, which decides what becomes of a running round; end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the parent was killed: the pool's queue would keep its worker waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def prepare(inputs: bytes) -> Prepared:
    """Build the round's problem.

    Raises:
        InvalidMarket: the book's numbers are too large to be summed exactly.
    """
    given, problem = _problem(inputs)
    size = book_size(problem).SerializeToString()
    reopened = tuple(sorted(problem.live.reopened))
    return Prepared(problem.market, size, given.book.digest, reopened)


def certify(inputs: bytes, answer: bytes) -> str:
    """Check an answer with the engine's own checker; what is wrong, or nothing."""
    _, problem = _problem(inputs)
    return verify.fault(problem.market, Answer.from_bytes(answer))


def conclude(inputs: bytes, answer: bytes) -> Concluded:
    """Outcome, proposals and fairness accounts that follow from an answer."""
    given, problem = _problem(inputs)
    found = Answer.from_bytes(answer)
    made = drafts(problem, found.quantity, given.round_name, given.policy)
    messages = problem.tables.demands.messages
    update = fairness.updated(given.fairness, messages, made, given.counted)
    outcome = outcome_of(problem, found, made, update.accounts)
    ledger = {**given.fairness, **update.accounts}
    outcome.ledger_gini_permille = fairness.ledger_gini_permille(ledger.values())
    return Concluded(
        outcome.SerializeToString(),
        book_size(problem, found.components).SerializeToString(),
        tuple(each.SerializeToString() for each in made),
        tuple(each.SerializeToString() for each in update.accounts.values()),
        update.newly_counted,
        flows_of(given.round_name, made).SerializeToString(),
        shares_of(problem, found.quantity).to_bytes(),
    )


def explanations(inputs: bytes, answer: bytes) -> tuple[bytes, ...]:
    """Explanations of all that was not matched, as serialized messages."""
    # They solve again; the parent, which imports this module too, has no use for the solvers.
    from services.matching.explain import explain
    from services.matching.explain.solution import Solution

    given, problem = _problem(inputs)
    found = Answer.from_bytes(answer)
    solution = Solution(problem, found.quantity)
    seconds = given.time_limit_seconds * EXPLAIN_SHARE
    seconds = min(EXPLAIN_MOST, max(EXPLAIN_LEAST, seconds))
    made = explain(solution, given.round_name, given.seed, seconds)
    return tuple(each.SerializeToString() for each in made)


def verifying(inputs: bytes, answer: bytes, round_: bytes) -> tuple[tuple[bytes, ...], Market]:
    """The checks of a stored round short of solving it again, and the arrays for that."""
    given, problem = _problem(inputs)
    checks = verify.checks(given, problem.market, Answer.from_bytes(answer), round_)
    return tuple(each.SerializeToString() for each in checks), problem.market


def _problem(inputs: bytes) -> tuple[RoundInputs, Problem]:
    key = hashlib.sha256(inputs).hexdigest()
    if key not in _kept:
        given = RoundInputs.from_bytes(inputs)
        _kept.clear()
        _kept[key] = (given, given.problem())
    return _kept[key]
