"""The registry's imports of files, put together."""

from services.chassis.app import App
from services.registry.identity_parts import Identity
from services.registry.posting_parts import PostingParts
from services.registry.usecases.import_files import Imports
from services.registry.usecases.import_work import ImportWorker


def open_imports(app: App, identity: Identity, postings: PostingParts) -> Imports:
    """Start what goes on with imports, and return what answers the calls."""
    worker = ImportWorker(identity.imports, postings.offers, postings.demands, identity.clock)
    app.spawn("imports", worker.run())
    return Imports(identity.imports, identity.clock, worker.wake)
