"""The accounts of people: one document per e-mail address, which is its ``_id``.

So an address is unique without a transaction. ``founding`` holds the record of an
organization that this person is signing up and that is perhaps not stored yet.
"""

from collections.abc import Callable, Sequence

from services.chassis.aggregates import Aggregates, Answer, Document
from services.chassis.mongo import Database, DuplicateKey
from services.registry.store.changes import Decide, change
from spareline.market.v1.organization_pb2 import Member


def normalised(email: str) -> str:
    """Return the form of an address by which accounts are told apart."""
    return email.strip().casefold()


def member(document: Document) -> Member:
    """Return the member that an account is of."""
    found = Member.FromString(document["body"])
    found.etag = f'"{document["revision"]}"'
    return found


class Accounts:
    """All accounts, by address and by member."""

    def __init__(self, database: Database, notify: Callable[[], None] = lambda: None) -> None:
        self.aggregates = Aggregates(database["accounts"], notify)

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below rest on."""
        await self.aggregates.collection.create_index("name", unique=True)
        await self.aggregates.collection.create_index("organization")
        await self.aggregates.collection.create_index("unfinished")

    async def get(self, email: str) -> Document | None:
        """Return the account of an address."""
        return await self.aggregates.get(normalised(email))

    async def by_name(self, name: str) -> Document | None:
        """Return the account of a member."""
        return await self.aggregates.collection.find_one({"name": name})

    async def of_organization(self, organization: str) -> list[Document]:
        """Return an organization's accounts, the oldest first. They are few."""
        cursor = self.aggregates.collection.find({"organization": organization})
        documents = await cursor.to_list(None)
        return sorted(documents, key=lambda document: (document["create_ms"], document["name"]))

    async def put(self, email: str, fields: Document, earlier: Document) -> bool:
        """Set fields of an account; False when it was changed meanwhile."""
        return await self.aggregates.compare_and_set(normalised(email), earlier["revision"], fields)

    async def insert(self, email: str, fields: Document, answer: Answer | None = None) -> bool:
        """Store a new account. Returns False when the address has one."""
        try:
            await self.aggregates.insert({"_id": normalised(email), **fields}, (), answer)
        except DuplicateKey:
            return False
        return True

    async def founded(self, account: Document, answer: Answer) -> bool:
        """Note that the organization is stored; False when the account changed meanwhile."""
        fields = {"founding": b"", "unfinished": False}
        return await self.aggregates.compare_and_set(
            account["_id"], account["revision"], fields, (), [answer]
        )

    async def change(self, email: str, decide: Decide) -> Document:
        """Change an account by ``changes.change`` and return the one that was decided on."""
        return await change(self.aggregates, normalised(email), decide)

    async def founding(self) -> Sequence[Document]:
        """Return the accounts whose organization is perhaps not stored yet."""
        return await self.aggregates.collection.find({"unfinished": True}).to_list(None)

    async def delete(self, name: str) -> None:
        """Delete the account of a member; none is no error."""
        await self.aggregates.collection.delete_many({"name": name})

    async def delete_all(self, organization: str) -> None:
        """Delete all accounts of an organization."""
        await self.aggregates.collection.delete_many({"organization": organization})


def account_fields(person: Member, organization: str, password: str, create_ms: int) -> Document:
    """Return the fields of the account of a person (``password`` hashed)."""
    return {
        "name": person.name,
        "organization": organization,
        "body": person.SerializeToString(),
        "password": password,
        "create_ms": create_ms,
        "founding": b"",
        "unfinished": False,
        "content": "",
        "request_id": "",
    }
