"""Why a round failed, in words that whoever runs the market can act on.

Only operators read them (`redact.round_for_member`). They hold sizes and causes, and no price.
"""

from __future__ import annotations

from services.matching.engine import InfeasiblePins, InvalidMarket, ProcessEnded, SolverDied
from services.matching.rounds.runner import CertificateError, WorkerDiedError
from spareline.matching.v1.round_pb2 import BookSize

_MEMORY = (
    "Give matching more memory, or have it weigh fewer pairs: lower SPARELINE_MOST_PAIRS, or the "
    "policy's horizon"
)
_NEXT = "The next round begins anew"


def failure(error: BaseException, size: BookSize) -> str:
    """Say what happened to a round of this size, and what to change."""
    if isinstance(error, SolverDied | WorkerDiedError):
        which = "solves" if isinstance(error, SolverDied) else "prepares and explains"
        return f"The process that {which} {_ended(error.ended)}{_of(size)}. {_mend(error.ended)}"
    if isinstance(error, MemoryError):
        return f"The memory did not suffice{_of(size)}. {_MEMORY}. {_NEXT}"
    if isinstance(error, CertificateError):
        return (
            "The solver's answer did not pass its check, and nothing was proposed from it. This is "
            "a fault of the program: please report it with this round's inputs"
        )
    if isinstance(error, InvalidMarket):
        return (
            "The book's numbers do not make a problem that can be counted exactly; the log of "
            "matching names the first. Withdraw or correct that posting"
        )
    if isinstance(error, InfeasiblePins):
        return f"No assignment was found that keeps what is promised already{_of(size)}. {_NEXT}"
    return (
        f"The round ended with an error ({type(error).__name__}){_of(size)}; the log of matching "
        f"says more. {_NEXT}"
    )


def _of(size: BookSize) -> str:
    if not size.pairs:
        return ""
    left = f", {size.pairs_left_out} of them not weighed" if size.pairs_left_out else ""
    return f" (the market has {size.pairs} eligible pairs{left})"


def _ended(ended: ProcessEnded) -> str:
    if ended.overran:
        return "took longer than its limit and was ended"
    if ended.killed:
        return f"was killed by {ended.signal}, most often because the memory ran out"
    if ended.signal:
        return f"crashed with {ended.signal}"
    return f"ended by itself with code {ended.code}" if ended.code is not None else "ended"


def _mend(ended: ProcessEnded) -> str:
    if ended.overran:
        return (
            "Raise the policy's time limit, give matching more processors, or have it weigh fewer "
            f"pairs: lower SPARELINE_MOST_PAIRS. {_NEXT}"
        )
    return f"{_MEMORY}. {_NEXT}" if ended.killed else f"The log of matching says more. {_NEXT}"
