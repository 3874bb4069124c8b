"""The terms of a counter as typed: `0:price=12500,2026-W48=30`."""

from __future__ import annotations

import re
from collections.abc import Iterable

import typer

from spareline.matching.v1.proposal_pb2 import CounterLeg, Delivery

_PERIOD = re.compile(r"[0-9]{4}-W[0-9]{2}")


def counter_legs(terms: Iterable[str]) -> list[CounterLeg]:
    """The legs that some terms describe.

    Raises:
        typer.BadParameter: a term makes no sense.
    """
    return [_leg(term) for term in terms]


def _leg(term: str) -> CounterLeg:
    index, colon, parts = term.partition(":")
    if not colon or not index.isdecimal():
        raise typer.BadParameter(f"{term}: write LEG:price=FEN or LEG:2026-W48=TICKS")
    leg = CounterLeg(leg_index=int(index))
    for part in parts.split(","):
        key, equals, value = (text.strip() for text in part.partition("="))
        if not equals or not value.isdecimal():
            raise typer.BadParameter(f"{part}: write price=FEN or 2026-W48=TICKS")
        if key == "price":
            leg.unit_price = int(value)
        elif _PERIOD.fullmatch(key):
            leg.deliveries.append(Delivery(period=key, quantity=int(value)))
        else:
            raise typer.BadParameter(f"{key} is neither price nor an ISO week such as 2026-W48")
    return leg
