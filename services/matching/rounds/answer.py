"""A round's answer as it is stored: quantities, prices, and what was claimed for them."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from services.matching.domain.vocabulary import IntArray
from services.matching.engine import Certificate, Result, Stability, Status
from services.matching.rounds import stored_json

_FORMAT = "spareline-answer-1"


@dataclass(frozen=True, eq=False)
class Answer:
    """``quantity[X]`` in ticks, the certificate's prices, the objective and the bounds.

    ``stability`` is None where the policy gives nothing up for it.
    """

    quantity: IntArray
    certificate: Certificate
    objective: int
    by_term: dict[str, int]
    upper_bound: int
    status: Status
    reproducible: bool
    components: int
    seconds: float
    stability: Stability | None = None

    @staticmethod
    def of(result: Result) -> Answer:
        """The answer that a solve gave."""
        return Answer(
            result.quantity,
            result.certificate,
            result.objective,
            dict(result.objective_by_term),
            result.upper_bound,
            result.status,
            result.reproducible,
            result.components,
            result.seconds,
            result.stability,
        )

    @property
    def gap_ppm(self) -> int:
        """(bound - objective) / max(1, |bound|) in millionths, rounded up."""
        return gap_ppm(self.upper_bound, self.objective)

    def to_bytes(self) -> bytes:
        """Compressed JSON with sparse arrays; the same answer gives the same bytes."""
        prices = self.certificate
        plain = {
            "quantity": _sparse(self.quantity),
            "scale": prices.scale,
            "slot_price": _sparse(prices.slot_price),
            "cap_price": _sparse(prices.cap_price),
            "budget_price": _sparse(prices.budget_price),
            "demand_price": None if prices.demand_price is None else _sparse(prices.demand_price),
            "pair_price": None if prices.pair_price is None else _sparse(prices.pair_price),
            "bound": prices.bound,
            "objective": self.objective,
            "by_term": self.by_term,
            "upper_bound": self.upper_bound,
            "status": self.status.value,
            "reproducible": self.reproducible,
            "components": self.components,
            "seconds": self.seconds,
            "stability": None if self.stability is None else astuple(self.stability),
        }
        return stored_json.to_bytes(_FORMAT, plain)

    @staticmethod
    def from_bytes(data: bytes) -> Answer:
        """Read what `to_bytes` wrote.

        Raises:
            SnapshotError: the bytes are not what `to_bytes` writes.
        """
        plain = stored_json.from_bytes(_FORMAT, data)
        prices = Certificate(
            plain["scale"],
            _dense(plain["slot_price"]),
            _dense(plain["cap_price"]),
            _dense(plain["budget_price"]),
            plain["bound"],
            None if plain.get("demand_price") is None else _dense(plain["demand_price"]),
            None if plain.get("pair_price") is None else _dense(plain["pair_price"]),
        )
        return Answer(
            _dense(plain["quantity"]),
            prices,
            plain["objective"],
            plain["by_term"],
            plain["upper_bound"],
            Status(plain["status"]),
            plain["reproducible"],
            plain["components"],
            plain["seconds"],
            # Answers stored before there was a policy for it do not have it.
            Stability(*kept) if (kept := plain.get("stability")) else None,
        )


def gap_ppm(bound: int, objective: int) -> int:
    """(bound - objective) / max(1, |bound|) in millionths, rounded up."""
    return -((objective - bound) * 1_000_000 // max(1, abs(bound)))


def _sparse(array: IntArray) -> list[object]:
    """Length, then positions and values of what is not zero."""
    where = np.flatnonzero(array)
    return [len(array), where.tolist(), array[where].tolist()]


def _dense(parts: list[object]) -> IntArray:
    size, where, values = parts
    assert isinstance(size, int)
    array = np.zeros(size, dtype=np.int64)
    array[np.array(where, dtype=np.int64)] = np.array(values, dtype=np.int64)
    array.setflags(write=False)
    return array
