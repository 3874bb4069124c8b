"""The assignment engine as a library: a `Market` of arrays in, an assignment and its proof out.

`solve` solves, `verify` checks an answer with code of its own, `component_of` cuts out what one
demand touches, and `SolverProcess` does the solving in a process of its own.
"""

from services.matching.engine.components import Part, component_of, split
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
    Status,
)
from services.matching.engine.solve import solve, solve_value
from services.matching.engine.verify import Verdict, verify

__all__ = [
    "Certificate",
    "InfeasiblePins",
    "IntArray",
    "InvalidMarket",
    "Market",
    "Options",
    "Part",
    "Phase",
    "Progress",
    "Result",
    "SolverDied",
    "SolverProcess",
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
