"""Fairness over the rounds: who waits, how uneven it is, and how much one firm has."""

from __future__ import annotations

import asyncio

from aiohttp import web

from services.gateway.people import caller, operating
from services.gateway.pictures import series
from services.gateway.render import render
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1.round_pb2 import Round

_ROUNDS = 60
_SHOWN = 10
_PERMILLE = 1000


async def show(request: web.Request) -> web.Response:
    """Show the last rounds as charts with tables, and who waits longest."""
    operating(request)
    calls = caller(request)
    answer, waiting, accounts = await asyncio.gather(
        calls.call(
            calls.services.matching.ListRounds, matching.ListRoundsRequest(page_size=_ROUNDS)
        ),
        calls.call(
            calls.services.matching.ListWaitingDemands,
            matching.ListWaitingDemandsRequest(
                page_size=_SHOWN, page_token=request.query.get("demands", "")
            ),
        ),
        calls.call(
            calls.services.matching.ListFairnessAccounts,
            matching.ListFairnessAccountsRequest(
                page_size=_SHOWN, page_token=request.query.get("accounts", "")
            ),
        ),
    )
    # A round without a single match passed nobody over: it says nothing about fairness.
    rounds = [
        each
        for each in reversed(answer.rounds)
        if each.state == Round.STATE_COMPLETED and each.outcome.demands_served
    ]
    outcomes = [each.outcome for each in rounds]
    waits = [list(each.waiting_demands) or [0, 0, 0, 0] for each in outcomes]
    top = series.top_of([sum(each) for each in waits])
    return await render(
        request,
        "fairness.html",
        rounds=rounds,
        waits=waits,
        bars=series.stacks(waits, top),
        top=top,
        uneven=_lines(
            [each.gini_permille for each in outcomes],
            [each.ledger_gini_permille for each in outcomes],
        ),
        shares=_lines(
            [each.concentration_permille for each in outcomes],
            [each.offer_concentration_permille for each in outcomes],
        ),
        waiting=waiting,
        accounts=accounts,
    )


def _lines(*permilles: list[int]) -> tuple[str, ...]:
    return tuple(series.line(each, _PERMILLE) for each in permilles if each)
