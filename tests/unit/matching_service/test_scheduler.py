"""When a round runs by itself, and when it need not."""

from __future__ import annotations

import time
from typing import Any, cast

from google.protobuf.duration_pb2 import Duration

from services.matching.scheduler import Scheduler
from spareline.matching.v1 import policy_pb2, round_pb2


class Leader:
    async def take(self) -> bool:
        return True


class Market:
    """Notes which rounds the scheduler starts."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.last: float | None = None
        policy = policy_pb2.Policy(debounce=Duration(nanos=1))

        async def current() -> policy_pb2.Policy:
            return policy

        async def start(trigger: int) -> bool:
            self.started.append(trigger)
            self.last = time.time()
            return True

        async def last_start() -> float | None:
            return self.last

        self.scheduler = Scheduler(
            current, cast(Any, start), last_start, cast(Any, Leader()), repair_seconds=0.0
        )


async def test_a_change_brings_one_round() -> None:
    market = Market()
    market.scheduler.changed()
    await market.scheduler._tick()
    await market.scheduler._tick()
    assert market.started == [round_pb2.Round.TRIGGER_CHANGE]


async def test_a_round_on_request_takes_the_change_in() -> None:
    market = Market()
    market.scheduler.changed()
    market.last = time.time() + 0.001
    await market.scheduler._tick()
    assert market.started == []
    market.last -= 10.0
    market.scheduler.changed()
    await market.scheduler._tick()
    assert market.started == [round_pb2.Round.TRIGGER_CHANGE]


async def test_a_broken_proposal_is_repaired_without_a_change() -> None:
    market = Market()
    market.scheduler.broken()
    await market.scheduler._tick()
    assert market.started == [round_pb2.Round.TRIGGER_REPAIR]
