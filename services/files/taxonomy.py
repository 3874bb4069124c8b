"""The taxonomy as far as files need it: units and schemas, by code or by what people say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from services.files.wording import WrongCell, folded, mark
from spareline.market.v1.capability_pb2 import AttributeSchema, Capability, LocalizedText


@dataclass(frozen=True)
class Taxonomy:
    """Capabilities by code."""

    capabilities: Mapping[str, Capability]
    _schemas: dict[str, dict[str, AttributeSchema]] = field(default_factory=dict, repr=False)

    @cached_property
    def _named(self) -> dict[str, list[str]]:
        """Codes by what people call the capability."""
        found: dict[str, list[str]] = {}
        for code, capability in self.capabilities.items():
            for name in {folded(capability.display_name.en), folded(capability.display_name.zh)}:
                if name:
                    found.setdefault(name, []).append(code)
        return found

    @cached_property
    def labels(self) -> frozenset[str]:
        """Everything that heads a column of some capability's attribute, folded."""
        return frozenset(
            label
            for capability in self.capabilities.values()
            for schema in capability.attributes
            for label in (folded(schema.key), *_labels(schema))
        )

    def code(self, said: str) -> str:
        """The code that a cell stands for: itself, or the only capability of that name.

        Raises:
            WrongCell: several capabilities are called so.
        """
        if said in self.capabilities:
            return said
        codes = self._named.get(folded(said), [])
        if len(codes) > 1:
            raise WrongCell(
                mark("%(code)s may be one of several capabilities"),
                mark("Write one of the codes %(codes)s"),
                code=said,
                codes=", ".join(sorted(codes)),
            )
        return codes[0] if codes else said

    def capability(self, code: str) -> Capability:
        """The capability of a code.

        Raises:
            WrongCell: there is none.
        """
        found = self.capabilities.get(code)
        if found is None:
            raise WrongCell(
                mark("there is no capability %(code)s"),
                mark("Find the code with the search of the capability pages"),
                code=code,
            )
        return found

    def schema(self, code: str, key: str) -> AttributeSchema:
        """The schema of an attribute, by its key or by what people call it.

        Raises:
            WrongCell: the capability has no such attribute.
        """
        known = self._schemas.get(code)
        if known is None:
            attributes = self.capability(code).attributes
            known = {label: each for each in attributes for label in _labels(each)}
            known |= {folded(each.key): each for each in attributes}
            self._schemas[code] = known
        found = known.get(folded(key))
        if found is None:
            keys = dict.fromkeys(each.key for each in known.values())
            raise WrongCell(
                mark("%(code)s has no attribute %(key)s"),
                mark("It has: %(known)s"),
                code=code,
                key=key,
                known=", ".join(sorted(keys)) or "–",
            )
        return found


def label(schema: AttributeSchema, language: str) -> str:
    """What heads the column of an attribute, with its unit."""
    name = said(schema.display_name, language) or schema.key
    return f"{name} ({schema.unit})" if schema.unit else name


def said(text: LocalizedText, language: str) -> str:
    """A text in a language, or in the other one where it is missing."""
    return (text.zh or text.en) if language == "zh" else (text.en or text.zh)


def _labels(schema: AttributeSchema) -> set[str]:
    names = {schema.display_name.en, schema.display_name.zh} - {""}
    found = {folded(name) for name in names}
    return found | {folded(f"{name} ({schema.unit})") for name in names if schema.unit}
