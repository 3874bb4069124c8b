"""Reading the sample's files: YAML with exact decimals, one list of entries per file."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml

DATA: Final = Path(__file__).resolve().parent / "data"

Entry = dict[str, Any]


class SampleError(ValueError):
    """An entry of the sample is wrong. The message names the entry and what is wrong."""


class _ExactLoader(yaml.CSafeLoader):
    """Safe YAML in which a number with a point is a `Decimal`, since money is never a float."""


def _decimal(loader: _ExactLoader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(str(loader.construct_scalar(node)))


_ExactLoader.add_constructor("tag:yaml.org,2002:float", _decimal)


def organizations() -> list[Entry]:
    """Entries of the organizations, in the order of the file."""
    return list(_entries("organizations.yaml"))


def offers() -> list[Entry]:
    """Entries of all offers, in the order of their files' names."""
    return list(_entries("offers-*.yaml"))


def demands() -> list[Entry]:
    """Entries of all demands, in the order of their files' names."""
    return list(_entries("demands-*.yaml"))


def _entries(pattern: str) -> Iterator[Entry]:
    for path in sorted(DATA.glob(pattern)):
        with path.open(encoding="utf-8") as file:
            found = yaml.load(file, Loader=_ExactLoader)  # noqa: S506
        for entry in found:
            if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
                raise SampleError(f"{path.name}: an entry has no id: {entry!r}")
            yield entry


def require_keys(entry: Entry, known: frozenset[str], needed: frozenset[str]) -> None:
    """Check an entry's keys, so that a slip of the pen is found and not read over.

    Raises:
        SampleError: a key is unknown or missing.
    """
    for what, keys in (("unknown", set(entry) - known), ("missing", needed - set(entry))):
        if keys:
            raise SampleError(f"{entry.get('id')}: {what}: {', '.join(sorted(map(str, keys)))}")
