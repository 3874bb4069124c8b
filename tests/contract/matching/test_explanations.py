"""Explanations in the store: pieces of many, found by round, organization, subject and age."""

import pytest

from services.chassis.mongo import Database
from services.matching.domain.explained import SERVED, explanation_name
from services.matching.store import explanations as store
from services.matching.store.explanations import CHOSEN, HELD, SOLVED, Explanations, by_part
from spareline.matching.v1.explanation_pb2 import Explanation

OLD, NEW = "rounds/old", "rounds/new"
# Sorted by name "a-b" stands before "a/": the slash is the larger character.
FIRMS = ("organizations/a", "organizations/a-b", "organizations/b")


def explanation(round_name: str, subject: str, outcome: str = "outbid") -> Explanation:
    name = explanation_name(round_name, subject)
    return Explanation(name=name, subject=subject, outcome=outcome, round=round_name)


def subjects(firm: str, count: int = 7) -> list[str]:
    demands = [f"{firm}/demands/d{number}" for number in range(count)]
    return [*demands, f"{firm}/offers/d0"]


@pytest.fixture
async def kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> Explanations:
    """Two rounds and a what-if round, cut into pieces of five."""
    monkeypatch.setattr(store, "PIECE_SUBJECTS", 5)
    made = Explanations(database["explanations"])
    await made.ensure_indexes()
    every = [each for firm in FIRMS for each in subjects(firm)]
    for round_name, order, what_if in (
        (OLD, "1", False),
        (NEW, "2", False),
        ("rounds/if", "3", True),
    ):
        some = every if round_name == OLD else every[:-3]
        await made.put([explanation(round_name, each) for each in some], order, what_if=what_if)
    return made


async def test_a_subject_is_found_in_its_round_and_at_its_newest(kept: Explanations) -> None:
    for firm in FIRMS:
        for subject in subjects(firm):
            found = await kept.get(OLD, subject)
            assert found == explanation(OLD, subject)
    last = subjects(FIRMS[-1])[-1]
    assert (await kept.latest(last)) == explanation(OLD, last)  # the newer round is silent of it
    assert await kept.get(NEW, last) is None
    first = subjects(FIRMS[0])[0]
    assert (await kept.latest(first)) == explanation(NEW, first)  # the what-if round is newer still
    assert await kept.get("rounds/if", first) == explanation("rounds/if", first)
    for unknown in ("organizations/a/demands/d", "organizations/z/demands/d0"):
        assert await kept.get(OLD, unknown) is None
        assert await kept.latest(unknown) is None


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize("firm", ["", *FIRMS])
async def test_pages_go_through_all_of_a_round_or_of_one_firm(
    kept: Explanations, firm: str, size: int
) -> None:
    seen: list[str] = []
    while page := await kept.in_round(OLD, firm, seen[-1] if seen else "", size):
        assert len(page) <= size
        seen += [each.subject for each in page]
    expected = subjects(firm) if firm else [each for every in FIRMS for each in subjects(every)]
    assert seen == sorted(expected)


async def test_what_could_not_be_held_overrules_what_the_solve_said(kept: Explanations) -> None:
    subject, fresh = subjects(FIRMS[1])[3], f"{FIRMS[1]}/demands/held"
    failed = [explanation(NEW, each, "hold_failed") for each in (subject, fresh)]
    for _ in range(2):  # a round's end is resumed after a crash
        await kept.put(failed, "2", what_if=False, part=HELD)
    for each in (subject, fresh):
        assert (await kept.get(NEW, each) or Explanation()).outcome == "hold_failed"
        assert (await kept.latest(each) or Explanation()).outcome == "hold_failed"
    listed = await kept.in_round(NEW, FIRMS[1], "", 100)
    assert [each.subject for each in listed] == sorted([*subjects(FIRMS[1]), fresh])
    assert [e.subject for e in listed if e.outcome == "hold_failed"] == sorted([subject, fresh])


async def test_what_was_served_is_read_by_subject_and_not_listed(kept: Explanations) -> None:
    subject = subjects(FIRMS[-1])[-1]  # the newer round explains it not as unmatched
    parts = by_part([explanation(NEW, subject, SERVED)])
    assert list(parts) == [CHOSEN, SOLVED]
    for part, some in parts.items():
        await kept.put(some, "2", what_if=False, part=part)
    assert (await kept.get(NEW, subject) or Explanation()).outcome == SERVED
    assert (await kept.latest(subject) or Explanation()).outcome == SERVED
    assert subject not in [each.subject for each in await kept.in_round(NEW, "", "", 100)]


async def test_storing_again_after_a_crash_half_way_leaves_each_once(
    kept: Explanations, database: Database
) -> None:
    collection = database["explanations"]
    whole = await collection.count_documents({"round": OLD})
    assert whole == 5  # 24 explanations
    lost = await collection.find({"round": OLD}).sort("last", 1).limit(1).to_list(1)
    await collection.delete_one({"_id": lost[0]["_id"]})
    every = [explanation(OLD, each) for firm in FIRMS for each in subjects(firm)]
    await kept.put(every, "1", what_if=False)
    assert await collection.count_documents({"round": OLD}) == whole
    assert len(await kept.in_round(OLD, "", "", 100)) == len(every)


async def test_a_large_explanation_ends_its_piece(database: Database) -> None:
    made = Explanations(database["explanations"])
    large = [explanation(OLD, each) for each in subjects(FIRMS[0])]
    for each in large:
        each.title = "x" * (store.PIECE_BYTES // 2)
    await made.put(large, "1", what_if=False)
    assert await database["explanations"].count_documents({"round": OLD}) == len(large) // 2
    assert [each.title for each in await made.in_round(OLD, "", "", 100)] == [
        each.title for each in large
    ]
