"""Keys with which programs act for an organization."""

import hashlib

from google.protobuf.empty_pb2 import Empty

from services.chassis import names
from services.chassis.access import Principal
from services.chassis.aggregates import Document
from services.chassis.causes import said
from services.registry.domain import refusals
from services.registry.domain.instants import Clock, milliseconds, timestamp
from services.registry.domain.secret_tokens import API_KEY, SecretToken
from services.registry.store.api_keys import ApiKeys, api_key
from services.registry.store.changes import Change
from services.registry.store.organizations import ACTIVE, Organizations
from services.registry.usecases import pages
from services.registry.usecases.authority import require_owner_of
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import cause_pb2
from spareline.market.v1.organization_pb2 import ApiKey
from spareline.registry.v1 import identity_service_pb2 as api

PATTERN = "organizations/{organization}/apiKeys/{key}"
_ID_LENGTH = 16


class Keys:
    """Makes, lists and ends keys."""

    def __init__(self, organizations: Organizations, keys: ApiKeys, clock: Clock) -> None:
        self._organizations = organizations
        self._keys = keys
        self._clock = clock

    async def create(
        self, principal: Principal, request: api.CreateApiKeyRequest
    ) -> api.CreateApiKeyResponse:
        """Make a key; a repeat gets what is kept of it, without the secret.

        Without scopes it may read. Raises InvalidArgument (api_key.expire_time).
        """
        parent, now = request.parent, self._clock()
        await require_owner_of(self._organizations, principal, parent)
        if await self._organizations.get(parent) is None:
            raise refusals.not_found(parent)
        wanted = request.api_key
        replay = Replay.of(request)
        identity = _identity(parent, request.request_id)
        name = f"{parent}/apiKeys/{identity}"
        repeated = await self._repeated(name, replay)
        if repeated is not None:
            return repeated
        if wanted.HasField("expire_time") and milliseconds(wanted.expire_time) <= now:
            raise refusals.field_invalid(
                "api_key.expire_time", said(cause_pb2.CAUSE_INSTANT_PASSED)
            )
        token = SecretToken.make(API_KEY, identity)
        key = ApiKey(
            name=name,
            display_name=wanted.display_name,
            scopes=sorted(wanted.scopes) or ["read"],
            create_time=timestamp(now),
            prefix=token.prefix(),
        )
        if wanted.HasField("expire_time"):
            key.expire_time.CopyFrom(wanted.expire_time)
        if not await self._keys.insert(_document(key, parent, token, now), replay.answer(key)):
            repeated = await self._repeated(name, replay)
            if repeated is None:
                raise refusals.conflict()
            return repeated
        return api.CreateApiKeyResponse(api_key=key, secret=token.text())

    async def _repeated(self, name: str, replay: Replay) -> api.CreateApiKeyResponse | None:
        kept = replay.stored(await self._keys.get(name), ApiKey)
        return None if kept is None else api.CreateApiKeyResponse(api_key=kept)

    async def list(
        self, principal: Principal, request: api.ListApiKeysRequest
    ) -> api.ListApiKeysResponse:
        """Return a page of keys, the oldest first."""
        await require_owner_of(self._organizations, principal, request.parent, operator=True)
        documents = await self._keys.of_organization(request.parent)
        items = [(document["_id"], api_key(document)) for document in documents]
        page, following = pages.cut(request, items)
        return api.ListApiKeysResponse(api_keys=page, next_page_token=following)

    async def delete(self, principal: Principal, request: api.DeleteApiKeyRequest) -> None:
        """End a key; tokens that it was exchanged for live on for their minutes."""
        parent = f"organizations/{names.parse(PATTERN, request.name)['organization']}"
        await require_owner_of(self._organizations, principal, parent)
        replay = Replay.of(request)

        def decide(document: Document) -> Change | None:
            if document["state"] != ACTIVE:
                raise refusals.not_found(parent)
            repeated = replay.stored(document, Empty) is not None
            return None if repeated else Change(answer=replay.answer())

        if replay.stored(await self._organizations.document(parent), Empty) is None:
            if await self._keys.get(request.name) is None:
                raise refusals.not_found(request.name)
            await self._organizations.change(parent, decide)
        await self._keys.delete(request.name)


def _identity(parent: str, request_id: str) -> str:
    derived = names.derived_id(f"{parent}/apiKeys", request_id)
    return hashlib.sha256(derived.encode()).hexdigest()[:_ID_LENGTH]


def _document(key: ApiKey, parent: str, token: SecretToken, now: int) -> Document:
    return {
        "_id": key.name,
        "key": token.id,
        "organization": parent,
        "digest": token.digest(),
        "body": key.SerializeToString(),
        "create_ms": now,
        "last_use_ms": 0,
    }
