"""The book's offers and lines as the grid sees them: candidates without offers times lines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from services.matching.domain.eligibility import Candidates
from services.matching.domain.grid import LineSide, OfferGrid, OfferSide, ranks_of
from services.matching.domain.tables import Tables
from services.matching.domain.vocabulary import IntArray


def near(tables: Tables, most: int, lines: IntArray | None = None) -> Iterator[Candidates]:
    """Candidates that the screens leave, those of some lines of one code at a time.

    Of all lines, or of some. Whatever is eligible is among them; rules have the last word. The
    offers of so many lines' branch are at most ``most``, or those of one line.
    """
    codes = tables.words.codes.words
    rank, low, high = ranks_of(codes)
    grid = OfferGrid(_offers(tables, rank))
    side = _lines(tables, low, high)
    rows = np.arange(len(tables.lines.messages)) if lines is None else lines
    codes_of = tables.lines.code[rows]
    for code in np.unique(codes_of).tolist():
        own = rows[codes_of == code]
        step = max(1, most // max(1, len(tables.offers_of(codes[code]))))
        for start in range(0, len(own), step):
            some = own[start : start + step]
            offer, line = grid.near(side.take(some))
            if len(offer):
                yield Candidates(tables, offer, some[line])


def _offers(tables: Tables, rank: IntArray) -> OfferSide:
    offers, of = tables.offers, tables.organizations
    columns = np.arange(tables.columns)
    some = (offers.offered > 0) & (columns >= offers.lead_time[:, None])
    any_left = some.any(axis=1)
    last = tables.columns - 1 - some[:, ::-1].argmax(axis=1)
    owner = offers.organization
    return OfferSide(
        rank=rank[offers.code],
        organization=owner,
        latitude=of.latitude[owner],
        longitude=of.longitude[owner],
        located=of.located[owner],
        first=some.argmax(axis=1),
        last=np.where(any_left, last, -1),
        price=offers.unit_price,
        rate=offers.per_tick_1000km,
        radius=offers.radius,
        grade=of.grade[owner],
        least_grade=offers.least_grade,
    )


def _lines(tables: Tables, low: IntArray, high: IntArray) -> LineSide:
    lines, of = tables.lines, tables.organizations
    asker = tables.demands.organization[lines.demand]
    return LineSide(
        low=low[lines.code],
        high=high[lines.code],
        organization=asker,
        latitude=of.latitude[asker],
        longitude=of.longitude[asker],
        located=of.located[asker],
        first=np.maximum(lines.earliest, 0),
        last=np.minimum(lines.latest, tables.columns - 1),
        limit=lines.limit_price,
        radius=lines.radius,
        grade=of.grade[asker],
        least_grade=lines.least_grade,
    )
