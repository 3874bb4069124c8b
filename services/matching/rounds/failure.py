"""Why a round failed, as a cause that whoever runs the market can act on.

Only operators read it (`redact.round_for_member`). It holds sizes and causes, and no price.
"""

from __future__ import annotations

from dataclasses import replace

from services.chassis.causes import Said, said
from services.matching.engine import InfeasiblePins, InvalidMarket, ProcessEnded, SolverDied
from services.matching.rounds.runner import CertificateError, WorkerDiedError
from spareline.errors.v1 import cause_pb2
from spareline.matching.v1.round_pb2 import BookSize

_UNSIZED = (CertificateError, InvalidMarket)  # however large the market is


def failure(error: BaseException, size: BookSize) -> Said:
    """Say what happened to a round of this size, and what to change. The words name the size."""
    found = _cause(error)
    if isinstance(error, _UNSIZED):
        return found
    return replace(found, what=f"{found.what}{_of(size)}")


def _cause(error: BaseException) -> Said:
    if isinstance(error, SolverDied):
        return _solver(error.ended)
    if isinstance(error, WorkerDiedError):
        return _preparing(error.ended)
    if isinstance(error, MemoryError):
        return said(cause_pb2.CAUSE_MEMORY_SHORT)
    if isinstance(error, CertificateError):
        return said(cause_pb2.CAUSE_CHECK_FAILED)
    if isinstance(error, InvalidMarket):
        return said(cause_pb2.CAUSE_NUMBERS_TOO_LARGE)
    if isinstance(error, InfeasiblePins):
        return said(cause_pb2.CAUSE_PINS_IMPOSSIBLE)
    return said(cause_pb2.CAUSE_ROUND_ERROR, error=type(error).__name__)


def _solver(ended: ProcessEnded) -> Said:
    if ended.overran:
        return said(cause_pb2.CAUSE_SOLVER_OVERRAN)
    if ended.killed:
        return said(cause_pb2.CAUSE_SOLVER_KILLED, signal=ended.signal)
    return said(cause_pb2.CAUSE_SOLVER_ENDED, how=_how(ended))


def _preparing(ended: ProcessEnded) -> Said:
    if ended.killed:
        return said(cause_pb2.CAUSE_PREPARING_KILLED, signal=ended.signal)
    return said(cause_pb2.CAUSE_PREPARING_ENDED, how=_how(ended))


def _how(ended: ProcessEnded) -> str:
    """Return what the system says of the end: a signal or an exit code, or nothing."""
    return ended.signal or ("?" if ended.code is None else f"exit {ended.code}")


def _of(size: BookSize) -> str:
    if not size.pairs:
        return ""
    left = f", {size.pairs_left_out} of them not weighed" if size.pairs_left_out else ""
    return f" (the market has {size.pairs} eligible pairs{left})"
