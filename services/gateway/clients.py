"""Calls to the services in the name of whoever is signed in."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from services.chassis import paging
from services.chassis.app import App
from services.chassis.grpc_client import channel
from services.chassis.grpc_errors import from_rpc_error
from services.chassis.paging import ListRequest
from spareline.matching.v1 import matching_service_pb2_grpc as matching_grpc
from spareline.registry.v1 import calendar_service_pb2_grpc as calendar_grpc
from spareline.registry.v1 import dead_letter_service_pb2_grpc as dead_letter_grpc
from spareline.registry.v1 import draft_service_pb2_grpc as draft_grpc
from spareline.registry.v1 import identity_service_pb2_grpc as identity_grpc
from spareline.registry.v1 import import_service_pb2_grpc as import_grpc
from spareline.registry.v1 import mail_service_pb2_grpc as mail_grpc
from spareline.registry.v1 import market_data_service_pb2_grpc as market_data_grpc
from spareline.registry.v1 import registry_service_pb2_grpc as registry_grpc
from spareline.registry.v1 import taxonomy_service_pb2_grpc as taxonomy_grpc
from spareline.registry.v1 import webhook_service_pb2_grpc as webhook_grpc

# A page that takes longer has failed its reader.
_SECONDS = 15.0


class Services:
    """The stubs, shared by all requests; channels connect on first use and again when cut."""

    def __init__(self, registry: grpc.aio.Channel, matching: grpc.aio.Channel) -> None:
        self.registry = registry_grpc.RegistryServiceStub(registry)
        self.identity = identity_grpc.IdentityServiceStub(registry)
        self.imports = import_grpc.ImportServiceStub(registry)
        self.mail = mail_grpc.MailServiceStub(registry)
        self.webhooks = webhook_grpc.WebhookServiceStub(registry)
        self.calendars = calendar_grpc.CalendarServiceStub(registry)
        self.drafts = draft_grpc.DraftServiceStub(registry)
        self.market_data = market_data_grpc.MarketDataServiceStub(registry)
        self.dead_letters = dead_letter_grpc.DeadLetterServiceStub(registry)
        self.taxonomy = taxonomy_grpc.TaxonomyServiceStub(registry)
        self.matching = matching_grpc.MatchingServiceStub(matching)
        self._channels = (registry, matching)
        self._methods: dict[str, Any] = {}

    def method(self, method: MethodDescriptor) -> Any:
        """Return what calls an RPC by its descriptor: unary, or streaming one way."""
        service = method.containing_service.full_name
        path = f"/{service}/{method.name}"
        if path not in self._methods:
            registry, matching = self._channels
            channel = matching if service.startswith("spareline.matching.") else registry
            shapes = {
                (False, False): channel.unary_unary,
                (True, False): channel.stream_unary,
                (False, True): channel.unary_stream,
            }
            shape: Any = shapes[method.client_streaming, method.server_streaming]
            self._methods[path] = shape(
                path,
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
        return self._methods[path]

    async def reachable(self) -> None:
        """Raise TimeoutError while one of the services does not answer."""
        for one in self._channels:
            state = one.get_state(try_to_connect=True)
            while state is not grpc.ChannelConnectivity.READY:
                await one.wait_for_state_change(state)
                state = one.get_state(try_to_connect=True)


class Caller:
    """Calls with one person's token. Errors arrive as DomainError."""

    def __init__(self, services: Services, token: str, *, address: str = "") -> None:
        self.services = services
        self._metadata: tuple[tuple[str, str], ...] = ()
        if token:
            self._metadata += (("authorization", f"Bearer {token}"),)
        if address:  # sign-ins are limited by where they come from, not by the gateway's address
            self._metadata += (("x-client-address", address),)

    async def call(self, method: Any, request: Message | Iterable[Message]) -> Any:
        """Call a method of one of the stubs that gives one answer.

        Raises DomainError with the reason and the violations that the service gave.
        """
        try:
            return await method(request, metadata=self._metadata, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    def pages(self, method: Any, request: ListRequest) -> AsyncIterator[Any]:
        """Iterate over the pages of a list, to its end. Raises DomainError."""
        return paging.pages(functools.partial(self.call, method), request)

    async def stream(self, method: Any, request: Message) -> AsyncGenerator[Any, None]:
        """Iterate over the answers of a server stream. Raises DomainError."""
        stream = method(request, metadata=self._metadata)
        try:
            async for answer in stream:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            stream.cancel()


async def connect(app: App, registry_address: str, matching_address: str) -> Services:
    """Open the channels; the app closes them."""
    registry, matching = channel(registry_address), channel(matching_address)
    app.push(registry.close)
    app.push(matching.close)
    return Services(registry, matching)
