"""One call for all who ask while the call before is under way.

A partner platform that answers hundreds of proposals at once would otherwise make hundreds of
calls to the ledger, each of which writes the same few sought-after offers again; and the store
would sync hundreds of single writes.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Gathered(Generic[T, R]):
    """Makes one call at a time; what is asked meanwhile goes into the next one, together."""

    def __init__(
        self,
        call: Callable[[Sequence[T]], Awaitable[Mapping[str, R]]],
        name: Callable[[T], str],
        most: int = 10_000,
    ) -> None:
        """``call`` answers many items by their names; ``name`` returns the name of an item.

        No call gets more than ``most`` items.
        """
        self._call = call
        self._name = name
        self._most = most
        self._waiting: dict[str, tuple[T, asyncio.Future[R]]] = {}
        self._caller: asyncio.Task[None] | None = None

    async def ask(self, item: T) -> R:
        """Return the answer for one item. Raises whatever the call that carried it raised.

        An equal item that waits already is not asked twice: both get the one answer. One of the
        same name that differs goes into a later call.
        """
        name = self._name(item)
        while name in self._waiting and self._waiting[name][0] != item:
            await asyncio.wait({self._waiting[name][1]})
        if name not in self._waiting:
            self._waiting[name] = item, asyncio.get_running_loop().create_future()
        answer = self._waiting[name][1]
        if self._caller is None:
            self._caller = asyncio.create_task(self._call_until_none_wait())
        # Whoever gives up waiting must not take the answer from the others.
        return await asyncio.shield(answer)

    async def _call_until_none_wait(self) -> None:
        try:
            while self._waiting:
                names = list(itertools.islice(self._waiting, self._most))
                await self._call_once({name: self._waiting.pop(name) for name in names})
        finally:
            self._caller = None

    async def _call_once(self, batch: Mapping[str, tuple[T, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._call([item for item, _ in batch.values()])
            for name, (_, answer) in batch.items():
                answer.set_result(answers[name])
        except Exception as error:
            for _, answer in batch.values():
                if not answer.done():
                    answer.set_exception(error)
                    answer.exception()  # marks it as seen: whoever asked may have given up
        finally:
            for _, answer in batch.values():
                answer.cancel()  # only where we were cancelled ourselves: all else is done
