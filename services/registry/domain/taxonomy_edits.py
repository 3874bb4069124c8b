"""Checking edits of the taxonomy: all that is wrong at once, each with its field and the mend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.chassis.causes import said
from services.registry.domain.faults import Fault
from services.registry.domain.taxonomy import Taxonomy
from services.registry.domain.taxonomy_schema import CODE, TaxonomyError, read_node
from spareline.errors.v1 import cause_pb2

Edit = tuple[str, Mapping[str, object]]
"""A code, and its definition in the form of a taxonomy file."""

# What the taxonomy says is wrong, in its words and in those of the library that reads forms.
_CAUSES = (
    ("the capability above it is unknown", cause_pb2.CAUSE_PARENT_UNKNOWN),
    ("the top of a branch has to state", cause_pb2.CAUSE_TOP_INCOMPLETE),
    ("an inherited attribute keeps", cause_pb2.CAUSE_INHERITED_IS_FIXED),
    ("a new attribute has to state", cause_pb2.CAUSE_ATTRIBUTE_INCOMPLETE),
    ("type, rule and unit can't change", cause_pb2.CAUSE_ATTRIBUTE_IS_FIXED),
    ("the rule ", cause_pb2.CAUSE_RULE_DOES_NOT_FIT),
    ("choices are for the types", cause_pb2.CAUSE_CHOICES_DO_NOT_FIT),
    ("minimum is above maximum", cause_pb2.CAUSE_BOUNDS_REVERSED),
    ("unit can't change", cause_pb2.CAUSE_UNIT_IS_FIXED),
    ("unit ", cause_pb2.CAUSE_UNIT_MEANS_ANOTHER),
    ("can't be taken away", cause_pb2.CAUSE_ATTRIBUTE_STAYS),
    ("can't take away", cause_pb2.CAUSE_CHOICE_STAYS),
    ("bounds can't become narrower", cause_pb2.CAUSE_BOUNDS_ONLY_WIDEN),
    ("Field required", cause_pb2.CAUSE_MISSING),
    ("String should have at least 1 character", cause_pb2.CAUSE_EMPTY_NAME),
    ("String should match pattern", cause_pb2.CAUSE_WRONGLY_WRITTEN),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What edits would make of a taxonomy: None while something is wrong with them."""

    taxonomy: Taxonomy | None
    faults: Sequence[Fault]
    changed: Sequence[str] = ()
    """Codes that are new or differ, those below the edited ones included."""


def check(present: Taxonomy, edits: Sequence[Edit], root: str) -> Outcome:
    """Return what the edits would make, or all that is wrong; ``root`` is the path of the list."""
    faults = _form_faults(edits, root)
    if faults:
        return Outcome(None, faults)
    try:
        following = present.extended(dict(edits))
    except TaxonomyError as error:
        return Outcome(None, [_placed(problem, edits, root) for problem in error.problems])
    changed = [each.code for each in following if present.get(each.code) != each]
    return Outcome(following, (), changed)


def _form_faults(edits: Sequence[Edit], root: str) -> list[Fault]:
    faults: list[Fault] = []
    seen: set[str] = set()
    for index, (code, node) in enumerate(edits):
        field = f"{root}[{index}]"
        if not CODE.fullmatch(code):
            words = said(cause_pb2.CAUSE_NOT_A_CAPABILITY_CODE, code=code)
            faults.append(Fault(f"{field}.code", words))
        elif code in seen:
            faults.append(Fault(f"{field}.code", said(cause_pb2.CAUSE_EDITED_TWICE, code=code)))
        seen.add(code)
        try:
            read_node(node, code)
        except TaxonomyError as error:
            faults += [
                _fault(field, each.removeprefix(f"{code}: "), code) for each in error.problems
            ]
    return faults


def _placed(problem: str, edits: Sequence[Edit], root: str) -> Fault:
    """Put a problem "code: path: what" beside the edit that it comes from.

    An edit may break a capability below it, which is not edited itself.
    """
    code, _, rest = problem.partition(": ")
    steps = code.split(".")
    above = [".".join(steps[:end]) for end in range(len(steps), 0, -1)]
    codes = [each for each, _ in edits]
    nearest = next((each for each in above if each in codes), codes[0] if codes else "")
    field = f"{root}[{codes.index(nearest)}]" if nearest else root
    return _fault(field, rest, code)


def _fault(field: str, rest: str, code: str) -> Fault:
    path, _, what = rest.rpartition(": ")
    known = (cause for words, cause in _CAUSES if words in what)
    words = said(next(known, cause_pb2.CAUSE_DEFINITION_WRONG), code=code, detail=what)
    return Fault(".".join(part for part in (field, path) if part), words)
