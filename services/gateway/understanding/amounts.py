"""How much, how often, and for what price: 40 h a week, 每周空闲40小时, 180元/小时."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.gateway.understanding.numerals import NUMBER, value
from spareline.market.v1.capability_pb2 import Unit

Rate = Literal["", "day", "week", "month"]

# What people call the things that units count. The longest spelling must come first.
_FAMILIES: dict[str, str] = {
    "hour": r"machine hours?|working hours?|hours?\b|hrs?\b|h\b|个?小时|钟头|工时|机时|卡时",
    "day": r"person[- ]days?|man[- ]days?|engineer[- ]days?|days?\b|人天|人日|工日|天",
    "item": r"pieces?\b|pcs\b|parts?\b|units?\b|items?\b|件|个|只|套",
    "kilogram": r"kilograms?\b|kilos?\b|kgs?\b|公斤|千克",
    "tonne": r"tonnes?\b|tons?\b|t\b|吨(?!公里)",
    "square_metre": r"square met(?:re|er)s?|sq\.? ?m\b|sqm\b|m2\b|m²|平方米|平米|㎡|平方",
    "pallet": r"pallet places?|pallets?\b|托盘位?|板位",
    "slot": r"slots?\b|campaigns?\b|个?档期|场",
    "parcel": r"parcels?\b|包裹|票",
    "word": r"words?\b|字",
    "teu": r"teu\b|containers?\b|标准?箱|货柜",
}
_UNIT = "|".join(f"(?P<{name}>{pattern})" for name, pattern in _FAMILIES.items())
_PER = {
    "week": r"a week|per week|each week|every week|weekly|/ ?w(?:ee)?k|/ ?周|每周|每个?星期|一周",
    "day": r"a day|per day|each day|every day|daily|/ ?day|/ ?天|每天|每日|一天",
    "month": r"a month|per month|each month|every month|monthly|/ ?month|/ ?月|每个?月|一个月",
}
_FILLER = (
    r"(?:\s*(?:[,，:：]|of|about|around|free|spare"
    r"|空闲|有|可用|可|能|大约|约|富余|闲置|需要|要|各)){0,4}"
)
_RATED = {
    rate: (
        re.compile(rf"(?:{per}){_FILLER}\s*({NUMBER})\s*-?(?:{_UNIT})"),
        re.compile(rf"({NUMBER})\s*-?(?:{_UNIT}){_FILLER}\s*(?:{per})"),
    )
    for rate, per in _PER.items()
}
_PLAIN = re.compile(rf"({NUMBER})\s*-?(?:{_UNIT})")
_EACH_WEEK = re.compile(
    rf"({NUMBER})\s*(?:{_PER['week']})|(?:{_PER['week']}){_FILLER}\s*({NUMBER})"
)

_MONEY = r"(?:cny|rmb|yuan|元|块钱?|¥|￥)"
_PRICED = re.compile(
    rf"(?:(?:每个?|\b(?:per|an?|each)\s)\s*(?P<ahead_unit>[a-z]+|[\u3400-\u9fff]{{1,3}}?)\s*)?"
    rf"(?P<budget>(?:总?预算|总价|budget(?: of)?)\s*[:：]?\s*)?"
    rf"(?:不超过|最多|最高|单价|at most|max(?:imum)?|up to|at|for)?\s*"
    rf"(?:[¥￥]\s*(?P<signed>{NUMBER})|(?P<named>{NUMBER})\s*{_MONEY}"
    rf"|(?:cny|rmb)\s*(?P<coded>{NUMBER}))"
    rf"(?:\s*{_MONEY})?"
    rf"(?:\s*(?:/|per|an?\b|each|每个?|一)\s*(?P<after_unit>[a-z]+[²2]?|[\u3400-\u9fff]{{1,3}}))?"
)

# The family of each unit of the taxonomy, and how many of the family's units make one.
_UNITS: dict[str, tuple[str, Decimal]] = {
    "thousand_items": ("item", Decimal(1000)),
    "item": ("item", Decimal(1)),
    "kilogram": ("kilogram", Decimal(1)),
    "tonne": ("tonne", Decimal(1)),
    "parcel": ("parcel", Decimal(1)),
    "thousand_words": ("word", Decimal(1000)),
    "teu": ("teu", Decimal(1)),
    "campaign_slot": ("slot", Decimal(1)),
    "pallet_week": ("pallet", Decimal(1)),
    "square_metre": ("square_metre", Decimal(1)),
    "square_metre_day": ("square_metre", Decimal(1)),
}
_EXCHANGE = {
    ("hour", "day"): Decimal(1) / 8,
    ("day", "hour"): Decimal(8),
    ("kilogram", "tonne"): Decimal("0.001"),
    ("tonne", "kilogram"): Decimal(1000),
}
_WORKING_DAYS = 5
_WEEKS_OF_MONTH = Decimal(52) / 12


@dataclass(frozen=True, slots=True)
class Amount:
    """So many units of a family; by rate when not in all. An unnamed family is the capability's."""

    number: Decimal
    family: str
    rate: Rate

    def weekly(self) -> Decimal | None:
        """Return how many units that is a week; None when it is an amount in all."""
        if not self.rate:
            return None
        factor = {"day": Decimal(_WORKING_DAYS), "week": Decimal(1), "month": 1 / _WEEKS_OF_MONTH}
        return self.number * factor[self.rate]


@dataclass(frozen=True, slots=True)
class Price:
    """So many yuan, for one unit of a family; of the capability's when it is not named.

    ``whole`` is set where the amount is for everything: a budget.
    """

    number: Decimal
    family: str
    whole: bool = False


Stretch = tuple[int, int]


def family_of(unit: Unit) -> str:
    """Return what a unit of the taxonomy counts; empty when people have no short word for it."""
    if unit.code in _UNITS:
        return _UNITS[unit.code][0]
    for ending in ("hour", "day"):
        if unit.code.endswith(f"_{ending}"):
            return ending
    return ""


def in_unit(number: Decimal, family: str, unit: Unit) -> Decimal | None:
    """Convert an amount of a family into the unit; None when the one does not measure the other."""
    own = family_of(unit)
    size = _UNITS.get(unit.code, ("", Decimal(1)))[1]
    if not family:
        return number
    if family == own:
        return number / size
    rate = _EXCHANGE.get((family, own))
    return None if rate is None else number * rate / size


def price_per_unit(price: Price, unit: Unit) -> Decimal | None:
    """Convert a price into yuan per whole unit; None when the one does not measure the other."""
    if not price.family:
        return price.number
    share = in_unit(Decimal(1), price.family, unit)
    return None if not share else price.number / share


def find_price(text: str) -> tuple[Price | None, list[Stretch]]:
    """Return the price in a folded text, and where it stands."""
    for found in _PRICED.finditer(text):
        number = value(found["signed"] or found["named"] or found["coded"])
        if number is not None:
            family = _family(found["after_unit"] or found["ahead_unit"] or "")
            return Price(number, family, bool(found["budget"]) and not family), [found.span()]
    return None, []


def find_amount(text: str) -> tuple[Amount | None, list[Stretch]]:
    """Return the amount in a folded text, and where it stands; one with a rate comes first."""
    for rate, patterns in _RATED.items():
        for pattern in patterns:
            if (found := pattern.search(text)) and (number := value(found[1])) is not None:
                return Amount(number, _named(found), rate), [found.span()]  # type: ignore[arg-type]
    if (found := _EACH_WEEK.search(text)) and (number := value(found[1] or found[2])) is not None:
        return Amount(number, "", "week"), [found.span()]
    for found in _PLAIN.finditer(text):
        if (number := value(found[1])) is not None:
            return Amount(number, _named(found), ""), [found.span()]
    return None, []


def _named(found: re.Match[str]) -> str:
    return next((name for name in _FAMILIES if found[name]), "")


def _family(word: str) -> str:
    for name, pattern in _FAMILIES.items():
        if re.fullmatch(pattern, word):
            return name
    return ""
