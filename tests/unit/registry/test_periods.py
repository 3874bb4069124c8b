from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain import periods


@given(st.dates(min_value=date(1970, 1, 5), max_value=date(2200, 1, 1)))
def test_a_week_and_its_ordinal_tell_the_same(day: date) -> None:
    year, week, _ = day.isocalendar()
    name = f"{year:04d}-W{week:02d}"
    number = periods.of_day(day)
    assert periods.ordinal(name) == number
    assert periods.week(number) == name
    assert periods.first_day(number) <= day < periods.end(number)


def test_neighbouring_weeks_differ_by_one_over_the_end_of_a_year() -> None:
    assert periods.ordinal("2027-W01") - periods.ordinal("2026-W53") == 1


@pytest.mark.parametrize("name", ["2026-W54", "2025-W53", "2026-W00", "2026-48", "", "2026-W4"])
def test_there_is_no_such_week(name: str) -> None:
    assert not periods.exists(name)
    with pytest.raises(ValueError, match="week"):
        periods.ordinal(name)
