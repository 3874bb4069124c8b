"""The sample market many times over: every copy has firms, offers and demands of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from deploy.sample import access, files, imports, people, postings
from deploy.sample.access import RegistryStub
from deploy.sample.report import Progress
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.registry.v1 import registry_service_pb2 as api

_AT_ONCE = 4
_BATCH = 250
_SECONDS = 300.0
# How far from the original a copied firm lies at most: some 40 km.
_DEGREES = 0.4

Posting = TypeVar("Posting", Offer, Demand)
Request = TypeVar("Request", api.ImportOffersRequest, api.ImportDemandsRequest)


async def post(platform: RegistryStub, times: int, progress: Progress) -> None:
    """Add copies of the sample until the market holds it `times` over, one being there already.

    Raises:
        grpc.RpcError: a call was refused.
        ValueError: a posting was refused.
    """
    every = range(2, times + 1)
    drawn = random.Random(1)
    firms = [firm(entry, copy, drawn) for copy in every for entry in files.organizations()]

    async def register(some: Sequence[api.CreateOrganizationRequest]) -> None:
        await asyncio.gather(*(platform.CreateOrganization(each) for each in some))

    await _all("organizations", firms, 16, register, progress)
    itself = await platform.GetOrganization(api.GetOrganizationRequest(name=people.PLATFORM))
    units = await imports.measures(platform, itself)
    originals = [postings.offer(entry, units) for entry in files.offers()]
    offers = [posting(offer, copy) for copy in every for offer in originals]

    async def offer(some: Sequence[Offer]) -> None:
        stream = _stream(api.ImportOffersRequest(offers=some))
        _accepted(await platform.ImportOffers(stream, timeout=_SECONDS))

    await _all("offers", offers, _BATCH, offer, progress)
    wanted = [postings.demand(entry, units) for entry in files.demands()]
    demands = [posting(demand, copy) for copy in every for demand in wanted]

    async def demand(some: Sequence[Demand]) -> None:
        stream = _stream(api.ImportDemandsRequest(demands=some))
        _accepted(await platform.ImportDemands(stream, timeout=_SECONDS))

    await _all("demands", demands, _BATCH, demand, progress)


def firm(entry: files.Entry, copy: int, drawn: random.Random) -> api.CreateOrganizationRequest:
    """The request for a copy of a firm, some way off from the original."""
    made = people.organization(entry)
    made.display_name = f"{made.display_name} {copy}"
    made.location.latitude += drawn.uniform(-_DEGREES, _DEGREES)
    made.location.longitude += drawn.uniform(-_DEGREES, _DEGREES)
    return api.CreateOrganizationRequest(
        organization_id=_copied(entry["id"], copy),
        organization=made,
        evidence=access.EVIDENCE,
        request_id=access.request_id("copy", str(copy), entry["id"]),
    )


def posting(original: Posting, copy: int) -> Posting:
    """The posting as the copied firm makes it; whom it prefers and excludes is of the same copy."""
    made = type(original)()
    made.CopyFrom(original)
    made.name = _copied_name(made.name, copy)
    lists = [made.requirements.excluded_organizations] if isinstance(made, Offer) else []
    if isinstance(made, Demand):
        lists = [made.preferred_organizations, made.excluded_organizations]
        lists += [line.requirements.excluded_organizations for line in made.lines]
    for names in lists:
        names[:] = [_copied_name(name, copy) for name in names]
    return made


def _copied(short: str, copy: int) -> str:
    return f"{short}-n{copy}"


def _copied_name(name: str, copy: int) -> str:
    collection, short, *rest = name.split("/")
    return "/".join((collection, _copied(short, copy), *rest))


async def _all(
    what: str,
    every: Sequence[Posting] | Sequence[api.CreateOrganizationRequest],
    size: int,
    send: Callable[[Sequence[Posting]], Awaitable[None]]
    | Callable[[Sequence[api.CreateOrganizationRequest]], Awaitable[None]],
    progress: Progress,
) -> None:
    """Send all in batches, some of them at a time."""
    waiting: Iterator[int] = iter(range(0, len(every), size))
    done = 0

    async def sender() -> None:
        nonlocal done
        for start in waiting:
            some = every[start : start + size]
            await send(some)  # type: ignore[arg-type]
            done += len(some)
            progress(what, done, len(every))

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(sender())


async def _stream(request: Request) -> AsyncIterator[Request]:
    yield request


def _accepted(answer: api.ImportResponse) -> None:
    if answer.errors:
        first = answer.errors[0]
        raise ValueError(f"{first.name} was refused: {first.reason} {first.problems}")
