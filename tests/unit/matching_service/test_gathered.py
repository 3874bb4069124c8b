"""Calls that are gathered: everyone gets their own answer, whatever the others do."""

import asyncio
from collections.abc import Sequence

import pytest

from services.chassis.gathered import Gathered

Item = tuple[str, int]


class Ledger:
    """Answers each item with its number; counts the calls; can be held up and made to fail."""

    def __init__(self) -> None:
        self.calls: list[list[Item]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.fail = False

    async def __call__(self, items: Sequence[Item]) -> dict[str, int]:
        self.calls.append(list(items))
        await self.open.wait()
        if self.fail:
            raise ConnectionError("away")
        return dict(items)


def gathered(ledger: Ledger) -> Gathered[Item, int]:
    return Gathered(ledger, lambda item: item[0])


async def test_what_is_asked_during_a_call_goes_into_the_next_together() -> None:
    ledger = Ledger()
    ask = gathered(ledger).ask
    answers = await asyncio.gather(*(ask((f"c{i}", i)) for i in range(50)))
    assert answers == list(range(50))
    ledger.open.clear()
    first = asyncio.create_task(ask(("c1", 1)))
    await asyncio.sleep(0)
    rest = [asyncio.create_task(ask((f"c{i}", i))) for i in range(2, 30)]
    await asyncio.sleep(0.01)
    ledger.open.set()
    assert await asyncio.gather(first, *rest) == list(range(1, 30))
    assert [len(call) for call in ledger.calls] == [50, 1, 28]


async def test_equal_items_are_asked_once_and_different_ones_of_a_name_apart() -> None:
    ledger = Ledger()
    ask = gathered(ledger).ask
    answers = await asyncio.gather(ask(("c", 1)), ask(("c", 1)), ask(("c", 2)))
    assert list(answers) == [1, 1, 2]
    assert ledger.calls == [[("c", 1)], [("c", 2)]]


async def test_a_failed_call_fails_those_it_carried_and_nobody_after() -> None:
    ledger = Ledger()
    ask = gathered(ledger).ask
    ledger.fail = True
    failed = await asyncio.gather(ask(("a", 1)), ask(("b", 2)), return_exceptions=True)
    assert [type(error) for error in failed] == [ConnectionError, ConnectionError]
    ledger.fail = False
    assert await ask(("a", 1)) == 1


async def test_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    ledger = Ledger()
    ask = gathered(ledger).ask
    ledger.open.clear()
    one, other = asyncio.create_task(ask(("a", 1))), asyncio.create_task(ask(("a", 1)))
    await asyncio.sleep(0.01)
    one.cancel()
    ledger.open.set()
    with pytest.raises(asyncio.CancelledError):
        await one
    assert await other == 1
