"""The credit accounts: one document per organization with every event behind its grade."""

from collections.abc import Sequence
from contextlib import suppress

from services.chassis.aggregates import Aggregates, Document
from services.chassis.mongo import Database, DuplicateKey
from services.registry.domain.credit import Experience
from services.registry.store.changes import Decide, change


def experiences(document: Document | None) -> list[Experience]:
    """Return the events of an account, the oldest first."""
    return [Experience(**each) for each in document["experiences"]] if document else []


def fields(events: Sequence[Experience]) -> Document:
    """Return what is stored of the events, and whether one waits for an operator."""
    return {
        "experiences": [each.document() for each in events],
        "contested": any(each.contested for each in events),
    }


class CreditAccounts:
    """All credit accounts, by the name of their organization."""

    def __init__(self, database: Database) -> None:
        self.aggregates = Aggregates(database["credit"])

    async def ensure_indexes(self) -> None:
        """Create the index that contested events are found by."""
        await self.aggregates.collection.create_index("contested")

    async def contested(self) -> list[Document]:
        """Return the accounts with an event that waits for an operator. They are few."""
        return [found async for found in self.aggregates.collection.find({"contested": True})]

    async def get(self, organization: str) -> Document | None:
        """Return an organization's account; None while nothing has happened."""
        return await self.aggregates.get(organization)

    async def change(self, organization: str, decide: Decide) -> Document:
        """Change an account by ``changes.change``, opening it when there is none."""
        if await self.aggregates.get(organization) is None:
            with suppress(DuplicateKey):  # opened by somebody else just now: as good
                await self.aggregates.insert({"_id": organization, "verification": 0, **fields(())})
        return await change(self.aggregates, organization, decide)

    async def delete(self, organization: str) -> None:
        """Delete an account; none is no error."""
        await self.aggregates.collection.delete_one({"_id": organization})
