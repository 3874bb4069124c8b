"""The sample's files: every entry is valid, points at what exists, and shows what is promised."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from deploy.sample import files, people, postings, terms
from deploy.sample.files import Entry, SampleError
from deploy.sample.measures import Measures, monday_of
from services.chassis import validation
from services.matching.domain.eligibility import NAMES
from services.registry.domain import demands as demand_rules
from services.registry.domain import offers as offer_rules
from services.registry.domain.taxonomy import Taxonomy, load_taxonomy
from tests.unit.sample import sample_book

ORGANIZATIONS, OFFERS, DEMANDS = files.organizations(), files.offers(), files.demands()
README = Path(files.DATA).parent / "README.md"
HAN = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z]{3,}")

ARISES_IN_USE = "declined"
BEYOND_RULES = {"budget", "bundle", "minimum run"}
FEATURES = {
    *("bundle", "sequence", "budget", "pooling", "minimum run", "split", "partial fill"),
    *("scarce capacity", "priority", "preferred organization", "excluded organization"),
    *("hidden identity", "radius limit", "region limit", "near miss"),
}


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


@pytest.fixture(scope="module")
def units(taxonomy: Taxonomy) -> Measures:
    return sample_book.measures(taxonomy)


def by_id(entries: list[Entry]) -> list[pytest.param]:  # type: ignore[valid-type]
    return [pytest.param(entry, id=entry["id"]) for entry in entries]


@pytest.mark.parametrize("entry", by_id(ORGANIZATIONS))
def test_organization_is_valid(entry: Entry) -> None:
    made = people.organization(entry)
    made.name = terms.organization(entry["id"])
    assert validation.violations(made) == []
    assert made.contact.email.endswith(".example")


@pytest.mark.parametrize("entry", by_id(OFFERS))
def test_offer_is_valid(entry: Entry, taxonomy: Taxonomy, units: Measures) -> None:
    made = postings.offer(entry, units)
    owner = terms.organization(entry["id"].partition("/")[0])
    assert validation.violations(made) == []
    assert offer_rules.faults(made, owner, taxonomy) == []


@pytest.mark.parametrize("entry", by_id(DEMANDS))
def test_demand_is_valid(entry: Entry, taxonomy: Taxonomy, units: Measures) -> None:
    made = postings.demand(entry, units)
    owner = terms.organization(entry["id"].partition("/")[0])
    assert validation.violations(made) == []
    assert demand_rules.faults(made, owner, taxonomy) == []


def test_platform_is_valid() -> None:
    assert validation.violations(people.platform()) == []


def test_ids_are_unique() -> None:
    for entries in (ORGANIZATIONS, OFFERS, DEMANDS):
        assert [i for i, n in Counter(e["id"] for e in entries).items() if n > 1] == []


def test_every_organization_named_exists() -> None:
    known = {entry["id"] for entry in ORGANIZATIONS}
    named = {entry["id"].partition("/")[0] for entry in (*OFFERS, *DEMANDS)}
    for entry in (*OFFERS, *DEMANDS):
        named |= {*entry.get("prefers", []), *entry.get("excludes", [])}
        named |= {*entry.get("requires", {}).get("excluded", [])}
    assert named <= known
    assert known <= named, "an organization that posts nothing is not worth having"


def test_there_is_enough_of_everything() -> None:
    assert len(ORGANIZATIONS) >= 60
    assert len(OFFERS) >= 150
    assert len(DEMANDS) >= 200
    regions = {entry["region"] for entry in ORGANIZATIONS}
    assert regions == {"CN-SH", "CN-JS", "CN-ZJ", "CN-AH", "CN-GD", "DE-BW", "IT-45"}
    assert {entry["kind"] for entry in ORGANIZATIONS} == {"SME", "LAB", "AGENCY"}


def test_one_showcase_firm_per_area_signs_in() -> None:
    areas = {"CN-ZJ": "delta", "CN-GD": "south", "DE-BW": "north", "IT-45": "po"}
    signing_in = [entry for entry in ORGANIZATIONS if "sign_in" in entry]
    assert sorted(areas[entry["region"]] for entry in signing_in) == sorted(areas.values())
    for entry in signing_in:
        assert any(each["id"].startswith(f"{entry['id']}/") for each in OFFERS)
        assert any(each["id"].startswith(f"{entry['id']}/") for each in DEMANDS)


def test_every_branch_of_the_taxonomy_is_traded(taxonomy: Taxonomy) -> None:
    offered = {entry["capability"].partition(".")[0] for entry in OFFERS}
    assert offered == {capability.code for capability in taxonomy.children("")}


def test_both_languages_are_spoken() -> None:
    chinese = {entry["id"] for entry in ORGANIZATIONS if entry["region"].startswith("CN-")}
    for entry in (*OFFERS, *DEMANDS):
        words = f"{entry['title']} {entry.get('text', '')}"
        if entry["id"].partition("/")[0] in chinese:
            assert HAN.search(words), entry["id"]
        else:
            assert LATIN.search(entry["title"]), entry["id"]
    for entry in ORGANIZATIONS:
        assert HAN.search(entry["about"]), entry["id"]
        assert LATIN.search(entry["about"]), entry["id"]
    both = [e for e in (*OFFERS, *DEMANDS) if HAN.search(str(e)) and LATIN.search(e["title"])]
    assert len(both) > 250


def test_every_promised_feature_is_shown() -> None:
    shown = {feature for entry in (*OFFERS, *DEMANDS) for feature in entry.get("shows", [])}
    assert shown == FEATURES
    assert sum("setup" in entry for entry in OFFERS) > 40
    assert sum("minimum_order" in entry for entry in OFFERS) > 40
    assert any("reach" in entry for entry in OFFERS)
    assert {entry["priority"] for entry in DEMANDS if "priority" in entry} == {
        "urgent",
        "emergency",
    }


def test_every_reason_for_not_being_met_is_there() -> None:
    promised = {entry["unserved"] for entry in DEMANDS if "unserved" in entry}
    assert promised == (set(NAMES) - {ARISES_IN_USE}) | BEYOND_RULES


def test_readme_lists_what_is_shown() -> None:
    text = README.read_text(encoding="utf-8")
    for entry in (*OFFERS, *DEMANDS):
        if "unserved" in entry or set(entry.get("shows", [])) - {"near miss"}:
            assert f"`{entry['id']}`" in text, entry["id"]


def test_readme_counts_right() -> None:
    text = README.read_text(encoding="utf-8")
    assert f"{len(ORGANIZATIONS)} fictional organizations" in text
    assert f"{len(OFFERS)} offers and {len(DEMANDS)} demands" in text
    near = sum("near miss" in entry.get("shows", []) for entry in DEMANDS)
    assert f"{near} more are near misses" in text
    for entry in ORGANIZATIONS:
        assert "sign_in" not in entry or f"| {entry['email']} |" in text


def test_weeks_follow_the_calendar_over_the_end_of_a_year() -> None:
    made = Measures({}, monday_of(date(2026, 12, 31)))
    assert [made.week(ahead) for ahead in (0, 1)] == ["2026-W53", "2027-W01"]


def test_amounts_that_are_no_whole_ticks_are_refused(units: Measures) -> None:
    with pytest.raises(SampleError, match="no whole number"):
        units.ticks("production.machining.milling", Decimal("0.3"))
    with pytest.raises(SampleError, match="no whole number"):
        units.fen_per_tick("production.machining.milling", Decimal("0.01"))


def test_slips_of_the_pen_are_refused(units: Measures) -> None:
    offer = dict(OFFERS[0])
    with pytest.raises(SampleError, match="unknown: prise"):
        postings.offer({**offer, "prise": 1}, units)
    offer.pop("price")
    with pytest.raises(SampleError, match="missing: price"):
        postings.offer(offer, units)
