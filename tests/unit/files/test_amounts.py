"""Units and CNY to ticks and fen are exact both ways, or refused with a mend."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.files import amounts
from services.files.wording import WrongCell

RESOLUTIONS = st.sampled_from(["1", "0.5", "0.1", "0.25", "10", "100"])
COUNTS = st.integers(0, 10**12)


@given(COUNTS, RESOLUTIONS)
def test_quantities_come_back(count: int, resolution: str) -> None:
    assert amounts.ticks(amounts.units(count, resolution), resolution) == count


@given(COUNTS, RESOLUTIONS)
def test_prices_come_back(fen: int, resolution: str) -> None:
    assert amounts.fen_per_tick(amounts.cny_per_unit(fen, resolution), resolution) == fen
    assert amounts.fen(amounts.cny(fen)) == fen


def test_amounts_read_as_people_write_them() -> None:
    assert amounts.ticks("12.5", "0.5") == 25
    assert amounts.units(25, "0.5") == "12.5"
    assert amounts.units(100, "1") == "100"
    assert amounts.fen_per_tick("250", "0.5") == 12_500
    assert amounts.cny(12_345) == "123.45"


@pytest.mark.parametrize("text", ["", "x", "-1", "NaN", "Infinity", "1,5,0", "1.5.0", "1e"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(WrongCell) as refused:
        amounts.fen(text)
    assert refused.value.mend


def test_what_does_not_come_out_even_is_refused() -> None:
    for attempt in (
        lambda: amounts.ticks("0.3", "0.5"),
        lambda: amounts.fen("0.001"),
        lambda: amounts.fen_per_tick("0.01", "0.5"),
        lambda: amounts.cny_per_unit(1, "3"),
        lambda: amounts.count("1.5"),
    ):
        with pytest.raises(WrongCell):
            attempt()
