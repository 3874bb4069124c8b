"""The form of a taxonomy file, and how a child takes over what its parent declares.

A file holds one branch: its top code as the only key, nodes nested under `children`, each keyed by
its code segment. A node gives name, synonyms, unit, ships, attributes, classification; unit, ships
and attributes come from the parent unless given. An attribute given again amends the inherited
one field by field, but never its type, rule or unit, so that a demand for the parent can still be
compared with an offer of the child. For the same reason no attribute can be taken away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.registry.domain.attribute_rules import RULES_BY_TYPE
from services.registry.domain.taxonomy_model import (
    Attribute,
    AttributeType,
    Capability,
    Rule,
    Text,
    Unit,
)

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*")

Words = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1)]
Segment = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Key = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_]*$")]
ChoiceCode = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9]+([-_.][a-z0-9]+)*$")]
DECIMAL_ABOVE_ZERO = r"^(0*[1-9][0-9]*(\.[0-9]+)?|0+\.[0-9]*[1-9][0-9]*)$"
Resolution = Annotated[str, StringConstraints(strict=True, pattern=DECIMAL_ABOVE_ZERO)]
Whole = Annotated[int, Field(strict=True)]


class TaxonomyError(ValueError):
    """A taxonomy file or node is wrong. Each problem reads "file: path: what"."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TextForm(_Form):
    """Words in both languages."""

    en: Words
    zh: Words

    def build(self) -> Text:
        """Return the domain's value."""
        return Text(self.en, self.zh)


class ChoiceForm(TextForm):
    """A choice; a deprecated one is kept for postings that have it."""

    deprecated: Annotated[bool, Field(strict=True)] = False


class SynonymsForm(_Form):
    """Other words for the same capability."""

    en: tuple[Words, ...] = ()
    zh: tuple[Words, ...] = ()


class UnitForm(_Form):
    """A unit and how much of it one tick is, as a decimal string."""

    code: Key
    name: TextForm
    plural: Words | None = None
    resolution: Resolution

    def build(self) -> Unit:
        """Return the domain's value."""
        return Unit(self.code, self.name.build(), Decimal(self.resolution), self.plural or "")


class AttributeForm(_Form):
    """A new attribute, or what to amend in an inherited one: hence all may be left out."""

    name: TextForm | None = None
    type: AttributeType | None = None
    rule: Rule | None = None
    unit: Words | None = None
    choices: dict[ChoiceCode, ChoiceForm] | None = None
    minimum: Whole | None = None
    maximum: Whole | None = None
    required_in_offer: bool | None = None
    help: TextForm | None = None
    deprecated: Annotated[bool, Field(strict=True)] | None = None


class ClassificationForm(_Form):
    """Codes in public schemes: ISIC rev. 4, NACE rev. 2, UNSPSC, Open Know-Where processes."""

    isic: Annotated[str, StringConstraints(pattern=r"^[A-U]$|^[0-9]{2,4}$")] | None = None
    nace: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}(\.[0-9]{1,2})?$")] | None = None
    unspsc: Annotated[str, StringConstraints(pattern=r"^[0-9]{8}$")] | None = None
    okw: Words | None = None


class NodeForm(_Form):
    """One capability as written in a file."""

    name: TextForm
    synonyms: SynonymsForm = SynonymsForm()
    unit: UnitForm | None = None
    ships: Annotated[bool, Field(strict=True)] | None = None
    attributes: dict[Key, AttributeForm] = {}
    classification: ClassificationForm = ClassificationForm()
    deprecated: Annotated[bool, Field(strict=True)] = False
    children: dict[Segment, NodeForm] = {}


def read_node(raw: object, where: str) -> NodeForm:
    """Check one node and all below it.

    Raises:
        TaxonomyError: one problem per wrong field, each starting with `where`.
    """
    try:
        return NodeForm.model_validate(raw)
    except ValidationError as error:
        raise TaxonomyError(
            [
                f"{where}: {'.'.join(str(part) for part in each['loc']) or 'node'}: {each['msg']}"
                for each in error.errors()
            ]
        ) from None


def flatten(code: str, node: NodeForm) -> Iterator[tuple[str, NodeForm]]:
    """Yield a node and all below it by full code, parents first."""
    yield code, node.model_copy(update={"children": {}})
    for segment, child in node.children.items():
        yield from flatten(f"{code}.{segment}", child)


def resolve(nodes: Mapping[str, NodeForm]) -> dict[str, Capability]:
    """Turn nodes by full code into capabilities, with what they inherit.

    Raises:
        TaxonomyError: a parent is missing, the top of a branch lacks unit or ships, an attribute
            is incomplete or amended in a way that is not allowed, or one unit code has two forms.
    """
    built: dict[str, Capability] = {}
    faults: list[str] = []
    parents = {code.rpartition(".")[0] for code in nodes}
    for code in sorted(nodes, key=lambda each: each.count(".")):
        parent = built.get(code.rpartition(".")[0])
        if parent is None and "." in code:
            faults.append(f"{code}: the capability above it is unknown or wrong")
            continue
        fault_count = len(faults)
        capability = _capability(code, nodes[code], parent, code not in parents, faults)
        if capability is not None and len(faults) == fault_count:
            built[code] = capability
    faults += _unit_faults(built)
    if faults:
        raise TaxonomyError(faults)
    return {code: built[code] for code in nodes}


def _capability(
    code: str, node: NodeForm, parent: Capability | None, leaf: bool, faults: list[str]
) -> Capability | None:
    unit = node.unit.build() if node.unit else parent.unit if parent else None
    ships = node.ships if node.ships is not None else parent.ships if parent else None
    if unit is None or ships is None:
        faults.append(f"{code}: the top of a branch has to state unit and ships")
        return None
    attributes = dict(parent.attributes) if parent else {}
    for key, form in node.attributes.items():
        attribute = _attribute(code, key, form, attributes.get(key), faults)
        if attribute is not None:
            attributes[key] = attribute
    return Capability(
        code=code,
        parent=parent.code if parent else "",
        name=node.name.build(),
        synonyms=MappingProxyType({"en": node.synonyms.en, "zh": node.synonyms.zh}),
        unit=unit,
        ships=ships,
        attributes=MappingProxyType(attributes),
        classification=MappingProxyType(node.classification.model_dump(exclude_none=True)),
        leaf=leaf,
        deprecated=node.deprecated or (parent is not None and parent.deprecated),
    )


def _attribute(
    code: str, key: str, form: AttributeForm, inherited: Attribute | None, faults: list[str]
) -> Attribute | None:
    where = f"{code}: attributes.{key}"
    given: dict[str, Any] = {name: getattr(form, name) for name in form.model_fields_set}
    if inherited is not None and given.keys() & {"type", "rule", "unit"}:
        faults.append(f"{where}: an inherited attribute keeps its type, rule and unit")
        return None
    if inherited is None and not {"name", "type", "rule"} <= given.keys():
        faults.append(f"{where}: a new attribute has to state name, type and rule")
        return None
    for text in ("name", "help"):
        if given.get(text) is not None:
            given[text] = given[text].build()
    if form.choices is not None:
        given["choices"] = MappingProxyType({c: t.build() for c, t in form.choices.items()})
        given["deprecated_choices"] = frozenset(c for c, t in form.choices.items() if t.deprecated)
    base: dict[str, Any] = {}
    if inherited is not None:
        base = {name: getattr(inherited, name) for name in Attribute.__slots__}
    attribute = Attribute(**{**base, **given, "key": key, "declared_by": code})
    if attribute.deprecated:
        attribute = replace(attribute, required_in_offer=False)
    fault = _attribute_fault(attribute)
    if fault:
        faults.append(f"{where}: {fault}")
    return attribute


def _attribute_fault(attribute: Attribute) -> str:
    if attribute.rule not in RULES_BY_TYPE[attribute.type]:
        return f"the rule {attribute.rule} has no meaning for the type {attribute.type}"
    needs_choices = attribute.type in (AttributeType.CHOICE, AttributeType.CHOICES)
    if needs_choices != bool(attribute.choices):
        return "choices are for the types choice and choices, and needed there"
    if attribute.minimum > attribute.maximum:
        return "minimum is above maximum"
    return ""


def _unit_faults(built: Mapping[str, Capability]) -> list[str]:
    """Find a unit code that means two things: quantities are compared across the tree by it."""
    first: dict[str, Capability] = {}
    return [
        f"{code}: unit {capability.unit.code} differs from that of {seen.code}"
        for code, capability in built.items()
        if (seen := first.setdefault(capability.unit.code, capability)).unit != capability.unit
    ]
