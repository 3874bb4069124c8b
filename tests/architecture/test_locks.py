"""The three lock files install one and the same version of what they share."""

import re
from itertools import combinations
from pathlib import Path

import pytest

LOCKS = sorted((Path(__file__).parents[2] / "requirements").glob("*.lock"))


def pinned(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("smaller", "larger"), list(combinations(LOCKS, 2)), ids=lambda lock: lock.stem
)
def test_two_locks_agree_on_what_both_install(smaller: Path, larger: Path) -> None:
    # `make run` and `make lint` share one environment: a difference would make the result of the
    # one depend on whether the other ran before it.
    one, other = pinned(smaller), pinned(larger)
    shared = one.keys() & other.keys()
    assert len(shared) > 50
    assert {name: (one[name], other[name]) for name in shared if one[name] != other[name]} == {}


def test_a_lock_names_no_registry_host() -> None:
    for lock in LOCKS:
        assert not re.search(r"https?://|--index-url|--find-links", lock.read_text()), lock.name
