"""When an offered attribute value satisfies an asked one, by the rules of the taxonomy.

========  ================  =====================================================================
rule      types             holds when
========  ================  =====================================================================
at_least  integer           both are whole numbers and offered >= asked
at_most   integer           both are whole numbers and offered <= asked
within    integer, range    asked lies within offered, ends included; a number n is the range (n, n)
one_of    choice, choices   at least one offered choice is among the asked choices
all_of    choice, choices   every asked choice is among the offered choices
equals    all               the same number, range, yes or no, set of choices, or the same text
                            after trimming and folding of case
========  ================  =====================================================================

What is asked but not offered never holds: an offer has to say what it can do. A value of the wrong
shape never holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from services.matching.domain.vocabulary import BoolArray, IntArray, Vocabulary, tabulated
from spareline.market.v1.capability_pb2 import AttributeSchema, AttributeValue, Capability
from spareline.market.v1.demand_pb2 import Line
from spareline.market.v1.offer_pb2 import Offer


def satisfies(rule: int, offered: AttributeValue, asked: AttributeValue) -> bool:
    """Tell whether an offered value satisfies an asked one by an `AttributeSchema.Rule`."""
    if rule in (AttributeSchema.RULE_ONE_OF, AttributeSchema.RULE_ALL_OF):
        return _choices(rule, offered, asked)
    if rule == AttributeSchema.RULE_EQUALS:
        return _equals(offered, asked)
    have, want = _ends(offered), _ends(asked)
    if have is None or want is None:
        return False
    if rule == AttributeSchema.RULE_WITHIN:
        return have[0] <= want[0] and want[1] <= have[1]
    if have[0] != have[1] or want[0] != want[1]:
        return False
    if rule == AttributeSchema.RULE_AT_LEAST:
        return have[0] >= want[0]
    return rule == AttributeSchema.RULE_AT_MOST and have[0] <= want[0]


def _ends(value: AttributeValue) -> tuple[int, int] | None:
    kind = value.WhichOneof("value")
    if kind == "integer":
        return value.integer, value.integer
    if kind == "range" and value.range.lowest <= value.range.highest:
        return value.range.lowest, value.range.highest
    return None


def _choices(rule: int, offered: AttributeValue, asked: AttributeValue) -> bool:
    if offered.WhichOneof("value") != "codes" or asked.WhichOneof("value") != "codes":
        return False
    have, want = set(offered.codes.codes), set(asked.codes.codes)
    return want <= have if rule == AttributeSchema.RULE_ALL_OF else not have.isdisjoint(want)


def _equals(offered: AttributeValue, asked: AttributeValue) -> bool:
    kind = offered.WhichOneof("value")
    have, want = _ends(offered), _ends(asked)
    if have is not None or want is not None:
        return have == want
    if kind is None or kind != asked.WhichOneof("value"):
        return False
    if kind == "codes":
        return set(offered.codes.codes) == set(asked.codes.codes)
    if kind == "text":
        return _folded(offered.text) == _folded(asked.text)
    return offered.boolean == asked.boolean


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def rule_of(key: str, *capabilities: Capability | None) -> int:
    """Return the rule of an attribute, from the first capability that has it; 0 when none has."""
    for capability in capabilities:
        if capability is not None:
            for schema in capability.attributes:
                if schema.key == key:
                    return schema.rule
    return AttributeSchema.RULE_UNSPECIFIED


def attribute_mask(
    offers: Sequence[Offer],
    lines: Sequence[Line],
    offer_of: IntArray,
    line_of: IntArray,
    capabilities: Mapping[str, Capability],
) -> BoolArray:
    """Per candidate (positions into ``offers`` and ``lines``) whether all that is asked is offered.

    Each distinct (offered value, asked value) is compared once. The rule is that of the offer's
    own capability, which inherits the line's.
    """
    holds = np.ones(len(offer_of), dtype=np.bool_)
    keys = sorted({key for line in lines for key in line.attributes})
    for key in keys:
        asked_words: Vocabulary[bytes] = Vocabulary(b"")
        offered_words: Vocabulary[tuple[str, bytes]] = Vocabulary()
        asked = _column([asked_words.at(_bytes(line, key)) for line in lines])[line_of]
        offered = [offered_words.at((offer.capability, _bytes(offer, key))) for offer in offers]
        concerned = np.flatnonzero(holds & (asked > 0))
        wanted_code = lines[0].capability

        def fits(
            want: int,
            have: int,
            key: str = key,
            asks: list[bytes] = asked_words.words,
            has: list[tuple[str, bytes]] = offered_words.words,
            wanted_code: str = wanted_code,
        ) -> bool:
            code, value = has[have]
            rule = rule_of(key, capabilities.get(code), capabilities.get(wanted_code))
            return bool(value) and satisfies(
                rule, AttributeValue.FromString(value), AttributeValue.FromString(asks[want])
            )

        holds[concerned] = tabulated(asked[concerned], _column(offered)[offer_of[concerned]], fits)
    return holds


def _bytes(posting: Offer | Line, key: str) -> bytes:
    """The value's bytes; empty when it is not given."""
    if key not in posting.attributes:
        return b""
    return posting.attributes[key].SerializeToString(deterministic=True)


def _column(values: list[int]) -> IntArray:
    return np.array(values, dtype=np.int64)
