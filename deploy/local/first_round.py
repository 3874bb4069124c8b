"""Bringing a new market to life: sample postings, one round, and what came of it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy import sample
from deploy.local import accounts
from deploy.local.operator import Operator
from deploy.local.problems import StackError
from deploy.local.stack import Stack
from spareline.matching.v1 import round_pb2

Step = Callable[[str], None]

_BOOK_PATIENCE: Final = 60.0
_POLL_SECONDS: Final = 0.25
# A round that started by itself takes demands out of the book, so their count may never be full.
_SETTLED_SECONDS: Final = 3.0


async def bring_to_life(stack: Stack, acting: Operator, step: Step) -> round_pb2.Round | None:
    """Load the sample and clear a round if the market is empty; None when it was not.

    What was cut off is carried on by the next start: every posting has its own request id and so
    has the round, so nothing comes twice. Postings that were refused are told by `step`.

    Raises:
        grpc.RpcError: a call was refused.
        SampleError: the sample's own files are wrong.
        StackError: the book did not take the postings in, or the round failed.
    """
    mark = stack.layout.sample_mark
    if not mark.exists():
        if not await acting.market_is_empty():
            return None
        _new_attempt(mark)

    def progress(what: str, done: int, total: int) -> None:
        step(f"Loading the sample market: {what} {done} of {total} …")

    secrets = stack.credentials
    report = await sample.load(
        stack.registry_address,
        stack.matching_address,
        stack.settings.operator_email,
        secrets.operator_password,
        secrets.demo_password,
        progress,
    )
    accounts.keep(stack.layout.secrets, report)
    for error in report.errors:
        step(f"Not taken: {error}")
    await _taken_in(acting, report, step)
    ended = await _clear(acting, mark, step)
    mark.unlink(missing_ok=True)
    return ended


async def _clear(acting: Operator, mark: Path, step: Step) -> round_pb2.Round:
    step("Clearing a round …")
    name = await acting.run_round(_attempt(mark))
    last = round_pb2.Round()
    async for last in acting.follow_round(name):
        step(f"Clearing a round: {describe(last.progress)} …")
    if last.state != round_pb2.Round.STATE_COMPLETED:
        _new_attempt(mark)  # the same request would only be answered by this round again
        state = round_pb2.Round.State.Name(last.state)
        raise StackError(f"The round {name} did not complete ({state}). {last.failure}")
    return last


def _attempt(mark: Path) -> str:
    return mark.read_text()


def _new_attempt(mark: Path) -> None:
    mark.write_text(str(uuid.uuid4()))


def describe(progress: round_pb2.RoundProgress) -> str:
    """A round's progress in a few words, money in whole CNY."""
    words = [progress.phase or "waiting"]
    if progress.components_total:
        words.append(f"part {progress.components_done} of {progress.components_total}")
    if progress.has_bound:
        best, bound = progress.best_value // 100, progress.bound // 100
        words.append(f"best {best:,} of at most {bound:,}")
    return ", ".join(words)


async def _taken_in(acting: Operator, report: sample.LoadReport, step: Step) -> None:
    """Wait until matching has seen all that was posted; a round before would miss some."""
    deadline = time.monotonic() + _BOOK_PATIENCE
    digest, since = "", time.monotonic()
    while True:
        book = await acting.book()
        now = time.monotonic()
        if book.digest != digest:
            digest, since = book.digest, now
        settled = book.demands >= report.demands or now - since >= _SETTLED_SECONDS
        if book.current and book.offers >= report.offers and settled:
            return
        step(f"Waiting for the book: {book.offers} offers, {book.demands} demands so far …")
        if now > deadline:
            raise StackError(
                f"Matching knows {book.offers} of {report.offers} offers after "
                f"{_BOOK_PATIENCE:.0f} s. Its log: matching.log"
            )
        await asyncio.sleep(_POLL_SECONDS)
