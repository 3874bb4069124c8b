"""The taxonomy: capabilities by dotted code, loaded from one file per branch, extended at run time.

A `Taxonomy` never changes. `load_taxonomy` reads the files; `extended` returns a new one with what
an operator has added. How values compare is told in `attribute_rules`, how files look in
`taxonomy_schema`.

A demand names a capability and is answered by offers of it or below it. Units may differ on the
way down (a machining hour, a printed part); quantities compare only where the unit is the same,
which is what `answers` checks. One unit code means one unit everywhere, so that comparing codes is
enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from rapidfuzz import fuzz, process

from services.chassis.causes import said
from services.registry.domain import attribute_rules
from services.registry.domain.attribute_rules import Problem, Role, satisfies
from services.registry.domain.taxonomy_model import (
    Attribute,
    AttributeType,
    Capability,
    Rule,
    Text,
    Unit,
    Value,
)
from services.registry.domain.taxonomy_schema import (
    CODE,
    NodeForm,
    TaxonomyError,
    flatten,
    read_node,
    resolve,
)
from services.registry.domain.taxonomy_search import Hit, SearchIndex
from spareline.errors.v1 import cause_pb2

__all__ = [
    "TAXONOMY_DIRECTORY",
    "Attribute",
    "AttributeType",
    "Capability",
    "Hit",
    "Problem",
    "Role",
    "Rule",
    "Taxonomy",
    "TaxonomyError",
    "Text",
    "Unit",
    "Value",
    "load_taxonomy",
    "satisfies",
]

TAXONOMY_DIRECTORY = Path(__file__).resolve().parents[1] / "taxonomy"
"""Where the files that come with the service are."""


class Taxonomy:
    """All capabilities of a market. Immutable; iterates in file order, parents first."""

    def __init__(self, nodes: Mapping[str, NodeForm]) -> None:
        """Resolve `nodes`, which are keyed by full code and have no children of their own.

        Raises:
            TaxonomyError: see `taxonomy_schema.resolve`.
        """
        self._nodes = dict(nodes)
        self._capabilities = resolve(self._nodes)
        self._children: dict[str, list[Capability]] = {}
        for capability in self._capabilities.values():
            self._children.setdefault(capability.parent, []).append(capability)

    @cached_property
    def _index(self) -> SearchIndex:
        """Made when somebody searches: edits are checked by making a taxonomy and dropping it."""
        return SearchIndex(self._capabilities.values())

    def __iter__(self) -> Iterator[Capability]:
        return iter(self._capabilities.values())

    def __len__(self) -> int:
        return len(self._capabilities)

    def __contains__(self, code: object) -> bool:
        return code in self._capabilities

    def get(self, code: str) -> Capability | None:
        """Return the capability with this code, or None."""
        return self._capabilities.get(code)

    def nearest(self, code: str) -> str:
        """Return the known code that is most like `code`, for a mend; empty when none is near."""
        found = process.extractOne(
            code, list(self._capabilities), scorer=fuzz.WRatio, score_cutoff=60
        )
        return str(found[0]) if found else ""

    def is_below(self, code: str, ancestor: str) -> bool:
        """Say whether `code` is `ancestor` itself or a known capability below it."""
        known = code in self._capabilities and ancestor in self._capabilities
        return known and (code == ancestor or code.startswith(f"{ancestor}."))

    def answers(self, offered: str, asked: str) -> bool:
        """Say whether an offer of `offered` can serve a line for `asked`: below it, same unit."""
        if not self.is_below(offered, asked):
            return False
        return self._capabilities[offered].unit.code == self._capabilities[asked].unit.code

    def definition(self, code: str) -> NodeForm | None:
        """Return a capability as it is written down, without what it inherits; None if unknown."""
        return self._nodes.get(code)

    def children(self, code: str) -> list[Capability]:
        """Return the capabilities right below `code`; the tops of the branches for ""."""
        return list(self._children.get(code, ()))

    def ancestors(self, code: str) -> list[Capability]:
        """Return the capabilities above `code` from the top down, for a breadcrumb."""
        steps = code.split(".")
        codes = [".".join(steps[:end]) for end in range(1, len(steps))]
        return [self._capabilities[each] for each in codes if each in self._capabilities]

    def search(self, text: str, language: str = "en", limit: int = 20) -> list[Hit]:
        """Return up to `limit` capabilities for words in either language, best first.

        `language` only breaks ties: people search in the language the drawing is in.
        """
        return self._index.search(text, language, limit)

    def validate_attributes(
        self, code: str, values: Mapping[str, Value], role: Role
    ) -> list[Problem]:
        """Check attribute values of an offer or demand line; an empty list means they fit."""
        capability = self._capabilities.get(code)
        if capability is None:
            nearest = self.nearest(code)
            cause = (
                cause_pb2.CAUSE_CAPABILITY_MISSPELT
                if nearest
                else cause_pb2.CAUSE_CAPABILITY_UNKNOWN
            )
            return [Problem("capability", said(cause, code=code, near=nearest))]
        return attribute_rules.problems(capability.attributes, values, role)

    def extended(self, node_mapping: Mapping[str, object]) -> Taxonomy:
        """Return a taxonomy with nodes added or amended; this one stays as it is.

        `node_mapping` has full codes as keys and nodes in the file's form as values. A known code
        is amended: its definition is replaced, its children stay. It may not lose or retype an
        attribute, lose a choice, narrow bounds or change its unit, since offers in the market
        rely on them.

        Raises:
            TaxonomyError: a code or node is malformed, a parent is missing, or an amendment
                takes away what offers may rely on.
        """
        nodes = dict(self._nodes)
        for code, raw in node_mapping.items():
            if not CODE.fullmatch(code):
                raise TaxonomyError([f"{code}: not a dotted code of a-z, 0-9 and -"])
            nodes.update(flatten(code, read_node(raw, code)))
        wider = Taxonomy(nodes)
        faults = [
            f"{before.code}: {fault}"
            for before in self
            for fault in _losses(before, wider._capabilities[before.code])
        ]
        if faults:
            raise TaxonomyError(faults)
        return wider


def _losses(before: Capability, after: Capability) -> Iterator[str]:
    """Name what an amendment takes away."""
    if before.unit != after.unit:
        yield f"unit can't change from {before.unit.code} to {after.unit.code}"
    for key, old in before.attributes.items():
        new = after.attributes.get(key)
        if new is None:
            yield f"attributes.{key}: can't be taken away"
        elif (old.type, old.rule, old.unit) != (new.type, new.rule, new.unit):
            yield f"attributes.{key}: type, rule and unit can't change"
        elif not old.choices.keys() <= new.choices.keys():
            lost = ", ".join(sorted(old.choices.keys() - new.choices.keys()))
            yield f"attributes.{key}.choices: can't take away {lost}"
        elif new.minimum > old.minimum or new.maximum < old.maximum:
            yield f"attributes.{key}: bounds can't become narrower"


def load_taxonomy(directory: Path = TAXONOMY_DIRECTORY) -> Taxonomy:
    """Read every *.yaml of a directory, one branch per file, the file named by its branch.

    Raises:
        TaxonomyError: with file, path and what is wrong, for all wrong nodes of the first
            wrong file.
    """
    nodes: dict[str, NodeForm] = {}
    for path in sorted(directory.glob("*.yaml")):
        branch, node = _read_file(path)
        nodes.update(flatten(branch, node))
    if not nodes:
        raise TaxonomyError([f"{directory.name}: no *.yaml file in it"])
    try:
        return Taxonomy(nodes)
    except TaxonomyError as error:
        # Each of these problems starts with a full code, whose first step names the file.
        named = [f"{re.split('[.:]', each)[0]}.yaml: {each}" for each in error.problems]
        raise TaxonomyError(named) from None


def _read_file(path: Path) -> tuple[str, NodeForm]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506
    except yaml.YAMLError as error:
        raise TaxonomyError([f"{path.name}: not valid YAML: {error}"]) from error
    if not isinstance(content, dict) or list(content) != [path.stem]:
        raise TaxonomyError([f"{path.name}: the only key at the top has to be {path.stem}"])
    return path.stem, read_node(content[path.stem], f"{path.name}: {path.stem}")


class _UniqueKeyLoader(yaml.CSafeLoader):
    """Safe YAML that refuses a key given twice, which YAML itself would silently overwrite."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping after checking that its keys differ."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} is given twice", key_node.start_mark
                )
            seen.add(key)
        return dict(super().construct_mapping(node, deep))
