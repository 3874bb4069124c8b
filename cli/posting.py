"""Sending rows to the registry in batches, and noting on each what the registry says of it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from rich.progress import Progress, TaskID

from cli.client import Client
from services.files.rows import Problem, Row
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.registry.v1 import registry_service_pb2 as api

_BATCH = 250


@dataclass
class Counts:
    """How many rows were taken, and how many were there already with the same content."""

    taken: int = 0
    unchanged: int = 0

    @property
    def total(self) -> int:
        """Rows that the registry has nothing against."""
        return self.taken + self.unchanged


async def post(
    client: Client, rows: Sequence[Row], progress: Progress, *, validate_only: bool
) -> Counts:
    """Send the good rows, note on the others what the registry says, and count.

    Raises:
        grpc.aio.AioRpcError: an import as a whole was refused.
    """
    good = [row for row in rows if row.good]
    task = progress.add_task("Checking" if validate_only else "Posting", total=len(good))
    counts = Counts()
    offers = [row for row in good if isinstance(row.posting, Offer)]
    demands = [row for row in good if isinstance(row.posting, Demand)]
    if offers:
        batches = _offers(offers, validate_only, progress, task)
        _note(offers, await client.registry.ImportOffers(batches), counts)
    if demands:
        wanted = _demands(demands, validate_only, progress, task)
        _note(demands, await client.registry.ImportDemands(wanted), counts)
    return counts


def _note(rows: Sequence[Row], answer: api.ImportResponse, counts: Counts) -> None:
    counts.taken += answer.taken
    counts.unchanged += answer.unchanged
    for error in answer.errors:
        rows[error.index].problems += [
            Problem(each.field, each.description, each.mend) for each in error.problems
        ] or [Problem("", error.reason)]


async def _offers(
    rows: Sequence[Row], validate_only: bool, progress: Progress, task: TaskID
) -> AsyncIterator[api.ImportOffersRequest]:
    request_id = _request_id(validate_only)
    for start in range(0, len(rows), _BATCH):
        batch = [r.posting for r in rows[start : start + _BATCH] if isinstance(r.posting, Offer)]
        yield api.ImportOffersRequest(
            offers=batch, validate_only=validate_only, request_id=request_id
        )
        progress.advance(task, len(batch))


async def _demands(
    rows: Sequence[Row], validate_only: bool, progress: Progress, task: TaskID
) -> AsyncIterator[api.ImportDemandsRequest]:
    request_id = _request_id(validate_only)
    for start in range(0, len(rows), _BATCH):
        batch = [r.posting for r in rows[start : start + _BATCH] if isinstance(r.posting, Demand)]
        yield api.ImportDemandsRequest(
            demands=batch, validate_only=validate_only, request_id=request_id
        )
        progress.advance(task, len(batch))


def _request_id(validate_only: bool) -> str:
    """Makes the posting repeatable for the channel's own retries; a check needs none."""
    return "" if validate_only else str(uuid.uuid4())
