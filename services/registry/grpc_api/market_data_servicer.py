"""MarketDataService over gRPC."""

from collections.abc import Callable

from services.chassis.access import current
from services.registry import convert_taxonomy
from services.registry.domain import market_view, periods
from services.registry.domain.market_summary import Summary
from services.registry.grpc_api.callers import Context
from services.registry.usecases.market_data import MarketData
from services.registry.usecases.utilization import UtilizationDesk
from services.registry.usecases.viewing import Viewer
from spareline.registry.v1 import market_data_service_pb2 as api
from spareline.registry.v1.market_data_service_pb2_grpc import MarketDataServiceServicer


class MarketDataServicer(MarketDataServiceServicer):
    """Hands each request to the use case."""

    def __init__(
        self, market: MarketData, utilization: UtilizationDesk, viewer: Callable[[], Viewer]
    ) -> None:
        """``viewer`` returns the reader of the present call."""
        self._market = market
        self._utilization = utilization
        self._viewer = viewer

    async def BatchGetCapabilitySummaries(
        self, request: api.BatchGetCapabilitySummariesRequest, _context: Context
    ) -> api.BatchGetCapabilitySummariesResponse:
        """Tell what is offered, wanted and asked of some capabilities."""
        found = await self._market.summaries(list(request.names), request.region, current())
        return api.BatchGetCapabilitySummariesResponse(
            summaries=[_summary(name, summary) for name, summary in found]
        )

    async def GetMarketView(
        self, request: api.GetMarketViewRequest, _context: Context
    ) -> api.MarketView:
        """Count what is offered and wanted by capability, region and week."""
        view, capability, at = await self._market.view(request.name, request.region)
        answer = api.MarketView(
            name=request.name,
            region=request.region,
            least_firms=market_view.LEAST_FIRMS,
            total=_cell(view.total),
            by_capability=[_cell(each) for each in view.by_capability],
            by_region=[_cell(each) for each in view.by_region],
            weeks=[
                api.MarketWeek(
                    period=periods.week(each.number),
                    offers=each.offers,
                    lines=each.lines,
                    free=each.free,
                    wanted=each.wanted,
                )
                for each in view.weeks
            ],
        )
        answer.read_time.FromDatetime(at)
        if capability is not None:
            answer.unit.CopyFrom(convert_taxonomy.capability(capability).unit)
        return answer

    async def SearchPostings(
        self, request: api.SearchPostingsRequest, _context: Context
    ) -> api.SearchPostingsResponse:
        """Search the open postings of others."""
        return await self._market.search(request, self._viewer())

    async def GetUtilization(
        self, request: api.GetUtilizationRequest, _context: Context
    ) -> api.Utilization:
        """Tell how spare capacity is used."""
        return await self._utilization.get(request)


def _cell(cell: market_view.Cell) -> api.MarketCell:
    capability, region = cell.label
    return api.MarketCell(
        capability=capability, region=region, offers=cell.offers, lines=cell.lines
    )


def _summary(name: str, summary: Summary) -> api.CapabilitySummary:
    band = summary.asked
    return api.CapabilitySummary(
        name=name,
        offers=summary.offers,
        demands=summary.demands,
        demands_in_country=summary.in_country,
        demands_in_region=summary.in_region,
        asked=None
        if band is None
        else api.PriceBand(
            capability=band.capability,
            organizations=band.firms,
            lower_quartile=band.lower,
            median=band.median,
            upper_quartile=band.upper,
        ),
    )
