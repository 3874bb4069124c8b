"""MarketDataService over gRPC."""

from services.chassis.access import current
from services.registry.domain.market_summary import Summary
from services.registry.grpc_api.callers import Context
from services.registry.usecases.market_data import MarketData
from spareline.registry.v1 import market_data_service_pb2 as api
from spareline.registry.v1.market_data_service_pb2_grpc import MarketDataServiceServicer


class MarketDataServicer(MarketDataServiceServicer):
    """Hands each request to the use case."""

    def __init__(self, market: MarketData) -> None:
        self._market = market

    async def BatchGetCapabilitySummaries(
        self, request: api.BatchGetCapabilitySummariesRequest, _context: Context
    ) -> api.BatchGetCapabilitySummariesResponse:
        """Tell what is offered, wanted and asked of some capabilities."""
        found = await self._market.summaries(list(request.names), request.region, current())
        return api.BatchGetCapabilitySummariesResponse(
            summaries=[_summary(name, summary) for name, summary in found]
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
