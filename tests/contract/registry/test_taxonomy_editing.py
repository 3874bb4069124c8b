"""The draft of the taxonomy and its adoption, on the real store, by two copies of the service."""

import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from services.chassis.access import Principal
from services.chassis.errors import Aborted, InvalidArgument
from services.chassis.mongo import Database
from services.registry.domain.meaning import Nearness
from services.registry.domain.taxonomy import Capability as RulesCapability
from services.registry.domain.taxonomy import load_taxonomy
from services.registry.grpc_api.callers import Context
from services.registry.grpc_api.taxonomy_handlers import TaxonomyHandlers
from services.registry.posting_parts import PostingParts
from services.registry.store.capabilities import Capabilities
from services.registry.store.taxonomy import TaxonomyDrafts, TaxonomyVersions
from services.registry.usecases.meanings import Meanings
from services.registry.usecases.taxonomy import LiveTaxonomy
from services.registry.usecases.taxonomy_editing import TaxonomyDesk
from spareline.events.v1.events_pb2 import CapabilityExtended
from spareline.market.v1.capability_pb2 import Capability, LocalizedText
from spareline.registry.v1 import registry_service_pb2 as registry
from spareline.registry.v1 import taxonomy_service_pb2 as api

OPERATOR = Principal(
    "organizations/operator/members/m",
    "member",
    "organizations/operator",
    "operator",
    frozenset({"read", "write"}),
)
TURNING = "production.machining.turning"
NEW = Capability(
    code=f"{TURNING}.cold", display_name=LocalizedText(en="Cryogenic turning", zh="低温车削")
)
Desks = tuple[TaxonomyDesk, LiveTaxonomy]


@pytest.fixture
def copy(database: Database) -> Callable[[], Desks]:
    files = load_taxonomy()

    def made() -> Desks:
        versions = TaxonomyVersions(database)
        live = LiveTaxonomy(files, Capabilities(database), versions)
        return TaxonomyDesk(live, versions, TaxonomyDrafts(database)), live

    return made


async def edit(desk: TaxonomyDesk, *edits: Capability, etag: str = "") -> api.TaxonomyDraft:
    request = api.UpdateTaxonomyDraftRequest(
        taxonomy_draft=api.TaxonomyDraft(name="taxonomyDraft", edits=edits, etag=etag)
    )
    return await desk.update(OPERATOR, request)


def adoption(etag: str) -> api.AdoptTaxonomyDraftRequest:
    return api.AdoptTaxonomyDraftRequest(
        name="taxonomyDraft", etag=etag, note="Asked for", request_id=str(uuid.uuid4())
    )


async def test_a_draft_changes_nothing_until_it_is_adopted_everywhere(
    copy: Callable[[], Desks], database: Database
) -> None:
    (desk, live), (_, elsewhere) = copy(), copy()
    draft = await edit(desk, NEW)
    assert not draft.problems
    assert [each.code for each in draft.results] == [NEW.code]
    assert draft.results[0].attributes, "what it inherits is shown"
    assert NEW.code not in live.current
    request = adoption(draft.etag)
    made = await desk.adopt(OPERATOR, request)
    assert (made.version, made.note, made.actor) == (1, "Asked for", OPERATOR.subject)
    assert await desk.adopt(OPERATOR, request) == made
    assert NEW.code in live.current
    await elsewhere.refresh()
    assert NEW.code in elsewhere.current
    assert not (await desk.draft()).edits
    stored = await database["taxonomy_versions"].find_one({"_id": "taxonomyVersions/1"})
    assert stored is not None
    told = [CapabilityExtended.FromString(each["payload"]).capability for each in stored["outbox"]]
    assert [each.code for each in told] == [NEW.code]


class _Forging:
    """Meanings that find forging near whatever is said."""

    async def nearness(self, text: str) -> Nearness | None:
        return Nearness({"production.forging": 0.1, TURNING: 0.01}, talk=text == "hello there")


async def test_an_answer_says_what_no_name_led_to(database: Database) -> None:
    versions, meanings = TaxonomyVersions(database), cast(Meanings, _Forging())
    live = LiveTaxonomy(load_taxonomy(), Capabilities(database), versions, meanings)
    handlers = TaxonomyHandlers()
    handlers.postings = cast(PostingParts, SimpleNamespace(taxonomy=live))

    async def found(words: str) -> tuple[list[str], list[str]]:
        request = registry.SearchCapabilitiesRequest(query=words, limit=3)
        answer = await handlers.SearchCapabilities(request, cast(Context, None))
        return [each.code for each in answer.capabilities], list(answer.by_meaning)

    assert await found("bang on glowing iron") == (["production.forging"], ["production.forging"])
    assert await found("hello there") == ([], [])
    assert await found("turning") == ([e.code for e in _lexical(live, "turning")], [])


def _lexical(live: LiveTaxonomy, words: str) -> list[RulesCapability]:
    return [hit.capability for hit in live.current.search(words, limit=3)]


async def test_a_wrong_draft_is_kept_and_not_adopted(copy: Callable[[], Desks]) -> None:
    desk, live = copy()
    wrong = Capability(code="Wrong Code", display_name=LocalizedText(en="Only English"))
    draft = await edit(desk, wrong)
    fields = {each.field for each in draft.problems}
    assert fields == {"taxonomy_draft.edits[0].code", "taxonomy_draft.edits[0].name.zh"}
    assert all(each.mend for each in draft.problems)
    with pytest.raises(InvalidArgument) as refused:
        await desk.adopt(OPERATOR, adoption(draft.etag))
    assert {each.field for each in refused.value.violations} == fields
    assert live.version == 0


async def test_what_was_looked_at_is_what_is_adopted(copy: Callable[[], Desks]) -> None:
    (desk, _), (other, _) = copy(), copy()
    seen = await edit(desk, NEW)
    changed = await edit(other, NEW, Capability(code="x"), etag=seen.etag)
    with pytest.raises(Aborted):
        await desk.adopt(OPERATOR, adoption(seen.etag))
    with pytest.raises(Aborted):
        await edit(desk, NEW, etag=seen.etag)
    assert len(changed.edits) == 2


async def test_a_deprecated_capability_is_not_found_and_keeps_its_unit(
    copy: Callable[[], Desks],
) -> None:
    desk, live = copy()
    before = live.current.get(TURNING)
    assert before is not None
    assert TURNING in {each.capability.code for each in await live.search("turning", 10)}
    definition = await desk.definition(f"capabilities/{TURNING}/definition")
    definition.deprecated = True
    draft = await edit(desk, definition)
    await desk.adopt(OPERATOR, adoption(draft.etag))
    after = live.current.get(TURNING)
    assert after is not None
    assert (after.deprecated, after.unit) == (True, before.unit)
    assert TURNING not in {each.capability.code for each in await live.search("turning", 10)}
    listed = await desk.versions(api.ListTaxonomyVersionsRequest())
    assert [each.version for each in listed.taxonomy_versions] == [1]
