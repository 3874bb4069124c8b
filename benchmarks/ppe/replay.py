"""The replay: week by week, post, clear, accept; then check the ledger."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.ppe import clearing, policy
from benchmarks.ppe.clearing import ReplayFailed
from benchmarks.ppe.data import Data, Sites, Week
from benchmarks.ppe.decisions import Decision, decided
from benchmarks.ppe.market import Market
from benchmarks.ppe.posting import Poster, Stock, capabilities
from spareline.matching.v1.policy_pb2 import Policy
from spareline.registry.v1 import ledger_service_pb2

_LEDGER_SECONDS = 300.0

Tell = Callable[[str], None]


@dataclass
class WeekResult:
    """What a week brought; times in seconds."""

    week: int
    period: str
    donations: int
    requests: int
    pairs: int = 0
    proposals: int = 0
    units: int = 0
    gap_ppm: int = 0
    status: str = ""
    round: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Measure a part of the week."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[part] = round(time.monotonic() - started, 2)


@dataclass
class Result:
    """All that came of the replay."""

    weeks: list[WeekResult]
    decisions: list[Decision]
    ledger: ledger_service_pb2.CheckLedgerResponse


class Replay:
    """One replay on one market."""

    def __init__(
        self,
        market: Market,
        data: Data,
        sites: Sites,
        radius_miles: float,
        worth: int,
        tell: Tell,
        seed: int = 1,
    ) -> None:
        self._market = market
        self._data = data
        self._sites = sites
        self._radius = radius_miles
        self._worth = worth
        self._tell = tell
        self._seed = seed
        self._stocks: dict[str, Stock] = {}
        self._decisions: list[Decision] = []
        self._poster: Poster

    async def run(
        self, emergency: Policy, weeks: list[Week], week_done: Callable[[WeekResult], None]
    ) -> Result:
        """Run the weeks under the policy; the market's own policy is active again afterwards.

        Raises:
            ReplayFailed: the market did something that the replay cannot go on from.
            grpc.aio.AioRpcError: a call was refused.
        """
        operator = self._market.operator
        kinds = sorted({*self._data.donors["ppe"], *self._data.recipients["ppe"]})
        codes = await capabilities(self._market, kinds)
        after = weeks[-1].after
        self._poster = Poster(self._market, self._sites, codes, self._radius, self._worth, after)
        before = await policy.active(operator)
        await policy.put(operator, emergency)
        # Else a round of the market's own policy would start whenever the book has been quiet.
        await policy.activate(operator, policy.NAME)
        results = []
        try:
            for week in weeks:
                results.append(await self._week(week))
                week_done(results[-1])
        finally:
            await policy.activate(operator, before)
        self._tell("checking the ledger")
        ledger = await operator.ledger.CheckLedger(
            ledger_service_pb2.CheckLedgerRequest(), timeout=_LEDGER_SECONDS
        )
        return Result(results, self._decisions, ledger)

    async def _week(self, week: Week) -> WeekResult:
        donations, requests = week.of(self._data.donors), week.of(self._data.recipients)
        result = WeekResult(week.number, week.period, len(donations), len(requests))

        def tell(text: str) -> None:
            self._tell(f"week {week.number}, {text}")

        with result.timed("post"):
            await self._post(week, tell)
        with result.timed("round"):
            cleared = await clearing.clear(self._market, week, self._seed, tell)
        result.round, result.status = cleared.name, cleared.outcome.status
        result.pairs, result.gap_ppm = cleared.size.pairs, cleared.outcome.gap_ppm
        if cleared.outcome.proposals_failed:
            raise ReplayFailed(f"{cleared.outcome.proposals_failed} holds failed in {cleared.name}")
        with result.timed("accept"):
            decisions = await self._accept(cleared.name, week, tell, result)
        self._decisions += decisions
        result.units = sum(each["qty"] for each in decisions)
        return result

    async def _post(self, week: Week, tell: Tell) -> None:
        """Bring the week's donations and requests before matching's eyes."""
        donations, requests = week.of(self._data.donors), week.of(self._data.recipients)
        before = await clearing.taken_in(self._market, 0, 0, tell)
        donors, recipients = donations["don_id"].unique(), requests["rec_id"].unique()
        count = _Count(tell, "registering", self._poster.new_in(donors, recipients))
        await self._poster.register(donors, recipients, count)
        tell(f"posting {len(donations)} donations and {len(requests)} requests")
        if len(donations):
            stocks = await self._poster.donate(donations)
            self._stocks |= {stock.name: stock for stock in stocks}
        demands = before.demands
        if len(requests):
            demands += await self._poster.ask(requests, week)
        await clearing.taken_in(self._market, before.offers + len(donations), demands, tell)

    async def _accept(
        self, round_name: str, week: Week, tell: Tell, result: WeekResult
    ) -> list[Decision]:
        found = await clearing.proposals(self._market, round_name)
        own = [each for each in found if each.demand.startswith(self._poster.organization(""))]
        if len(own) < len(found):
            tell(f"leaving {len(found) - len(own)} proposals of others alone")
        result.proposals = len(own)
        # Shipments of one donation stand beside each other in the list; spread, they do not wait
        # for each other at its ledger.
        spread = random.Random(week.number).sample(own, len(own))
        answered = await clearing.accept(self._market, spread, _Count(tell, "accepting", len(own)))
        await clearing.confirmed(self._market, round_name, answered)
        return decided(own, self._stocks, self._data.recipients, week)


class _Count:
    """Tells of every fiftieth step."""

    def __init__(self, tell: Tell, what: str, total: int) -> None:
        self._tell, self._what, self._total, self._done = tell, what, total, 0

    def __call__(self) -> None:
        self._done += 1
        if self._done % 50 == 0 or self._done == self._total:
            self._tell(f"{self._what} {self._done} of {self._total}")
