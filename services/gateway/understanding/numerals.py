"""Numbers as people write them: 1,250.5, forty, 四十, 两百五十, 1.5万, 20k."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

_FIRST = "zero one two three four five six seven eight nine ten eleven twelve"
_WORDS = {word: number for number, word in enumerate(_FIRST.split())} | {
    "fifteen": 15,
    "sixteen": 16,
    "eighteen": 18,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
}
_DIGITS = {"零": 0, "〇": 0, "两": 2} | {d: i for i, d in enumerate("一二三四五六七八九", start=1)}
_STEPS = {"十": 10, "百": 100, "千": 1000}
_SCALES = {"": 1, "k": 1000, "千": 1000, "万": 10_000, "亿": 100_000_000}

NUMBER = (
    r"(?:\d{1,12}(?:,\d{3})*(?:\.\d{1,6})?(?:\s?(?:k(?![a-z])|千(?![克字])|万|亿))?"
    r"|[零〇一二两三四五六七八九十百千半]{1,9}万?"
    rf"|\b(?:{'|'.join(_WORDS)})\b)"
)
"""A regular expression for a number, to be read by ``value``; for text folded to lower case."""


def value(text: str) -> Decimal | None:
    """Return the number that a text matched by NUMBER stands for; None when it is none."""
    plain = text.strip().replace(",", "")
    if plain in _WORDS:
        return Decimal(_WORDS[plain])
    scale = plain[-1:] if plain[-1:] in _SCALES and plain[:1].isdigit() else ""
    if plain[:1].isdigit():
        try:
            return Decimal(plain.removesuffix(scale).strip()) * _SCALES[scale]
        except InvalidOperation:
            return None
    return _chinese(plain)


def _chinese(text: str) -> Decimal | None:
    if text == "半":
        return Decimal("0.5")
    whole, scale, rest = text.partition("万")
    found = _below_ten_thousand(whole)
    if found is None or rest:
        return None
    return Decimal(found * (10_000 if scale else 1))


def _below_ten_thousand(text: str) -> int | None:
    total, digit = 0, None
    last_step = 10
    for sign in text:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _STEPS:
            last_step = _STEPS[sign]
            total += (1 if digit is None else digit) * last_step
            digit = None
        else:
            return None
    if digit is not None:
        # 两百五 is 250, while 十五 is 15 and 二〇 counts its last digit alone.
        colloquial = last_step > 10 and "零" not in text and len(text) > 1
        total += digit * (last_step // 10 if colloquial else 1)
    return total if text else None
