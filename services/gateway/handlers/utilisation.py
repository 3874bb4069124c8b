"""How spare capacity is used: of one's own firm, and for operators of the whole market."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from aiohttp import web
from google.protobuf.timestamp_pb2 import Timestamp

from services.gateway import formats
from services.gateway.forms import fields, quantities
from services.gateway.forms.fields import Form
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.market import capabilities
from services.gateway.people import caller, signed_in
from services.gateway.render import render
from spareline.market.v1.capability_pb2 import Capability, Unit
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.registry.v1 import market_data_service_pb2 as api

_EVERYBODY = "organizations/-"
_PERMILLE = 1000


@dataclass(slots=True)
class Use:
    """Spare capacity in ticks: what was offered, and of this held, agreed and delivered."""

    period: str
    capability: str
    offered: int = 0
    held: int = 0
    agreed: int = 0
    delivered: int = 0

    @property
    def idle(self) -> int:
        """What is still idle."""
        return max(0, self.offered - self.held - self.agreed)

    @property
    def share(self) -> int:
        """How much of what was idle has been agreed, in thousandths."""
        return _PERMILLE * self.agreed // self.offered if self.offered else 0

    def add(self, other: Use) -> None:
        """Add another one's quantities."""
        self.offered += other.offered
        self.held += other.held
        self.agreed += other.agreed
        self.delivered += other.delivered


@dataclass(frozen=True, slots=True)
class Uplift:
    """Utilisation before and with what was agreed, in thousandths of one's own capacity."""

    before: int
    after: int


async def show(request: web.Request) -> web.Response:
    """Show how the firm's own spare capacity is used."""
    return await _page(request, signed_in(request).organization)


async def show_market(request: web.Request) -> web.Response:
    """Show how the spare capacity of the whole market is used."""
    signed_in(request)
    return await _page(request, _EVERYBODY)


async def export(request: web.Request) -> web.Response:
    """Return the firm's own figures as a table."""
    return await _table(request, signed_in(request).organization)


async def export_market(request: web.Request) -> web.Response:
    """Return the figures of the whole market as a table."""
    signed_in(request)
    return await _table(request, _EVERYBODY)


async def _read(request: web.Request, whose: str) -> tuple[list[Use], Timestamp]:
    """Return the uses by week and capability, and when they were worked out."""
    calls = caller(request)
    used, delivered = await asyncio.gather(
        calls.call(
            calls.services.market_data.GetUtilization,
            api.GetUtilizationRequest(name=f"{whose}/utilization"),
        ),
        calls.call(
            calls.services.matching.GetDeliveries,
            matching.GetDeliveriesRequest(name=f"{whose}/deliveries"),
        ),
    )
    return merged(used.rows, delivered.rows), used.read_time


def merged(
    rows: Iterable[api.UtilizationRow], delivered: Iterable[matching.DeliveredQuantity]
) -> list[Use]:
    """Bring together what was offered and what was delivered, by week and capability."""
    found = {
        (row.period, row.capability): Use(
            row.period, row.capability, row.offered, row.held, row.agreed
        )
        for row in rows
    }
    for each in delivered:
        use = found.get((each.period, each.capability))
        if use is not None:
            use.delivered = min(each.quantity, use.agreed)
    return [found[key] for key in sorted(found)]


async def _page(request: web.Request, whose: str) -> web.Response:
    (uses, at), known = await asyncio.gather(_read(request, whose), capabilities(request))
    units = _units(uses, known)
    chosen = request.query.get("unit", "")
    unit = units.get(chosen) or next(iter(units.values()), None)
    if unit is not None:
        uses = [use for use in uses if known[use.capability].unit.code == unit.code]
    this_week = quantities.period(date.today())
    weeks, by_capability = _by_week(uses), _by_capability(uses)
    total, past = _sum(uses), _sum(use for use in uses if use.period < this_week)
    form = fields.read(request.query)
    return await render(
        request,
        "utilisation.html",
        whose=whose,
        market=whose == _EVERYBODY,
        read_time=at,
        units=units,
        unit=unit,
        weeks=weeks,
        this_week=this_week,
        most=max([1, *(week.offered for week in weeks)]),
        by_capability=by_capability,
        total=total,
        past=past,
        capabilities=known,
        form=form,
        uplift=None if unit is None else uplift(request, form, weeks, unit),
    )


def _units(uses: Sequence[Use], known: Mapping[str, Capability]) -> dict[str, Unit]:
    """Return the units in which something was offered by code, the most frequent first."""
    counts: dict[str, int] = {}
    units: dict[str, Unit] = {}
    for use in uses:
        if use.capability in known:
            unit = known[use.capability].unit
            counts[unit.code] = counts.get(unit.code, 0) + 1
            units[unit.code] = unit
    return {code: units[code] for code in sorted(counts, key=lambda code: (-counts[code], code))}


def _by_week(uses: Sequence[Use]) -> list[Use]:
    """Return the sums of every week from the first to the last, also of weeks without any."""
    if not uses:
        return []
    weeks = {week: Use(week, "") for week in quantities.span(uses[0].period, uses[-1].period)}
    for use in uses:
        weeks[use.period].add(use)
    return list(weeks.values())


def _by_capability(uses: Iterable[Use]) -> list[Use]:
    sums: dict[str, Use] = {}
    for use in uses:
        sums.setdefault(use.capability, Use("", use.capability)).add(use)
    return sorted(sums.values(), key=lambda use: (-use.offered, use.capability))


def _sum(uses: Iterable[Use]) -> Use:
    whole = Use("", "")
    for use in uses:
        whole.add(use)
    return whole


def uplift(request: web.Request, form: Form, weeks: Sequence[Use], unit: Unit) -> Uplift | None:
    """Return the utilisation before and after, given what there is in a normal week.

    Only weeks in which something was offered count: of the others it is not known what is idle.
    """
    normal = form.decimal("normal", gettext(request, "Give a number, such as 40."))
    offered = [week for week in weeks if week.offered]
    if not normal or not offered:
        return None
    step = Decimal(unit.resolution or "1")
    if any(week.offered * step > normal for week in offered):
        form.problems["normal"] = gettext(
            request, "You offered more than this in some week. Give all that you have in a week."
        )
        return None
    there = normal * len(offered)
    idle, agreed = (step * sum(getattr(w, name) for w in offered) for name in ("offered", "agreed"))
    before = (there - idle) / there
    return Uplift(int(before * _PERMILLE), int((before + agreed / there) * _PERMILLE))


async def _table(request: web.Request, whose: str) -> web.Response:
    (uses, _), known = await asyncio.gather(_read(request, whose), capabilities(request))
    text = io.StringIO()
    table = csv.writer(text)
    columns = ("week", "capability", "name", "unit", "idle_before", "held", "agreed", "delivered")
    table.writerow((*columns, "still_idle"))
    language = request[LANGUAGE]
    for use in uses:
        if use.capability not in known:
            continue
        capability = known[use.capability]
        unit = capability.unit
        amounts = (use.offered, use.held, use.agreed, use.delivered, use.idle)
        table.writerow(
            (
                use.period,
                use.capability,
                formats.text(capability.display_name, language),
                formats.text(unit.display_name, language),
                *(quantities.typed_quantity(each, unit) for each in amounts),
            )
        )
    return web.Response(
        # With a mark of the encoding, by which spreadsheets read Chinese as it is.
        body=text.getvalue().encode("utf-8-sig"),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": 'attachment; filename="utilisation.csv"'},
    )
