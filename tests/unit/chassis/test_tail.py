"""The tail of a stream on which nothing happens for a while."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from nats.js import JetStreamContext

from services.chassis.tail import Tail


def _message(sequence: int) -> Any:
    metadata = SimpleNamespace(sequence=SimpleNamespace(stream=sequence))
    return SimpleNamespace(metadata=metadata, subject="market.offer.posted.v1", data=b"offer")


class _Quiet:
    """A bus that answers a fetch with nothing at all twice and then with an event."""

    def __init__(self) -> None:
        self.answers: list[list[Any]] = [[], [], [_message(7)]]
        self.asked = 0

    async def stream_info(self, _stream: str) -> Any:
        return SimpleNamespace(state=SimpleNamespace(last_seq=6))

    async def add_consumer(self, _stream: str, _config: Any) -> Any:
        return SimpleNamespace(name="tail", num_pending=0)

    async def pull_subscribe_bind(self, **_: str) -> "_Quiet":
        return self

    async def fetch(self, _batch: int, timeout: float) -> list[Any]:  # noqa: ASYNC109
        if not self.answers:
            await asyncio.sleep(timeout)
            raise TimeoutError
        return self.answers.pop(0)

    async def consumer_info(self) -> None:
        self.asked += 1

    async def unsubscribe(self) -> None:
        return


async def test_an_empty_answer_is_no_end() -> None:
    bus, got = _Quiet(), asyncio.Event()
    found: list[tuple[int, str, bytes]] = []

    async def seen(events: Sequence[tuple[int, str, bytes]]) -> None:
        found.extend(events)
        got.set()

    tail = Tail(cast(JetStreamContext, bus), "MARKET", ["market.>"], seen, back=0)
    running = asyncio.create_task(tail.run())
    async with asyncio.timeout(5):
        await got.wait()
    running.cancel()
    assert found == [(7, "market.offer.posted.v1", b"offer")]
    assert bus.asked == 2
