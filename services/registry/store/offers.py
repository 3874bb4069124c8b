"""Where offers are kept."""

from collections.abc import Callable

from services.chassis.mongo import Database
from services.registry.store.postings import Postings
from services.registry.store.sequence import Sequence


class Offers(Postings):
    """The offers of the market, with the ledger of their capacity in them."""

    def __init__(self, database: Database, notify: Callable[[], None] = lambda: None) -> None:
        super().__init__(database["offers"], Sequence(database["sequences"], "offers"), notify)
