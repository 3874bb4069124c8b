"""What the identity half asks of the ledger's half, answered by callables that it is given."""

from typing import Protocol

from services.registry.domain.organizations import Relation


class Relations(Protocol):
    """Says how a reader stands to an organization, by the best claim between the two."""

    async def __call__(self, reader: str, organization: str) -> Relation:
        """``reader`` and ``organization`` are resource names of organizations."""


class OpenCommitments(Protocol):
    """Counts what forbids an organization's erasure."""

    async def __call__(self, organization: str) -> int:
        """Return how many claims its postings have in the ledger, held or committed."""


class WithdrawPostings(Protocol):
    """Takes an organization's open offers and demands out of the market."""

    async def __call__(self, organization: str) -> None:
        """Withdraw them all and clear what is personal in them; a repeat does no harm."""


async def no_relations(reader: str, organization: str) -> Relation:
    """Answer as if no claim were between any two: the careful default."""
    del reader, organization
    return "none"
