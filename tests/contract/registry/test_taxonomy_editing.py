"""The draft of the taxonomy and its adoption, on the real store, by two copies of the service."""

import uuid
from collections.abc import Callable

import pytest

from services.chassis.access import Principal
from services.chassis.errors import Aborted, InvalidArgument
from services.chassis.mongo import Database
from services.registry.domain.taxonomy import load_taxonomy
from services.registry.store.capabilities import Capabilities
from services.registry.store.taxonomy import TaxonomyDrafts, TaxonomyVersions
from services.registry.usecases.taxonomy import LiveTaxonomy
from services.registry.usecases.taxonomy_editing import TaxonomyDesk
from spareline.events.v1.events_pb2 import CapabilityExtended
from spareline.market.v1.capability_pb2 import Capability, LocalizedText
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
    assert TURNING in {each.code for each in live.search("turning", 10)}
    definition = await desk.definition(f"capabilities/{TURNING}/definition")
    definition.deprecated = True
    draft = await edit(desk, definition)
    await desk.adopt(OPERATOR, adoption(draft.etag))
    after = live.current.get(TURNING)
    assert after is not None
    assert (after.deprecated, after.unit) == (True, before.unit)
    assert TURNING not in {each.code for each in live.search("turning", 10)}
    listed = await desk.versions(api.ListTaxonomyVersionsRequest())
    assert [each.version for each in listed.taxonomy_versions] == [1]
