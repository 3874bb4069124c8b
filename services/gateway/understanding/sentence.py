"""A sentence taken apart: how much, when, for what price, and the words that say what."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from services.gateway.understanding import amounts, weeks
from services.gateway.understanding.amounts import Amount, Price
from services.gateway.understanding.numerals import NUMBER
from services.gateway.understanding.weeks import Span

LONGEST = 300
_STOP_WORDS = (
    "a about an and any anything approximately are around at available be by can capacity could do "
    "each every for free from got has have help hi hello i idle in is it looking me my need needed "
    "needs of offer on or our over per please request requires roughly seek seeking some somebody "
    "someone spare that the there this to unused us want wanted we who will with would you your "
    "week weeks month until till next like max most"
)
_STOP_EN = frozenset(_STOP_WORDS.split())
_STOP_ZH = re.compile(
    "我们?公司|我们|我司|本公司|我|可以|能够|提供|空闲|空余|空出|富余|闲置|剩余|多余|需要|急需|想要|想找|寻找|"
    "寻求|求购|求租|求|找|大约|大概|左右|每周|每天|每月|产能|目前|现在|有没有|有|请|帮忙|一些|若干|几|的|了|吗|"
    rf"期间|期|并|及|和|与|共|{NUMBER}台|台|起"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was understood; ``words`` say what it is about, folded."""

    text: str
    words: str
    amount: Amount | None
    price: Price | None
    span: Span


def fold(text: str) -> str:
    """Fold width and case, and cut at LONGEST characters."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())[:LONGEST]


def read(text: str, today: date) -> Sentence:
    """Take a sentence apart. Whatever is not understood stays among the words."""
    folded = fold(text)
    price, priced = amounts.find_price(folded)
    rest = _without(folded, priced)
    amount, counted = _rated(rest)
    rest = _without(rest, counted)
    span, told = weeks.find(rest, today)
    rest = _without(rest, told)
    if amount is None:
        amount, counted = amounts.find_amount(rest)
        rest = _without(rest, counted)
    return Sentence(folded, _content(rest), amount, price, span)


def _rated(text: str) -> tuple[Amount | None, list[weeks.Stretch]]:
    """Find an amount by rate before the weeks: "a week" is no time, and "6 weeks" no amount."""
    amount, places = amounts.find_amount(text)
    return (amount, places) if amount and amount.rate else (None, [])


def _without(text: str, places: list[weeks.Stretch]) -> str:
    for start, end in sorted(places, reverse=True):
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _content(text: str) -> str:
    plain = re.sub(r"[^\w\s\-+.&]|_", " ", _STOP_ZH.sub(" ", text))
    words = [word.strip("-.") for word in plain.split()]
    return " ".join(word for word in words if word and word not in _STOP_EN)
