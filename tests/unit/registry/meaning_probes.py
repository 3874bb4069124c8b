"""Measures how often a search finds what people mean: the probes, and what counts as right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from services.registry.domain.taxonomy_search import Hit

FIRST = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """Words, and the codes of which one, or one below, has to be among the first three."""

    text: str
    codes: tuple[str, ...]

    def is_right(self, hits: Sequence[Hit]) -> bool:
        found = [hit.capability.code for hit in hits[:FIRST]]
        return any(f"{code}.".startswith(f"{good}.") for code in found for good in self.codes)


def _read() -> dict[str, Any]:
    path = Path(__file__).with_name("meaning_probes.yaml")
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def probes(part: str) -> list[Probe]:
    """Return the probes of a part: "calibration" or "held_out"."""
    return [Probe(each["text"], tuple(each["codes"])) for each in _read()[part]]


def nonsense(part: str) -> list[str]:
    """Return what means no capability."""
    return list(_read()["nonsense"][part])
