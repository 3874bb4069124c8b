"""The assignment engine as a library: a `Market` of arrays in, an assignment and its proof out.

`solve` solves, `verify` checks an answer with code of its own, `component_of` cuts out what one
demand touches, and `SolverProcess` does the solving in a process of its own.
"""

import importlib
from typing import TYPE_CHECKING, Any

from services.matching.engine.cut import Part
from services.matching.engine.ending import ProcessEnded
from services.matching.engine.limits import IntArray, InvalidMarket
from services.matching.engine.market import Market, Term
from services.matching.engine.objective import Use, use_of, value, value_by_term
from services.matching.engine.process import SolverDied, SolverProcess
from services.matching.engine.result import (
    Certificate,
    InfeasiblePins,
    Options,
    Phase,
    Progress,
    Result,
    Stability,
    Status,
)
from services.matching.engine.verify import Verdict, verify

if TYPE_CHECKING:
    from services.matching.engine.components import component_of, split
    from services.matching.engine.solving import solve, solve_value

__all__ = [
    "Certificate",
    "InfeasiblePins",
    "IntArray",
    "InvalidMarket",
    "Market",
    "Options",
    "Part",
    "Phase",
    "ProcessEnded",
    "Progress",
    "Result",
    "SolverDied",
    "SolverProcess",
    "Stability",
    "Status",
    "Term",
    "Use",
    "Verdict",
    "component_of",
    "solve",
    "solve_value",
    "split",
    "use_of",
    "value",
    "value_by_term",
    "verify",
]

# Where the solvers are loaded is no business of a process that leaves solving to another.
_LOADED_ON_USE = {
    "component_of": "components",
    "split": "components",
    "solve": "solving",
    "solve_value": "solving",
}


def __getattr__(name: str) -> Any:
    if name not in _LOADED_ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_LOADED_ON_USE[name]}")
    return getattr(module, name)
