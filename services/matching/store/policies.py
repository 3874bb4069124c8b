"""Policies: one document each with all its versions, and one that tells which is active."""

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from services.chassis.aggregates import Aggregates, Answer, Document, Event, etag
from services.chassis.mongo import DuplicateKey
from spareline.matching.v1 import policy_pb2

_ACTIVE = "active"


@dataclass(frozen=True)
class StoredPolicy:
    """A policy with all its versions, the current one last."""

    versions: tuple[policy_pb2.Policy, ...]
    revision: int
    document: Document

    @property
    def current(self) -> policy_pb2.Policy:
        """The newest version."""
        return self.versions[-1]

    @property
    def etag(self) -> str:
        """Changes with every version."""
        return etag(self.document)


@dataclass(frozen=True)
class Adoption:
    """A version that became the one that rounds use, by whom (empty: the platform) and when."""

    policy: str
    version: int
    by: str
    time_ms: int

    @property
    def key(self) -> str:
        """What it is kept under in the pointer's document: a key of a document has no dots."""
        return f"{self.policy}@{self.version}"


def active_of(pointer: Document | None) -> str:
    """Return the name of the active policy, empty before the first start has made one."""
    return "" if pointer is None else str(pointer["policy"])


def adoption_of(pointer: Document | None, policy: str, version: int) -> Adoption | None:
    """Return when a version was last made the active one by itself, if it was."""
    kept = {} if pointer is None else pointer.get("adoptions", {})
    found = kept.get(Adoption(policy, version, "", 0).key)
    return None if found is None else Adoption(policy, version, found["by"], found["time_ms"])


class Policies:
    """The collections of policies and of the pointer to the active one."""

    def __init__(self, policies: Aggregates, pointers: Aggregates) -> None:
        self._policies = policies
        self._pointers = pointers

    async def ensure_indexes(self) -> None:
        """Create the indexes that the relay works by."""
        await self._policies.ensure_indexes()
        await self._pointers.ensure_indexes()

    async def create(
        self, policy: policy_pb2.Policy, events: Sequence[Message], answer: Answer | None = None
    ) -> None:
        """Store a policy's first version. Raises DuplicateKey when its name is taken."""
        document = {"_id": policy.name, "versions": [policy.SerializeToString()]}
        await self._policies.insert(document, [Event.of(event) for event in events], answer)

    async def get(self, name: str) -> StoredPolicy | None:
        """Return a policy with its versions."""
        document = await self._policies.get(name)
        return None if document is None else _stored(document)

    async def add_version(
        self,
        stored: StoredPolicy,
        policy: policy_pb2.Policy,
        events: Sequence[Message],
        answer: Answer | None,
    ) -> bool:
        """Store a further version; False when somebody else was faster."""
        bodies = [version.SerializeToString() for version in (*stored.versions, policy)]
        return await self._policies.compare_and_set(
            policy.name,
            stored.revision,
            {"versions": bodies},
            [Event.of(event) for event in events],
            [answer],
        )

    async def page(self, after: str, size: int) -> list[StoredPolicy]:
        """Return up to ``size`` policies by name."""
        cursor = self._policies.collection.find({"_id": {"$gt": after}}).sort("_id", 1).limit(size)
        return [_stored(document) for document in await cursor.to_list(size)]

    async def pointer(self) -> Document | None:
        """Return the document that names the active policy."""
        return await self._pointers.get(_ACTIVE)

    async def active(self) -> str:
        """Return the name of the active policy, empty before the first start has made one."""
        return active_of(await self.pointer())

    async def activate(
        self,
        before: Document | None,
        adoption: Adoption,
        events: Sequence[Message] = (),
        answer: Answer | None = None,
    ) -> bool:
        """Make a policy the active one; False when somebody else was faster."""
        adoptions = {} if before is None else dict(before.get("adoptions", {}))
        adoptions[adoption.key] = {"by": adoption.by, "time_ms": adoption.time_ms}
        fields = {"policy": adoption.policy, "adoptions": adoptions}
        if before is None:
            try:
                document = {"_id": _ACTIVE, **fields}
                await self._pointers.insert(document, [Event.of(e) for e in events], answer)
            except DuplicateKey:
                return False
            return True
        return await self._pointers.compare_and_set(
            _ACTIVE, before["revision"], fields, [Event.of(e) for e in events], [answer]
        )


def _stored(document: Document) -> StoredPolicy:
    versions = tuple(policy_pb2.Policy.FromString(bytes(body)) for body in document["versions"])
    return StoredPolicy(versions, document["revision"], document)
