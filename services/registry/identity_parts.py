"""The identity half of the registry, put together: the composition root opens it as one part."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.chassis import faults, logs
from services.chassis.mongo import Collection, Database
from services.chassis.tokens import TokenSigner
from services.registry.domain.instants import Clock, now_ms
from services.registry.domain.passwords import Cost, Passwords
from services.registry.store.accounts import Accounts
from services.registry.store.api_keys import ApiKeys
from services.registry.store.audit import AuditLog
from services.registry.store.calendar_feeds import CalendarFeeds as FeedStore
from services.registry.store.credit import CreditAccounts
from services.registry.store.drafts import Drafts as DraftStore
from services.registry.store.import_files import ImportFiles
from services.registry.store.mail import Mail
from services.registry.store.organizations import Organizations
from services.registry.store.sessions import Sessions
from services.registry.store.webhooks import Webhooks
from services.registry.usecases.api_keys import Keys
from services.registry.usecases.attempts import PER_MINUTE, Attempts
from services.registry.usecases.audit import AuditEntries
from services.registry.usecases.calendar_feeds import CalendarFeeds
from services.registry.usecases.credit import Credit
from services.registry.usecases.credit_events import CreditEvents
from services.registry.usecases.delegations import Delegations
from services.registry.usecases.drafts import Drafts
from services.registry.usecases.erasure import Erasure
from services.registry.usecases.members import Members
from services.registry.usecases.neighbours import (
    OpenCommitments,
    Relations,
    WithdrawPostings,
    no_relations,
)
from services.registry.usecases.organizations import OrganizationCalls
from services.registry.usecases.sign_in import SignIn
from services.registry.usecases.sign_up import SignUp
from services.registry.usecases.tokens import Tokens

SWEEP_SECONDS = 3600.0

_log = logs.get_logger("identity")


@dataclass(frozen=True, slots=True)
class IdentityOptions:
    """What an operator of the platform can set."""

    service_secrets: Mapping[str, str]
    password_cost: Cost | None = None
    attempts_per_minute: int = PER_MINUTE
    peer_attempts_per_minute: int = PER_MINUTE
    writes_mail: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Stores and use cases, for the servicers and for the ledger's half."""

    organizations: Organizations
    accounts: Accounts
    sessions: Sessions
    audit: AuditLog
    tokens: Tokens
    attempts: Attempts
    sign_up: SignUp
    sign_in: SignIn
    members: Members
    keys: Keys
    organization_calls: OrganizationCalls
    delegations: Delegations
    erasure: Erasure
    audit_entries: AuditEntries
    credit: Credit
    credit_events: CreditEvents
    drafts: Drafts
    imports: ImportFiles
    calendar_feeds: CalendarFeeds
    webhooks: Webhooks
    mail: Mail
    clock: Clock

    @property
    def outboxes(self) -> list[Collection]:
        """The collections that the relay must empty."""
        return [self.organizations.aggregates.collection]

    async def resume(self) -> None:
        """End what a crash has cut off: sign-ups and erasures."""
        await self.sign_up.finish_all()
        await self.erasure.finish_all()

    async def sweep(self) -> None:
        """Delete sessions that have run out, once an hour, for ever."""
        while True:
            try:
                await self.sessions.sweep(self.clock())
            except Exception as error:
                if not faults.is_away(error):
                    raise
                _log.warning("cannot sweep just now", error=type(error).__name__)
            await asyncio.sleep(SWEEP_SECONDS)


@asynccontextmanager
async def open_identity(
    database: Database,
    signer: TokenSigner,
    options: IdentityOptions,
    *,
    open_commitments: OpenCommitments,
    withdraw_postings: WithdrawPostings,
    relations: Relations = no_relations,
    notify: Callable[[], None] = lambda: None,
    clock: Clock = now_ms,
) -> AsyncIterator[Identity]:
    """Open the stores (with their indexes) and yield the half, whole.

    ``notify`` wakes the relay after a write with events. Call ``resume`` once, before serving.
    """
    organizations = Organizations(database, notify)
    accounts, keys, drafts = Accounts(database), ApiKeys(database), DraftStore(database)
    sessions, credit_accounts = Sessions(database), CreditAccounts(database)
    webhooks, mail, imports = Webhooks(database), Mail(database), ImportFiles(database)
    feeds = FeedStore(database)
    stores = (
        *(organizations, accounts, keys, sessions, credit_accounts),
        *(drafts, imports, webhooks, mail, feeds),
    )
    for store in stores:
        await store.ensure_indexes()
    passwords = Passwords(options.password_cost)
    tokens = Tokens(signer, clock)
    attempts = Attempts(options.attempts_per_minute, options.peer_attempts_per_minute)
    async with AuditLog(database, clock) as audit:
        await audit.ensure_indexes()
        credit = Credit(organizations, credit_accounts, clock)
        sign_up = SignUp(organizations, accounts, passwords, clock)
        try:
            yield Identity(
                organizations=organizations,
                accounts=accounts,
                sessions=sessions,
                audit=audit,
                tokens=tokens,
                attempts=attempts,
                sign_up=sign_up,
                sign_in=SignIn(
                    organizations,
                    accounts,
                    keys,
                    feeds,
                    sessions,
                    passwords,
                    tokens,
                    attempts,
                    sign_up,
                    options.service_secrets,
                    clock,
                ),
                members=Members(
                    organizations,
                    accounts,
                    sessions,
                    drafts,
                    mail,
                    feeds,
                    passwords,
                    audit,
                    clock,
                    writes_mail=options.writes_mail,
                ),
                keys=Keys(organizations, keys, clock),
                organization_calls=OrganizationCalls(organizations, audit, relations, clock),
                delegations=Delegations(organizations, clock),
                erasure=Erasure(
                    organizations,
                    accounts,
                    sessions,
                    keys,
                    credit_accounts,
                    drafts,
                    imports,
                    webhooks,
                    mail,
                    feeds,
                    audit,
                    open_commitments,
                    withdraw_postings,
                    clock,
                ),
                audit_entries=AuditEntries(organizations, audit),
                credit=credit,
                credit_events=CreditEvents(organizations, credit_accounts, credit.regrade, clock),
                drafts=Drafts(drafts, clock),
                imports=imports,
                calendar_feeds=CalendarFeeds(feeds, clock),
                webhooks=webhooks,
                mail=mail,
                clock=clock,
            )
        finally:
            passwords.close()
