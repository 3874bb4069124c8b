"""The events behind a grade: listed, contested by an owner, decided about by an operator."""

from collections.abc import Awaitable, Callable, Sequence

from services.chassis import names
from services.chassis.access import Principal
from services.chassis.aggregates import Document
from services.chassis.causes import said
from services.registry.domain import credit, refusals
from services.registry.domain.credit import Experience
from services.registry.domain.instants import Clock, timestamp
from services.registry.store.changes import Change
from services.registry.store.credit import CreditAccounts, experiences, fields
from services.registry.store.organizations import Organizations
from services.registry.usecases import pages
from services.registry.usecases.authority import require_owner_of
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import cause_pb2
from spareline.market.v1.organization_pb2 import CreditAccount, CreditEvent
from spareline.registry.v1 import registry_service_pb2 as api

PATTERN = "organizations/{organization}/creditEvents/{event}"
ACCOUNT = "organizations/{organization}/creditAccount"
ALL = "organizations/-"
_DAY_MS = 86_400_000
_PERMILLE = 1000


class CreditEvents:
    """What is asked about credit, and what people do about an event."""

    def __init__(
        self,
        organizations: Organizations,
        accounts: CreditAccounts,
        regrade: Callable[[str], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """``regrade`` brings an organization's grade up to date with its account."""
        self._organizations = organizations
        self._accounts = accounts
        self._regrade = regrade
        self._clock = clock

    async def account(
        self, principal: Principal, request: api.GetCreditAccountRequest
    ) -> CreditAccount:
        """Return how a grade comes about, as of now. Raises NotFound, PermissionDenied."""
        parent = f"organizations/{names.parse(ACCOUNT, request.name)['organization']}"
        await self._require_reader(principal, parent)
        now = self._clock()
        weights = [
            each.present_weight(now) for each in experiences(await self._accounts.get(parent))
        ]
        good = sum(weight for weight in weights if weight > 0)
        bad = -sum(weight for weight in weights if weight < 0)
        estimate = credit.Estimate(credit.PRIOR[0] + good, credit.PRIOR[1] + bad)
        low, high = estimate.bounds
        return CreditAccount(
            name=request.name,
            grade=estimate.grade,
            mean_permille=round(estimate.mean * _PERMILLE),
            low_permille=round(low * _PERMILLE),
            high_permille=round(high * _PERMILLE),
            good_permille=round(good * credit.FULL),
            bad_permille=round(bad * credit.FULL),
            prior_permille=round(credit.PRIOR[0] * credit.FULL),
            half_life_days=credit.HALF_LIFE_MS // _DAY_MS,
        )

    async def list(
        self, principal: Principal, request: api.ListCreditEventsRequest
    ) -> api.ListCreditEventsResponse:
        """Return a page of events, newest first. Raises InvalidArgument, NotFound."""
        if request.parent == ALL:
            found: Sequence[Experience] = await self._contested(request)
        else:
            await self._require_reader(principal, request.parent)
            found = experiences(await self._accounts.get(request.parent))
        now = self._clock()
        items = [
            (f"{each.organization}/{each.id}", _shown(each, now))
            for each in reversed(found)
            if each.contested or not request.contested_only
        ]
        page, following = pages.cut(request, items)
        return api.ListCreditEventsResponse(credit_events=page, next_page_token=following)

    async def _contested(self, request: api.ListCreditEventsRequest) -> Sequence[Experience]:
        """Return what waits for an operator; who else asks was refused before."""
        if not request.contested_only:
            raise refusals.field_invalid(
                "contested_only",
                said(cause_pb2.CAUSE_CREDIT_EVENTS_OF_ALL),
            )
        accounts = await self._accounts.contested()
        return sorted(
            (each for account in accounts for each in experiences(account)),
            key=lambda each: (each.time_ms, each.organization, each.id),
        )

    async def contest(
        self, principal: Principal, request: api.ContestCreditEventRequest
    ) -> CreditEvent:
        """Contest an event: it counts half from now on.

        Raises NotFound, PermissionDenied, FailedPrecondition (CREDIT_EVENT_STATE).
        """
        parent = f"organizations/{names.parse(PATTERN, request.name)['organization']}"
        await require_owner_of(self._organizations, principal, parent)
        return await self._change(
            request.name, Replay.of(request), lambda each: credit.contest(each, request.note)
        )

    async def decide(self, request: api.DecideCreditEventRequest) -> CreditEvent:
        """Uphold a contested event, or strike it out.

        Raises NotFound, FailedPrecondition (CREDIT_EVENT_STATE).
        """
        now = self._clock()
        return await self._change(
            request.name,
            Replay.of(request),
            lambda each: credit.decide(each, request.verdict, request.reason, now),
        )

    async def _change(
        self, name: str, replay: Replay, changed: Callable[[Experience], Experience]
    ) -> CreditEvent:
        ids = names.parse(PATTERN, name)
        parent = f"organizations/{ids['organization']}"
        answered: list[CreditEvent] = []

        def decide(document: Document) -> Change | None:
            repeated = replay.stored(document, CreditEvent)
            if repeated is not None:
                answered[:] = [repeated]
                return None
            known = experiences(document)
            place = next((i for i, each in enumerate(known) if each.id == ids["event"]), None)
            if place is None:
                raise refusals.not_found(name)
            known[place] = changed(known[place])
            answered[:] = [_shown(known[place], self._clock())]
            return Change(fields(known), answer=replay.answer(answered[0]))

        if await self._accounts.get(parent) is None:
            raise refusals.not_found(name)
        await self._accounts.change(parent, decide)
        await self._regrade(parent)
        return answered[0]

    async def _require_reader(self, principal: Principal, parent: str) -> None:
        await require_owner_of(self._organizations, principal, parent, managed=True, operator=True)
        if await self._organizations.get(parent) is None:
            raise refusals.not_found(parent)


def _shown(experience: Experience, now_ms: int) -> CreditEvent:
    shown = CreditEvent(
        name=f"{experience.organization}/creditEvents/{experience.id}",
        time=timestamp(experience.time_ms),
        kind=experience.kind,
        proposal=experience.proposal,
        weight_permille=experience.weight,
        contested=experience.contested,
        contest_note=experience.note,
        present_weight_permille=round(experience.present_weight(now_ms) * credit.FULL),
        verdict=CreditEvent.Verdict.Name(experience.verdict),  # type: ignore[arg-type]
        verdict_reason=experience.verdict_reason,
    )
    if experience.verdict_ms:
        shown.verdict_time.CopyFrom(timestamp(experience.verdict_ms))
    return shown
