"""The credit estimate: where it starts, what moves it, how it fades."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain import credit
from services.registry.domain.credit import HALF_LIFE_MS, Experience, estimate
from spareline.matching.v1.proposal_pb2 import HistoryEntry, Party, Proposal

NOW = 10 * HALF_LIFE_MS


def experience(
    weight: int, *, age_ms: int = 0, number: int = 0, contested: bool = False
) -> Experience:
    kind: credit.Kind = "fulfilled" if weight > 0 else "disputed"
    return Experience(
        f"e{number}", "organizations/a", kind, NOW - age_ms, weight, contested=contested
    )


def test_a_newcomer_is_in_the_middle() -> None:
    assert estimate([], NOW).mean == 0.5
    assert estimate([], NOW).grade == "C"


@pytest.mark.parametrize(
    ("good", "bad", "grade"),
    [(0, 0, "C"), (2, 0, "B"), (6, 0, "A"), (0, 1, "D"), (0, 3, "E"), (10, 1, "A"), (3, 3, "C")],
)
def test_the_grades_are_where_the_documentation_says(good: int, bad: int, grade: str) -> None:
    events = [experience(1000)] * good + [experience(-1000)] * bad
    assert estimate(events, NOW).grade == grade


def test_a_weight_halves_with_the_half_life() -> None:
    fresh, old = (
        estimate([experience(1000)], NOW),
        estimate([experience(1000, age_ms=HALF_LIFE_MS)], NOW),
    )
    assert fresh.alpha == 3.0
    assert old.alpha == 2.5


def test_nobody_is_marked_for_ever() -> None:
    events = [experience(-1000, age_ms=8 * HALF_LIFE_MS)] * 5
    assert estimate(events, NOW).grade == "C"


def test_a_contested_event_counts_half() -> None:
    assert estimate([experience(-1000, contested=True)], NOW).beta == 2.5


@given(st.lists(st.integers(-1500, 1500).filter(bool), max_size=30), st.integers(1, 1500))
def test_one_more_kept_promise_never_lowers_the_estimate(weights: list[int], more: int) -> None:
    events = [experience(weight) for weight in weights]
    assert estimate([*events, experience(more)], NOW).mean >= estimate(events, NOW).mean


def test_an_event_counts_once() -> None:
    first = credit.with_new([], [experience(1000)])
    assert first is not None
    assert credit.with_new(first, [experience(1000)]) is None


def test_only_the_newest_are_kept() -> None:
    many = [experience(1000, age_ms=1000 - n, number=n) for n in range(credit.EVENTS_KEPT + 5)]
    kept = credit.with_new([], many)
    assert kept is not None
    assert len(kept) == credit.EVENTS_KEPT
    assert kept[-1].id == many[-1].id


def proposal(*sides: str) -> Proposal:
    parties = [
        Party(organization=f"organizations/{side}{n}", side=side) for n, side in enumerate(sides)
    ]
    return Proposal(name="rounds/r/proposals/p", parties=parties)


def test_a_dispute_counts_against_the_other_side_which_shares_it() -> None:
    disputed = proposal("demand", "offer", "offer")
    disputed.parties[0].answer = Party.ANSWER_FAILED
    found = {each.organization: each.weight for each in credit.of_disputed(disputed, NOW)}
    assert found == {"organizations/offer1": -500, "organizations/offer2": -500}


def test_an_offerer_who_reports_accuses_the_demander_alone() -> None:
    disputed = proposal("demand", "offer", "offer")
    disputed.parties[1].answer = Party.ANSWER_FAILED
    found = [each.organization for each in credit.of_disputed(disputed, NOW)]
    assert found == ["organizations/demand0"]


def test_late_is_less_than_kept_and_more_than_broken() -> None:
    late = proposal("demand", "offer")
    late.parties[0].answer = Party.ANSWER_LATE
    late.parties[1].answer = Party.ANSWER_FULFILLED
    [told] = credit.of_delayed(late, NOW)
    assert (told.organization, told.kind, told.weight) == ("organizations/offer1", "late", -250)
    kept = {each.organization: each.weight for each in credit.of_fulfilled(late, NOW)}
    assert kept == {"organizations/demand0": 1000}  # whoever was late has nothing to be praised for
    after = [credit.estimate([replace(told, weight=w)], NOW).mean for w in (1000, -250, -1000)]
    assert after == sorted(after, reverse=True)
    assert credit.of_delayed(proposal("demand", "offer"), NOW) == []


def test_several_share_a_lateness_and_the_praise() -> None:
    late = proposal("demand", "offer", "offer")
    late.parties[0].answer = Party.ANSWER_LATE
    assert [each.weight for each in credit.of_delayed(late, NOW)] == [-125, -125]
    assert [each.weight for each in credit.of_fulfilled(late, NOW)] == [1000, 500, 500]


def test_calling_off_what_was_confirmed_counts_but_not_twice() -> None:
    cancelled = proposal("demand", "offer")
    cancelled.history.append(HistoryEntry(event="cancelled", party_index=1))
    [broken] = credit.of_cancelled(cancelled, NOW)
    assert (broken.organization, broken.weight) == ("organizations/offer1", -500)
    cancelled.history.insert(0, HistoryEntry(event="disputed", party_index=0))
    assert credit.of_cancelled(cancelled, NOW) == []


def test_what_the_platform_ends_counts_against_nobody() -> None:
    cancelled = proposal("demand", "offer")
    cancelled.history.append(HistoryEntry(event="cancelled", party_index=-1))
    assert credit.of_cancelled(cancelled, NOW) == []
