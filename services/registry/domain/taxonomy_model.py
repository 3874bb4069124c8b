"""What a capability is: names in two languages, a unit with its tick, attributes with their rule.

Values are plain Python: see `Value`. Quantities are ticks (ints); a tick is `Unit.resolution`
of the unit. Integer attributes are in the attribute's own unit (mm, µm, kg), never scaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

LANGUAGES = ("en", "zh")
"""The languages in which every name is given."""

Value: TypeAlias = int | bool | str | list[str] | tuple[int, int]
"""A whole number, yes or no, a text or one choice, a list of choices, or a range (low, high)."""


class AttributeType(StrEnum):
    """What kind of value an attribute takes."""

    INTEGER = "integer"
    RANGE = "range"
    CHOICE = "choice"
    CHOICES = "choices"
    BOOLEAN = "boolean"
    TEXT = "text"


class Rule(StrEnum):
    """When what is offered satisfies what is asked; `attribute_rules` says it exactly."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    ONE_OF = "one_of"
    ALL_OF = "all_of"
    WITHIN = "within"
    EQUALS = "equals"


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in English and in Chinese."""

    en: str
    zh: str

    def in_language(self, language: str) -> str:
        """Return the words in `language` ("en", "zh", "zh-CN", …); English when unknown."""
        return self.zh if language.lower().startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class Unit:
    """What a capability is counted in. One tick, the least tradable part, is `resolution`."""

    code: str
    name: Text
    resolution: Decimal
    plural: str = field(default="", compare=False)
    """Several of it in English, where that differs: a word of grammar, so no part of what it is."""

    def ticks(self, quantity: Decimal) -> int:
        """Turn a quantity in the unit into ticks.

        Raises:
            ValueError: the quantity is not a whole number of ticks.
        """
        ticks = quantity / self.resolution
        if ticks != ticks.to_integral_value():
            raise ValueError(f"{quantity} {self.name.en} is not a multiple of {self.resolution}")
        return int(ticks)

    def quantity(self, ticks: int) -> Decimal:
        """Turn ticks into a quantity in the unit."""
        return self.resolution * ticks

    def parameters(self) -> dict[str, str]:
        """Return what tells the readers of a refusal its quantities in this unit (Wording)."""
        return {
            "tick": str(self.resolution),
            "unit_en": self.name.en,
            "units_en": self.plural,
            "unit_zh": self.name.zh,
        }


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property by which buyers filter, and the rule that compares offered with asked."""

    key: str
    name: Text
    type: AttributeType
    rule: Rule
    unit: str = ""
    choices: Mapping[str, Text] = field(default_factory=lambda: MappingProxyType({}))
    minimum: int = 0
    maximum: int = 10**12
    required_in_offer: bool = False
    help: Text | None = None
    deprecated: bool = False
    """Not asked for any more; postings that state it keep it."""
    deprecated_choices: frozenset[str] = frozenset()
    declared_by: str = ""
    """Code of the capability nearest above (or the same) whose file speaks of this attribute."""


@dataclass(frozen=True, slots=True)
class Capability:
    """A node of the taxonomy with all that it inherits resolved."""

    code: str
    parent: str
    """Code of the node above; empty at the top of a branch."""
    name: Text
    synonyms: Mapping[str, tuple[str, ...]]
    """By language."""
    unit: Unit
    ships: bool
    """Whether goods travel, so that the policy's transport rate applies."""
    attributes: Mapping[str, Attribute]
    """Inherited and own, in the order in which a form shows them."""
    classification: Mapping[str, str]
    """Code by public scheme: isic (rev. 4), nace (rev. 2), unspsc, okw."""
    leaf: bool
    deprecated: bool = False
    """Hidden from new postings, because it or one above it was deprecated."""

    @property
    def depth(self) -> int:
        """Return 0 at the top of a branch, 1 right below it, and so on."""
        return self.code.count(".")

    @property
    def branch(self) -> str:
        """Return the code of the top of this branch."""
        return self.code.partition(".")[0]
