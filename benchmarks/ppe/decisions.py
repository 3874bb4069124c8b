"""What the platform decided, in the package's own form: who ships how much to whom, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from benchmarks.ppe.data import Week
from benchmarks.ppe.posting import LINE, Stock
from benchmarks.ppe.published import DECISION
from spareline.matching.v1.proposal_pb2 import Proposal

Decision = dict[str, Any]

_DAY_SECONDS: Final = 24 * 3600


def decided(
    proposals: Iterable[Proposal],
    stocks: Mapping[str, Stock],
    requests: pd.DataFrame,
    week: Week,
) -> list[Decision]:
    """The shipments of a week's confirmed proposals, taken off the stocks.

    ``stocks`` by the offer's name; ``requests`` by the row that the line's id ends with.
    """
    found: list[Decision] = []
    for proposal in proposals:
        for leg in proposal.legs:
            request = requests.loc[int(leg.line.removeprefix(LINE))]
            stock = stocks[leg.offer]
            for delivery in leg.deliveries:
                stock.left -= delivery.quantity
                held = (week.end - stock.date).total_seconds() / _DAY_SECONDS
                found.append(
                    {
                        "don_id": stock.donor,
                        "rec_id": request["rec_id"],
                        "ppe": request["ppe"],
                        "date": week.end,
                        "qty": delivery.quantity,
                        "holding_time": float(round(held)),
                    }
                )
    return found


def as_frame(decisions: Sequence[Decision], distances: pd.DataFrame) -> pd.DataFrame:
    """The decisions with the distances of the data (not the recovered ones), in miles."""
    if not decisions:
        return pd.DataFrame(columns=list(DECISION))
    frame = pd.DataFrame(decisions).merge(distances, on=["don_id", "rec_id"], how="left")
    return frame[list(DECISION)]
