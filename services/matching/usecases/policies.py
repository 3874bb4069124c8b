"""Reading, changing and activating policies."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from google.protobuf.message import Message

from services.chassis import paging
from services.chassis.aggregates import Answer, Document, request_digest, stored_answer
from services.chassis.causes import said
from services.chassis.errors import Aborted, AlreadyExists, NotFound
from services.chassis.mongo import DuplicateKey
from services.matching.domain import policies as rules
from services.matching.domain.proposals import stamp
from services.matching.store.policies import (
    Adoption,
    Policies,
    StoredPolicy,
    active_of,
    adoption_of,
)
from services.matching.usecases.settlement import utc_now
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import policy_pb2

Policy = policy_pb2.Policy

_ATTEMPTS = 8


class PolicyBook:
    """The policies of the market."""

    def __init__(
        self,
        store: Policies,
        changed: Callable[[], None],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``changed`` is called when the active policy may have become another."""
        self._store = store
        self._changed = changed
        self._now = now

    async def ensure_standard(self) -> None:
        """Make the standard policy and activate it, unless the market has an active one."""
        if await self._store.pointer() is not None:
            return
        if await self._store.get(rules.STANDARD) is None:
            policy = rules.version_of(rules.standard(), 1, self._now())
            with suppress(DuplicateKey):  # another copy may just have made it
                await self._store.create(policy, [self._event(policy)])
        await self._store.activate(None, Adoption(rules.STANDARD, 1, "", self._now_ms()))

    async def get(self, name: str = "", version: int = 0) -> policy_pb2.Policy:
        """Return a policy: the active one for no name, the current version for 0.

        Raises NotFound.
        """
        pointer = await self._store.pointer()
        stored = await self._require(name or active_of(pointer))
        if not version:
            return _shown(stored, stored.current, pointer)
        for found in stored.versions:
            if found.version == version:
                return _shown(stored, found, pointer)
        raise NotFound(reason_pb2.REASON_NOT_FOUND, said(cause_pb2.CAUSE_NO_SUCH_VERSION))

    async def list(self, request: pb.ListPoliciesRequest) -> pb.ListPoliciesResponse:
        """Return a page of policies, or of one policy's versions."""
        page = paging.Page.of(request)
        size = page.size
        pointer = await self._store.pointer()
        answer = pb.ListPoliciesResponse()
        if request.versions_of:
            stored = await self._require(request.versions_of)
            after = int(page.start.get("after", 0))
            rest = [each for each in stored.versions if each.version > after]
            answer.policies.extend(_shown(stored, each, pointer) for each in rest[:size])
            if len(rest) > size:
                answer.next_page_token = page.following(after=rest[size - 1].version)
            return answer
        found = await self._store.page(str(page.start.get("after", "")), size + 1)
        answer.policies.extend(_shown(each, each.current, pointer) for each in found[:size])
        if len(found) > size:
            answer.next_page_token = page.following(after=found[size - 1].current.name)
        return answer

    async def create(self, request: pb.CreatePolicyRequest, by: str = "") -> policy_pb2.Policy:
        """Make a policy. Raises AlreadyExists, InvalidArgument (POLICY_INVALID)."""
        rules.require_sound(request.policy)
        policy = rules.version_of(request.policy, 1, self._now(), by)
        policy.name = f"policies/{request.policy_id}"
        digest = request_digest(request)
        answer = Answer(request.request_id, digest, _answered(policy, 1).SerializeToString())
        try:
            await self._store.create(policy, [self._event(policy)], answer)
        except DuplicateKey:
            stored = await self._require(policy.name)
            replayed = stored_answer(stored.document, request.request_id, digest)
            if replayed is not None:
                return Policy.FromString(replayed)
            raise AlreadyExists(
                reason_pb2.REASON_ALREADY_EXISTS, said(cause_pb2.CAUSE_POLICY_NAME_TAKEN)
            ) from None
        return _answered(policy, 1)

    async def update(self, request: pb.UpdatePolicyRequest, by: str = "") -> policy_pb2.Policy:
        """Make a new version. Raises NotFound, Aborted (ETAG_MISMATCH), POLICY_INVALID."""
        digest = request_digest(request)
        for _ in range(_ATTEMPTS):
            stored = await self._require(request.policy.name)
            replayed = stored_answer(stored.document, request.request_id, digest)
            if replayed is not None:
                return Policy.FromString(replayed)
            if request.policy.etag and request.policy.etag != stored.etag:
                raise Aborted(
                    reason_pb2.REASON_ETAG_MISMATCH, said(cause_pb2.CAUSE_CHANGED_MEANWHILE)
                )
            rules.require_sound(request.policy)
            version = stored.current.version + 1
            policy = rules.version_of(request.policy, version, self._now(), by)
            active = await self._store.active() == policy.name
            if active:  # rounds use it from this write on
                policy.adopt_time.CopyFrom(policy.create_time)
                policy.adopter = by
            shown = _answered(policy, stored.revision + 1)
            shown.active = active
            answer = Answer(request.request_id, digest, shown.SerializeToString())
            if await self._store.add_version(stored, policy, [self._event(policy)], answer):
                self._changed()
                return shown
        raise Aborted(reason_pb2.REASON_CONFLICT, said(cause_pb2.CAUSE_OTHERS_WERE_FASTER))

    async def activate(self, request: pb.ActivatePolicyRequest, by: str = "") -> policy_pb2.Policy:
        """Make a policy the active one. Raises NotFound, Aborted (ETAG_MISMATCH)."""
        digest = request_digest(request)
        for _ in range(_ATTEMPTS):
            pointer = await self._store.pointer()
            replayed = stored_answer(pointer, request.request_id, digest)
            if replayed is not None:
                return Policy.FromString(replayed)
            stored = await self._require(request.name)
            if request.etag and request.etag != stored.etag:
                raise Aborted(
                    reason_pb2.REASON_ETAG_MISMATCH, said(cause_pb2.CAUSE_CHANGED_MEANWHILE)
                )
            version = stored.current.version
            adoption = Adoption(request.name, version, by, self._now_ms())
            shown = _answered(stored.current, stored.revision)
            shown.active = True
            _adopted(shown, adoption)
            answer = Answer(request.request_id, digest, shown.SerializeToString())
            if await self._store.activate(pointer, adoption, [self._event(shown)], answer):
                self._changed()
                return shown
        raise Aborted(reason_pb2.REASON_CONFLICT, said(cause_pb2.CAUSE_OTHERS_WERE_FASTER))

    def _now_ms(self) -> int:
        return int(self._now().timestamp() * 1000)

    def _event(self, policy: policy_pb2.Policy) -> Message:
        return events_pb2.PolicyVersioned(policy=policy, time=stamp(self._now()))

    async def _require(self, name: str) -> StoredPolicy:
        stored = await self._store.get(name) if name else None
        if stored is None:
            raise NotFound(
                reason_pb2.REASON_NOT_FOUND, said(cause_pb2.CAUSE_NO_SUCH_THING, name="policy")
            )
        return stored


def _shown(
    stored: StoredPolicy, version: policy_pb2.Policy, pointer: Document | None
) -> policy_pb2.Policy:
    shown = _answered(version, stored.revision)
    current = version.version == stored.current.version
    shown.active = current and version.name == active_of(pointer)
    adoption = adoption_of(pointer, version.name, version.version)
    if adoption is not None:
        _adopted(shown, adoption)
    return shown


def _adopted(shown: policy_pb2.Policy, adoption: Adoption) -> None:
    shown.adopt_time.FromMilliseconds(adoption.time_ms)
    shown.adopter = adoption.by


def _answered(policy: policy_pb2.Policy, revision: int) -> policy_pb2.Policy:
    shown = Policy()
    shown.CopyFrom(policy)
    shown.etag = f'"{revision}"'
    return shown
