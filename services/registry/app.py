"""The registry's composition root: what it opens, runs and serves, in this order."""

from dataclasses import dataclass, replace

from services.chassis import events, mongo
from services.chassis.app import App
from services.chassis.events import Bus
from services.chassis.grpc_server import grpc_server
from services.chassis.mongo import Database
from services.chassis.outbox import Relay
from services.chassis.tokens import TokenVerifier
from services.registry import language_model
from services.registry.domain.passwords import Cost
from services.registry.domain.taxonomy import load_taxonomy
from services.registry.grpc_api.calendar_servicer import CalendarServicer
from services.registry.grpc_api.dead_letter_servicer import DeadLetterServicer
from services.registry.grpc_api.draft_servicer import DraftServicer
from services.registry.grpc_api.identity_servicer import IdentityServicer
from services.registry.grpc_api.import_servicer import ImportServicer
from services.registry.grpc_api.ledger_servicer import LedgerServicer
from services.registry.grpc_api.mail_servicer import MailServicer
from services.registry.grpc_api.market_data_servicer import MarketDataServicer
from services.registry.grpc_api.registry_servicer import RegistryServicer
from services.registry.grpc_api.taxonomy_servicer import TaxonomyServicer
from services.registry.grpc_api.webhook_servicer import WebhookServicer
from services.registry.identity_parts import Identity, IdentityOptions, open_identity
from services.registry.import_parts import open_imports
from services.registry.mail_parts import open_mail
from services.registry.posting_parts import PostingParts, PostingStores
from services.registry.settings import RegistrySettings
from services.registry.signing_key import signer
from services.registry.usecases import audit, credit, open_postings, places
from services.registry.usecases.dead_letters import DeadLetterDesk
from services.registry.usecases.import_files import Imports
from services.registry.usecases.mail_settings import MailChoices
from services.registry.usecases.meanings import Meanings
from services.registry.usecases.relations import Neighbours
from services.registry.usecases.sweeping import (
    CLAIMS_SECONDS,
    EXPIRY_SECONDS,
    ClaimSweeper,
    ExpirySweeper,
    forever,
)
from services.registry.usecases.webhooks import WebhookDesk
from services.registry.webhook_parts import open_webhooks
from spareline.registry.v1 import (
    calendar_service_pb2,
    calendar_service_pb2_grpc,
    dead_letter_service_pb2,
    dead_letter_service_pb2_grpc,
    draft_service_pb2,
    draft_service_pb2_grpc,
    identity_service_pb2,
    identity_service_pb2_grpc,
    import_service_pb2,
    import_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    mail_service_pb2,
    mail_service_pb2_grpc,
    market_data_service_pb2,
    market_data_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
    taxonomy_service_pb2,
    taxonomy_service_pb2_grpc,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that runs: its port, and its parts for whoever started it in process."""

    port: int
    identity: Identity
    postings: PostingParts
    relay: Relay


async def build(
    app: App,
    settings: RegistrySettings,
    *,
    password_cost: Cost | None = None,
    attempts_per_minute: int | None = None,
) -> Registry:
    """Open everything and serve.

    ``password_cost`` and ``attempts_per_minute`` are for tests, which sign in very often.
    Raises what makes a start senseless: a taxonomy or a key that is wrong, a store that does
    not do what the ledger rests on, a port that is taken. Waits for a store or bus that is
    not there yet.
    """
    files = load_taxonomy(settings.taxonomy_dir)
    key = signer(settings.signing_key_file)
    database = await app.enter(mongo.connect(settings.mongo_url, settings.mongo_database))
    await mongo.self_check(database)
    bus = await app.enter(events.connect(settings.nats_url, name=app.name))
    await bus.ensure_streams()

    wake = _Wake()
    stores = PostingStores.of(database, wake)
    await stores.ensure_indexes()
    neighbours = Neighbours(stores.offers, stores.demands)
    secrets = settings.secrets_by_service()
    options = IdentityOptions(secrets, password_cost, writes_mail=bool(settings.smtp_host))
    if attempts_per_minute is not None:
        most = attempts_per_minute
        options = replace(options, attempts_per_minute=most, peer_attempts_per_minute=most)
    identity = await app.enter(
        open_identity(
            database,
            key,
            options,
            open_commitments=neighbours.open_commitments,
            withdraw_postings=neighbours.withdraw_postings,
            relations=neighbours.relation,
            notify=wake,
        )
    )
    meanings = _meanings(app, settings)
    postings = PostingParts(
        database,
        stores,
        files,
        identity.organizations.get,
        identity.organizations.stream_all,
        identity.organizations.is_delegate,
        identity.organizations.get_many,
        identity.audit,
        meanings=meanings,
    )
    await postings.taxonomy.refresh()
    await identity.resume()
    if settings.operator_email:
        await identity.sign_up.ensure_operator(
            settings.operator_email, settings.operator_password.get_secret_value()
        )

    relay = Relay([*identity.outboxes, *stores.outboxes], bus.publisher)
    wake.relay = relay
    app.spawn("relay", relay.run())
    _follow(app, bus, identity, postings)
    _sweep(app, settings, identity, postings)
    desks = Desks(
        open_webhooks(app, bus, identity, key, settings),
        open_mail(app, bus, identity, settings),
        open_imports(app, identity, postings),
    )
    await _open_postings(app, bus, postings)
    port = await _serve(app, settings, identity, postings, desks, database, bus)
    if meanings is not None:  # last: it takes half a processor for some time
        app.spawn("meanings", meanings.keep(lambda: postings.taxonomy.current))
    return Registry(port, identity, postings, relay)


@dataclass(frozen=True, slots=True)
class Desks:
    """What tells people and programs of news, and what takes files."""

    webhooks: WebhookDesk
    mail: MailChoices
    imports: Imports


class _Wake:
    """Wakes the relay, which is made after the stores that call it."""

    relay: Relay | None = None

    def __call__(self) -> None:
        if self.relay is not None:
            self.relay.wake()


def _follow(app: App, bus: Bus, identity: Identity, postings: PostingParts) -> None:
    """Follow what changes elsewhere."""
    app.spawn("taxonomy", postings.taxonomy.follow())
    app.spawn("credit", bus.consume(credit.DURABLE, credit.SUBJECTS, identity.credit.follow))
    entries = identity.audit_entries
    app.spawn("audit", bus.consume_batches(audit.DURABLE, audit.SUBJECTS, entries.follow))
    follower = places.Places(postings.stores.offers, postings.stores.demands)
    app.spawn("places", bus.consume(places.DURABLE, places.SUBJECTS, follower.follow))


def _meanings(app: App, settings: RegistrySettings) -> Meanings | None:
    """Return what finds capabilities by meaning, where that is wanted and can be had."""
    why_not = language_model.missing() if settings.meaning else "SPARELINE_MEANING is off"
    if why_not:
        app.log.info("capabilities are found by words alone", reason=why_not)
        return None
    meanings = Meanings(language_model.E5Small)
    app.push(meanings.close)
    return meanings


async def _open_postings(app: App, bus: Bus, postings: PostingParts) -> None:
    """Read the open postings, with the figures over them, and keep them from then on."""
    app.probe("open-postings", postings.open.check)
    tail = bus.tail(open_postings.SUBJECTS, postings.open.follow)
    app.spawn("open-events", tail.run())
    await tail.started.wait()  # before the reading: what changes while it goes on counts too
    await postings.open.load()
    app.spawn("open-postings", postings.open.keep())
    await postings.market_data.warm()
    await postings.utilization.warm()


def _sweep(
    app: App, settings: RegistrySettings, identity: Identity, postings: PostingParts
) -> None:
    """Do what the registry does by itself; any number of copies may do it at once."""
    claims = ClaimSweeper(postings.stores.offers, postings.stores.demands, postings.ledger)
    expiry = ExpirySweeper([postings.offers, postings.demands], settings.expire_after_days)
    app.spawn("claims", forever("claims", claims.sweep, CLAIMS_SECONDS))
    app.spawn("expiry", forever("expiry", expiry.sweep, EXPIRY_SECONDS))
    app.spawn("sessions", identity.sweep())


async def _serve(
    app: App,
    settings: RegistrySettings,
    identity: Identity,
    postings: PostingParts,
    desks: Desks,
    database: Database,
    bus: Bus,
) -> int:
    async def store_answers() -> None:
        await mongo.ping(database)

    app.probe("store", store_answers)
    app.probe("bus", bus.ping)
    registry = registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"]
    ledger = ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"]
    identities = identity_service_pb2.DESCRIPTOR.services_by_name["IdentityService"]
    drafts = draft_service_pb2.DESCRIPTOR.services_by_name["DraftService"]
    mails = mail_service_pb2.DESCRIPTOR.services_by_name["MailService"]
    files = import_service_pb2.DESCRIPTOR.services_by_name["ImportService"]
    taxonomy = taxonomy_service_pb2.DESCRIPTOR.services_by_name["TaxonomyService"]
    hooks = webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"]
    dead = dead_letter_service_pb2.DESCRIPTOR.services_by_name["DeadLetterService"]
    calendars = calendar_service_pb2.DESCRIPTOR.services_by_name["CalendarService"]
    market_data = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"]
    return await grpc_server(
        app,
        settings.grpc_host,
        settings.grpc_port,
        [
            (
                registry,
                registry_service_pb2_grpc.add_RegistryServiceServicer_to_server,
                RegistryServicer(identity, postings),
            ),
            (
                ledger,
                ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server,
                LedgerServicer(postings),
            ),
            (
                identities,
                identity_service_pb2_grpc.add_IdentityServiceServicer_to_server,
                IdentityServicer(identity),
            ),
            (
                drafts,
                draft_service_pb2_grpc.add_DraftServiceServicer_to_server,
                DraftServicer(identity.drafts),
            ),
            (
                calendars,
                calendar_service_pb2_grpc.add_CalendarServiceServicer_to_server,
                CalendarServicer(identity.calendar_feeds),
            ),
            (
                market_data,
                market_data_service_pb2_grpc.add_MarketDataServiceServicer_to_server,
                MarketDataServicer(postings.market_data, postings.utilization, postings.viewer),
            ),
            (
                files,
                import_service_pb2_grpc.add_ImportServiceServicer_to_server,
                ImportServicer(desks.imports),
            ),
            (
                taxonomy,
                taxonomy_service_pb2_grpc.add_TaxonomyServiceServicer_to_server,
                TaxonomyServicer(postings.taxonomy_desk),
            ),
            (
                hooks,
                webhook_service_pb2_grpc.add_WebhookServiceServicer_to_server,
                WebhookServicer(desks.webhooks),
            ),
            (
                mails,
                mail_service_pb2_grpc.add_MailServiceServicer_to_server,
                MailServicer(desks.mail),
            ),
            (
                dead,
                dead_letter_service_pb2_grpc.add_DeadLetterServiceServicer_to_server,
                DeadLetterServicer(DeadLetterDesk(bus.dead_letters())),
            ),
        ],
        TokenVerifier(identity.tokens.fetch),
        identity.organizations.is_delegate,
        recorder=identity.audit.changed,
    )
