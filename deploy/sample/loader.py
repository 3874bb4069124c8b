"""Loading the sample market into a running platform, through the API that every partner uses."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Final

from deploy.sample import access, files, imports, join, people
from deploy.sample.access import RegistryStub, Session
from deploy.sample.files import Entry
from deploy.sample.report import LoadReport, Progress, SignIn
from services.chassis.grpc_client import channel
from spareline.matching.v1 import matching_service_pb2, matching_service_pb2_grpc
from spareline.registry.v1 import identity_service_pb2_grpc, registry_service_pb2_grpc
from spareline.registry.v1.registry_service_pb2 import GetOrganizationRequest

_BOOK_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.2


async def load(
    registry_address: str,
    matching_address: str,
    operator_email: str,
    operator_password: str,
    demo_password: str,
    progress: Progress,
) -> LoadReport:
    """Bring the sample's organizations, offers and demands in, and wait until matching has them.

    Everything is posted with the rights of a partner platform; the operator only looks at who is
    there and notes whose papers were checked. Loading again changes nothing; a load that was cut
    off is carried on by the next one.

    Raises:
        grpc.RpcError: a call was refused, or a service is away.
        SampleError: the sample's own files are wrong.
    """
    async with AsyncExitStack() as stack:
        market = _Market(stack, registry_address, matching_address)
        return await market.load(operator_email, operator_password, demo_password, progress)


class _Market:
    """The platform as the load sees it: addresses, and channels that close together."""

    def __init__(self, stack: AsyncExitStack, registry: str, matching: str) -> None:
        self._stack = stack
        self._registry = registry
        self._matching = matching

    async def load(
        self, operator_email: str, operator_password: str, demo_password: str, progress: Progress
    ) -> LoadReport:
        plain = await self._stack.enter_async_context(channel(self._registry))
        identity = identity_service_pb2_grpc.IdentityServiceStub(plain)
        entries = files.organizations()
        operator = await self._registry_as(
            access.with_password(identity, operator_email, operator_password)
        )
        known = await join.all_organizations(operator)

        if people.PLATFORM not in known:
            await access.sign_up(
                identity, people.PLATFORM_ID, people.platform(), demo_password, "en"
            )
        owner = access.with_password(identity, people.PLATFORM_EMAIL, demo_password)
        owned = await self._stack.enter_async_context(channel(self._registry, token=owner.token))
        key = await access.make_key(identity_service_pb2_grpc.IdentityServiceStub(owned))
        # A key is shown once: a later load goes on with the rights of the platform's owner.
        acting = access.with_key(identity, key) if key else owner
        platform = await self._registry_as(acting)

        signing_in, managed = _parted(entries)
        showcase = await join.bring_showcase(
            self._registry, identity, signing_in, demo_password, known
        )
        await join.bring_managed(platform, managed, known, progress)
        await join.verify(operator, entries)

        itself = await platform.GetOrganization(GetOrganizationRequest(name=people.PLATFORM))
        units = await imports.measures(platform, itself)
        offers = await imports.post_offers(platform, units, progress)
        demands = await imports.post_demands(platform, units, progress)
        if offers.new:
            await self._taken_in(acting, offers.present, progress)

        names = {f"organizations/{entry['id']}" for entry in entries} | {people.PLATFORM}
        return LoadReport(
            organizations=len(names),
            offers=offers.present,
            demands=demands.present,
            new=len(names - known.keys()) + offers.new + demands.new,
            errors=offers.errors + demands.errors,
            platform=SignIn(people.PLATFORM, itself.display_name, people.PLATFORM_EMAIL),
            showcase=tuple(showcase),
            api_key=key,
        )

    async def _registry_as(self, session: Session) -> RegistryStub:
        opened = await self._stack.enter_async_context(channel(self._registry, token=session.token))
        return registry_service_pb2_grpc.RegistryServiceStub(opened)

    async def _taken_in(self, session: Session, offers: int, progress: Progress) -> None:
        """Wait, for a while, until matching's book has the offers; a round before would miss them.

        Offers are looked at, since a demand leaves the book as soon as a round has matched it.
        """
        opened = await self._stack.enter_async_context(channel(self._matching, token=session.token))
        stub = matching_service_pb2_grpc.MatchingServiceStub(opened)
        until = time.monotonic() + _BOOK_SECONDS
        while time.monotonic() < until:
            book = await stub.GetBook(matching_service_pb2.GetBookRequest())
            progress("book", min(int(book.offers), offers), offers)
            if book.current and book.offers >= offers:
                return
            await asyncio.sleep(_POLL_SECONDS)


def _parted(entries: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The firms that sign in themselves, and those that the platform manages."""
    own = [entry for entry in entries if "sign_in" in entry]
    return own, [entry for entry in entries if "sign_in" not in entry]
