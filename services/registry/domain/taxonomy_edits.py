"""Checking edits of the taxonomy: all that is wrong at once, each with its field and the mend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.registry.domain.faults import Fault
from services.registry.domain.taxonomy import Taxonomy
from services.registry.domain.taxonomy_schema import CODE, TaxonomyError, read_node

Edit = tuple[str, Mapping[str, object]]
"""A code, and its definition in the form of a taxonomy file."""

# What the taxonomy says is wrong begins or ends so; this is what helps.
_MENDS = (
    ("the capability above it is unknown", "Add the capability above it first, or mend the code"),
    ("the top of a branch has to state", "Give a unit, and say whether goods travel"),
    ("an inherited attribute keeps", "Leave type, rule and unit empty"),
    ("a new attribute has to state", "Give all three, or use the key of an inherited attribute"),
    ("the rule ", "Choose a rule that fits the type"),
    ("choices are for the types", "Give choices, or choose another type"),
    ("minimum is above maximum", "Put the lower number first"),
    ("unit can't change", "Leave the unit; deprecate this capability and add a new one"),
    ("unit ", "Use another code for the unit, or the same name and resolution"),
    ("can't be taken away", "Mark it as deprecated instead"),
    ("type, rule and unit can't change", "Add another attribute, and deprecate this one"),
    ("can't take away", "Mark the choice as deprecated instead"),
    ("bounds can't become narrower", "Leave the bounds, or make them wider"),
    ("is missing", "Give it"),
    ("is not written as", "Use lower-case letters, digits, and - or _ between them"),
    ("is empty", "Give it in both languages"),
)
# The words of the library that reads forms, and ours.
_PLAIN = (
    ("String should have at least 1 character", "it is empty"),
    ("Field required", "it is missing"),
    ("String should match pattern", "it is not written as it has to be"),
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
            mend = "Use lower-case letters, digits and dashes, with dots between the steps"
            faults.append(Fault(f"{field}.code", f"{code or 'the code'} is no dotted code", mend))
        elif code in seen:
            faults.append(Fault(f"{field}.code", f"{code} is edited twice", "Keep one of them"))
        seen.add(code)
        try:
            read_node(node, code)
        except TaxonomyError as error:
            faults += [_fault(field, each.removeprefix(f"{code}: ")) for each in error.problems]
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
    found = _fault(field, rest)
    return found if nearest == code else Fault(found.field, f"{code}: {found.what}", found.mend)


def _fault(field: str, rest: str) -> Fault:
    path, _, what = rest.rpartition(": ")
    what = next((plain for words, plain in _PLAIN if words in what), what)
    mend = next((mend for words, mend in _MENDS if words in what), "Change it, and check again")
    return Fault(".".join(part for part in (field, path) if part), what, mend)
