"""The attributes of a capability that a sentence tells: 不锈钢, travel X 800 mm, 5-axis."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rapidfuzz import fuzz

from services.gateway.understanding.numerals import NUMBER, value
from services.gateway.understanding.sentence import fold
from spareline.market.v1.capability_pb2 import (
    AttributeSchema,
    AttributeValue,
    Capability,
    Choice,
    Codes,
)

_T = AttributeSchema
_SAME_WORDS = 88.0
_HAN = re.compile(r"[\u3400-\u9fff]")
_BRACKETS = re.compile(r"[(（].*?[)）]")
# Words that many choices end with and that people leave out.
_TAILS = re.compile(r"\b(?:alloys?|steels? and alloys?)\b|合金(?!钢)")
_ALSO = {"axes": ("axis", "轴")}
_LENGTHS = {"mm": 1, "毫米": 1, "cm": 10, "厘米": 10, "m": 1000, "米": 1000}
_LINK = r"(?:of|is|at least|at most|up to|为|是|达|至少|不超过)"
_NOT = re.compile(r"(?:\bno|\bnot|\bwithout|无|不|没有|非)\s*$")


def find(text: str, capability: Capability) -> dict[str, AttributeValue]:
    """Return what a sentence says of a capability's attributes, by key."""
    folded = fold(text)
    found: dict[str, AttributeValue] = {}
    for attribute in capability.attributes:
        value = _value(folded, attribute, capability)
        if value is not None:
            found[attribute.key] = value
    return found


def _value(text: str, attribute: AttributeSchema, capability: Capability) -> AttributeValue | None:
    if attribute.type == _T.TYPE_INTEGER:
        number = _integer(text, attribute, capability)
        return None if number is None else AttributeValue(integer=number)
    if attribute.type in (_T.TYPE_CHOICE, _T.TYPE_CHOICES):
        codes = [choice.code for choice in attribute.choices if _chosen(text, choice)]
        if attribute.type == _T.TYPE_CHOICE:
            codes = codes[:1]
        return AttributeValue(codes=Codes(codes=codes)) if codes else None
    if attribute.type == _T.TYPE_BOOLEAN:
        return _boolean(text, attribute)
    return None


def _boolean(text: str, attribute: AttributeSchema) -> AttributeValue | None:
    for label in _labels(attribute):
        place = text.find(label)
        if place >= 0:
            return AttributeValue(boolean=not _NOT.search(text[:place]))
    return None


def _integer(text: str, attribute: AttributeSchema, capability: Capability) -> int | None:
    unit = fold(attribute.unit)
    for written in _told(text, attribute, unit):
        number = _in_range(written, attribute)
        if number is not None:
            return number
    # A bare "3 mm" is told of the only attribute that is measured so.
    rivals = [a for a in capability.attributes if a.unit == attribute.unit]
    if unit and len(rivals) == 1 and (found := re.search(_measure(unit), text)):
        return _in_range(found[0], attribute)
    return None


def _told(text: str, attribute: AttributeSchema, unit: str) -> Iterator[str]:
    measure = _measure(unit)
    for label in _labels(attribute):
        name = re.escape(label)
        for pattern in (
            rf"{name}\s*{_LINK}?\s*[:：≥≤>=<]*\s*({measure})",
            rf"({measure})[- ]?\s*{name}",
        ):
            if found := re.search(pattern, text):
                yield found[1]


def _measure(unit: str) -> str:
    units = list(_LENGTHS) if unit in _LENGTHS else [unit] if unit else []
    if not units:
        return NUMBER
    names = "|".join(re.escape(name) for name in sorted(units, key=len, reverse=True))
    return rf"{NUMBER}\s*(?:{names})(?![a-z\d²])"


def _in_range(written: str, attribute: AttributeSchema) -> int | None:
    found = re.match(NUMBER, written)
    number = value(found[0]) if found else None
    if found is None or number is None:
        return None
    given, own = written[found.end() :].strip(), fold(attribute.unit)
    if given != own and given in _LENGTHS and own in _LENGTHS:
        number = number * _LENGTHS[given] / _LENGTHS[own]
    low = attribute.minimum if attribute.HasField("minimum") else 0
    high = attribute.maximum if attribute.HasField("maximum") else 10**12
    return int(number) if number == int(number) and low <= number <= high else None


def _labels(attribute: AttributeSchema) -> Iterator[str]:
    names = (attribute.display_name.zh, attribute.display_name.en, attribute.key.replace("_", " "))
    for name in (*names, *_ALSO.get(attribute.key, ())):
        if label := _BRACKETS.sub("", fold(name)).strip():
            yield label


def _chosen(text: str, choice: Choice) -> bool:
    names = (choice.display_name.zh, choice.display_name.en, choice.code.replace("-", " "))
    return any(_named(text, _BRACKETS.sub("", fold(name)).strip()) for name in names)


def _named(text: str, name: str) -> bool:
    for spelling in {name, _TAILS.sub("", name).strip()}:
        if not spelling or (len(spelling) < 2 and not _HAN.search(spelling)):
            continue
        if _HAN.search(spelling):
            place = text.find(spelling)
            if place >= 0 and not _NOT.search(text[:place]):
                return True
        elif _spelt(text, spelling):
            return True
    return False


def _spelt(text: str, name: str) -> bool:
    """Tell whether a run of the text's words is the name, give or take a letter."""
    words, length = re.findall(r"[a-z0-9+.]+", text), len(name.split())
    runs = (" ".join(words[i : i + length]) for i in range(len(words) - length + 1))
    if len(name) < 5:
        return name in runs
    return any(fuzz.ratio(run, name) >= _SAME_WORDS for run in runs)
