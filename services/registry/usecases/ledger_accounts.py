"""Changing the ledger part of documents: read, decide, compare and set, in groups.

All that a batch wants of one document is written at once, however many claims it concerns.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from services.chassis.aggregates import Document
from services.registry import posting_documents
from services.registry.domain import refusals
from services.registry.domain.instants import Clock
from services.registry.domain.ledger import Account
from services.registry.store.postings import Postings
from services.registry.usecases.kinds import Kind, M

ATTEMPTS = 60
AT_ONCE = 32

# Decides on a fresh account, again after each lost race; None says that there is no document.
Decide = Callable[[Account | None], None]


@dataclass(slots=True)
class Accounts(Generic[M]):
    """The accounts of one kind of posting, and how those that were touched stand now."""

    kind: Kind[M]
    store: Postings
    clock: Clock
    touched: dict[str, Document] = field(default_factory=dict)
    _read: dict[str, Document | None] = field(default_factory=dict)

    async def prefetch(self, names: Sequence[str]) -> None:
        """Read many documents at once; the first attempt of each change then needs no read."""
        missing = [name for name in dict.fromkeys(names) if name not in self._read]
        found = await self.store.get_many(missing)
        self._read.update({name: found.get(name) for name in missing})

    def account(self, name: str) -> Account | None:
        """Return the account of a document as it was last read or written."""
        document = self._read.get(name)
        return None if document is None else self.kind.account(document, None)

    async def refresh(self, names: Sequence[str]) -> None:
        """Read documents again, past what is remembered."""
        for name in names:
            self._read.pop(name, None)
        await self.prefetch(names)

    async def change(self, decisions: Mapping[str, Decide]) -> None:
        """Carry out one decision per document, many documents at a time.

        Raises Aborted (CONFLICT) when others keep coming in between. When one document
        fails, the others are still brought to an end before the error is raised.
        """
        await self.prefetch(list(decisions))
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(name: str, decide: Decide) -> None:
            async with gate:
                await self._change(name, decide)

        results = await asyncio.gather(
            *(one(name, decide) for name, decide in decisions.items()), return_exceptions=True
        )
        for error in results:
            if isinstance(error, BaseException):
                raise error

    async def _change(self, name: str, decide: Decide) -> None:
        turn = self.store.turn(name)
        stale = turn.locked()  # whoever is at it now will have changed what was read before
        async with turn:
            if stale:
                self._read[name] = await self.store.get(name)
            await self._attempt(name, decide)

    async def _attempt(self, name: str, decide: Decide) -> None:
        for attempt in range(ATTEMPTS):
            document = self._read.get(name)
            if document is None:
                decide(None)
                return
            content = self.kind.content(document)
            account = self.kind.account(document, content)
            decide(account)
            if not account.changed or await self._write(document, account):
                self.touched[name] = self._read[name] or document
                return
            await asyncio.sleep(random.uniform(0, 0.002 * min(attempt + 1, 20)))
            self._read[name] = await self.store.get(name)
        raise refusals.conflict()

    async def _write(self, document: Document, account: Account) -> bool:
        state = self.kind.state_after(document["state"], account)
        fields, gone = posting_documents.moved(account, state, document["last_period"])
        after = _after(document, account, fields)
        event = self.kind.event("balanced", self.kind.read(after, account), self.clock())
        done = await self.store.compare_and_set(
            document["_id"], document["revision"], fields, [event], unset=gone
        )
        if done:
            self._read[document["_id"]] = after
        return done

    def balances(self) -> list[M]:
        """Return name, generation, balances and state of every document concerned."""
        found = []
        for document in self.touched.values():
            whole = self.kind.read(document, None)
            short = self.kind.message(
                name=whole.name, generation=whole.generation, etag=whole.etag, state=whole.state
            )
            short.balances.extend(whole.balances)
            found.append(short)
        return found


def _after(document: Document, account: Account, fields: Mapping[str, Any]) -> Document:
    flat = {key: value for key, value in fields.items() if "." not in key}
    return {
        **document,
        **flat,
        "claims": posting_documents.stored_claims(account),
        "revision": document["revision"] + 1,
    }
