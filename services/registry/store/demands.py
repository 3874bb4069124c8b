"""Where demands are kept."""

from collections.abc import Callable

from services.chassis.mongo import Database
from services.registry.store.postings import Postings
from services.registry.store.sequence import Sequence


class Demands(Postings):
    """The demands of the market, with the ledger of their lines in them."""

    def __init__(self, database: Database, notify: Callable[[], None] = lambda: None) -> None:
        super().__init__(database["demands"], Sequence(database["sequences"], "demands"), notify)
