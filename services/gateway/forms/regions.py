"""The regions that people choose from, with the coordinates of their capitals."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from services.gateway.languages import locale

_FILE = Path(__file__).with_name("regions.tsv")


@dataclass(frozen=True, slots=True)
class Region:
    """An ISO 3166-2 region; coordinates in degrees.

    ``column`` and ``row`` are its place on a map of its country on which all regions are tiles.
    """

    code: str
    en: str
    zh: str
    latitude: float
    longitude: float
    column: int
    row: int

    @property
    def country(self) -> str:
        """The ISO 3166-1 code."""
        return self.code.split("-")[0]


@cache
def regions() -> dict[str, Region]:
    """Return the known regions by code."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t")
        return {row[0]: _region(row) for row in rows}


def _region(row: list[str]) -> Region:
    code, en, zh, latitude, longitude, column, line = row
    return Region(code, en, zh, float(latitude), float(longitude), int(column), int(line))


def name(code: str, language: str) -> str:
    """Return what people call a region or country; the code itself when it is not known."""
    region = regions().get(code)
    if region is not None:
        return region.zh if language == "zh" else region.en
    if "-" not in code:
        return str(locale(language).territories.get(code, code))
    return code


def choices(language: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the regions by country, as the groups of a select."""
    found = sorted(regions().values(), key=lambda region: region.code)
    return [
        (name(country, language), [(r.code, name(r.code, language)) for r in group])
        for country, group in groupby(found, key=lambda region: region.country)
    ]


def centre(code: str) -> tuple[float, float]:
    """Return latitude and longitude of a region's capital; (0, 0) when it is not known."""
    region = regions().get(code)
    return (region.latitude, region.longitude) if region else (0.0, 0.0)
