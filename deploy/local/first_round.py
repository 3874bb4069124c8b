"""Bringing a new market to life: sample postings, one round, and what came of it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Final

from deploy import sample
from deploy.local.operator import Operator, operator
from deploy.local.problems import StackError
from deploy.local.stack import Stack
from spareline.matching.v1 import proposal_pb2, round_pb2

Step = Callable[[str], None]

_BOOK_PATIENCE: Final = 60.0
_POLL_SECONDS: Final = 0.25

# Kept over repeats, so that a launcher which is ended and started again asks for no second round.
_ROUND_NAMESPACE: Final = uuid.UUID("5b9f4a52-3a44-4d9c-8a4e-6b8f1d0a7c11")


async def bring_to_life(stack: Stack, step: Step) -> round_pb2.Round | None:
    """Load the sample and clear a round if the market is empty; None when it was not.

    A load that was cut off is carried on: every posting has its own request id, so none comes
    twice.

    Raises:
        grpc.RpcError: a call was refused.
        StackError: the book did not take the postings in, or the round failed.
    """
    secrets = stack.credentials
    email, password = stack.settings.operator_email, secrets.operator_password
    mark = stack.layout.sample_mark
    async with operator(stack.registry_address, stack.matching_address, email, password) as acting:
        if not mark.exists() and not await acting.market_is_empty():
            return None
        mark.touch()
        report = await sample.load(
            stack.registry_address,
            stack.matching_address,
            email,
            password,
            secrets.demo_password,
            step,
        )
        await _book_current(acting, report.offers, report.demands, step)
        ended = await clear(
            acting, str(uuid.uuid5(_ROUND_NAMESPACE, stack.layout.stack_id())), step
        )
        mark.unlink(missing_ok=True)
        return ended


async def clear(acting: Operator, request_id: str, step: Step) -> round_pb2.Round:
    """Run a round and follow it to its end.

    Raises:
        StackError: it did not complete.
    """
    step("Clearing a round …")
    name = await acting.run_round(request_id)
    last = round_pb2.Round()
    async for last in acting.follow_round(name):
        step(f"Clearing a round: {describe(last.progress)} …")
    if last.state != round_pb2.Round.STATE_COMPLETED:
        state = round_pb2.Round.State.Name(last.state)
        raise StackError(f"The round {name} did not complete ({state}). {last.failure}")
    return last


def describe(progress: round_pb2.RoundProgress) -> str:
    """A round's progress in a few words."""
    words = [progress.phase or "waiting"]
    if progress.components_total:
        words.append(f"part {progress.components_done} of {progress.components_total}")
    if progress.has_bound:
        words.append(
            f"best {progress.best_value / 100:,.0f} of at most {progress.bound / 100:,.0f}"
        )
    return ", ".join(words)


async def _book_current(acting: Operator, offers: int, demands: int, step: Step) -> None:
    deadline = time.monotonic() + _BOOK_PATIENCE
    while True:
        book = await acting.book()
        if book.current and book.offers >= offers and book.demands >= demands:
            return
        step(f"Waiting for the book: {book.offers} offers and {book.demands} demands so far …")
        if time.monotonic() > deadline:
            raise StackError(
                f"Matching knows {book.offers} of {offers} offers and {book.demands} of "
                f"{demands} demands after {_BOOK_PATIENCE:.0f} s."
            )
        await asyncio.sleep(_POLL_SECONDS)


def live(proposal: proposal_pb2.Proposal) -> bool:
    """Whether a proposal stands: its parties see it and it has not ended."""
    return proposal.state in (
        proposal_pb2.Proposal.STATE_PROPOSED,
        proposal_pb2.Proposal.STATE_CONFIRMING,
        proposal_pb2.Proposal.STATE_CONFIRMED,
        proposal_pb2.Proposal.STATE_FULFILLED,
    )
