"""Quantities as people write them."""

from __future__ import annotations

import pytest

from services.gateway import formats
from spareline.market.v1.capability_pb2 import LocalizedText, Unit

HOUR = Unit(
    display_name=LocalizedText(en="machine hour", zh="机时"),
    resolution="0.5",
    plural_en="machine hours",
)


@pytest.mark.parametrize(
    ("ticks", "english", "chinese"),
    [
        (2, "1 machine hour", "1 机时"),
        (3, "1.5 machine hours", "1.5 机时"),
        (0, "0 machine hours", "0 机时"),
        (2480, "1,240 machine hours", "1,240 机时"),
    ],
)
def test_several_of_a_unit_have_a_word_of_their_own_in_english(
    ticks: int, english: str, chinese: str
) -> None:
    assert formats.quantity(ticks, HOUR, "en") == english
    assert formats.quantity(ticks, HOUR, "zh") == chinese


def test_a_unit_without_a_plural_goes_by_its_name() -> None:
    unit = Unit(display_name=LocalizedText(en="thousand items", zh="千件"), resolution="1")
    assert formats.quantity(3, unit, "en") == "3 thousand items"


def test_a_firm_that_is_not_named_yet_is_called_so_in_both_languages() -> None:
    assert formats.named("Partner VV6ER", "zh") == "合作方 VV6ER"
    assert formats.named("Partner VV6ER", "en") == "Partner VV6ER"
    assert formats.named("Partner & Sons", "zh") == "Partner & Sons"
    assert formats.named("A member of the market", "zh") == "市场成员"


@pytest.mark.parametrize(
    ("text", "amount", "price"),
    [
        ("1450.00", "1,450", "¥1,450"),
        ("12.5", "12.5", "¥12.50"),
        ("0.29", "0.29", "¥0.29"),
        ("any", "any", "any"),
    ],
)
def test_what_was_typed_is_written_as_its_reader_does(text: str, amount: str, price: str) -> None:
    assert formats.typed(text, "en") == amount
    assert formats.typed_money(text, "en") == price
